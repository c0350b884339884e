"""What callbacks have in common: counting epochs, and checks."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from kgan._backend import keras


class EpochCounter(keras.callbacks.Callback):
    """Counts finished epochs in `self.epoch`, from 1, and on where `fit` is called again and Keras starts over."""

    holds_checkpoints = False  # whether a checkpoint should wait for better times

    def __init__(self) -> None:
        super().__init__()
        self.epoch = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.epoch = max(self.epoch, epoch) + 1

    def get_state(self) -> dict[str, Any]:
        """What a checkpoint keeps of this callback, by name: arrays, and whatever JSON can hold."""
        return {"epoch": self.epoch}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from what `get_state` gave."""
        self.epoch = state["epoch"]


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
