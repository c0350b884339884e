"""A function applied to many rows, some at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kgan.checks import check


def in_batches(function: Callable[[Any], Any], rows: Any, batch_size: int) -> np.ndarray:
    """What a function returns for all rows, one or more, computed for `batch_size` of them at a time."""
    check(batch_size=batch_size)
    joined = None
    for begin in range(0, len(rows), batch_size):
        batch = np.asarray(function(rows[begin : begin + batch_size]))
        if joined is None:  # filled in place: joined at the end, all batches would be in memory twice
            joined = np.empty((len(rows), *batch.shape[1:]), batch.dtype)
        joined[begin : begin + len(batch)] = batch
    return joined
