"""Checkpoints: save what is needed to resume a run after a crash, and resume it."""

from __future__ import annotations

import contextlib
import operator
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kgan import runs
from kgan._backend import keras, tf
from kgan.callbacks.base import check_finite, checked_directory
from kgan.checks import check
from kgan.errors import Mistake
from kgan.training import Callback, FitArguments, ResumePoint, workers

FORMAT = 4  # of checkpoints


class Checkpoint(Callback):
    """Saves what is needed to resume a run after a crash, as if there had been no crash: bit for bit on a CPU.

    A checkpoint holds the model's training state, its history, and the states of kgan's other callbacks, as arrays and
    JSON. The last two are kept: if the newest is damaged, the one before is used, with a warning.

    A run is resumed exactly if its data are arrays, `kgan.data.Batches`, or other data that give the same batches in
    the same order each time. Keras' own callbacks, such as EarlyStopping, start again from the beginning. Several
    workers all read the directory, which they must share, and the first one writes it.

    Args:
        directory: where to write checkpoints; use it only for them.
        every: epochs between checkpoints.
        minutes: a checkpoint is also written within an epoch, when the last one is so many minutes old. None: never.
        resume: continue from the newest checkpoint in `directory`, if there is one. `epochs` of `fit` then counts
            from the beginning of the run.

    Raises:
        ValueError: from `fit`: model, optimizers, data or batch size differ from the checkpoint's, or all are damaged.
        FileExistsError: from `fit`: `directory` holds checkpoints of another run, and `resume` is not set.
        BlockingIOError: from `fit`: another process is training in `directory`.
        FloatingPointError: from `fit`: a weight is NaN or infinite; the last good checkpoint is kept.

    Example:
        >>> callbacks = [kgan.callbacks.EpochGIF("progress.gif"), Checkpoint("checkpoint", resume=True)]
        >>> history = model.fit(images, epochs=2, verbose=0, callbacks=callbacks)
    """

    def __init__(
        self, directory: str | Path, *, every: int = 1, minutes: float | None = 10, resume: bool = False
    ) -> None:
        super().__init__()
        check(every=every, minutes=minutes)
        self.directory = checked_directory(directory)
        self.every = every
        self.minutes = minutes
        self.is_resuming = resume
        self._first_step = 0  # of the current epoch
        self._data_start = 0  # the epoch after which the data were at their beginning
        self._run: dict[str, Any] = {}  # describes model, data and arguments of `fit`
        self._described: tuple[keras.Model, dict[str, Any]] | None = None  # a model, as it was when first seen
        self._peers: dict[str, Callback] = {}  # the other callbacks of this `fit`
        self._kept: list[int] = []  # numbers of the good checkpoints that are there, the newest last
        self._saved: tuple[int, int] | None = None  # epoch and step of the model in the newest checkpoint
        self._written = 0.0  # when that was written
        self._metrics: list[np.ndarray] = []  # sums of the unfinished epoch that is resumed

    @property
    def steps(self) -> int:
        """Finished steps of the current epoch."""
        return int(self.model.step.numpy()) - self._first_step

    @property
    def _is_up_to_date(self) -> bool:
        """Whether the newest checkpoint has the model's present state."""
        return self._saved == (self.epoch, int(self.model.step.numpy()))

    @contextlib.contextmanager
    def resume(self, arguments: FitArguments) -> Iterator[ResumePoint]:
        """Lock the directory for this process while `fit` trains, and resume the run in it."""
        model = self.model
        with contextlib.ExitStack() as held:
            if workers.is_chief(model.distribute_strategy):
                held.enter_context(runs.lock(self.directory))
                runs.remove_partial_files(self.directory)
            if self._described is None or self._described[0] is not model:
                self._described, self._saved = (model, runs.describe_model(model)), None
            peers = [peer for peer in arguments.callbacks if isinstance(peer, Callback) and peer is not self]
            kinds = [type(peer).__name__ for peer in peers]  # "EpochGIF 1", …: the same in the process that resumes
            self._peers = {f"{kind} {kinds[:index].count(kind) + 1}": peers[index] for index, kind in enumerate(kinds)}
            fit_arguments = {name: getattr(arguments, name) for name in ("batch_size", "steps_per_epoch", "shuffle")}
            run = {**arguments.data.description(), **fit_arguments, **self._described[1]}
            if not self.is_resuming:
                if not self._kept and runs.next_number(self.directory) > 1:
                    raise FileExistsError(
                        f"{self.directory} holds checkpoints: continue from them with resume=True, or name another"
                    )
                self._begin(run)
            elif self._is_up_to_date:  # `fit` again: changes made by hand since then stay
                runs.check_same(run, self._run)
                _check_epochs(self.epoch, self.steps, arguments.epochs)
            elif not self._read(run, arguments.epochs):
                self._begin(run)
                self.save()  # at the very beginning, so that there is always one
            self._metrics = [variable.numpy() for variable in model.metrics_variables]
            self._saved, self._written = None, time.monotonic()
            history = keras.callbacks.History()
            epochs = self.epoch if self.is_resuming else 0
            for row in model.recorder.rows if self.is_resuming else ():
                for name in [name for name in row if name not in ("epoch", "seconds")]:
                    history.history.setdefault(name, []).append(row[name])
            yield ResumePoint(epochs, self.steps, self.epoch - self._data_start, history)
            if self.is_resuming:
                history.epoch = list(range(self.epoch))

    def _begin(self, run: dict[str, Any]) -> None:
        """Describe a new run, which begins with the model as it is."""
        self._first_step, self._data_start, self._run = int(self.model.step.numpy()), self.epoch, run

    # A checkpoint is saved when all callbacks have finished their work on an epoch or a step: that is when the next
    # one begins.

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if self.steps:  # Keras has just set the sums to zero
            for variable, value in zip(self.model.metrics_variables, self._metrics, strict=True):
                variable.assign(value)
        else:
            self._save_if_due(self.epoch > 0 and self.epoch % self.every == 0)

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if self.minutes and batch:
            is_old = time.monotonic() - self._written > self.minutes * 60
            self._save_if_due(workers.any_of(self.model.distribute_strategy, is_old))  # workers' clocks differ

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._first_step = int(self.model.step.numpy())

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.save()

    def _save_if_due(self, is_due: bool) -> None:
        """Save, unless a callback wants no newer checkpoint now: see `Doctor`, stop_when_sick."""
        if is_due and not any(peer.holds_checkpoints for peer in self._peers.values()):
            self.save()

    def save(self) -> None:
        """Write a checkpoint now, between two steps, unless the newest is of this step. All workers must call it."""
        if self._is_up_to_date:
            return
        workers.average_statistics(self.model)
        arrays, states = {}, {}
        for number, variable in enumerate(self.model.training_state):
            arrays[f"{number:05}"] = value = variable.numpy()
            check_finite(variable, value, f"after step {self.model.step.numpy()}")
        for name, peer in self._peers.items():
            state = peer.get_state()
            arrays |= {f"{name}/{key}": value for key, value in state.items() if isinstance(value, np.ndarray)}
            states[name] = {key: value for key, value in state.items() if not isinstance(value, np.ndarray)}
        state = {"format": FORMAT, "epochs": self.epoch, "steps": self.steps, "data_start": self._data_start}
        state |= {"run": self._run, "versions": _versions()}
        state |= {"recorder": self.model.recorder.get_state(), "callbacks": states}
        number = runs.next_number(self.directory)
        kept = [*self._kept[-1:], number]
        if workers.is_chief(self.model.distribute_strategy):
            runs.write_checkpoint(self.directory, number, arrays, state)
            runs.keep_checkpoints(self.directory, kept)
        self._kept = kept
        self._saved, self._written = (self.epoch, int(self.model.step.numpy())), time.monotonic()

    def restore(self, model: keras.Model | None = None) -> bool:
        """Restore only the model (default: that of the last `fit`) and its history; whether there was a checkpoint."""
        if model is not None:
            self.set_model(model)
        if self.model is None:
            raise Mistake("there is no model to restore: name one")
        if saved := runs.read_checkpoint(self.directory):
            self._assign(self._values(saved), saved.state)
            self._saved = None
        return saved is not None

    def _read(self, run: dict[str, Any], wanted: int) -> bool:
        """Continue from the newest good checkpoint, if there is one: model, history and callbacks."""
        saved = runs.read_checkpoint(self.directory)
        # None writes before all have read.
        numbers = workers.gathered(self.model.distribute_strategy, [saved.number if saved else 0])
        if len(set(np.ravel(numbers))) > 1:
            raise Mistake(f"the workers do not find the same checkpoint in {self.directory}: they must share it")
        if saved is None:
            return False
        state, where = saved.state, f"checkpoint {saved.number} in {self.directory} cannot be resumed"
        try:
            if state["format"] != FORMAT:
                raise Mistake(f"its format is {state['format']}, that of another version of kgan, not {FORMAT}")
            runs.check_same(run, state["run"])
            values = self._values(saved)
            epochs, steps, data_start = (operator.index(state[name]) for name in ("epochs", "steps", "data_start"))
            if min(epochs, steps, data_start) < 0 or data_start > epochs:
                raise Mistake(f"it has {epochs} epochs since {data_start}, and {steps} steps")
            _check_epochs(epochs, steps, wanted)
            for name in self._peers.keys() & state["callbacks"].keys():  # the others are new to the run
                prefix = f"{name}/"
                arrays = {key[len(prefix) :]: saved.arrays[key] for key in saved.arrays if key.startswith(prefix)}
                self._peers[name].set_state({**state["callbacks"][name], **arrays})
            if state["versions"] != _versions():
                made_with = ", ".join(f"{name} {version}" for name, version in state["versions"].items())
                warnings.warn(f"{where} bit for bit: it was made with {made_with}", stacklevel=4)
            self._assign(values, state)
        except (KeyError, TypeError, AttributeError, IndexError, OverflowError, ValueError) as error:
            raise Mistake(f"{where}: {error}") from None
        self._data_start, self._run, self._kept = data_start, state["run"], [saved.number]
        return True

    def _values(self, saved: runs.Saved) -> list[np.ndarray]:
        """The arrays of a checkpoint in the order of the model's variables, if they fit."""
        variables = self.model.training_state
        values = [value for name, value in sorted(saved.arrays.items()) if "/" not in name]
        if len(values) != len(variables):
            raise Mistake(f"it holds {len(values)} arrays for a model of {len(variables)}")
        for number, (variable, value) in enumerate(zip(variables, values, strict=True)):
            dtype, shape = variable.numpy().dtype, tuple(variable.shape)
            if value.dtype.kind == "V":  # how NumPy stores bfloat16
                values[number] = value = value.view(dtype)
            if (value.shape, value.dtype) != (shape, dtype):
                raise Mistake(f"it holds {value.dtype} {value.shape} for {variable.path}, {dtype} {shape}")
        return values

    def _assign(self, values: list[np.ndarray], state: dict[str, Any]) -> None:
        self.model.recorder.set_state(state["recorder"])
        for variable, value in zip(self.model.training_state, values, strict=True):
            variable.assign(value)
        self._first_step = int(self.model.step.numpy()) - state["steps"]


def _versions() -> dict[str, str]:
    return {"keras": keras.__version__, "tensorflow": tf.__version__}


def _check_epochs(epochs: int, steps: int, wanted: int) -> None:
    if epochs + bool(steps) > wanted:
        has = f"is in epoch {epochs + 1}" if steps else f"has {epochs}"
        raise Mistake(f"epochs is {wanted}, but the run {has} already")
