"""Reads the table of a run, `history.csv`."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from kgan.errors import Mistake
from kgan.runs.files import read_file


def read_history(path: str | Path) -> dict[str, list[float]]:
    """The columns of a `history.csv` that kgan does not trust; empty cells are NaN.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not the table of a run.

    Example:
        >>> text = Path("history.csv").write_text("epoch,d_loss,seconds\\n1,1.38,7.5\\n")
        >>> read_history("history.csv")
        {'epoch': [1.0], 'd_loss': [1.38], 'seconds': [7.5]}
    """
    content = read_file(path, at_most=2**26)
    try:
        rows = list(csv.DictReader(io.StringIO(content.decode())))
        history = {name: [float(row[name] or "nan") for row in rows] for name in (rows[0] if rows else ())}
    except (ValueError, TypeError, csv.Error):
        history = {}
    if not {"epoch", "seconds"} <= set(history):
        raise Mistake(f"{path} cannot be read: it is not the table that kgan wrote")
    return history
