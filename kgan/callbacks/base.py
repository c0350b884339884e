"""What callbacks have in common: checks, and pictures that cost little time."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np

from kgan._backend import keras
from kgan.errors import Mistake
from kgan.training import Callback

SHARE = 0.03  # fraction of the time that redrawing a picture may take


class Redrawn(Callback):
    """A callback that redraws a picture after each epoch, in a small fraction of the time.

    If epochs are short, some are skipped: matplotlib would take longer than training does. The state at the end of
    `fit` is always drawn, however `fit` ends.
    """

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._drawn = self._took = 0.0  # when it was drawn, and how many seconds that took
        self._waiting: Callable[[], Any] | None = None  # draws what was skipped

    @property
    def seconds(self) -> float:
        """How many seconds drawing took last time."""
        return self._took

    def redraw(self, draw: Callable[[], Any]) -> None:
        """Draw now or, if it is too early, later; a later call replaces this one."""
        self._waiting = draw
        if time.monotonic() - self._drawn >= self._took / SHARE:
            self.draw_waiting()

    def draw_waiting(self) -> None:
        """Draw what was skipped."""
        draw, self._waiting = self._waiting, None
        if draw:
            began = time.monotonic()
            draw()
            self._drawn = time.monotonic()
            self._took = self._drawn - began

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.draw_waiting()

    def after_fit(self) -> None:
        self.draw_waiting()


def check_finite(variable: keras.Variable, value: np.ndarray, moment: str) -> None:
    """Raise FloatingPointError if a weight is NaN or infinite."""
    if value.dtype.kind in "fV" and not np.isfinite(value).all():
        raise FloatingPointError(f"{variable.path} is not finite {moment}")


def check_at_least_1(**arguments: int | Collection[int] | None) -> None:
    """Raise ValueError, with the name of the argument, if a number or one of several is below 1."""
    for name, value in arguments.items():
        numbers = () if value is None else value if isinstance(value, Collection) else (value,)
        for number in numbers:
            if number < 1:
                raise Mistake(f"{name} is {value}: it is counted from 1")


def checked_file(path: str | Path, suffix: str) -> Path:
    """The path of a file to write.

    Raises:
        ValueError: if the path has another suffix, or is a directory.
    """
    path = Path(path)
    if path.is_dir():
        raise Mistake(f"{path} is a directory: name a file that ends in {suffix}")
    if path.suffix.lower() != suffix:
        raise Mistake(f"path is {path}: the file must end in {suffix}")
    return path


def checked_directory(path: str | Path) -> Path:
    """The path of a directory to write to, which may not exist yet.

    Raises:
        ValueError: if the path is a file.
    """
    path = Path(path)
    if path.is_file():
        raise Mistake(f"{path} is a file: name a directory")
    return path
