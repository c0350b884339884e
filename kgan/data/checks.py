"""What real images and labels have to be: anything else is refused, in a sentence that names the mistake."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from kgan._backend import keras, tf
from kgan.errors import Mistake

WHAT_FIT_TAKES = "an array, a tf.data.Dataset of batches, a keras.utils.PyDataset or a generator of batches"


def is_array(x: Any) -> bool:
    """Whether `x` holds all images at once: NumPy, TensorFlow, HDF5, …"""
    if isinstance(x, (tf.data.Dataset, keras.utils.PyDataset)):
        return False
    return all(hasattr(x, name) for name in ("shape", "dtype", "__len__", "__getitem__"))


def as_array(x: Any, what: str = "images") -> Any:
    """A list of images, or an object like an array, as an array; anything else as it is."""
    if isinstance(x, (tf.RaggedTensor, tf.SparseTensor)):
        raise Mistake(f"{what} are a {type(x).__name__}: bring them to one size, in a plain array")
    is_foreign = type(x).__module__.startswith(("torch", "jax")) and is_array(x)
    if is_foreign or isinstance(x, (list, memoryview, tf.Variable, keras.Variable)) or hasattr(x, "to_numpy"):  # pandas
        try:
            return np.asarray(x.to_numpy() if hasattr(x, "to_numpy") else x)
        except ValueError:
            raise Mistake(f"{what} in the list have different sizes: bring them to one") from None
    return x


def label_array(y: Any) -> np.ndarray:
    """Labels in any form, such as a generator, a Series or a single number, as an array."""
    return np.asarray(as_array(list(y) if isinstance(y, Iterator) else y, "labels"))


def as_labels(y: Any, count: int) -> np.ndarray:
    """The labels of `count` images, in any form and of any type of number, as int64, (count,)."""
    labels = label_array(y)
    labels = np.array(labels.tolist()) if labels.dtype == object else labels
    if labels.ndim and len(labels) != count:
        raise Mistake(f"there are {len(labels)} labels for {count} images")
    if labels.size != count or labels.dtype.kind not in "biuf" or (labels != np.floor(labels)).any():
        found = f"labels are {labels.dtype} of shape {labels.shape}"
        one_hot = ", so of one-hot ones pass labels.argmax(-1)" if labels.ndim == 2 else ""
        raise Mistake(f"{found}: they are whole numbers, one for each of {count} images{one_hot}")
    return np.int64(labels.reshape(-1))


def checked_labels(y: Any, count: int, classes: int) -> np.ndarray | None:
    """The labels of `count` images, whole numbers from 0 to classes - 1; None for a model without classes."""
    if not classes:
        for labels in y.values() if isinstance(y, Mapping) else (y,):
            if np.shape(labels)[:1] not in ((), (count,)):  # though the model ignores them
                raise Mistake(f"there are {len(labels)} labels for {count} images")
        return None
    if y is None:
        raise Mistake(f"this model is conditional, on {classes} classes: pass labels with the images")
    labels = as_labels(y, count)
    if labels.min() < 0 or labels.max() >= classes:
        found = f"labels range from {labels.min()} to {labels.max()}"
        raise Mistake(f"{found}: those of {classes} classes range from 0 to {classes - 1}")
    return labels


def check_images(images: Any, shape: Sequence[int]) -> tuple[float, float]:
    """Refuse images that a discriminator cannot take; return their range, which for vectors is any, as (-1, 1)."""
    expected, found = tuple(shape), tuple(images.shape)
    if found == expected:
        raise Mistake(
            f"this is one image, of shape {found}: pass several, (count, {', '.join(map(str, expected))}); for one "
            "image write images[np.newaxis]"
        )
    if not found or not found[0]:
        raise Mistake("there are no images: the array is empty")
    dtype = np.dtype(getattr(images.dtype, "as_numpy_dtype", images.dtype))
    if not np.can_cast(dtype, np.float32, "same_kind"):
        raise Mistake(f"images are of type {dtype.name}: they are numbers in [-1, 1]")
    if found[1:] != expected:
        hint = ""
        if found[2:] == expected:
            hint = "; of several batches make one array: np.concatenate(batches)"
        if (*found[1:], 1) == expected:
            hint = "; add the axis of the channel: images[..., np.newaxis]"
        elif len(expected) == 3 and found[1:] == (expected[2], *expected[:2]):
            hint = "; put the channels last: np.moveaxis(images, 1, -1)"
        raise Mistake(f"images have shape {found[1:]}: this discriminator takes {expected}{hint}")
    ranges = [(float(piece.min()), float(piece.max())) for piece in _pieces(images)]
    low, high = float(np.min(ranges)), float(np.max(ranges))  # NaN if there is one
    if not np.isfinite(low) or not np.isfinite(high):
        raise Mistake(f"images hold NaN or infinity (they range from {low:g} to {high:g}): clean them first")
    if len(expected) != 3:  # vectors, not images
        return -1.0, 1.0
    if low < -1 or high > 1:
        raise Mistake(f"images range from {low:g} to {high:g}: scale them to [-1, 1]")
    return low, high


def _pieces(array: Any) -> Iterator[np.ndarray]:
    """The array in pieces: it may be on disk, larger than memory."""
    return (np.asarray(array[begin : begin + 4096]) for begin in range(0, len(array), 4096))


def sha256(array: Any) -> str:
    """A digest of the values."""
    digest = hashlib.sha256()
    for piece in _pieces(array):
        digest.update(np.ascontiguousarray(piece))
    return digest.hexdigest()


def check_no_weights(**weights: Any) -> None:
    """Refuse class_weight and sample_weight."""
    for name, given in weights.items():
        if given is not None:
            raise Mistake(
                f"{name} has no meaning for a GAN, whose losses are means over real and fake images: "
                "put images that should count more into the data more often"
            )


def check_source(x: Any, to: str) -> None:
    """Refuse what is not a source of images."""
    if x is None:
        raise Mistake(f"{to} was given no images: pass {WHAT_FIT_TAKES}")
    if isinstance(x, (str, bytes)) or hasattr(x, "__fspath__"):
        raise Mistake(f"{to} was given {str(x)!r}, not images: load them with kgan.data.load({str(x)!r})")
    if isinstance(x, Mapping):
        raise Mistake(f"{to} was given a {_described(x)}: pass the images alone, such as x[{next(iter(x), 'image')!r}]")
    if isinstance(x, tuple):
        raise Mistake(f"{to} was given a tuple: pass the images as x, and labels, if there are any, as y")
    if isinstance(x, np.ma.MaskedArray) and np.ma.is_masked(x):
        raise Mistake("images are a masked array, and a GAN would learn what the mask hides: fill it first")
    if isinstance(x, keras.utils.PyDataset) and x.use_multiprocessing:
        raise Mistake(f"{to} reads a PyDataset in threads, as many as its workers: leave use_multiprocessing out")
    iterable = hasattr(x, "__iter__") or hasattr(x, "__getitem__")
    if not iterable or isinstance(x, (type, keras.KerasTensor)) or getattr(x, "shape", None) == ():
        raise Mistake(f"{to} was given a {type(x).__name__}: pass {WHAT_FIT_TAKES}")


def check_batch(batch: Any, shape: Sequence[int], d_steps: int, classes: int) -> None:
    """Refuse a batch, images or (images, labels), that no training step takes."""
    labels = None
    if isinstance(batch, (tuple, list)):
        if not 1 <= len(batch) <= 3:
            raise Mistake(f"the dataset gives {len(batch)} values a batch: it must give images, or (images, labels)")
        if len(batch) == 3:
            check_no_weights(**{"a sample weight, the third value of the dataset's batches,": batch[2]})
        batch, labels = batch[0], batch[1] if len(batch) > 1 else None
    if isinstance(batch, (tf.RaggedTensor, tf.SparseTensor)):
        raise Mistake(f"the dataset gives a {type(batch).__name__}: bring images to one size before you batch them")
    batch = as_array(batch)
    if not hasattr(batch, "shape"):
        hint = ""
        if isinstance(batch, Mapping):
            hint = f", such as by .map(lambda batch: batch[{next(iter(batch), 'image')!r}])"
        raise Mistake(f"the dataset gives a {_described(batch)}: it must give images, or (images, labels){hint}")
    if tuple(batch.shape) == tuple(shape):
        raise Mistake("the dataset is not batched: it gives one image at a time; add .batch(32)")
    if not len(batch.shape) or not batch.shape[0]:
        raise Mistake("the dataset's first batch is empty: it must hold images")
    warn_of_0_to_1(*check_images(batch, shape))
    check_divisible(batch.shape[0], d_steps)
    checked_labels(labels, batch.shape[0], classes)


def warn_of_0_to_1(low: float, high: float) -> None:
    """Warn of images that may have been left in [0, 1]."""
    if low >= 0:
        warnings.warn(
            f"images range from {low:g} to {high:g}, and kgan expects [-1, 1]: rescale them with images * 2 - 1",
            stacklevel=6,
        )


def check_divisible(batch_size: int, d_steps: int) -> None:
    """Each of the k discriminator steps needs a minibatch of its own."""
    if batch_size % d_steps:
        raise Mistake(f"a batch of {batch_size} cannot be split into {d_steps} equal minibatches (d_steps)")


def _described(x: Any) -> str:
    if not isinstance(x, Mapping):
        return type(x).__name__
    return f"dict with the keys {', '.join(map(str, x))}" if x else "dict with no keys"
