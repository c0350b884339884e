"""How good the images are while a model trains."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from kgan import quality
from kgan.checks import check, check_choice
from kgan.data import Labeled
from kgan.errors import Mistake
from kgan.latent import Stream
from kgan.training import Callback, FitArguments, workers

CHOOSING = {"frechet": 1, "classes": -1, "low_confidence": 1}  # metrics; -1: large is good


class Quality(Callback):
    """Measures the cheap part of `kgan.quality` every few epochs, and keeps the best model.

    It adds `frechet` to the metrics of the epoch, for the history and the callbacks after it in the list. If the data
    have labels that a classifier can learn, it also adds `classes` (how many are covered), `low_confidence` and, for a
    conditional model, `class_accuracy` (the fraction of samples that are of the class that was asked for). A Fréchet
    distance of 1,000 samples is larger than one of 10,000: compare it only within a run.

    The best model looks better than it is on the images and codes that chose it. So these are used for nothing else: a
    fifth of the real images, at most 1,000 (`kgan.quality.selection_split`), and codes from a stream of their own.

    Args:
        labeled: the real images, 10 or more.
        every: how many epochs lie between measurements. The first epoch is measured too.
        count: number of samples and of real images; at most the number of images that are set apart.
        features: see `kgan.quality.choose_features`; what is to be known about them is a warning.
        keep_best: a `.keras` file for the best model so far.
        by: the metric that chooses the best model: "frechet", "classes" or "low_confidence".
        seed: seed of the codes.

    Example:
        >>> callback = Quality(kgan.data.load_labeled("digits"), every=5, keep_best="best.keras")
    """

    def __init__(
        self,
        labeled: Labeled,
        *,
        every: int = 5,
        count: int = 1000,
        features: quality.FeatureExtractor | str = "auto",
        keep_best: str | Path | None = None,
        by: str = "frechet",
        seed: int = 0,
    ) -> None:
        super().__init__()
        check(every=every)
        check_choice("by", by, CHOOSING)
        if count < 2:
            raise Mistake(f"count is {count}: how images vary is seen in 2 or more")
        self._reserved, _ = quality.selection_split(len(labeled.images))
        if len(self._reserved) < 2:
            raise Mistake(f"there are only {len(labeled.images)} real images: choosing the best model takes 10 or more")
        if keep_best and Path(keep_best).suffix != ".keras":
            raise Mistake(f"keep_best is {keep_best}: the file of a model ends in .keras")
        self.labeled = labeled
        self.every = every
        self.count = min(count, len(self._reserved))
        self.features = features
        self.keep_best = Path(keep_best).expanduser() if keep_best else None
        self.by = by
        self.seed = seed
        self.best: tuple[int, float] | None = None  # epoch and value
        self._real: quality.Features | None = None
        self._labels: np.ndarray | None = None  # the classes that a conditional model is asked for

    def before_fit(self, arguments: FitArguments) -> None:
        if self.labeled.images.shape[1:] != self.model.data_shape:
            shapes = f"{self.labeled.images.shape[1:]}, the model makes {self.model.data_shape}"
            raise Mistake(f"Quality was given images of shape {shapes}")
        if self.model.classes:  # each class as often as in the data
            if self.labeled.labels is None:
                raise Mistake("this model is conditional, but the real images of Quality have no labels: pass them too")
            self._labels = np.random.default_rng(self.seed).choice(self.labeled.labels, self.count)
        self._codes = self.model.sample_codes(self.count, (self.seed, Stream.SELECTION), self._labels)
        if self._real is not None:
            return
        if isinstance(self.features, str):
            self.features = quality.choose_features(self.labeled, self.features)
            if self.features.note:
                warnings.warn(self.features.note, stacklevel=2)
        if self.by != "frechet" and not self.features.names:
            raise Mistake(f"by is {self.by!r}: that takes a classifier, and there is none of these data")
        self._real = self.features.extract(self.labeled.images[np.sort(self._reserved[: self.count])])

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if self.epoch != 1 and self.epoch % self.every:
            return
        strategy, measured = self.model.distribute_strategy, self.measure()
        # All workers measure, but the last digits may differ, and with them the best model.
        measured = dict(zip(measured, workers.from_chief(strategy, list(measured.values())), strict=True))
        if logs is not None:
            logs.update(measured)
        value, sign = measured[self.by], CHOOSING[self.by]
        if np.isfinite(value) and (self.best is None or sign * value < sign * self.best[1]):
            self.best = self.epoch, value
            if self.keep_best:
                with workers.replacing(strategy, self.keep_best) as temporary:
                    self.model.save(temporary)

    def measure(self) -> dict[str, float]:
        """The metrics of the model as it is now; all are NaN if it draws NaN."""
        fakes = self.model.generate(self._codes)
        has_diverged = not np.isfinite(fakes).all()
        real, fake = self._real, self.features.extract(np.zeros_like(fakes) if has_diverged else fakes)
        measured = {"frechet": quality.frechet_distance(real.values, fake.values)}
        if fake.class_frequencies is not None:
            measured["classes"] = float(quality.covered(real.class_frequencies, fake.class_frequencies))
            if self._labels is not None:
                measured["class_accuracy"] = float((fake.classes == self._labels).mean())
            measured["low_confidence"] = float((fake.max_probability < quality.LOW_CONFIDENCE).mean())
        return dict.fromkeys(measured, np.nan) if has_diverged else measured

    def get_state(self) -> dict[str, Any]:
        return {"best": self.best}

    def set_state(self, state: dict[str, Any]) -> None:
        self.best = tuple(state["best"]) if state["best"] else None
