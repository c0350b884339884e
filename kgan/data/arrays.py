"""Arrays of images: with labels, mapped from 0…255 to [-1, 1], resized."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from kgan._backend import tf


class Labeled(NamedTuple):
    """Real images and their classes.

    Attributes:
        images: uint8, (count, height, width, channels).
        labels: int64, (count,), from 0; None if the data have no labels.
        names: names of the classes; empty if the data have no labels.
        skipped: of a folder, the reason by path for each image file that could not be used.
        ignored: of a folder, the number of all other files, by kind: ".txt", "hidden", "landmarks", …
    """

    images: np.ndarray
    labels: np.ndarray | None = None
    names: tuple[str, ...] = ()
    skipped: Mapping[str, str] = {}
    ignored: Mapping[str, int] = {}


def from_uint8(pixels: np.ndarray) -> np.ndarray:
    """Map 0…255 to [-1, 1], float32: the inverse of `kgan.plots.to_uint8`.

    Example:
        >>> from_uint8(np.array([0, 255], np.uint8))
        array([-1.,  1.], dtype=float32)
    """
    return np.float32(pixels) / np.float32(127.5) - 1


def resize(images: tf.Tensor, image_size: int) -> tf.Tensor:
    """The central square of an image or of a batch of images, resized, uint8."""
    height, width = tf.unstack(tf.shape(images)[-3:-1])
    side = tf.minimum(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = images[..., top : top + side, left : left + side, :]
    resized = tf.image.resize(square, (image_size, image_size), method="bicubic", antialias=True)
    return tf.cast(tf.round(tf.clip_by_value(resized, 0, 255)), tf.uint8)
