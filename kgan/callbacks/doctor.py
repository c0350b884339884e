"""The doctor: measures after each epoch how training goes, and reports what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kgan import diagnosis, quality
from kgan._backend import keras, tf
from kgan.errors import Mistake
from kgan.gan import GAN
from kgan.latent import Stream
from kgan.training import Callback, FitArguments, workers

COUNT = 128  # images, real and fake, that are measured
GRADIENT_COUNT = 32  # codes for the gradient, which is the costly part
MOVED = 16  # images that a checkpoint keeps, to measure how much they change


class Doctor(Callback):
    """Reports in one plain sentence what is wrong with a run, and what to do about it: see `kgan.diagnosis`.

    Training is bit for bit the same with the doctor and without. All findings are in `findings`.

    Args:
        images: the real images, uint8 or in [-1, 1]; 128 of them are kept.
        classify: a function from images in [-1, 1] to class probabilities (count, classes), such as `probabilities` of
            `kgan.quality.classifier`. It is needed to find missing classes.
        say: a function that is called with each finding, or None.
        stop_when_sick: end training at the first finding: `fit` raises `kgan.diagnosis.Sick`. A `Checkpoint` then
            writes no checkpoint while a symptom shows, so that the newest one is of the last healthy epoch.

    Example:
        >>> doctor = Doctor(images)
        >>> history = model.fit(images, epochs=2, verbose=0, callbacks=[doctor])
        >>> doctor.findings
        []
    """

    def __init__(
        self,
        images: np.ndarray,
        *,
        classify: Callable[[np.ndarray], np.ndarray | None] | None = None,
        say: Callable[[diagnosis.Finding], Any] | None = print,
        stop_when_sick: bool = False,
    ) -> None:
        super().__init__()
        if len(images) < 2:
            raise Mistake(f"the doctor was given {len(images)} real images: it needs 2 or more to see how they vary")
        chosen = np.random.default_rng(0).choice(len(images), min(COUNT, len(images)), replace=False)
        self.real_images = quality.as_floats(images[np.sort(chosen)])
        self.classify = classify
        self.say = say
        self.stop_when_sick = stop_when_sick
        self.records: list[diagnosis.Record] = []
        self.findings: list[diagnosis.Finding] = []
        self._real_metrics: dict[str, Any] = {}
        self._before: np.ndarray | None = None  # fakes of the epoch before

    def before_fit(self, arguments: FitArguments) -> None:
        shape = self.real_images.shape[1:]
        if shape != self.model.data_shape:
            raise Mistake(f"the doctor was given images of shape {shape}, the model makes {self.model.data_shape}")
        self._codes = self.model.sample_codes(len(self.real_images))
        self._gradients = tf.function(_gradients_of(self.model, self.real_images[:GRADIENT_COUNT]))

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        strategy = self.model.distribute_strategy
        self.records.append(_of_chief(strategy, self.measure(logs or {})))
        found = diagnosis.diagnose(self.records, self.findings)
        self.findings = [*self.findings, *found]
        if found and self.stop_when_sick:
            raise diagnosis.Sick(found[0])
        for finding in found if self.say and workers.is_chief(strategy) else ():
            self.say(finding)

    @property
    def holds_checkpoints(self) -> bool:
        """With `stop_when_sick`: while a symptom shows that may still pass."""
        return self.stop_when_sick and diagnosis.shows_symptoms(self.records, self.findings)

    def measure(self, logs: dict[str, float]) -> diagnosis.Record:
        """The record that the rules use, of the model as it is now; `logs` are the epoch's metrics."""
        model, real = self.model, self.real_images
        gradient_norm, ns_gradient_norm, d_fake_eval = map(float, self._gradients(self._codes[:GRADIENT_COUNT]))
        fakes = model.generate(self._codes)
        before, self._before = self._before, fakes[:MOVED]
        measured = {name: float(logs.get(name, np.nan)) for name in ("d_loss", "g_loss", "d_real", "d_fake")}
        measured |= {"gradient_norm": gradient_norm, "ns_gradient_norm": ns_gradient_norm, "d_fake_eval": d_fake_eval}
        if not model.has_probabilities:
            measured |= dict.fromkeys(("d_real", "d_fake", "d_fake_eval"), np.nan)
        squares = [np.sum(np.square(weight.numpy(), dtype=np.float64)) for weight in model.trainable_weights]
        measured["weight_norm"] = float(np.sqrt(sum(squares)))
        if np.isfinite(fakes).all():
            self._real_metrics = self._real_metrics or {f"real_{k}": v for k, v in self._metrics(real).items()}
            measured |= {"count": len(fakes), **self._metrics(fakes), **self._real_metrics}
            if before is not None:
                measured["moved"] = float(np.sqrt(np.mean(np.square(fakes[:MOVED] - before))))
            if real.ndim == 4:  # images, not vectors
                measured |= {"low": float(real.min()), "high": float(real.max())}
        return diagnosis.Record(self.epoch, int(model.step.numpy()) * model.d_steps, **measured)

    def _metrics(self, images: np.ndarray) -> dict[str, Any]:
        """What is measured on fakes and on real images alike."""
        nearest = quality.nearest(images, images, itself=np.arange(len(images)))[1]
        metrics = {"diversity": quality.diversity(images), "nearest": float(nearest.mean())}
        if images.ndim == 4:
            metrics["unsaturated_fraction"] = float(np.mean(np.abs(images) < 0.99))
        if self.classify and (probabilities := self.classify(images)) is not None:
            classes = np.shape(probabilities)[1]
            metrics["class_frequencies"] = quality.class_frequencies(np.argmax(probabilities, axis=1), classes).tolist()
        return metrics

    def get_state(self) -> dict[str, Any]:
        fakes = {} if self._before is None else {"fakes": self._before}
        return {"records": self.records, "findings": self.findings, **fakes}

    def set_state(self, state: dict[str, Any]) -> None:
        self.records = [diagnosis.Record(*record) for record in state["records"]]
        self.findings = [diagnosis.Finding(*finding) for finding in state["findings"]]
        self._before = state.get("fakes")


def _of_chief(strategy: tf.distribute.Strategy, record: diagnosis.Record) -> diagnosis.Record:
    """The chief's record: the last digits of other workers may differ, and so might their findings."""
    own = tf.nest.flatten(record)
    numbers = workers.from_chief(strategy, [np.nan if value is None else value for value in own])
    numbers = [None if value is None else type(value)(number) for value, number in zip(own, numbers, strict=True)]
    return tf.nest.pack_sequence_as(record, numbers)


def _gradients_of(model: GAN, real_images: np.ndarray) -> Callable[[tf.Tensor], tuple[tf.Tensor, ...]]:
    """A function of codes: gradient norms of the generator's loss and of the non-saturating loss, and D(G(codes))."""

    def gradients(codes: tf.Tensor) -> tuple[tf.Tensor, ...]:
        # As in the generator's step, but the scope leaves moving averages, metrics and Dropout's seeds as they are.
        # The labels of the fakes. Only a loss that compares uses the real images here, and any real images will do.
        labels = codes[:, model.latent_dim :] if model.classes else None
        with tf.GradientTape(persistent=True) as tape, keras.StatelessScope():
            fakes = model.augmented(model.generator(codes, training=True), Stream.FAKE_IMAGES, 1)
            fake = model.discriminate(fakes, labels=labels)
            real = model.discriminate(model.augmented(tf.constant(real_images), Stream.REAL_IMAGES, 1), labels=labels)
            scale = model.g_optimizer.scale_loss(1.0)  # for float16
            g_loss = scale * model.generator_objective(real, fake, codes)
            ns_loss = scale * tf.reduce_mean(tf.nn.softplus(-fake.logits))
        weights = model.generator.trainable_weights
        norms = [tf.linalg.global_norm(tape.gradient(loss, weights)) / scale for loss in (g_loss, ns_loss)]
        return *norms, tf.reduce_mean(tf.sigmoid(fake.logits))

    return gradients
