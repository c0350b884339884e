"""Shuffled batches, each a pure function of (seed, step)."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from kgan._backend import tf
from kgan.checks import whole_numbers
from kgan.data.checks import as_array, as_labels, is_array
from kgan.errors import Mistake


class Batches:
    """Endless shuffled batches of real images; the batch of each step is a pure function of (seed, step).

    An epoch is `len(images) // batch_size` batches, counted from step 0. Each epoch has its own order, a random
    permutation drawn from (seed, epoch), and leaves out other images than the one before.

    Args:
        images: (count, …): floats as they are, or uint8, mapped from 0…255 to [-1, 1]. Arrays on disk stay there.
        batch_size: size of every batch.
        seed: seed of the order, 0 or more.
        labels: whole numbers, (count,), for a conditional model: batches are then (images, labels).

    Raises:
        ValueError: for a batch larger than the data, or below 1; a seed below 0; more or fewer labels than images.

    Example:
        >>> history = model.fit(Batches(images, 64), epochs=2, verbose=0)
    """

    def __init__(self, images: Any, batch_size: int, seed: int = 0, labels: Any = None) -> None:
        images = as_array(images)
        batch_size, seed = whole_numbers(batch_size=batch_size, seed=seed)
        if not is_array(images):
            raise Mistake(f"Batches was given a {type(images).__name__}: it takes an array of images")
        if batch_size > len(images):
            count = f"{len(images)} images"
            raise Mistake(f"a batch of {batch_size} cannot be drawn from {count}: choose a smaller batch_size")
        self.images = images
        self.labels = None if labels is None else as_labels(labels, len(images))
        self.batch_size = batch_size
        self.seed = seed

    def __len__(self) -> int:
        """The number of batches of an epoch."""
        return len(self.images) // self.batch_size

    def order(self, epoch: int) -> np.ndarray:
        """The positions of the images in each batch of an epoch, (batches, batch_size)."""
        rows = np.random.default_rng([self.seed, epoch]).permutation(len(self.images))
        return rows[: len(self) * self.batch_size].reshape(len(self), self.batch_size)

    def dataset(self, step: int | Callable[[], int] = 0, replicas: tuple[int, int, int] = (0, 1, 1)) -> tf.data.Dataset:
        """The batches from a step on, endless: float32, (batch_size, …), or such batches and their labels.

        Args:
            step: number of the first batch, or a function that returns it, called when the first batch is asked for.
            replicas: (first, count, total). `total` replicas share each batch, and this dataset is for `count` of them,
                from number `first` on. It gives the part of each, one after the other, and reads no others.

        Example:
            >>> Batches(images, 64).dataset().element_spec.shape
            TensorShape([64, 28, 28, 1])
        """
        images, dtype = self.images, tf.as_dtype(self.images.dtype)
        own, count, total = replicas
        part = self.batch_size // total
        in_memory = isinstance(images, (np.ndarray, tf.Tensor)) and not isinstance(images, np.memmap)
        if in_memory:
            with tf.device("CPU:0"):  # or a GPU would hold all of them
                images = tf.convert_to_tensor(images)
        labels = None if self.labels is None else tf.constant(self.labels, tf.int64)

        def orders() -> Iterator[np.ndarray]:
            epoch, begin = divmod(step() if callable(step) else step, len(self))
            while True:
                parts = self.order(epoch).reshape(len(self), total, part)[begin:, own : own + count]
                yield np.int64(parts.reshape(-1, part))
                epoch, begin = epoch + 1, 0

        def read(rows: np.ndarray) -> np.ndarray:
            in_file = np.sort(rows)  # HDF5 reads rows only in ascending order
            return np.ascontiguousarray(np.asarray(images[in_file])[np.argsort(np.argsort(rows))])

        @tf.autograph.experimental.do_not_convert  # which is not needed, and writes temporary files
        def batch(rows: tf.Tensor) -> tf.Tensor:
            chosen = tf.gather(images, rows) if in_memory else tf.numpy_function(held_weakly(read), [rows], dtype)
            chosen = tf.cast(tf.ensure_shape(chosen, (part, *images.shape[1:])), tf.float32)
            scaled = chosen / 127.5 - 1 if dtype == tf.uint8 else chosen
            return scaled if labels is None else (scaled, tf.gather(labels, rows))

        rows = tf.TensorSpec((None, part), tf.int64)
        epochs = tf.data.Dataset.from_generator(held_weakly(orders), output_signature=rows)
        epochs.orders = orders  # so that the dataset holds it, and with it all that are made of this dataset
        endless = epochs.flat_map(tf.data.Dataset.from_tensor_slices).map(batch, num_parallel_calls=2).prefetch(2)
        # That there is no end, it cannot tell by itself.
        return untuned(endless.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)))


def batches(images: Any, batch_size: int, *, seed: int = 0, step: int = 0) -> tf.data.Dataset:
    """The batches of `Batches` from a step on, as an endless `tf.data.Dataset`, to map them or look at them.

    For `fit`, use `Batches` itself: it knows how long an epoch is, and is resumed without drawing earlier batches.

    Example:
        >>> flipped = batches(images, 64).map(lambda batch: batch[:, :, ::-1])
        >>> history = model.fit(flipped, steps_per_epoch=len(images) // 64, epochs=1, verbose=0)
    """
    return Batches(images, batch_size, seed).dataset(step)


def untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The dataset without TensorFlow's tuning thread, for which the end of `fit` would wait up to a minute."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def held_weakly(function: Callable) -> Callable:
    """A function for `tf.numpy_function` that holds `function` only by a weak reference.

    TensorFlow keeps what it is given until the process ends. Something else must hold `function` as long as it is
    called, such as the dataset whose `map` calls `tf.numpy_function`.
    """
    reference = weakref.ref(function)
    return lambda *values: reference()(*values)
