"""Real images: the embedded digits, image data sets of TensorFlow Datasets, folders, arrays; and their batches.

Nothing random here depends on what was drawn before: the batch of a step is a pure function of (seed, step), so a
run that is resumed at step 1,234 sees the batch that it would have seen.
"""

from __future__ import annotations

import difflib
import re
import sys
import urllib.parse
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kgan import folders
from kgan._backend import tf

DEGRADATIONS = ("noise", "blur", "mask")


def load(
    source: str | Path = "digits",
    *,
    split: str = "train",
    image_size: int | None = None,
    crop: str = "centre",
    background: str = "white",
    dtype: str = "float32",
) -> np.ndarray:
    """Load real images.

    Args:
        source: "digits", scikit-learn's 1,797 real handwritten digits, which needs no network; a `.npy` file with
            images of shape (count, height, width, channels), uint8 or float32 in [-1, 1]; a folder of image files
            (see `kgan.folders.load`); "cat-dataset", the CAT photographs on Kaggle, which take `kagglehub`; or the
            name of a data set of TensorFlow Datasets: "mnist", "fashion_mnist", "cifar10", "stl10",
            "oxford_flowers102", …
        split: of a TensorFlow data set: "train", "unlabelled", "train+validation+test", "train[:10%]".
        image_size: height and width wanted; images are cut to their central square and resized. None leaves
            them as they are; a folder must have one.
        crop, background: of images in a folder: see `kgan.folders.load`.
        dtype: "float32" for images in [-1, 1]; "uint8" for 0 to 255, a quarter of the memory, which `batches`
            takes as well.

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
    images = load_labelled(source, split=split, image_size=image_size, crop=crop, background=background).images
    if dtype == "uint8":
        return images
    if dtype == "float32":
        return from_uint8(images)
    raise ValueError(f"dtype is {dtype!r}: choose float32 or uint8")


class Labelled(NamedTuple):
    """Real images, and to which classes they belong.

    Attributes:
        images: uint8, (count, height, width, channels).
        labels: int64, (count,), from 0; None where the data have no labels.
        names: of the classes; none where the data have no labels.
    """

    images: np.ndarray
    labels: np.ndarray | None = None
    names: tuple[str, ...] = ()


def load_labelled(
    source: str | Path = "digits",
    *,
    split: str = "train",
    image_size: int | None = None,
    crop: str = "centre",
    background: str = "white",
) -> Labelled:
    """Load real images with their labels, where there are any.

    The labels are those of the digits; of a TensorFlow data set; of a folder its sub-folders, where all images are in
    one and there are two or more.

    Args:
        source, split, image_size, crop, background: see `load`.

    Returns:
        Images, uint8, with labels and the names of the classes.

    Raises:
        ValueError, OSError, ImportError: see `load`.

    Example:
        >>> load_labelled("digits").labels[:10]
        array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    if image_size is not None and image_size < 1:
        raise ValueError(f"image_size is {image_size}: it is 1 or more")
    if str(source) == "digits":
        labelled = _digits()
    elif str(source).endswith(".npy"):
        labelled = Labelled(_array_file(Path(source)))
    elif path := folder(source):
        if image_size is None:
            raise ValueError(f"the images in {source} may have many sizes: choose one with image_size")
        labelled = by_folders(folders.load(path, image_size, crop=crop, background=background))
    else:
        labelled = _tfds(str(source), split, image_size)
    images = labelled.images
    if image_size is not None and images.shape[1:3] != (image_size, image_size):
        resized = [_resize(chunk, image_size).numpy() for chunk in np.array_split(images, len(images) // 1024 + 1)]
        labelled = labelled._replace(images=np.concatenate(resized))
    return labelled


def by_folders(found: folders.Folder) -> Labelled:
    """Images of a folder with its sub-folders for classes, where all are in one and there are two or more."""
    tops = [name.split("/")[0] if "/" in name else "" for name in found.names]
    names = tuple(sorted(set(tops)))
    if "" in names or len(names) < 2:
        return Labelled(found.images)
    return Labelled(found.images, np.searchsorted(names, tops), names)


def held_out(source: str | Path, split: str = "train", image_size: int | None = None) -> Labelled | None:
    """Real images that a model trained on `split` has not seen: the test split of a TensorFlow data set, if it has one.

    Args:
        source, image_size: see `load`.
        split: that the model was trained on.

    Example:
        >>> held_out("digits") is None
        True
    """
    name = str(source)
    if name == "digits" or name.endswith(".npy") or is_folder(source) or "test" in split or not _is_tfds(name):
        return None
    import tensorflow_datasets as tfds

    builder = tfds.builder(name)
    if "test" not in builder.info.splits or not builder.is_prepared():
        return None
    return _images_of(builder, "test", image_size)


def from_uint8(pixels: np.ndarray) -> np.ndarray:
    """Map 0…255 to [-1, 1], float32: the way back from `kgan.plots.to_uint8`.

    Example:
        >>> from_uint8(np.array([0, 255], np.uint8))
        array([-1.,  1.], dtype=float32)
    """
    return np.float32(pixels) / np.float32(127.5) - 1


def is_folder(source: str | Path) -> bool:
    """Whether `load` takes `source` for a folder of images: a path, or a folder that no data set is named like.

    Example:
        >>> is_folder("digits"), is_folder("./digits")
        (False, True)
    """
    name = str(source)
    if name in ("", "digits") or name.endswith(".npy"):
        return False
    if isinstance(source, Path) or "/" in name or "\\" in name:
        return Path(name).is_dir() or not _is_tfds(name)  # "mnist/3.0.1" is a data set
    return Path(name).is_dir() and not _is_tfds(name)


def folder(source: str | Path) -> Path | None:
    """The folder of images that `source` means, fetched first where it is the CAT data set; None for all else.

    Raises:
        ImportError, OSError: where the CAT data set cannot be fetched.

    Example:
        >>> folder("./pictures")
        PosixPath('pictures')
    """
    if is_folder(source):
        return Path(source)
    return _cats() if str(source) == "cat-dataset" else None


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


def degrade(images: np.ndarray, how: str, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images with noise, blurred, or with the middle masked; and which pixels are still known.

    Args:
        images: (count, height, width, channels), in [-1, 1].
        how: "noise", Gaussian with standard deviation 0.5; "blur", Gaussian too, over a 14th of the width (2 pixels
            of 28); "mask", a grey square of half the height and width.
        seed: of the noise.

    Returns:
        Images of the same shape, in [-1, 1], and (count, height, width, 1), 1 where a pixel is known and 0 under the
        mask.

    Raises:
        ValueError: for another way.

    Example:
        >>> masked, known = degrade(images, "mask")
        >>> float(known.mean())
        0.75
    """
    from scipy import ndimage  # of scikit-learn

    count, height, width, _ = images.shape
    known = np.ones((count, height, width, 1), np.float32)
    if how == "noise":
        noise = np.random.default_rng(seed).normal(0, 0.5, images.shape)
        return np.float32(np.clip(images + noise, -1, 1)), known
    if how == "blur":
        return np.float32(ndimage.gaussian_filter(images, (0, height / 14, width / 14, 0))), known
    if how == "mask":
        known[:, height // 4 : height // 4 + height // 2, width // 4 : width // 4 + width // 2] = 0
        return np.float32(images * known), known
    raise ValueError(f"cannot degrade images by {how!r}: choose one of {', '.join(DEGRADATIONS)}")


def _digits() -> Labelled:
    """8 × 8 digits brought to 28 × 28 the way MNIST was made: scaled to 20 × 20, with a margin of 4."""
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    small = np.uint8(np.round(digits.images * (255 / 16)))
    scaled = [np.asarray(Image.fromarray(digit).resize((20, 20), Image.Resampling.BICUBIC)) for digit in small]
    images = np.pad(np.stack(scaled), ((0, 0), (4, 4), (4, 4)))[..., np.newaxis]
    return Labelled(images, np.int64(digits.target), tuple("0123456789"))


def _cats() -> Path:
    """Crawford's copy of the CAT data set (Zhang, Sun, Tang 2008): photographs, each with its `.cat` file."""
    page = "https://www.kaggle.com/datasets/crawford/cat-dataset"
    try:
        import kagglehub
    except ImportError:
        raise ImportError(
            "the CAT data set is on Kaggle: pip install 'kgan[cats]' to have it fetched, or get it from "
            f"{page}, unpack it, and give its folder as data"
        ) from None
    try:
        path = Path(kagglehub.dataset_download("crawford/cat-dataset"))
    except Exception as error:  # of many classes: no network, no such page, a full disk
        reason = "Kaggle does not answer" if "ConnectionError" in type(error).__name__ else _first_line(error)
        message = f"cannot download the CAT data set ({reason}): get it from {page}, and give its folder as data"
        raise OSError(message) from None
    return path / "cats" if (path / "cats").is_dir() else path  # its folders are in it twice


def _array_file(path: Path) -> np.ndarray:
    try:
        images = np.load(path, allow_pickle=False)  # a pickle could run anything
    except (ValueError, EOFError):
        raise ValueError(f"{path} is not an array of images") from None
    if not isinstance(images, np.ndarray) or images.dtype.kind not in "uif":
        raise ValueError(f"{path} is not an array of images")
    if images.ndim != 4 or images.shape[3] not in (1, 3):
        raise ValueError(f"{path} holds an array of shape {images.shape}: images are (count, height, width, 1 or 3)")
    if not len(images):
        raise ValueError(f"{path} holds no images")
    if images.dtype == np.uint8:
        return images
    low, high = images.min(), images.max()
    if images.dtype.kind != "f" or not (low >= -1 and high <= 1):
        raise ValueError(
            f"{path} holds {images.dtype} from {low:g} to {high:g}: images are uint8, or floats in [-1, 1]"
        )
    return np.uint8(np.round((images + 1) * 127.5))


def _tfds(name: str, split: str, image_size: int | None) -> Labelled:
    import absl.logging
    import tensorflow_datasets as tfds

    absl.logging.set_verbosity(absl.logging.ERROR)  # TFDS warns of folders it half made itself
    if not _is_tfds(name):
        if not name or Path(name).exists():
            raise ValueError(
                f"{name!r} is no .npy file and no folder: give one, or the name of a data set such as digits or mnist"
            )
        known = tfds.list_builders(with_community_datasets=False)
        similar = difflib.get_close_matches(name, ["digits", *known], n=3)
        hint = f"did you mean {' or '.join(similar)}?" if similar else "try digits, mnist or cifar10"
        raise ValueError(f"unknown data set {name!r}: {hint}")
    if Path(name).is_dir() and any(path.suffix.lower() in folders.SUFFIXES for path in Path(name).rglob("*")):
        warnings.warn(f"{name} is taken for the data set of that name: write ./{name} for the folder", stacklevel=3)
    try:
        builder = tfds.builder(name)
    except Exception as error:  # of many classes: an unknown version or configuration
        raise ValueError(f"TensorFlow Datasets has no {name!r}: {_first_line(error)}") from None
    _image_feature(builder, image_size)
    if not builder.is_prepared():
        if not sys.stderr.isatty():
            tfds.disable_progress_bar()
        try:
            _check_reachable(builder)
            builder.download_and_prepare()
        except Exception as error:  # of many classes: no network, a full disk, files to be fetched by hand
            reason = _first_line(error)
            raise OSError(f"cannot download {name} ({reason}): 'digits' is a data set that needs no network") from None
    return _images_of(builder, split, image_size)


def _is_tfds(name: str) -> bool:
    import tensorflow_datasets as tfds

    return re.split("[/:]", name)[0] in tfds.list_builders(with_community_datasets=False)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _check_reachable(builder: Any) -> None:
    """Without a network TFDS tries again and again for minutes: ask once whether its first host answers."""
    import requests  # of TFDS

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
        raise ValueError(f"{builder.name} holds no images: choose an image data set such as digits, mnist or cifar10")
    if image_size is None and None in builder.info.features[names[0]].shape:
        raise ValueError(f"the images of {builder.name} have many sizes: choose one with image_size")
    return names[0]


def _images_of(builder: Any, split: str = "train", image_size: int | None = None) -> Labelled:
    """All images of a split of a prepared `tfds` builder in the data set's own order, with their first labels."""
    import tensorflow_datasets as tfds

    image, features = _image_feature(builder, image_size), builder.info.features
    label = next((name for name, each in features.items() if isinstance(each, tfds.features.ClassLabel)), None)

    def chosen(example: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = example[image] if image_size is None else _resize(example[image], image_size)
        return pixels, example[label] if label else tf.constant(0, tf.int64)

    try:
        examples = builder.as_dataset(split=split, shuffle_files=False)
    except ValueError:
        raise ValueError(
            f"{builder.name} has no split {split!r}: choose from {', '.join(builder.info.splits)}"
        ) from None
    examples = examples.map(chosen, tf.data.AUTOTUNE, deterministic=True).batch(1024)
    images, labels = (np.concatenate(each) for each in zip(*examples.as_numpy_iterator(), strict=True))
    unlabelled = label is None or (labels < 0).any()  # -1: the unlabelled split of STL-10
    return Labelled(images) if unlabelled else Labelled(images, labels, tuple(features[label].names))


def _resize(images: tf.Tensor, image_size: int) -> tf.Tensor:
    """The central square of an image or of a batch of images, resized, uint8."""
    height, width = tf.unstack(tf.shape(images)[-3:-1])
    side = tf.minimum(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = images[..., top : top + side, left : left + side, :]
    resized = tf.image.resize(square, (image_size, image_size), method="bicubic", antialias=True)
    return tf.cast(tf.round(tf.clip_by_value(resized, 0, 255)), tf.uint8)
