"""A function applied to many rows, some at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kgan.checks import check


def in_batches(function: Callable[[Any], Any], rows: Any, batch_size: int) -> np.ndarray:
    """What a function returns for all rows, computed for `batch_size` rows at a time, so that little memory is needed.

    Args:
        function: takes some rows, (batch, …), and returns as many, an array or a tensor.
        rows: (count, …), one or more: an array, or whatever else can be sliced.
        batch_size: how many rows the function takes at a time.

    Returns:
        An array (count, …) of the type that the function returns.

    Raises:
        ValueError: for a batch size below 1.

    Example:
        >>> in_batches(lambda batch: 10 * batch, np.arange(5), batch_size=2)
        array([ 0, 10, 20, 30, 40])
    """
    check(batch_size=batch_size)
    joined = None
    for begin in range(0, len(rows), batch_size):
        batch = np.asarray(function(rows[begin : begin + batch_size]))
        if joined is None:  # filled in place: joined at the end, all batches would be in memory twice
            joined = np.empty((len(rows), *batch.shape[1:]), batch.dtype)
        joined[begin : begin + len(batch)] = batch
    return joined
