"""What arrays of images and labels have to be: anything else is refused, in a sentence that names the mistake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kgan._backend import keras, tf
from kgan.errors import Mistake


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


def _range(images: Any) -> tuple[float, float]:
    """Smallest and largest value, computed in pieces, since images may be on disk. NaN if there is one."""
    pieces = (np.asarray(images[begin : begin + 4096]) for begin in range(0, len(images), 4096))
    lows, highs = zip(*((float(piece.min()), float(piece.max())) for piece in pieces), strict=True)
    return float(np.min(lows)), float(np.max(highs))


def check_label_count(y: Any, count: int) -> None:
    """Raise ValueError if there are more or fewer labels than images, even if the model ignores labels."""
    for labels in y.values() if isinstance(y, Mapping) else (y,):
        if hasattr(labels, "__len__") and len(labels) != count:
            raise Mistake(f"there are {len(labels)} labels for {count} images")
