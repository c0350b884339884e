"""Checks before the first step: what cannot be right is refused, in one sentence that names the mistake."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from kgan._backend import keras, tf
from kgan.errors import Mistake
from kgan.training import replicas

WHAT_FIT_TAKES = "an array, a tf.data.Dataset of batches, a keras.utils.PyDataset or a generator of batches"


def images_of(data: Any) -> tf.Tensor:
    """The real images of a batch that Keras delivers, without labels."""
    images, _, _ = keras.utils.unpack_x_y_sample_weight(data)
    return images


def labels_of(data: Any, classes: int) -> tf.Tensor | None:
    """The labels of a batch that Keras delivers, as one-hot vectors; None without classes."""
    if not classes:
        return None
    _, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
    return tf.one_hot(tf.reshape(tf.cast(labels, tf.int64), [-1]), classes)  # one_hot does not take every type


def checked_labels(y: Any, count: int, classes: int) -> np.ndarray | None:
    """The labels of `count` images, for a model with `classes` classes; None for a model without classes.

    Raises:
        ValueError: if there are no labels, or labels that are not whole numbers from 0 to classes - 1.
    """
    if not classes:
        return None
    if y is None:
        raise Mistake(f"this model is conditional, on {classes} classes: pass labels with the images")
    labels = np.asarray(y)
    if labels.size != count or labels.dtype.kind not in "iu":
        found = f"labels are {labels.dtype} of shape {labels.shape}"
        raise Mistake(f"{found}: they are whole numbers, one for each of {count} images")
    if labels.min() < 0 or labels.max() >= classes:
        found = f"labels range from {labels.min()} to {labels.max()}"
        raise Mistake(f"{found}: those of {classes} classes range from 0 to {classes - 1}")
    return np.int64(labels.reshape(-1))


def is_array(x: Any) -> bool:
    """Whether `x` holds all images at once: NumPy, TensorFlow, HDF5, …"""
    if isinstance(x, (tf.data.Dataset, keras.utils.PyDataset)):
        return False
    return all(hasattr(x, name) for name in ("shape", "dtype", "__len__", "__getitem__"))


def as_array(x: Any, what: str = "images") -> Any:
    """Turn a list of images, or an object like an array, into an array; anything else is returned as it is.

    Raises:
        ValueError: if no images can be made of `x`.
    """
    if isinstance(x, (tf.RaggedTensor, tf.SparseTensor)):
        raise Mistake(f"{what} are a {type(x).__name__}: bring them to one size, in a plain array")
    if isinstance(x, (tf.Variable, keras.Variable)):
        return x.numpy()
    if isinstance(x, memoryview):
        return np.asarray(x)
    if isinstance(x, list) or hasattr(x, "to_numpy"):  # pandas has it
        try:
            return np.asarray(x.to_numpy() if hasattr(x, "to_numpy") else x)
        except ValueError:
            raise Mistake(f"{what} in the list have different sizes: bring them to one") from None
    if type(x).__module__.startswith(("torch", "jax")) and is_array(x):
        return np.asarray(x)
    return x


def check_source(x: Any, to: str = "fit") -> None:
    """Raise ValueError if `x` is not something that `fit` takes.

    Args:
        x: real images, as they were given.
        to: the method that they were given to.
    """
    if x is None:
        raise Mistake(f"{to} was given no images: pass {WHAT_FIT_TAKES}")
    if isinstance(x, (str, bytes)) or hasattr(x, "__fspath__"):
        raise Mistake(f"{to} was given {str(x)!r}, not images: load them with kgan.data.load({str(x)!r})")
    if isinstance(x, Mapping):
        raise Mistake(
            f"{to} was given a dict with {_keys(x)}: pass the images alone, such as x[{next(iter(x), 'image')!r}]"
        )
    if isinstance(x, tuple):
        raise Mistake(f"{to} was given a tuple: pass the images as x, and labels, if there are any, as y")
    if isinstance(x, np.ma.MaskedArray) and np.ma.is_masked(x):
        raise Mistake("images are a masked array, and a GAN would learn what the mask hides: fill it first")
    iterable = is_array(x) or hasattr(x, "__iter__") or hasattr(x, "__getitem__")
    if not iterable or isinstance(x, (type, keras.KerasTensor)) or getattr(x, "shape", None) == ():
        raise Mistake(f"{to} was given a {type(x).__name__}: pass {WHAT_FIT_TAKES}")


def check_sizes(**sizes: int | None) -> None:
    """Raise ValueError if a number is below 1."""
    for name, size in sizes.items():
        if size is not None and size < 1:
            raise Mistake(f"{name} is {size}: it is 1 or more")


def check_no_weights(**weights: Any) -> None:
    """Raise ValueError for class_weight and sample_weight, which have no meaning for a GAN."""
    for name, given in weights.items():
        if given is not None:
            raise Mistake(
                f"{name} has no meaning for a GAN, whose losses are means over real and fake images: "
                "put images that should count more into the data more often"
            )


def check_labels(y: Any, count: int | None) -> None:
    """Raise ValueError if there are more or fewer labels than images, even if the model ignores labels."""
    if y is None:
        return
    if count is None:
        raise Mistake("y goes with an array: a dataset brings its labels, if it has any, itself")
    for labels in y.values() if isinstance(y, Mapping) else (y,):
        if hasattr(labels, "__len__") and len(labels) != count:
            raise Mistake(f"there are {len(labels)} labels for {count} images")


def check_images(images: Any, shape: Sequence[int]) -> tuple[float, float]:
    """Raise ValueError for images that a discriminator cannot take; return their range.

    Args:
        images: (count, …).
        shape: shape of one image, or of one vector. Vectors may have any range.

    Returns:
        Smallest and largest value; -1 and 1 for vectors.

    Raises:
        ValueError: for no images, another shape, or images that hold NaN or lie outside [-1, 1].

    Example:
        >>> check_images(np.zeros((4, 8, 8, 1)), (8, 8, 1))
        (0.0, 0.0)
    """
    expected, found = tuple(shape), tuple(images.shape)
    if found == expected:
        raise Mistake(
            f"this is one image, of shape {found}: pass several, (count, {', '.join(map(str, expected))}); for one "
            "image write images[np.newaxis]"
        )
    if not found or not found[0]:
        raise Mistake("there are no images: the array is empty")
    dtype = tf.as_dtype(images.dtype) if isinstance(images, tf.Tensor) else np.dtype(images.dtype)
    if not (dtype.is_floating or dtype.is_integer if isinstance(dtype, tf.DType) else dtype.kind in "fiub"):
        raise Mistake(f"images are of type {getattr(dtype, 'name', dtype)}: they are numbers in [-1, 1]")
    if found[1:] != expected:
        hint = ""
        if found[2:] == expected:
            hint = "; of several batches make one array: np.concatenate(batches)"
        if (*found[1:], 1) == expected:
            hint = "; add the axis of the channel: images[..., np.newaxis]"
        elif len(expected) == 3 and found[1:] == (expected[2], *expected[:2]):
            hint = "; put the channels last: np.moveaxis(images, 1, -1)"
        raise Mistake(f"images have shape {found[1:]}: this discriminator takes {expected}{hint}")
    low, high = _range(images)
    if not np.isfinite(low) or not np.isfinite(high):
        raise Mistake(f"images hold NaN or infinity (they range from {low:g} to {high:g}): clean them first")
    if len(expected) != 3:  # vectors, not images
        return -1.0, 1.0
    if low < -1 or high > 1:
        raise Mistake(f"images range from {low:g} to {high:g}: scale them to [-1, 1]")
    return low, high


def check_range_is_meant(low: float, high: float) -> None:
    """Warn about images in [0, 1]."""
    if low >= 0:
        warnings.warn(
            f"images range from {low:g} to {high:g}, and kgan expects [-1, 1]: rescale them with images * 2 - 1",
            stacklevel=6,
        )


def check_first_batch(batch: Any, shape: Sequence[int], d_steps: int = 1, classes: int = 0) -> None:
    """Raise ValueError if a batch is not what a training step takes.

    Args:
        batch: images, (images,), (images, labels), as a dataset gives them.
        shape: shape of one image.
        d_steps: number of minibatches in the batch.
        classes: number of classes of a conditional model, which takes labels with the images.
    """
    if isinstance(batch, Mapping):
        raise Mistake(
            f"the dataset gives a dict with {_keys(batch)}: it must give images, or (images, labels), such as by "
            f".map(lambda batch: batch[{next(iter(batch), 'image')!r}])"
        )
    if isinstance(batch, list):
        batch = tuple(batch)
    labels = batch[1] if isinstance(batch, tuple) and len(batch) > 1 else None
    if isinstance(batch, tuple):
        if not 1 <= len(batch) <= 3:
            raise Mistake(f"the dataset gives {len(batch)} values a batch: it must give images, or (images, labels)")
        if len(batch) == 3 and batch[2] is not None:
            check_no_weights(**{"a sample weight, the third value of the dataset's batches,": batch[2]})
        batch = batch[0]
    if isinstance(batch, (tf.RaggedTensor, tf.SparseTensor)):
        raise Mistake(f"the dataset gives a {type(batch).__name__}: bring images to one size before you batch them")
    if type(batch).__module__.startswith(("torch", "jax")):
        batch = np.asarray(batch)
    if not hasattr(batch, "shape"):
        found = f"dict with {_keys(batch)}" if isinstance(batch, Mapping) else type(batch).__name__
        raise Mistake(f"the dataset gives a {found}: it must give images, or (images, labels)")
    if tuple(batch.shape) == tuple(shape):
        raise Mistake("the dataset is not batched: it gives one image at a time; add .batch(32)")
    if not len(batch.shape) or not batch.shape[0]:
        raise Mistake("the dataset's first batch is empty: it must hold images")
    check_range_is_meant(*check_images(batch, shape))
    check_divisible(batch.shape[0], d_steps)
    checked_labels(labels, batch.shape[0], classes)


def in_batches(function: Callable[[np.ndarray], tf.Tensor], x: np.ndarray, batch_size: int) -> np.ndarray:
    """Apply a function of a batch to `batch_size` rows at a time; return the results as one array of float32.

    Raises:
        ValueError: for a batch size below 1.
    """
    check_sizes(batch_size=batch_size)
    each = (function(x[begin : begin + batch_size]) for begin in range(0, len(x), batch_size))
    return np.concatenate([np.asarray(result, np.float32) for result in each])


def check_divisible(batch_size: int, d_steps: int) -> None:
    """Raise ValueError if a batch cannot be split into minibatches."""
    if batch_size % d_steps:
        raise Mistake(f"a batch of {batch_size} cannot be split into {d_steps} equal minibatches (d_steps)")


def split(real_images: tf.Tensor, d_steps: int) -> list[tf.Tensor]:
    """The minibatches of a batch; if it cannot be split, an error says what to do.

    With k minibatches, every k-th image belongs to the same one. So a minibatch has the same images when replicas share
    the batch.
    """
    if d_steps == 1:
        return [real_images]
    with tf.control_dependencies(batch_checks(real_images, d_steps)):
        real_images = tf.identity(real_images)
    return [real_images[k::d_steps] for k in range(d_steps)]


def batch_checks(real_images: tf.Tensor, d_steps: int) -> list[tf.Operation]:
    """Operations that fail if a batch cannot be split into minibatches, or has no image for this replica."""
    count, checks = tf.shape(real_images)[0], []
    if d_steps > 1:
        checks.append(tf.debugging.assert_equal(count % d_steps, 0, NOT_DIVISIBLE.format(d_steps)))
    if replicas.count() > 1:  # the mean over no images is NaN
        checks.append(tf.debugging.assert_positive(count, TOO_SMALL))
    return [check for check in checks if check is not None]  # None: known to hold already


NOT_DIVISIBLE = "a batch cannot be split into {} equal minibatches (d_steps): batch with drop_remainder=True"
TOO_SMALL = "a batch, such as the last one, leaves a device without images: batch with drop_remainder=True"


def _range(images: Any) -> tuple[float, float]:
    """Smallest and largest value, computed in pieces, since images may be on disk. NaN if there is one."""
    lows, highs = [], []
    for begin in range(0, len(images), 4096):
        piece = np.asarray(images[begin : begin + 4096])
        lows.append(float(piece.min()))
        highs.append(float(piece.max()))
    return float(np.min(lows)), float(np.max(highs))


def _keys(mapping: Mapping) -> str:
    return "the keys " + ", ".join(map(str, mapping)) if mapping else "no keys"


def first_of(iterable: Any) -> Any:
    """The first batch.

    Raises:
        ValueError: if there is none.
    """
    for batch in iterable:
        return batch
    raise Mistake(
        "the dataset gives no batch: has it fewer images than a batch holds (drop_remainder), or does a filter "
        "let none through?"
    )
