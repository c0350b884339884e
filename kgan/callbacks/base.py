"""What callbacks check."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np

from kgan._backend import keras


def check_finite(variable: keras.Variable, value: np.ndarray, moment: str) -> None:
    """Raise FloatingPointError where a weight is NaN or infinite."""
    if value.dtype.kind in "fV" and not np.isfinite(value).all():
        raise FloatingPointError(f"{variable.path} is not finite {moment}")


def check_at_least_1(**arguments: int | Collection[int] | None) -> None:
    """Raise ValueError, naming the argument, where a number or one of several is below 1."""
    for name, value in arguments.items():
        numbers = () if value is None else value if isinstance(value, Collection) else (value,)
        for number in numbers:
            if number < 1:
                raise ValueError(f"{name} is {value}: it is counted from 1")


def checked_file(path: str | Path, suffix: str) -> Path:
    """The path of a file to write.

    Raises:
        ValueError: for another suffix, or a directory.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a directory: name a file that ends in {suffix}")
    if path.suffix.lower() != suffix:
        raise ValueError(f"path is {path}: the file must end in {suffix}")
    return path


def checked_directory(path: str | Path) -> Path:
    """The path of a directory to write to, which may not exist yet.

    Raises:
        ValueError: for a file.
    """
    path = Path(path)
    if path.is_file():
        raise ValueError(f"{path} is a file: name a directory")
    return path
