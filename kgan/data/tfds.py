"""Image data sets of TensorFlow Datasets."""

from __future__ import annotations

import difflib
import re
import sys
import urllib.parse
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from kgan._backend import tf
from kgan.data import folders
from kgan.data.arrays import Labeled, resize
from kgan.errors import Mistake


def load(name: str, split: str, image_size: int | None) -> Labeled:
    """The images of a data set, which is downloaded if it is not on this machine yet."""
    import absl.logging
    import tensorflow_datasets as tfds

    absl.logging.set_verbosity(absl.logging.ERROR)  # TFDS warns of incomplete folders that it made itself
    if not is_known(name):
        if not name:
            raise Mistake("the data have no name: give a folder, or the name of a data set such as digits or mnist")
        if Path(name).exists():
            raise Mistake(f"{name!r} is {folders.what_is(Path(name))}")
        known = tfds.list_builders(with_community_datasets=False)
        similar = difflib.get_close_matches(name, ["digits", *known], n=3)
        hint = f"did you mean {' or '.join(similar)}?" if similar else "try digits, mnist or cifar10, or name a folder"
        raise Mistake(f"unknown data set {name!r}: {hint}")
    if Path(name).is_dir() and any(path.suffix.lower() in folders.SUFFIXES for path in Path(name).rglob("*")):
        warnings.warn(f"{name} is taken for the data set of that name: write ./{name} for the folder", stacklevel=3)
    try:
        builder = tfds.builder(name)
    except Exception as error:  # of many classes: an unknown version or configuration
        raise Mistake(f"TensorFlow Datasets has no {name!r}: {first_line(error)}") from None
    _image_feature(builder, image_size)
    if not builder.is_prepared():
        if not sys.stderr.isatty():
            tfds.disable_progress_bar()
        try:
            _check_reachable(builder)
            builder.download_and_prepare()
        except Exception as error:  # of many classes: no network, a full disk, files to be fetched by hand
            reason = first_line(error)
            raise OSError(f"cannot download {name} ({reason}): 'digits' is a data set that needs no network") from None
    return _images_of(builder, split, image_size)


def held_out(name: str, split: str, image_size: int | None) -> Labeled | None:
    """The test split of a data set on this machine; None if there is none, or if `split` has images of it."""
    import tensorflow_datasets as tfds

    names = [part.split("[")[0].strip() for part in split.split("+")]
    if any(each == "all" or "test" in each for each in names):  # "all" is every split, the test split among them
        return None
    builder = tfds.builder(name)
    if "test" not in builder.info.splits or not builder.is_prepared():
        return None
    return _images_of(builder, "test", image_size)


def is_known(name: str) -> bool:
    """Whether a data set has that name; a version or a configuration may follow it."""
    import tensorflow_datasets as tfds

    return re.split("[/:]", name)[0] in tfds.list_builders(with_community_datasets=False)


def first_line(error: Exception) -> str:
    """The first line of an error's message; its class if there is no message."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _check_reachable(builder: Any) -> None:
    """Ask once whether the first host answers: without a network TFDS would retry for minutes."""
    import requests  # installed with TFDS

    for url in getattr(builder, "url_infos", {}):
        try:
            requests.head(url, timeout=20)
        except requests.ConnectionError:
            host = urllib.parse.urlsplit(url).hostname
            raise ConnectionError(f"{host} does not answer") from None
        break


def _image_feature(builder: Any, image_size: int | None) -> str:
    """The name under which a `tfds` builder keeps its images."""
    import tensorflow_datasets as tfds

    names = [name for name, feature in builder.info.features.items() if isinstance(feature, tfds.features.Image)]
    if not names:
        raise Mistake(f"{builder.name} holds no images: choose an image data set such as digits, mnist or cifar10")
    if image_size is None and None in builder.info.features[names[0]].shape:
        raise Mistake(f"the images of {builder.name} have many sizes: choose one with image_size")
    return names[0]


def _images_of(builder: Any, split: str = "train", image_size: int | None = None) -> Labeled:
    """All images of a split of a prepared `tfds` builder in the data set's own order, with their first labels."""
    import tensorflow_datasets as tfds

    image, features = _image_feature(builder, image_size), builder.info.features
    label = next((name for name, each in features.items() if isinstance(each, tfds.features.ClassLabel)), None)

    def chosen(example: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = example[image] if image_size is None else resize(example[image], image_size)
        return pixels, example[label] if label else tf.constant(0, tf.int64)

    try:
        examples = builder.as_dataset(split=split, shuffle_files=False)
    except ValueError:
        raise Mistake(f"{builder.name} has no split {split!r}: choose from {', '.join(builder.info.splits)}") from None
    examples = examples.map(chosen, tf.data.AUTOTUNE, deterministic=True).batch(1024)
    images, labels = (np.concatenate(each) for each in zip(*examples.as_numpy_iterator(), strict=True))
    unlabelled = label is None or (labels < 0).any()  # -1: the unlabelled split of STL-10
    return Labeled(images) if unlabelled else Labeled(images, labels, tuple(features[label].names))
