"""Train a plan: the callbacks of a run, its one call of `fit`, and the model that it saves."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from kgan import callbacks
from kgan._backend import keras
from kgan.cli import console
from kgan.cli.plan import Plan
from kgan.cli.progress import progress_line
from kgan.cli.record import RunRecord
from kgan.cli.signals import Stopped, Stopper
from kgan.cli.tracking import tracker
from kgan.diagnosis import Sick
from kgan.training import workers

if TYPE_CHECKING:
    import numpy as np

    from kgan.data import Batches, Labeled
    from kgan.gan import GAN


class Outcome(NamedTuple):
    """How training ended."""

    status: str  # "finished", "interrupted", or what went wrong
    is_saved: bool  # whether a model was saved


class Run:
    """A training run.

    Args:
        plan: what to train.
        model: a compiled model.
        real: the real images.
        facts: facts about the images and the machine, for run.json.
        with_doctor: whether a doctor checks each epoch.
        stop_when_sick: whether its first finding ends the run.
        log: the name of an experiment tracker, if there is one.
    """

    def __init__(
        self,
        plan: Plan,
        model: GAN,
        real: Labeled,
        facts: Mapping[str, Any],
        with_doctor: bool,
        stop_when_sick: bool,
        log: str | None = None,
    ) -> None:
        settings = plan.settings
        self.plan = plan
        self.model = model
        self.gif = plan.directory / "progress.gif"
        self.checkpoint = callbacks.Checkpoint(
            plan.directory / "checkpoint",
            every=settings["checkpoint_every"],
            minutes=settings["checkpoint_minutes"],
            resume=True,
        )
        self.quality = _quality(plan, real)
        self.doctors = [_doctor(real, self.quality, stop_when_sick)] if with_doctor else []
        self.trackers = [tracker(log, plan)] if log else []
        self.record = RunRecord(plan, facts, self.checkpoint, self.doctors)

    def train(self, dataset: Batches, steps_per_epoch: int, stopper: Stopper) -> Outcome:
        """Train until the end, or until a signal, a loss or a finding ends the run; then save the last good model."""
        if not self.plan.record:
            self.record.write("running")  # first, so that the run can be resumed whatever happens
        try:
            status, is_good = self._fit(dataset, steps_per_epoch, stopper), True
        except (FloatingPointError, Sick) as error:
            status, is_good = str(error), False
            with contextlib.suppress(ValueError):  # all checkpoints are damaged
                is_good = self.checkpoint.restore() and int(self.model.step.numpy()) > 0
        if is_good:
            with workers.replacing(self.model.distribute_strategy, self.plan.directory / "model.keras") as temporary:
                self.model.save(temporary)
        self.record.write(status)
        return Outcome(status, is_good)

    def _fit(self, dataset: Batches, steps_per_epoch: int, stopper: Stopper) -> str:
        epochs = self.plan.settings["epochs"]
        with progress_line(epochs, steps_per_epoch) as progress:
            # By then the quality callbacks have chosen their features, in `before_fit`.
            begin = keras.callbacks.LambdaCallback(
                on_train_begin=lambda logs: self.record.begin(self.model, self.quality)
            )
            each = [begin, *self.callbacks(), progress, stopper]
            try:
                self.model.fit(dataset, epochs=epochs, steps_per_epoch=steps_per_epoch, verbose=0, callbacks=each)
            except Stopped:
                self.checkpoint.save()
                return "interrupted"
        return "finished"

    def callbacks(self) -> list[keras.callbacks.Callback]:
        """Callbacks in the order in which Keras calls them: quality adds metrics that later ones write and draw."""
        directory, settings = self.plan.directory, self.plan.settings
        every, iterations = settings["sample_every"], _numbers(settings.get("chosen_iterations"))
        return [
            callbacks.StopOnNaN(),
            *self.quality,
            callbacks.HistoryCSV(directory / "history.csv"),
            callbacks.SampleGrid(directory / "samples", every=every, iterations=iterations),
            callbacks.EpochGIF(self.gif, every=every),
            callbacks.ChosenEpochs(directory / "epochs.png", _numbers(settings["chosen_epochs"])),
            callbacks.LossCurves(directory / "losses.png"),
            *_code_pictures(self.plan),
            *self.trackers,
            *self.doctors,
            self.checkpoint,
            keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: self.record.write("running")),
        ]


def _code_pictures(plan: Plan) -> list[keras.callbacks.Callback]:
    """The callbacks that draw more pictures for a CodeGAN."""
    if plan.recipe.model != "CodeGAN":
        return []
    codes, reconstructions = plan.directory / "codes.png", plan.directory / "reconstructions.png"
    return [callbacks.CodeCurves(codes), callbacks.CodeColumns(reconstructions)]


def _quality(plan: Plan, real: Labeled) -> list[callbacks.Quality]:
    """The callback that measures quality, if the settings ask for it."""
    every = plan.settings["quality_every"]
    return [callbacks.Quality(real, every=every, keep_best=plan.directory / "best.keras")] if every else []


def _doctor(real: Labeled, quality: Sequence[callbacks.Quality], stop_when_sick: bool) -> callbacks.Doctor:
    """A doctor that prints to stderr, which no reader closes early, and that knows classes if quality is measured."""

    def say(finding: Any) -> None:
        console.say(f"doctor: {finding}", err=True)

    def classify(images: np.ndarray) -> np.ndarray | None:
        return quality[0].features.probabilities(images)  # chosen when training begins

    known = classify if quality else None
    return callbacks.Doctor(real.images, classify=known, say=say, stop_when_sick=stop_when_sick)


def _numbers(text: str | None) -> list[int]:
    """ "1,10" → [1, 10]"""
    return [int(number) for number in text.split(",")] if text else []
