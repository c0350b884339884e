"""Predict how long a run takes: time a few short epochs of it, with all that `kgan train` does in an epoch."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from kgan import callbacks, recipes, speed
from kgan._backend import keras
from kgan.cli.plan import Plan
from kgan.cli.prepare import Prepared
from kgan.cli.run import Run

if TYPE_CHECKING:
    from kgan.gan import GAN

SECONDS = 5.0  # of training in a trial; it takes longer if steps are slow, since it always trains a few
EPOCHS = 12  # at most


class Forecast(NamedTuple):
    """How long a run takes, in seconds, and how many bytes it leaves."""

    step: float
    steps_per_epoch: int
    between_epochs: float  # pictures, checkpoint, doctor
    start: float  # what is done once in a run
    weights: int  # bytes of a checkpoint
    picture: int  # bytes of a grid of samples and of a frame of the GIF

    @property
    def epoch(self) -> float:
        """Seconds of an epoch."""
        return self.steps_per_epoch * self.step + self.between_epochs

    def seconds(self, epochs: int) -> float:
        """Seconds of a run with this number of epochs."""
        return self.start + epochs * self.epoch

    def disk(self, epochs: int, settings: dict[str, Any]) -> int:
        """Bytes of a run: two checkpoints, the model, the best model if it is kept, and the pictures."""
        kept = 4 if settings["quality_every"] else 3
        return kept * self.weights + (1 + epochs // settings["sample_every"]) * self.picture


def forecast(prepared: Prepared, with_doctor: bool = True) -> Forecast:
    """Train a few short epochs in a temporary directory. Afterwards the model is as it was before.

    Raises:
        Exception: whatever training raises.
    """
    with _undone(prepared.model), tempfile.TemporaryDirectory() as directory:
        plan = prepared.plan._replace(directory=Path(directory), record={})
        return _forecast(prepared._replace(plan=plan), with_doctor)


@contextlib.contextmanager
def _undone(model: GAN) -> Iterator[None]:
    """After the block, the model is as it was before."""
    before = [variable.numpy() for variable in model.training_state]
    try:
        yield
    finally:
        for variable, value in zip(model.training_state, before, strict=True):
            variable.assign(value)


def seconds_of_steps(prepared: Prepared, count: int) -> float:
    """Seconds that `count` steps take, measured on a few. Afterwards the model is as it was before."""
    with _undone(prepared.model):
        return count * _step(prepared)


def _forecast(trial: Prepared, with_doctor: bool) -> Forecast:
    directory, settings, most = trial.plan.directory, trial.plan.settings, trial.steps_per_epoch
    step = _fit(trial, 1, round(0.5 / _step(trial))).step  # with more steps, the start of an epoch matters less
    often = max(settings[name] for name in ("sample_every", "checkpoint_every", "quality_every"))
    epochs = min(EPOCHS, 2 + max(2, often))
    run = Run(trial.plan, trial.model, trial.real, trial.facts, with_doctor, stop_when_sick=False)
    for doctor in run.doctors:
        doctor.say = None
    run.record.write("running")
    each = run.callbacks()
    began = time.perf_counter()
    watch = _fit(trial, epochs, round(SECONDS / step / epochs), each)
    took = time.perf_counter() - began

    between = watch.between_epochs
    start = took - epochs * (watch.steps * watch.step + between)
    # Pictures that are redrawn within a share of the training time get less of it in short epochs.
    redrawn = [callback.seconds for callback in each if isinstance(callback, callbacks.base.Redrawn)]
    between += sum(min(seconds, callbacks.base.Redrawn.share * most * watch.step) for seconds in redrawn)
    weights = max(path.stat().st_size for path in (directory / "checkpoint").glob("*.npz"))
    pictures = [*(directory / "samples").iterdir()]
    frames = run.gif.stat().st_size if run.gif.exists() else 0
    picture = (sum(path.stat().st_size for path in pictures) + frames) // len(pictures)
    return Forecast(watch.step, most, between, max(0.0, start), weights, picture)


def _step(trial: Prepared) -> float:
    """Seconds of a step, except the first, in which TensorFlow compiles."""
    _fit(trial, 1, 1)
    return _fit(trial, 1, 1).step


def _fit(trial: Prepared, epochs: int, steps: int, more: Sequence[keras.callbacks.Callback] = ()) -> _Stopwatch:
    watch = _Stopwatch()
    steps = min(max(steps, 2 * trial.model.steps_per_execution), trial.steps_per_epoch)
    trial.model.fit(trial.dataset, epochs=epochs, steps_per_epoch=steps, verbose=0, callbacks=[*more, watch])
    return watch


class _Stopwatch(keras.callbacks.Callback):
    """Measures the time of the steps of a `fit`, and the time between epochs. It must be the last callback."""

    def __init__(self) -> None:
        super().__init__()
        self._begun: list[float] = []  # when each epoch began, after all other callbacks
        self._trained: list[float] = []  # when its last step was done

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._begun.append(time.perf_counter())

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if batch + 1 >= self.steps:  # more, if several steps run together and there is a remainder
            float(logs["d_loss"])  # a GPU runs asynchronously: wait for it
            self._trained.append(time.perf_counter())

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return self.params["steps"]

    @property
    def step(self) -> float:
        """Seconds of a step: the median over the epochs, without the first if there are others."""
        spans = [after - before for before, after in zip(self._begun, self._trained, strict=True)]
        return statistics.median(spans[1:] or spans) / self.steps

    @property
    def between_epochs(self) -> float:
        """Mean seconds between epochs, except after the first epoch, when much is done for the first time."""
        return statistics.mean(
            after - before for before, after in zip(self._trained[1:], self._begun[2:], strict=False)
        )


def milliseconds_by_precision(plan: Plan, image_shape: Sequence[int], classes: int) -> dict[str, float]:
    """Milliseconds of a step in float32 and in bfloat16, measured in turns."""
    precisions = ("float32", "bfloat16")
    settings = [{**plan.settings, "learning_rate_schedule": "constant", "precision": each} for each in precisions]
    models = [recipes.build(plan.recipe, each, image_shape, classes) for each in settings]
    measured = speed.milliseconds_a_step(models, [plan.settings["batch_size"]] * len(models), rounds=3)
    return dict(zip(precisions, measured, strict=True))
