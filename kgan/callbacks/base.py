"""What callbacks have in common: pictures that cost little time, and checks."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from kgan._backend import keras
from kgan.errors import Mistake
from kgan.training import Callback

SHARE = 0.03  # fraction of the time that redrawing a picture may take


class Redrawn(Callback):
    """Redraws a picture in a small fraction of the time: short epochs are skipped, but never the end of `fit`."""

    share = SHARE

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.seconds = 0.0  # that drawing took last time
        self._drawn = 0.0  # when that was
        self._waiting: Callable[[], Any] | None = None  # draws what was skipped

    def redraw(self, draw: Callable[[], Any], *, patience: float = 0.0) -> None:
        """Draw now or, if the last picture is not `patience` seconds old, later; a later call replaces this one."""
        self._waiting = draw
        if time.monotonic() - self._drawn > max(patience, self.seconds / self.share):
            self.draw_waiting()

    def draw_waiting(self) -> None:
        """Draw what was skipped."""
        draw, self._waiting = self._waiting, None
        if draw:
            began = time.monotonic()
            draw()
            self._drawn = time.monotonic()
            self.seconds = self._drawn - began

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.draw_waiting()

    def after_fit(self) -> None:
        self.draw_waiting()


def check_finite(variable: keras.Variable, value: np.ndarray, moment: str) -> None:
    """Raise FloatingPointError if a weight is NaN or infinite."""
    if value.dtype.kind in "fV" and not np.isfinite(value).all():
        raise FloatingPointError(f"{variable.path} is not finite {moment}")


def checked_file(path: str | Path, suffix: str) -> Path:
    """The path of a file to write; Mistake if it has another suffix, or is a directory."""
    path = Path(path).expanduser()
    if path.is_dir():
        raise Mistake(f"{path} is a directory: name a file that ends in {suffix}")
    if path.suffix.lower() != suffix:
        raise Mistake(f"path is {path}: the file must end in {suffix}")
    return path


def checked_directory(path: str | Path) -> Path:
    """The path of a directory to write to, which may not exist yet; Mistake if it is a file."""
    path = Path(path).expanduser()
    if path.is_file():
        raise Mistake(f"{path} is a file: name a directory")
    return path
