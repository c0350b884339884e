"""Load images by name: digits, a data set, a file or a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kgan.data import array_files, cats, digits, folders, tfds
from kgan.data.array_files import is_array_file
from kgan.data.arrays import Labeled, from_uint8, resize
from kgan.errors import Mistake


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

    Args:
        source: what to load. "digits": scikit-learn's 1,797 real handwritten digits, which need no network. The name of
            a data set of TensorFlow Datasets: "mnist", "fashion_mnist", "cifar10", "stl10", "oxford_flowers102", … A
            folder of image files: see `kgan.data.folders.load`. A file with images of shape (count, height, width,
            channels), uint8 or float32 in [-1, 1]: `.npy`, or `.npz` or `.h5` with one array or with one that is named
            `images`. "cat-dataset": the CAT photographs on Kaggle, for which `kagglehub` must be installed.
        split: split of a TensorFlow data set: "train", "unlabelled", "train+validation+test", "train[:10%]".
        image_size: height and width of the result; images are cut to their central square and resized. None leaves them
            as they are. A folder needs an image_size.
        crop, background: for images in a folder: see `kgan.data.folders.load`.
        dtype: "float32" for images in [-1, 1]; "uint8" for images from 0 to 255, in a quarter of the memory. `batches`
            takes both.

    Returns:
        Images of shape (count, height, width, channels).

    Raises:
        ValueError: for an unknown data set, split or file content, images of mixed sizes without `image_size`, or a
            folder without images.
        OSError: for a data set that cannot be downloaded, or a file or folder that cannot be read.
        ImportError: for "cat-dataset" without `kagglehub`.

    Example:
        >>> load("digits").shape
        (1797, 28, 28, 1)
    """
    images = load_labeled(source, split=split, image_size=image_size, crop=crop, background=background).images
    if dtype == "uint8":
        return images
    if dtype == "float32":
        return from_uint8(images)
    raise Mistake(f"dtype is {dtype!r}: choose float32 or uint8")


def load_labeled(
    source: str | Path = "digits",
    *,
    split: str = "train",
    image_size: int | None = None,
    crop: str = "center",
    background: str = "white",
) -> Labeled:
    """Load real images with their labels, if there are any.

    The digits and TensorFlow data sets have labels of their own. The labels of a folder are its sub-folders, if every
    image is in one and there are two or more.

    Args:
        source, split, image_size, crop, background: see `load`.

    Returns:
        Images, uint8, with labels and the names of the classes.

    Raises:
        ValueError, OSError, ImportError: see `load`.

    Example:
        >>> load_labeled("digits").labels[:10]
        array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    if image_size is not None and image_size < 1:
        raise Mistake(f"image_size is {image_size}: it is 1 or more")
    if str(source) == "digits":
        labeled = digits.load()
    elif is_array_file(source):
        labeled = Labeled(array_files.load(Path(source)))
    elif path := folder(source):
        if image_size is None:
            raise Mistake(f"the images in {source} may have many sizes: choose one with image_size")
        labeled = by_folders(folders.load(path, image_size, crop=crop, background=background))
    else:
        labeled = tfds.load(str(source), split, image_size)
    images = labeled.images
    if image_size is not None and images.shape[1:3] != (image_size, image_size):
        chunks = np.array_split(images, len(images) // 1024 + 1)
        resized = np.concatenate([resize(chunk, image_size).numpy() for chunk in chunks])
        labeled = labeled._replace(images=resized)
    return labeled


def by_folders(found: folders.Folder) -> Labeled:
    """Images of a folder, with its sub-folders as classes if every image is in one and there are two or more."""
    tops = [name.split("/")[0] if "/" in name else "" for name in found.names]
    names = tuple(sorted(set(tops)))
    if "" in names or len(names) < 2:
        return Labeled(found.images)
    return Labeled(found.images, np.searchsorted(names, tops), names)


def held_out(source: str | Path, split: str = "train", image_size: int | None = None) -> Labeled | None:
    """Real images that a model trained on `split` has not seen: the test split of a TensorFlow data set.

    Args:
        source, image_size: see `load`.
        split: the split that the model was trained on.

    Returns:
        Images and labels; None for other sources, for a data set without a test split, and if `split` has images of the
        test split, as "all" does.

    Example:
        >>> held_out("digits") is None
        True
    """
    name = str(source)
    if name == "digits" or is_array_file(name) or is_folder(source) or not tfds.is_known(name):
        return None
    return tfds.held_out(name, split, image_size)


def is_folder(source: str | Path) -> bool:
    """Whether `load` reads `source` as a folder of images: a path, or a folder whose name is not that of a data set.

    Example:
        >>> is_folder("digits"), is_folder("./digits")
        (False, True)
    """
    name = str(source)
    if name in ("", "digits") or is_array_file(name):
        return False
    if isinstance(source, Path) or "/" in name or "\\" in name or name.startswith("~"):
        return Path(name).expanduser().is_dir() or not tfds.is_known(name)  # "mnist/3.0.1" is a data set
    return Path(name).is_dir() and not tfds.is_known(name)


def folder(source: str | Path) -> Path | None:
    """The folder of images that `source` names; the CAT data set is downloaded first. None for all other sources.

    Raises:
        ImportError, OSError: if the CAT data set cannot be downloaded.

    Example:
        >>> folder("./pictures")
        PosixPath('pictures')
    """
    if is_folder(source):
        return Path(source).expanduser()
    return cats.fetch() if str(source) == "cat-dataset" else None
