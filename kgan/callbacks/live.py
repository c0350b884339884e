"""One figure that is redrawn in place while `fit` runs in a notebook."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from typing import Any

from PIL import Image

from kgan import plots
from kgan.callbacks.base import Redrawn
from kgan.callbacks.doctor import Doctor
from kgan.callbacks.pictures import Samples
from kgan.training import FitArguments

CURVES = ("d_loss", "g_loss", "d_real", "d_fake", "frechet")


class LivePlot(Redrawn, Samples):
    """Shows samples and curves in a notebook while `fit` runs, in one figure that is redrawn in place.

    It is redrawn after each epoch, and every few seconds within long ones, in at most a tenth of the time. If a doctor
    is among the callbacks, its first finding stands below the figure; `say=None` keeps the doctor from printing it too.
    The figure replaces Keras' progress bar, except with `verbose=1`.

    Args:
        **grid: rows, columns and seed of the samples: see `Samples`.

    Raises:
        RuntimeError: from `fit`, before training, outside a notebook.

    Example:
        >>> callback = LivePlot(rows=4)  # and in a notebook: model.fit(images, epochs=30, callbacks=[callback])
    """

    shows_progress = True
    share = 0.1  # fraction of the time that drawing may take
    patience = 5.0  # seconds between two drawings within a long epoch

    def __init__(self, **grid: Any) -> None:
        super().__init__(**grid)
        self._doctor: Doctor | None = None  # among the callbacks of this `fit`
        self._show: Callable[[Image.Image], None] | None = None
        self._began = 0.0  # when `fit` began
        self._done = self._left = 0  # epochs of this `fit`

    def before_fit(self, arguments: FitArguments) -> None:
        super().before_fit(arguments)
        self._doctor = next((callback for callback in arguments.callbacks if isinstance(callback, Doctor)), None)
        self._show = _display()

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self._began, self._done, self._left = time.monotonic(), 0, 0
        self._redraw(f"epoch {self.epoch}" if self.epoch else "before the first epoch")
        self.draw_waiting()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        steps = self.params.get("steps")
        of_all = f" of {steps:,}" if steps else ""
        self._redraw(f"epoch {self.epoch + 1}, step {batch + 1:,}{of_all}", patience=self.patience)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._done, self._left = self._done + 1, self.params.get("epochs", epoch + 1) - (epoch + 1)

    # An epoch is drawn when the next one begins: all callbacks have seen it by then, the doctor too.

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if self._done:
            seconds = (time.monotonic() - self._began) / self._done
            self._redraw(f"{self._progress()}: {seconds:.2g} s each, {seconds * self._left:.0f} s to go")

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self._redraw(("stopped after " if self._left else "") + self._progress())
        self.draw_waiting()

    def _progress(self) -> str:
        return f"epoch {self.epoch} of {self.epoch + self._left}"

    def _redraw(self, caption: str, patience: float = 0.0) -> None:
        self.redraw(lambda: self._show(self.picture(caption)), patience=patience)

    def picture(self, caption: str = "") -> Image.Image:
        """The figure, as it is now."""
        columns = self.model.recorder.columns
        epochs = columns.get("epoch", [])
        history = {name: columns.get(name, [math.nan] * len(epochs)) for name in CURVES}
        note = None
        if self._doctor:  # its first finding may well explain the others
            note = str(self._doctor.findings[0]) if self._doctor.findings else "The doctor finds nothing wrong."
        has_probabilities = self.model.has_probabilities
        grid = self.draw()
        return plots.dashboard(grid, history, epochs, caption=caption, note=note, has_probabilities=has_probabilities)


def in_a_notebook() -> bool:
    """Whether this process is the kernel of a notebook: only its shell has one."""
    ipython = sys.modules.get("IPython")  # a notebook has imported it
    return hasattr(ipython and ipython.get_ipython(), "kernel")


def _display() -> Callable[[Image.Image], None]:
    """A function that shows a picture in this notebook, in place of the one that it showed before."""
    if not in_a_notebook():
        raise RuntimeError(
            "LivePlot draws in a notebook, and this is not one: EpochGIF and LossCurves write files, and work anywhere"
        )
    handle = sys.modules["IPython"].display.DisplayHandle()
    begun = False

    def show(picture: Image.Image) -> None:
        nonlocal begun
        (handle.update if begun else handle.display)(picture)
        begun = True

    return show
