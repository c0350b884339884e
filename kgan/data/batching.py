"""Batches that are a pure function of (seed, step): a run that is resumed sees the batches it would have seen."""

from __future__ import annotations

import numpy as np

from kgan._backend import tf


def batches(images: np.ndarray | tf.Tensor, batch_size: int, *, seed: int = 0, step: int = 0) -> tf.data.Dataset:
    """Shuffled batches without end; the batch of each step is a pure function of (seed, step).

    An epoch is `len(images) // batch_size` batches, which is the `steps_per_epoch` to train with. Counted from step
    0 it shows no image twice; each has an order of its own and leaves out another remainder.

    Args:
        images: real images or vectors, (count, …): floats as they are, or uint8, mapped from 0…255 to [-1, 1]. A
            `numpy.memmap` stays on disk.
        batch_size: of every batch.
        seed: of the order.
        step: number of the first batch.

    Returns:
        An endless dataset of float32 batches, (batch_size, …); its `skip` costs nothing.

    Raises:
        ValueError: for a batch larger than the data, or below 1.

    Example:
        >>> steps = len(images) // 64
        >>> history = model.fit(batches(images, 64), epochs=2, steps_per_epoch=steps, verbose=0)
    """
    count = len(images)
    if not 1 <= batch_size <= count:
        raise ValueError(f"a batch of {batch_size} cannot be drawn from {count} images: choose a smaller batch_size")
    on_disk = isinstance(images, np.memmap)
    dtype = tf.as_dtype(images.dtype)
    shape = images.shape[1:]
    if not on_disk:
        images = tf.convert_to_tensor(images)
    steps_per_epoch = count // batch_size

    def chosen(rows: tf.Tensor) -> tf.Tensor:
        if not on_disk:
            return tf.gather(images, rows)
        read = tf.numpy_function(lambda numbers: np.ascontiguousarray(images[numbers]), [rows], dtype)
        return tf.ensure_shape(read, (batch_size, *shape))

    @tf.autograph.experimental.do_not_convert  # there is nothing to convert, and it would write a temporary file
    def batch(step: tf.Tensor) -> tf.Tensor:
        positions = step % steps_per_epoch * batch_size + tf.range(batch_size, dtype=tf.int64)
        key = tf.random.experimental.stateless_fold_in(tf.constant([seed, 0], tf.int64), step // steps_per_epoch)
        rows = tf.random.experimental.index_shuffle(positions, key, max_index=count - 1)
        scaled = tf.cast(chosen(rows), tf.float32)
        return scaled / 127.5 - 1 if dtype == tf.uint8 else scaled

    dataset = tf.data.Dataset.counter(step).map(batch, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
    # For a run that is resumed: the batches of later steps without drawing those before, and what they are drawn from.
    dataset.skip = lambda count: batches(images, batch_size, seed=seed, step=step + count)
    dataset.images, dataset.batch_size, dataset.seed = images, batch_size, seed
    return dataset
