"""Metrics and samples for experiment trackers, epoch by epoch."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from kgan._backend import tf
from kgan.callbacks.pictures import Samples
from kgan.checks import check

NEEDED = ("init", "log", "finish")


class Tracker(Samples):
    """Sends the metrics of each epoch, and grids of samples, to an experiment tracker.

    Args:
        tracker: anything with `init(…)`, `log(metrics, step=…)` and `finish()`, such as the modules wandb and trackio,
            or `TensorBoard`. If it has an `Image`, this converts a grid (a PIL image) to what `log` takes.
        every: epochs between grids. The last epoch always has one.
        rows, columns, seed: of the grids: see `Samples`.
        **settings: arguments of `init`, such as project="gans". A resumed run begins as a new run in the tracker,
            unless these arguments say otherwise.

    Raises:
        TypeError: if the tracker lacks one of the three functions.

    Example:
        >>> callback = Tracker(TensorBoard("logs"), every=5)
    """

    def __init__(
        self,
        tracker: Any,
        *,
        every: int = 1,
        rows: int | None = None,
        columns: int = 8,
        seed: int = 0,
        **settings: Any,
    ) -> None:
        super().__init__(rows=rows, columns=columns, seed=seed)
        check(every=every)
        if missing := [name for name in NEEDED if not callable(getattr(tracker, name, None))]:
            raise TypeError(f"tracker is {tracker!r}, which has no {missing[0]}: it needs {', '.join(NEEDED)}")
        self.tracker = tracker
        self.every = every
        self.settings = settings
        self._is_open = False

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.tracker.init(**self.settings)
        self._is_open = True

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        content: dict[str, Any] = {name: float(value) for name, value in (logs or {}).items()}
        if self.epoch % self.every == 0 and hasattr(self.tracker, "Image"):
            content["samples"] = self.tracker.Image(self.draw_at_epoch_end())
        self.tracker.log(content, step=self.epoch)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        if self.epoch % self.every and hasattr(self.tracker, "Image"):
            self.tracker.log({"samples": self.tracker.Image(self.draw())}, step=self.epoch)

    def after_fit(self) -> None:
        if self._is_open:
            self.tracker.finish()
        self._is_open = False


class TensorBoard:
    """A tracker that writes what `tensorboard --logdir DIRECTORY` shows. ImportError if TensorBoard is not installed.

    Example:
        >>> callback = Tracker(TensorBoard("logs"))
    """

    def __init__(self, directory: str | Path) -> None:
        if importlib.util.find_spec("tensorboard") is None:
            raise ImportError("TensorBoard is not installed: pip install tensorboard")
        self.directory = Path(directory).expanduser()

    def init(self) -> None:
        """Open a file."""
        self._writer = tf.summary.create_file_writer(str(self.directory))

    def log(self, content: Mapping[str, Any], step: int) -> None:
        """Write numbers as curves, and what `Image` returned as pictures."""
        with self._writer.as_default(step=step):
            for name, value in content.items():
                (tf.summary.image if isinstance(value, np.ndarray) else tf.summary.scalar)(name, value)
        self._writer.flush()

    def finish(self) -> None:
        """Close the file."""
        self._writer.close()

    @staticmethod
    def Image(picture: Image.Image) -> np.ndarray:
        """A picture as TensorBoard takes it, (1, height, width, channels)."""
        return np.asarray(picture.convert("RGB"))[np.newaxis]
