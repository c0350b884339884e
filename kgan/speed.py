"""Compare how fast models are: they take turns, and the median over the turns counts.

The other work of a machine changes from second to second. It slows models that take turns equally, so their times can
be compared. Times of models that are measured one after the other cannot.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kgan._backend import keras, tf
from kgan.gan import GAN

ROUNDS = 9  # turns of each model
SECONDS = 0.3  # length of a turn; a single step may take longer
LONGEST = 120.0  # seconds after which no new round begins, but three rounds are always measured


def interleaved(measures: Sequence[Callable[[], float]], rounds: int | None = None) -> list[float]:
    """Call the functions in turn; return the median of the values of each. The first round warms up and is not kept.

    Example:
        >>> interleaved([lambda: 2.0, lambda: 3.0])
        [2.0, 3.0]
    """
    kept: list[list[float]] = [[] for _ in measures]
    began = time.perf_counter()
    for number in range((rounds or ROUNDS) + 1):
        if number > 3 and time.perf_counter() - began > LONGEST:
            break
        for values, measure in zip(kept, measures, strict=True):
            value = measure()
            if number:
                values.append(value)
    return [statistics.median(values) for values in kept]


def milliseconds_a_step(models: Sequence[GAN], batch_sizes: Sequence[int], rounds: int | None = None) -> list[float]:
    """How long a training step of each model takes in `fit`, on random images, whose content does not change the time.

    Args:
        models: compiled models. They are trained on noise, so pass copies.
        batch_sizes: images in a minibatch, for each model; a step takes `d_steps` minibatches, as in Algorithm 1.
        rounds: turns of each model that are kept; default: 9.

    Example:
        >>> copy = kgan.load_model("runs/dcgan-digits")
        >>> [milliseconds] = milliseconds_a_step([copy], [32])
    """
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")  # TensorFlow warns: it mistakes the functions of five models for one traced five times
    try:
        return interleaved([_Steps(model, size) for model, size in zip(models, batch_sizes, strict=True)], rounds)
    finally:
        logger.setLevel(level)


class _Steps(keras.callbacks.Callback):
    """When called, it trains for one turn and returns the milliseconds of the median step.

    The beginning and the end of `fit` are left out: a real epoch has so many steps that they do not matter.
    """

    def __init__(self, model: GAN, batch_size: int) -> None:
        super().__init__()
        self.trained, self.batch_size = model, batch_size * model.d_steps
        count = self.batch_size * -(-64 // self.batch_size)  # enough for a reference batch, too
        self.labels = np.arange(count) % model.classes if model.classes else None
        self.images = np.random.default_rng(0).uniform(-1, 1, (count, *model.data_shape)).astype("float32")
        self.turn = 1  # executions of `steps_per_execution` steps each

    def __call__(self) -> float:
        self.seconds: list[float] = []
        together = self.trained.steps_per_execution
        how = {"batch_size": self.batch_size, "steps_per_epoch": self.turn * together, "verbose": 0}
        self.trained.fit(self.images, self.labels, **how, callbacks=[self])
        seconds = statistics.median(self.seconds)
        self.turn = max(1, min(50, round(SECONDS / seconds)))
        return seconds / together * 1000

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        float(logs["d_loss"])  # a GPU works asynchronously: wait for it
        self.seconds.append(time.perf_counter() - self.began)


def images_a_second(models: Sequence[GAN], batch_size: int) -> list[float]:
    """How many images the generator of each model draws in a second, `batch_size` at a time, as a compiled function.

    Example:
        >>> [alone], [together] = images_a_second([model], 1), images_a_second([model], 64)
    """
    return interleaved([_draws(model, batch_size) for model in models])


def _draws(model: GAN, batch_size: int) -> Callable[[], float]:
    codes = model.sample_codes(batch_size)
    times = 1

    def measure() -> float:
        nonlocal times
        began = time.perf_counter()
        for _ in range(times):
            model.draws(codes).numpy()
        seconds = (time.perf_counter() - began) / times
        times = max(1, min(1000, round(SECONDS / 3 / seconds)))
        return batch_size / seconds

    return measure
