"""How much time, disk space and memory a run takes, found by training a little of it in a temporary directory."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from kgan import session

if TYPE_CHECKING:
    from kgan.gan import GAN

SECONDS = 5.0  # of training; it takes longer if steps are slow, since a few are always trained
EPOCHS = 12  # at most


class Forecast(NamedTuple):
    """What a run takes."""

    step: float  # seconds
    between: float  # seconds from one epoch to the next, for pictures, checkpoint and checks
    start: float  # seconds for what is done once
    epochs: int
    steps_per_epoch: int
    disk: int  # bytes that the run leaves
    memory: int | None  # most bytes of memory of this process; None where the system does not say
    model: GAN  # trained a little
    settings: dict[str, Any]
    directory: Path

    @property
    def epoch(self) -> float:
        """Seconds of an epoch."""
        return self.steps_per_epoch * self.step + self.between

    @property
    def seconds(self) -> float:
        """Seconds of the run."""
        return self.start + self.epochs * self.epoch


def forecast(
    recipe: str | None = None, *, out: str | Path | None = None, devices: int = 1, doctor: bool = True, **changes: Any
) -> Forecast:
    """Train a few short epochs of a run, with all that is done in them, and save nothing.

    Args:
        recipe, out, devices, doctor, **changes: see `kgan.train`.

    Raises:
        Mistake, OSError: see `kgan.train`.

    Example:
        >>> forecast("gan-digits", hidden_units=16, epochs=50).epochs
        50
    """
    from kgan import callbacks, placement, runs
    from kgan.training import Recorder

    chosen, settings, directory = session.new_run(recipe, session.as_settings(**changes), out)
    strategy = placement.strategy(devices, settings)
    real, _ = session.load_images(settings)
    batches = session.make_batches(settings, real)
    model, settings = session.build(chosen, settings, real, batches, strategy)
    epochs, steps_per_epoch = settings["epochs"], session.steps_of_epoch(settings, batches)

    def fit(epochs: int, steps: int, parts: Any = ()) -> callbacks.Stopwatch:
        steps = min(max(steps, 2 * model.steps_per_execution), steps_per_epoch)
        watch = callbacks.Stopwatch(epochs, steps)
        model.fit(batches, epochs=epochs, steps_per_epoch=steps, verbose=0, callbacks=[*parts, watch])
        return watch

    began = time.perf_counter()
    fit(1, 1)
    compiling = time.perf_counter() - began  # TensorFlow compiles in the first step; the run does so once, too
    step = fit(1, round(0.5 / fit(1, 1).step)).step  # with more steps, the start of an epoch matters less
    interval = max(settings[name] for name in ("sample_every", "checkpoint_every", "quality_every"))
    short = min(EPOCHS, 2 + max(2, interval))
    with tempfile.TemporaryDirectory() as name:
        temporary = Path(name)
        model.recorder = Recorder()  # the run begins here
        parts = session.run_callbacks(temporary, chosen, settings, real, doctor)
        began = time.perf_counter()
        watch = fit(short, round(SECONDS / step / short), [*parts.values()])
        took = time.perf_counter() - began
        # Pictures that are redrawn within a share of the training time get less of it in short epochs.
        share = callbacks.base.SHARE * steps_per_epoch * watch.step
        redrawn = [part.seconds for part in parts.values() if isinstance(part, callbacks.base.Redrawn)]
        weights = max(path.stat().st_size for path in (temporary / "checkpoint").glob("*.npz"))
        pictures = [*(temporary / "samples").iterdir(), *temporary.glob("*.gif")]
        picture = sum(path.stat().st_size for path in pictures) / len([*(temporary / "samples").iterdir()])
    kept = 4 if settings["quality_every"] else 3  # two checkpoints, the model, the best model
    return Forecast(
        step=watch.step,
        between=watch.between + sum(min(seconds, share) for seconds in redrawn),
        start=compiling + max(0.0, took - short * (watch.steps_per_epoch * watch.step + watch.between)),
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        disk=round(kept * weights + (1 + epochs // settings["sample_every"]) * picture),
        memory=runs.peak_memory(),
        model=model,
        settings=settings,
        directory=directory,
    )
