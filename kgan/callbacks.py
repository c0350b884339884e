"""Callbacks for `fit`: what to draw and when. How is the business of `kgan.plots`.

Each leaves its files whole after every epoch, so a run that ends early, by Ctrl-C or by an exception, has the
pictures and curves of all it trained. Epochs are counted from 1, and on through further calls of `fit` with the same
callback. They work with any model that has `generate`, `compile` and `fit` like `kgan.GAN`.
"""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from PIL import Image

from kgan import plots, runs
from kgan._backend import keras


class EpochCounter(keras.callbacks.Callback):
    """Counts finished epochs in `self.epoch`, from 1, and on where `fit` is called again and Keras starts over."""

    def __init__(self) -> None:
        super().__init__()
        self.epoch = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.epoch = max(self.epoch, epoch) + 1


class Samples(EpochCounter):
    """Draws the same codes each time, so that pictures of different epochs compare.

    Args:
        rows, columns: of the grid.
        seed: which codes.
    """

    def __init__(self, *, rows: int = 8, columns: int = 8, seed: int = 0) -> None:
        super().__init__()
        _check_at_least_1(rows=rows, columns=columns)
        self.rows = rows
        self.columns = columns
        self.seed = seed

    def draw(self) -> Image.Image:
        """The grid, as the model draws it now."""
        return plots.image_grid(self.model.generate(self.rows * self.columns, seed=self.seed), self.columns)


class SampleGrid(Samples):
    """Saves a grid of samples: `epoch-0001.png`, …, and `iteration-000100.png` for chosen iterations.

    Args:
        directory: where to.
        every: a picture every so many epochs.
        epochs: or just after these epochs.
        iterations: also after these training steps (generator updates) of the model.
        rows, columns, seed: see `Samples`.

    Raises:
        ValueError: for an epoch, iteration or number below 1.

    Example:
        >>> watcher = SampleGrid("samples", epochs=(1, 10, 50, 100), iterations=(100, 200, 2400))
    """

    def __init__(
        self,
        directory: str | Path,
        *,
        every: int = 1,
        epochs: Collection[int] | None = None,
        iterations: Collection[int] = (),
        rows: int = 8,
        columns: int = 8,
        seed: int = 0,
    ) -> None:
        super().__init__(rows=rows, columns=columns, seed=seed)
        epochs = (epochs,) if isinstance(epochs, int) else epochs
        iterations = (iterations,) if isinstance(iterations, int) else iterations
        _check_at_least_1(every=every, epochs=epochs, iterations=iterations)
        self.directory = Path(directory)
        self.every = every
        self.epochs = epochs
        self.iterations = iterations

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if self.iterations and (step := int(self.model.step)) in self.iterations:
            self._save(f"iteration-{step:06}.png")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        super().on_epoch_end(epoch, logs)
        if self.epoch in self.epochs if self.epochs is not None else self.epoch % self.every == 0:
            self._save(f"epoch-{self.epoch:04}.png")

    def _save(self, name: str) -> None:
        with runs.replacing(self.directory / name) as temporary:
            self.draw().save(temporary)


class EpochGIF(Samples):
    """Grows a GIF of samples, a frame an epoch with its number on it; the last frame is held.

    The first and the newest epoch are always in it, whatever `every` says.

    Args:
        path: of the file.
        every: a frame every so many epochs.
        milliseconds: that a frame is shown.
        hold: milliseconds that the last frame is shown.
        rows, columns, seed: see `Samples`; by default the upper 5 rows of what `SampleGrid` shows, for a small file.

    Example:
        >>> history = model.fit(images, epochs=2, verbose=0, callbacks=[EpochGIF("progress.gif")])
    """

    def __init__(
        self,
        path: str | Path,
        *,
        every: int = 1,
        milliseconds: int = 150,
        hold: int = 2500,
        rows: int = 5,
        columns: int = 8,
        seed: int = 0,
    ) -> None:
        super().__init__(rows=rows, columns=columns, seed=seed)
        _check_at_least_1(every=every, milliseconds=milliseconds, hold=hold)
        self.every = every
        self.gif = plots.GIF(path, milliseconds=milliseconds, hold=hold)
        self._newest_stays = True

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        super().on_epoch_end(epoch, logs)
        frame = plots.captioned(self.draw(), f"epoch {self.epoch}")
        self.gif.append(frame, instead=not self._newest_stays)
        self._newest_stays = self.epoch == 1 or self.epoch % self.every == 0


class ChosenEpochs(Samples):
    """Sets chosen epochs beside each other in one picture, as the report on GANs and DCGANs in TensorFlow does.

    The newest epoch stands at the right end, so the picture is right whenever training stops.

    Args:
        path: of the picture.
        epochs: which.
        rows, columns, seed: see `Samples`.

    Example:
        >>> watcher = ChosenEpochs("epochs.png", epochs=(1, 10, 50, 100))
    """

    def __init__(
        self,
        path: str | Path,
        epochs: Collection[int] = (1, 10, 50, 100),
        *,
        rows: int = 6,
        columns: int = 6,
        seed: int = 0,
    ) -> None:
        super().__init__(rows=rows, columns=columns, seed=seed)
        _check_at_least_1(epochs=epochs)
        self.path = Path(path)
        self.epochs = epochs
        self._chosen: dict[int, Image.Image] = {}

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        super().on_epoch_end(epoch, logs)
        shown = {**self._chosen, self.epoch: self.draw()}
        with runs.replacing(self.path) as temporary:
            plots.side_by_side(list(shown.values()), [f"epoch {number}" for number in shown]).save(temporary)
        if self.epoch in self.epochs:
            self._chosen = shown


class LossCurves(EpochCounter):
    """Draws both losses, and the discriminator's probabilities with the line of 0.5, by epoch; anew each epoch.

    Args:
        path: of the picture, a PNG.

    Example:
        >>> history = model.fit(images, epochs=2, verbose=0, callbacks=[LossCurves("losses.png")])
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self.path = Path(path)
        self._epochs: list[int] = []
        self._history: dict[str, list[float]] = {}

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        super().on_epoch_end(epoch, logs)
        self._epochs.append(self.epoch)
        for key, value in (logs or {}).items():
            self._history.setdefault(key, []).append(value)
        with runs.replacing(self.path) as temporary:
            plots.loss_curves(self._history, self._epochs).savefig(temporary, dpi=100)


class HistoryCSV(EpochCounter):
    """Writes a line an epoch: its number, the metrics, and its seconds.

    Args:
        path: of the file.

    Example:
        >>> history = model.fit(images, epochs=2, verbose=0, callbacks=[HistoryCSV("history.csv")])
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self.path = Path(path)
        self._rows: list[dict[str, Any]] = []
        self._began = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        super().on_epoch_end(epoch, logs)
        seconds = round(time.perf_counter() - self._began, 3)
        self._rows.append({"epoch": self.epoch, **(logs or {}), "seconds": seconds})
        with runs.replacing(self.path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(dict.fromkeys(key for row in self._rows for key in row)))
            writer.writeheader()
            writer.writerows(self._rows)


class StopOnNaN(EpochCounter):
    """Ends training as soon as a loss is NaN or infinite, before the model is saved with it.

    Keras' TerminateOnNaN reads only `loss`, which a GAN has not.

    Raises:
        FloatingPointError: from `fit`, naming the loss, the epoch and the step.

    Example:
        >>> history = model.fit(images, epochs=2, verbose=0, callbacks=[StopOnNaN()])
    """

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        for name, value in sorted((logs or {}).items(), key=lambda item: "loss" not in item[0]):
            if not math.isfinite(value):
                raise FloatingPointError(
                    f"{name} is {float(value)} in epoch {self.epoch + 1}, step {self.model.step.numpy()}"
                )


def _check_at_least_1(**arguments: int | Collection[int] | None) -> None:
    for name, value in arguments.items():
        numbers = () if value is None else value if isinstance(value, Collection) else (value,)
        for number in numbers:
            if number < 1:
                raise ValueError(f"{name} is {value}: it is counted from 1")
