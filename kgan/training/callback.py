"""How a callback talks to the engine: hooks on one base class."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

from kgan._backend import keras


class FitArguments(NamedTuple):
    """The arguments of `fit`, for callbacks.

    Attributes:
        data: the real images, in any form that `fit` takes.
        callbacks: all callbacks of this `fit`.
        epochs: the epoch to train to.
        batch_size, steps_per_epoch, shuffle: as given, or the default.
    """

    data: Any
    callbacks: Sequence[keras.callbacks.Callback]
    epochs: int
    batch_size: int | None
    steps_per_epoch: int | None
    shuffle: bool


class ResumePoint(NamedTuple):
    """Where a resumed run begins.

    Attributes:
        epochs: number of finished epochs.
        steps: number of finished steps of the epoch after them.
        epochs_since_data_start: number of epochs since the data were at their beginning.
        history: the history of the finished epochs.
    """

    epochs: int
    steps: int
    epochs_since_data_start: int
    history: keras.callbacks.History


class Callback(keras.callbacks.Callback):
    """A callback with the hooks of kgan's `fit`, and a count of finished epochs in `self.epoch`.

    Epochs are counted from 1. The count continues if `fit` is called again, although Keras starts over. With another
    model the callback starts over too, in the state that it had before its first model.

    Example:
        >>> class Shout(kgan.callbacks.Callback):
        ...     def next_iteration(self, step):
        ...         return 100 if step < 100 else None
        ...
        ...     def on_iteration_end(self, step):
        ...         print(f"{step} steps!")
        >>> history = model.fit(images, epochs=1, verbose=0, callbacks=[Shout()])
    """

    # Whether it only draws, writes or shows. With several workers only the first one calls it, but all of them ask for
    # its `next_iteration`. Such a callback must not decide anything that changes training.
    is_for_chief = False
    holds_checkpoints = False  # whether checkpoints must wait
    shows_progress = False  # whether Keras' progress bar is left out, unless `verbose` asks for it

    def __init__(self) -> None:
        super().__init__()
        self.epoch = 0
        self._owner: keras.Model | None = None
        self._fresh: dict[str, Any] = {}

    def set_model(self, model: keras.Model) -> None:
        if self._owner is None:
            self._fresh = copy.deepcopy(self.get_state())
        elif self._owner is not model:
            self.set_state(copy.deepcopy(self._fresh))
        self._owner = model
        super().set_model(model)

    def before_fit(self, arguments: FitArguments) -> None:
        """Check and prepare what is needed before the first step. `self.model` is set.

        Raises:
            ValueError: if this callback cannot do its work with this model or these arguments.
        """

    def resume(self, arguments: FitArguments) -> contextlib.AbstractContextManager[ResumePoint | None]:
        """A context manager around all of `fit`; it gives the point to resume from, or None for a new run."""
        return contextlib.nullcontext()

    def after_fit(self) -> None:
        """Called when `fit` has ended, also after an error, to do what is left to do."""

    def next_iteration(self, step: int) -> int | None:
        """The first training step after `step` at whose end `on_iteration_end` should be called; None: there is none.

        `fit` asks for it between executions, so that `steps_per_execution` never skips such a step.
        """
        return None

    def on_iteration_end(self, step: int) -> None:
        """Called after a step that `next_iteration` named."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.epoch = max(self.epoch, epoch) + 1

    def get_state(self) -> dict[str, Any]:
        """What a checkpoint keeps of this callback, by name: arrays, and whatever JSON can hold."""
        return {"epoch": self.epoch}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from what `get_state` returned."""
        self.epoch = state["epoch"]
