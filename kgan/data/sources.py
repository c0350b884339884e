"""Load images by name: digits, a data set of TensorFlow Datasets, the CAT photographs, a file or a folder."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import sys
import urllib.parse
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from kgan._backend import tf
from kgan.checks import check_choice
from kgan.data import folders
from kgan.data.arrays import Labeled, from_uint8, is_array_file, load_array, resize, square
from kgan.data.batching import untuned
from kgan.errors import Mistake
from kgan.files import cache_path, replacing, stamp

FORMAT = 1  # version of the cache of data sets
MOST_KEPT = 2**28  # bytes of a data set that are kept there
DARK = 32  # images of 12 bits that a file keeps in 16 reach 15


def load(
    source: str | Path = "digits",
    *,
    split: str = "train",
    image_size: int | None = None,
    crop: str = "center",
    background: str = "white",
    dtype: str = "float32",
) -> np.ndarray:
    """Load real images.

    In a folder and its sub-folders, PNG, JPEG, WEBP, GIF (the first frame), BMP, TIFF, PPM, TGA, JPEG 2000 and AVIF
    files are read, in any mix of sizes and color modes, turned as the camera was held, in the order of their paths.
    They have one channel if all of them are gray. 16-bit images and floats are scaled alike, by the brightest of them.
    An array of more than 256 MB stays on the disk, with `dtype="uint8"`.

    Args:
        source: "digits": scikit-learn's 1,797 real handwritten digits, which need no network. The name of a data set of
            TensorFlow Datasets: "mnist", "cifar10", "stl10", … A folder of images. A file with an array of shape
            (count, height, width, channels), uint8 or floats in [-1, 1]: `.npy`, or `.npz` or `.h5` with one array or
            with one that is named `images`. "cat-dataset": the CAT photographs on Kaggle, by `kagglehub`.
        split: split of a TensorFlow data set: "train", "unlabelled", "train+validation+test", "train[:10%]".
        image_size: height and width, one number; images are cut to their central square, and a folder needs it.
        crop: in a folder, "center" cuts images to the central square, "letterbox" keeps the whole image and pads it,
            "head" cuts to a cat's head where a file such as `cat.jpg.cat` lists nine points of it.
        background: a color, by name or as #rrggbb, under transparent images of a folder and around letterboxed ones.
        dtype: "float32" for images in [-1, 1]; "uint8" for images from 0 to 255, in a quarter of the memory.

    Returns:
        Images of shape (count, height, width, channels).

    Raises:
        ValueError: for an unknown data set or argument; for a file or folder without images, with images of mixed sizes
            where `image_size` is missing, or with more than a quarter of its image files broken.
        OSError: for a data set that cannot be downloaded, a file or folder that cannot be read, or a full disk.

    Example:
        >>> load("digits").shape
        (1797, 28, 28, 1)
    """
    check_choice("dtype", dtype, ("float32", "uint8"))
    images = load_labeled(source, split=split, image_size=image_size, crop=crop, background=background).images
    return images if dtype == "uint8" else from_uint8(images)


def load_labeled(
    source: str | Path = "digits",
    *,
    split: str = "train",
    image_size: int | None = None,
    crop: str = "center",
    background: str = "white",
) -> Labeled:
    """Load real images as uint8, with their labels, if there are any; arguments and errors are those of `load`.

    The digits and TensorFlow data sets have labels of their own. The labels of a folder are its sub-folders, if every
    image is in one and there are two or more.

    Example:
        >>> load_labeled("digits").labels[:10]
        array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    if not isinstance(source, (str, os.PathLike)):
        raise Mistake(f"cannot load a {type(source).__name__}: name a data set, a folder or a file")
    image_size, name = square(image_size), str(source)
    if name == "digits":
        labeled = _digits()
    elif is_array_file(source):
        labeled = Labeled(load_array(Path(source)))
    elif name == "cat-dataset" or is_folder(source):
        if image_size is None:
            raise Mistake(f"the images in {source} may have many sizes: choose one with image_size")
        folder = _download_cats() if name == "cat-dataset" else source
        labeled = folders.load(folder, image_size, crop=crop, background=background)
    else:
        labeled = _data_set(name, split, image_size)
    images = labeled.images
    if images[:1000].max() < DARK:
        found = f"the images of {name} are nearly black: their brightest value is {images[:1000].max()}, of 255"
        warnings.warn(f"{found}. Images of 12 bits, or from 0 to 1, have to be scaled", stacklevel=3)
    if image_size is None or images.shape[1:3] == (image_size, image_size):
        return labeled
    chunks = np.array_split(images, len(images) // 1024 + 1)
    return labeled._replace(images=np.concatenate([resize(chunk, image_size).numpy() for chunk in chunks]))


def held_out(source: str | Path, split: str = "train", image_size: int | None = None) -> Labeled | None:
    """Real images that a model trained on `split` has not seen: the test split of a TensorFlow data set.

    None if there is none on this machine, and if `split` has images of it, as "all" does.

    Example:
        >>> held_out("digits") is None
        True
    """
    # "all" is every split, the test split among them.
    if re.search(r"\ball\b|test", split) or is_folder(source) or not _is_known(str(source)):
        return None
    import tensorflow_datasets as tfds

    builder = tfds.builder(str(source))
    has_test = "test" in builder.info.splits and builder.is_prepared()
    return _read_split(builder, "test", square(image_size)) if has_test else None


def is_folder(source: str | Path) -> bool:
    """Whether `load` reads `source` as a folder of images: a path, or a folder whose name is not that of a data set."""
    name = str(source)
    if name in ("", "digits") or is_array_file(name):
        return False
    if isinstance(source, Path) or "/" in name or "\\" in name or name.startswith("~"):
        return Path(name).expanduser().is_dir() or not _is_known(name)  # "mnist/3.0.1" is a data set
    return Path(name).is_dir() and not _is_known(name)


def _digits() -> Labeled:
    """8 × 8 digits, enlarged to 28 × 28 in the way MNIST was made: scaled to 20 × 20, with a margin of 4."""
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    small = np.uint8(np.round(digits.images * (255 / 16)))
    scaled = [np.asarray(Image.fromarray(digit).resize((20, 20), Image.Resampling.BICUBIC)) for digit in small]
    images = np.pad(np.stack(scaled), ((0, 0), (4, 4), (4, 4)))[..., np.newaxis]
    return Labeled(images, np.int64(digits.target), tuple("0123456789"))


def _download_cats() -> Path:
    """Crawford's copy of the CAT data set (Zhang, Sun, Tang 2008): photographs, each with a `.cat` file."""
    by_hand = "get it from https://www.kaggle.com/datasets/crawford/cat-dataset, and give its folder as data"
    try:
        import kagglehub

        path = Path(kagglehub.dataset_download("crawford/cat-dataset"))
    except ImportError:
        how = f"pip install 'kgan[cats]' to fetch it, or {by_hand}"
        raise ImportError(f"the CAT data set is on Kaggle: {how}") from None
    except Exception as error:  # of many classes: no network, no such page, a full disk
        reason = "Kaggle does not answer" if "ConnectionError" in type(error).__name__ else folders.reason(error)
        raise OSError(f"cannot download the CAT data set ({reason}): {by_hand}") from None
    return path / "cats" if (path / "cats").is_dir() else path  # it holds its folders twice


# TensorFlow Datasets


def _data_set(name: str, split: str, image_size: int | None) -> Labeled:
    """The images of a data set, which is downloaded if it is not on this machine yet."""
    import absl.logging
    import tensorflow_datasets as tfds

    absl.logging.set_verbosity(absl.logging.ERROR)  # TFDS warns of incomplete folders that it made itself
    if not _is_known(name):
        raise Mistake(_about_unknown(name, tfds.list_builders(with_community_datasets=False)))
    if Path(name).is_dir() and any(path.suffix.lower() in folders.SUFFIXES for path in Path(name).rglob("*")):
        warnings.warn(f"{name} is taken for the data set of that name: write ./{name} for the folder", stacklevel=3)
    try:
        builder = tfds.builder(name)
    except Exception as error:  # of many classes: an unknown version or configuration
        raise Mistake(f"TensorFlow Datasets has no {name!r}: {folders.reason(error)}") from None
    _image_feature(builder, image_size)
    if not builder.is_prepared():
        if not sys.stderr.isatty():
            tfds.disable_progress_bar()
        try:
            _check_reachable(builder)
            builder.download_and_prepare()
        except Exception as error:  # of many classes: no network, a full disk, files to be fetched by hand
            advice = "'digits' is a data set that needs no network"
            raise OSError(f"cannot download {name} ({folders.reason(error)}): {advice}") from None
    return _read_split(builder, split, image_size)


def _is_known(name: str) -> bool:
    """Whether a data set has that name; a version or a configuration may follow it."""
    import tensorflow_datasets as tfds

    return re.split("[/:]", name)[0] in tfds.list_builders(with_community_datasets=False)


def _about_unknown(name: str, known: list[str]) -> str:
    """What to say about a name that is none of a data set."""
    if not name:
        return "the data have no name: give a folder, or the name of a data set such as digits or mnist"
    if Path(name).exists():
        return f"{name!r} is {folders.about_file(Path(name))}"
    similar = difflib.get_close_matches(name, ["digits", *known], n=3)
    hint = f"did you mean {' or '.join(similar)}?" if similar else "try digits, mnist or cifar10, or name a folder"
    return f"unknown data set {name!r}: {hint}"


def _check_reachable(builder: Any) -> None:
    """Ask once whether the first host answers: without a network TFDS would retry for minutes."""
    import requests  # installed with TFDS

    for url in list(getattr(builder, "url_infos", {}))[:1]:
        try:
            requests.head(url, timeout=20)
        except requests.ConnectionError:
            raise ConnectionError(f"{urllib.parse.urlsplit(url).hostname} does not answer") from None


def _image_feature(builder: Any, image_size: int | None) -> str:
    """The name under which a `tfds` builder keeps its images."""
    import tensorflow_datasets as tfds

    names = [name for name, feature in builder.info.features.items() if isinstance(feature, tfds.features.Image)]
    if not names:
        raise Mistake(f"{builder.name} holds no images: choose an image data set such as digits, mnist or cifar10")
    if image_size is None and None in builder.info.features[names[0]].shape:
        raise Mistake(f"the images of {builder.name} have many sizes: choose one with image_size")
    return names[0]


def _read_split(builder: Any, split: str, image_size: int | None) -> Labeled:
    """All images of a split of a prepared `tfds` builder in the data set's own order, with their first labels.

    Decoding MNIST takes seconds, so up to 256 MB are kept in the cache until a file of the data set changes.
    """
    folder = Path(builder.data_dir)
    if not folder.is_dir():  # in a bucket, or made up by `tfds.testing.mock_data`
        return _decoded(builder, split, image_size)
    files = [(path.name, *stamp(path)) for path in sorted(folder.iterdir())]
    cache = cache_path("datasets", FORMAT, str(folder), files, split, image_size).with_suffix(".npz")
    with contextlib.suppress(OSError, ValueError, KeyError, zipfile.BadZipFile), np.load(cache) as kept:
        labels, names = kept["labels"], tuple(kept["names"].tolist())
        return Labeled(kept["images"], labels, names) if names else Labeled(kept["images"])
    found = _decoded(builder, split, image_size)
    if found.images.nbytes <= MOST_KEPT:
        labels = np.zeros(0, np.int64) if found.labels is None else found.labels
        with contextlib.suppress(OSError), replacing(cache, durable=False) as path:
            np.savez(path, images=found.images, labels=labels, names=np.array(found.names, str))
    return found


def _decoded(builder: Any, split: str, image_size: int | None) -> Labeled:
    """The same, from the files of the data set."""
    import tensorflow_datasets as tfds

    image, features = _image_feature(builder, image_size), builder.info.features
    label = next((name for name, feature in features.items() if isinstance(feature, tfds.features.ClassLabel)), None)

    def chosen(examples: dict[str, tf.Tensor]) -> tuple[tf.Tensor, ...]:
        pixels = examples[image] if image_size is None else resize(examples[image], image_size)
        return (pixels, examples[label]) if label else (pixels,)

    # With small images, more threads, as TensorFlow would choose, cost more time than they save.
    threads = tfds.ReadConfig(num_parallel_calls_for_interleave_files=1, num_parallel_calls_for_decode=2)
    try:
        examples = builder.as_dataset(split=split, shuffle_files=False, read_config=threads)
    except ValueError:
        raise Mistake(f"{builder.name} has no split {split!r}: choose from {', '.join(builder.info.splits)}") from None
    if None in features[image].shape:  # only images of one size make a batch
        examples = examples.map(chosen, num_parallel_calls=2).batch(1024)
    else:
        examples = examples.batch(1024).map(chosen, num_parallel_calls=2)
    parts = zip(*untuned(examples).as_numpy_iterator(), strict=True)
    images, *labels = (np.concatenate(part) for part in parts)
    if not labels or (labels[0] < 0).any():  # -1: the unlabelled split of STL-10
        return Labeled(images)
    return Labeled(images, labels[0], tuple(features[label].names))
