"""Arrays of images: with labels, mapped to [-1, 1], resized, degraded, and read from `.npy`, `.npz` and `.h5` files.

No pickle is opened, and a file that claims more than it holds is refused before memory is allocated for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kgan._backend import tf
from kgan.checks import check, check_choice
from kgan.errors import Mistake

SUFFIXES = (".npy", ".npz", ".h5", ".hdf5")
NAME = "images"  # the name of the array, if a file holds several
PIECE = 2**23  # bytes converted at a time
DEGRADATIONS = ("noise", "blur", "mask")


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


def square(image_size: Any) -> int | None:
    """Height and width as one number: kgan's images are square."""
    if image_size is None:
        return None
    sizes = np.unique(image_size)  # a number, of any type, or (height, width)
    if len(sizes) != 1 or sizes[0] != int(sizes[0]):
        raise Mistake(f"image_size is {image_size}: images are square, so it is one whole number")
    check(image_size=sizes[0])
    return int(sizes[0])


def resize(images: tf.Tensor, image_size: int) -> tf.Tensor:
    """The central square of an image or of a batch of images, resized, uint8."""
    height, width = tf.unstack(tf.shape(images)[-3:-1])
    side = tf.minimum(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = images[..., top : top + side, left : left + side, :]
    resized = tf.image.resize(square, (image_size, image_size), method="bicubic", antialias=True)
    return tf.cast(tf.round(tf.clip_by_value(resized, 0, 255)), tf.uint8)


def degrade(images: np.ndarray, how: str, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images with noise, blurred, or with the middle masked; and 1 for each pixel that is still known, 0 for others.

    Args:
        images: (count, height, width, channels), in [-1, 1].
        how: "noise": Gaussian, with standard deviation 0.5. "blur": Gaussian, with a standard deviation of a 14th of
            height and width. "mask": a gray square of half the height and width.
        seed: seed of the noise.

    Returns:
        Images of the same shape, in [-1, 1], and (count, height, width, 1).

    Example:
        >>> masked, known = degrade(images, "mask")
        >>> float(known.mean())
        0.75
    """
    check_choice("how", how, DEGRADATIONS)
    count, height, width, _ = images.shape
    known = np.ones((count, height, width, 1), np.float32)
    if how == "noise":
        noise = np.random.default_rng(seed).normal(0, 0.5, images.shape)
        return np.float32(np.clip(images + noise, -1, 1)), known
    if how == "blur":
        from scipy import ndimage  # of scikit-learn

        return np.float32(ndimage.gaussian_filter(images, (0, height / 14, width / 14, 0))), known
    known[:, height // 4 : height // 4 + height // 2, width // 4 : width // 4 + width // 2] = 0
    return np.float32(images * known), known


def is_array_file(source: str | Path) -> bool:
    """Whether `source` is the name of a file that holds an array."""
    return str(source).lower().endswith(SUFFIXES)


def load_array(path: Path) -> np.ndarray:
    """The images of a file, uint8: those of its array `images`, or of its only array."""
    path = path.expanduser()
    with path.open("rb"):  # h5py's own errors give no reason
        try:
            return _hdf5(path) if path.suffix.lower() in (".h5", ".hdf5") else _numpy(path)
        except Mistake as mistake:
            raise Mistake(f"{path} {mistake}") from None
        except MemoryError:
            raise Mistake(f"{path} says that it holds more than fits into memory") from None
        except Exception:  # of many classes: a damaged file can break its reader anywhere
            raise Mistake(f"{path} is not an array of images of one size, or it is damaged") from None


def _numpy(path: Path) -> np.ndarray:
    """The images of a `.npy`, read piece by piece, or of a `.npz`: the content decides which of them it is."""
    found = np.load(path, mmap_mode="r", allow_pickle=False)
    if isinstance(found, np.ndarray):
        return _pixels(found)
    with found:
        return _pixels(found[_chosen(found.files)])


def _hdf5(path: Path) -> np.ndarray:
    import h5py

    with h5py.File(path, "r") as opened:
        names = [name for name in opened if isinstance(opened.get(name, getlink=True), h5py.HardLink)]  # in this file
        images = opened[_chosen([name for name in names if isinstance(opened[name], h5py.Dataset)])]
        if images.is_virtual or images.external:
            raise Mistake("keeps its images in other files: save them in one")
        if images.size and images.id.get_space_status() != h5py.h5d.SPACE_STATUS_ALLOCATED:  # zeros would be read
            raise Mistake(f"says that it holds {images.nbytes:,} bytes of images, which it does not")
        return _pixels(images)


def _chosen(names: Sequence[str]) -> str:
    """The name of the array with the images."""
    if not names:
        raise Mistake("holds no array")
    if NAME not in names and len(names) > 1:
        raise Mistake(f"holds the arrays {', '.join(sorted(names)[:5])}: name the one with the images {NAME!r}")
    return NAME if NAME in names else names[0]


def _pixels(images: Any) -> np.ndarray:
    """An array, in memory or in a file, as uint8."""
    shape, dtype = images.shape, images.dtype
    if dtype.kind not in "uif":
        raise Mistake(f"is not an array of images: it holds {dtype}")
    if len(shape) != 4 or shape[3] not in (1, 3) or not all(shape[1:]):
        raise Mistake(f"holds an array of shape {shape}: images are (count, height, width, 1 or 3)")
    if not len(images):
        raise Mistake("holds no images")
    pixels = np.empty(shape, np.uint8)
    together = max(1, PIECE // (math.prod(shape[1:]) * dtype.itemsize))
    for begin in range(0, len(images), together):
        piece = images[begin : begin + together]
        if dtype != np.uint8:
            low, high = piece.min(), piece.max()
            if dtype.kind != "f" or not -1 <= low <= high <= 1:
                raise Mistake(f"holds {dtype} from {low:g} to {high:g}: images are uint8, or floats in [-1, 1]")
            piece = np.round((piece + 1) * 127.5)
        pixels[begin : begin + together] = piece
    return pixels
