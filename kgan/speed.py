"""Compare how fast models are: they take turns, so that other work of the machine slows all alike; medians count."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kgan._backend import keras, tf
from kgan.gan import GAN

ROUNDS = 9  # turns of each model
SECONDS = 0.3  # length of a turn; a single step may take longer
OUT_OF_MEMORY = MemoryError, tf.errors.ResourceExhaustedError
LONGEST = 120.0  # seconds after which no new round begins, but three rounds are always measured


def interleaved(measures: Sequence[Callable[[], float]], rounds: int | None = None) -> list[float]:
    """Call the functions in turn; return the median of the values of each. The first round warms up and is not kept."""
    turns = []
    began = time.perf_counter()
    while len(turns) <= (rounds or ROUNDS) and (len(turns) < 4 or time.perf_counter() - began < LONGEST):
        turns.append([measure() for measure in measures])
    return [statistics.median(values) for values in zip(*turns[1:], strict=True)]


def milliseconds_a_step(models: Sequence[GAN], batch_sizes: Sequence[int], rounds: int | None = None) -> list[float]:
    """How long a step of each compiled model takes in `fit`, of `d_steps` minibatches. Pass copies: they are trained.

    The images are random: what is on them does not change the time.
    """
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")  # TensorFlow warns: it mistakes the functions of five models for one traced five times
    try:
        return interleaved([_Steps(model, size) for model, size in zip(models, batch_sizes, strict=True)], rounds)
    finally:
        logger.setLevel(level)


def batch_size_that_fits(model: GAN, batch_size: int) -> int | None:
    """Half of a batch size, a quarter, …: the first of which a step fits into memory. The model is trained by it."""
    while batch_size := batch_size // 2:
        with contextlib.suppress(*OUT_OF_MEMORY):
            _Steps(model, batch_size)()
            return batch_size
    return None


class _Steps(keras.callbacks.Callback):
    """When called, it trains for one turn and returns the milliseconds of the median step, without `fit`'s start."""

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
        how = {"batch_size": self.batch_size, "steps_per_epoch": self.turn * together, "callbacks": [self]}
        self.trained.fit(self.images, self.labels, verbose=0, **how)
        seconds = statistics.median(self.seconds)
        self.turn = max(1, min(50, round(SECONDS / seconds)))
        return seconds / together * 1000

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        float(logs["d_loss"])  # a GPU works asynchronously: wait for it
        self.seconds.append(time.perf_counter() - self.began)


def images_a_second(models: Sequence[GAN], batch_size: int) -> list[float]:
    """How many images the generator of each model draws in a second, `batch_size` at a time, as a compiled function."""
    return interleaved([_draws(model, batch_size) for model in models])


def _draws(model: GAN, batch_size: int) -> Callable[[], float]:
    codes, draws = model.sample_codes(batch_size), model.draw_function()
    times = 1

    def measure() -> float:
        nonlocal times
        began = time.perf_counter()
        for _ in range(times):
            draws(codes).numpy()
        seconds = (time.perf_counter() - began) / times
        times = max(1, min(1000, round(SECONDS / 3 / seconds)))
        return batch_size / seconds

    return measure
