"""How a callback talks to `fit`: hooks on one base class, and one recorder of the history that all callbacks read."""

from __future__ import annotations

import contextlib
import copy
import math
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from kgan._backend import keras


class FitArguments(NamedTuple):
    """The arguments of `fit`, for callbacks. Numbers are as given, or the default."""

    data: Any  # the checked images, `kgan.training.data.RealImages`
    callbacks: Sequence[keras.callbacks.Callback]
    epochs: int  # the epoch to train to
    batch_size: int | None
    steps_per_epoch: int | None
    shuffle: bool


class ResumePoint(NamedTuple):
    """Where a resumed run begins."""

    epochs: int  # that are finished
    steps: int  # that are finished, of the next epoch
    epochs_since_data_start: int
    history: keras.callbacks.History  # of the finished epochs


class Recorder(keras.callbacks.Callback):
    """The history of a model, `model.recorder`: it continues if `fit` is called again, although Keras starts over.

    `fit` puts it before all other callbacks, so within `on_epoch_end` all others find the finished epoch in it. What a
    callback adds to `logs` then, as `kgan.callbacks.Quality` does, is in its row as well.

    Example:
        >>> history = model.fit(images, epochs=2, verbose=0)
        >>> model.recorder.columns["epoch"]
        [1, 2]
    """

    def __init__(self) -> None:
        super().__init__()
        self._epochs: list[tuple[int, dict[str, float], float]] = []  # number, logs, seconds
        self._began: float | None = None  # the unfinished epoch
        self._elapsed = 0.0  # seconds of an epoch that another process began

    @property
    def epoch(self) -> int:
        """The number of finished epochs."""
        return self._epochs[-1][0] if self._epochs else 0

    @property
    def rows(self) -> list[dict[str, float]]:
        """{"epoch": 1, metric: value, …, "seconds": 7.5} for each finished epoch."""
        return [
            {"epoch": number, **{name: float(value) for name, value in logs.items()}, "seconds": seconds}
            for number, logs, seconds in self._epochs
        ]

    @property
    def columns(self) -> dict[str, list[float]]:
        """{"epoch": [1, 2, …], metric: [value, …], …}, with NaN where a metric was not measured."""
        rows = self.rows
        names = dict.fromkeys(name for row in rows for name in row)
        return {name: [row.get(name, math.nan) for row in rows] for name in names}

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._began, self._elapsed = time.perf_counter() - self._elapsed, 0.0

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        seconds = round(time.perf_counter() - self._began, 3)
        self._epochs.append((max(self.epoch, epoch) + 1, {} if logs is None else logs, seconds))
        self._began = None

    def get_state(self) -> dict[str, Any]:
        """What a checkpoint keeps: all that JSON can hold."""
        elapsed = self._elapsed if self._began is None else time.perf_counter() - self._began
        return {"rows": self.rows, "elapsed": elapsed}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from what `get_state` returned."""
        self._began, self._elapsed, self._epochs = None, float(state["elapsed"]), []
        for row in state["rows"]:
            logs = {name: float(value) for name, value in row.items() if name not in ("epoch", "seconds")}
            self._epochs.append((int(row["epoch"]), logs, float(row["seconds"])))


class Callback(keras.callbacks.Callback):
    """A callback with the hooks of kgan's `fit`. With another model it starts over, in the state that it began with.

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
        self._owner: keras.Model | None = None
        self._fresh: dict[str, Any] = {}

    @property
    def epoch(self) -> int:
        """The number of finished epochs of the model, the one that is ending included: see `Recorder`."""
        return self.model.recorder.epoch if self.model else 0

    def set_model(self, model: keras.Model) -> None:
        if self._owner is None:
            self._fresh = copy.deepcopy(self.get_state())
        elif self._owner is not model:
            self.set_state(copy.deepcopy(self._fresh))
        self._owner = model
        super().set_model(model)

    def before_fit(self, arguments: FitArguments) -> None:
        """Check and prepare what is needed before the first step, for `self.model`; ValueError ends the fit."""

    def resume(self, arguments: FitArguments) -> contextlib.AbstractContextManager[ResumePoint | None]:
        """A context manager around all of `fit`; it gives the point to resume from, or None for a new run."""
        return contextlib.nullcontext()

    def after_fit(self) -> None:
        """Called when `fit` has ended, also after an error, to do what is left to do."""

    def next_iteration(self, step: int) -> int | None:
        """The first step after `step` at whose end to call `on_iteration_end`: no execution of several skips it."""
        return None

    def on_iteration_end(self, step: int) -> None:
        """Called after a step that `next_iteration` named."""

    def get_state(self) -> dict[str, Any]:
        """What a checkpoint keeps of this callback, by name: arrays, and whatever JSON can hold."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from what `get_state` returned."""
