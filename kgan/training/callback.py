"""How a callback talks to the engine: hooks on one base class."""

from __future__ import annotations

import contextlib
import copy
import math
import time
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


class Recorder(keras.callbacks.Callback):
    """The history of a model."""

    def __init__(self) -> None:
        super().__init__()
        self._epochs: list[tuple[int, dict[str, Any], float]] = []
        self._began: float | None = None
        self._elapsed = 0.0

    @property
    def epoch(self) -> int:
        return self._epochs[-1][0] if self._epochs else 0

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [
            {"epoch": epoch, **{name: float(value) for name, value in logs.items()}, "seconds": seconds}
            for epoch, logs, seconds in self._epochs
        ]

    @property
    def columns(self) -> dict[str, list[float]]:
        rows = self.rows
        names = dict.fromkeys(name for row in rows for name in row)
        return {name: [row.get(name, math.nan) for row in rows] for name in names}

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._began = time.perf_counter() - self._elapsed
        self._elapsed = 0.0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs = {} if logs is None else logs
        self._epochs.append((max(self.epoch, epoch) + 1, logs, round(time.perf_counter() - self._began, 3)))
        self._began = None

    def get_state(self) -> dict[str, Any]:
        elapsed = self._elapsed if self._began is None else time.perf_counter() - self._began
        return {"rows": self.rows, "elapsed": elapsed}

    def set_state(self, state: dict[str, Any]) -> None:
        rows = [dict(row) for row in state["rows"]]
        self._epochs = [
            (int(row.pop("epoch")), {n: float(v) for n, v in row.items() if n != "seconds"}, float(row["seconds"]))
            for row in rows
        ]
        self._began, self._elapsed = None, float(state["elapsed"])


class Described:
    """Data of `fit`, with a description."""

    def __init__(self, data: Any, labels: Any = None) -> None:
        self.data = data
        self.labels = labels

    def description(self) -> dict[str, Any]:
        import hashlib

        import numpy as np

        data = self.data
        batching = {name: getattr(data, name) for name in ("batch_size", "seed") if hasattr(data, "images")}
        images = getattr(data, "images", data)
        if hasattr(images, "shape"):
            digest = hashlib.sha256()
            for begin in range(0, len(images), 4096):
                digest.update(np.ascontiguousarray(images[begin : begin + 4096]))
            real = {"shape": list(images.shape), "dtype": images.dtype.name, "sha256": digest.hexdigest()}
        elif hasattr(images, "element_spec"):
            first = next(iter(images.take(1)), None)
            shapes = [list(each.shape) for each in (first if isinstance(first, tuple) else (first,))]
            real = {"batches": int(images.cardinality()), "batch": str(shapes)}
        else:
            real = {"kind": type(images).__name__, "batches": len(images) if hasattr(images, "__len__") else None}
        return {f"images.{name}": value for name, value in {**real, **batching}.items()}


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
        self._owner: keras.Model | None = None
        self._fresh: dict[str, Any] = {}

    @property
    def epoch(self) -> int:
        """Number of finished epochs."""
        return self.model.recorder.epoch if self.model is not None else 0

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

    def get_state(self) -> dict[str, Any]:
        """What a checkpoint keeps of this callback, by name: arrays, and whatever JSON can hold."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from what `get_state` returned."""
