import contextlib
import itertools
import types

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgan import data
from kgan._backend import keras, tf


def take(dataset, count):
    return [batch.numpy() for batch in dataset.take(count)]


# digits and arrays


def test_digits_are_made_like_mnist():
    from sklearn.datasets import load_digits

    images = data.load("digits")
    assert images.shape == (1797, 28, 28, 1)
    assert images.dtype == np.float32
    assert (images.min(), images.max()) == (-1, 1)
    margin = images.copy()
    margin[:, 4:24, 4:24] = -1
    assert (margin == -1).all()
    # Brought back to 8 × 8 by averaging, each is the small digit it was made of.
    inner = tf.image.resize(images[:, 4:24, 4:24], (8, 8), method="area").numpy()[..., 0]
    small = load_digits().images / 8 - 1
    for digit, original in zip(inner[:100], small[:100], strict=True):
        assert np.corrcoef(digit.ravel(), original.ravel())[0, 1] > 0.97


@pytest.mark.parametrize("image_size", [16, np.int64(16), (16, 16), np.array([16.0, 16.0])])
def test_image_size_and_type(image_size):
    images = data.load("digits", image_size=image_size)
    assert images.shape == (1797, 16, 16, 1)
    assert images.max() == 1
    pixels = data.load("digits", image_size=image_size, dtype="uint8")
    assert pixels.dtype == np.uint8
    np.testing.assert_allclose(pixels / 127.5 - 1, images, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dtype": "int8"}, "dtype is 'int8': choose one of float32, uint8"),
        ({"image_size": 0}, "image_size is 0: it must be from 1 to 4096"),
        ({"image_size": (16, 24)}, r"image_size is \(16, 24\): images are square, so it is one whole number"),
        ({"image_size": 16.5}, "image_size is 16.5: images are square, so it is one whole number"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        data.load("digits", **arguments)


# TensorFlow Datasets


@pytest.mark.data
def test_real_mnist(mnist_dir):
    images = data.load("mnist", dtype="uint8")
    assert images.shape == (60_000, 28, 28, 1)
    assert images.mean() == pytest.approx(0.1307 * 255, abs=0.05)  # the known mean of its training images
    joined = data.load("mnist", split="train[:100]+test[:50]", image_size=32, dtype="uint8")
    assert joined.shape == (150, 32, 32, 1)
    np.testing.assert_array_equal(data.load("mnist", split="train[:100]", dtype="uint8"), images[:100])
    with pytest.raises(ValueError, match="mnist has no split 'trian': choose from"):
        data.load("mnist", split="trian")


@pytest.mark.data
def test_a_data_set_is_decoded_once(mnist_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("KGAN_CACHE", str(tmp_path))
    decoded, calls = data.sources._decoded, []
    monkeypatch.setattr(data.sources, "_decoded", lambda *arguments: calls.append(arguments) or decoded(*arguments))
    found = [data.load_labeled("mnist", split="test[:50]") for _ in range(2)]
    assert len(calls) == 1
    [cache] = tmp_path.glob("datasets/*.npz")
    whole = cache.read_bytes()
    for broken in (whole[:-100], whole.replace(found[0].images[7].tobytes(), bytes(784))):
        cache.write_bytes(broken)
        found.append(data.load_labeled("mnist", split="test[:50]"))
    assert len(calls) == 3
    assert len(data.load_labeled("mnist", split="test[:40]").images) == 40
    for images, labels, names, *_ in found:
        np.testing.assert_array_equal(images, found[0].images)
        np.testing.assert_array_equal(labels, found[0].labels)
        assert names == tuple("0123456789")


@pytest.mark.parametrize(
    ("name", "split", "image_size", "shape"),
    [
        ("cifar10", "train", None, (32, 32, 3)),
        ("fashion_mnist", "train+test", 32, (32, 32, 1)),
        ("stl10", "unlabelled", 64, (64, 64, 3)),
        ("oxford_flowers102", "train+validation+test", 32, (32, 32, 3)),
    ],
)
def test_names_of_tensorflow_datasets(name, split, image_size, shape, monkeypatch):
    """Their real builders, on random pictures in place of downloads."""
    import tensorflow_datasets as tfds

    monkeypatch.setattr(data.sources, "_check_reachable", lambda builder: None)
    with tfds.testing.mock_data(num_examples=7):
        images = data.load(name, split=split, image_size=image_size, dtype="uint8")
    assert images.shape == (7, *shape)  # however many splits are joined; real ones are joined with MNIST, above
    assert images.dtype == np.uint8


@pytest.fixture
def prepared(monkeypatch, tmp_path):
    """TensorFlow data sets as if they had been downloaded, with random pictures in them."""
    import tensorflow_datasets as tfds

    monkeypatch.setenv("KGAN_CACHE", str(tmp_path))  # there may be real ones on this machine
    monkeypatch.setattr(tfds.core.DatasetBuilder, "is_prepared", lambda builder: True)
    splits = dict.fromkeys(("train", "test"), types.SimpleNamespace(num_bytes=0, num_examples=7))
    monkeypatch.setattr(tfds.core.DatasetInfo, "splits", splits)
    with tfds.testing.mock_data(num_examples=7):
        yield


def test_the_test_split_is_held_out_unless_a_model_was_trained_on_it(prepared):
    for split in ("train", "train[:10%]", "train[:10%]+train[50%:]"):
        assert data.held_out("mnist", split).images.shape == (7, 28, 28, 1)
    for split in ("test", "train+test[:50%]", "all", "train+all", "train + all", "all[:50%]"):
        assert data.held_out("mnist", split) is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (np.zeros((3, 8, 8, 1)), "cannot load a ndarray: name a data set, a folder or a file"),
        ("mnits", "unknown data set 'mnits': did you mean mnist"),
        ("digts", "did you mean digits"),
        ("qqqqqq", "unknown data set 'qqqqqq': try digits, mnist or cifar10, or name a folder"),
        ("glue", "glue holds no images"),
        ("mnist:9.9.9", "TensorFlow Datasets has no 'mnist:9.9.9'"),
        ("oxford_flowers102", "oxford_flowers102 have many sizes: choose one with image_size"),
    ],
)
def test_bad_names(name, message):
    with pytest.raises(ValueError, match=message):
        data.load(name)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("a.png", ValueError, "'a.png' is one image: name the folder that it is in"),
        ("./a.png", NotADirectoryError, "a.png is one image: name the folder that it is in"),
        ("a.zip", ValueError, "'a.zip' is an archive: unpack it, and name the folder"),
        ("C:\\pictures", FileNotFoundError, "there is no folder .*C:.pictures"),
    ],
)
def test_a_path_that_is_no_array(name, error, message, tmp_path, monkeypatch):
    for file in ("a.png", "a.zip"):
        (tmp_path / file).touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        data.load(name, image_size=8)


def test_nearly_black_images_are_warned_of(tmp_path):
    """Such as masks from 0 to 1, or colors of 12 bits in 16, of which Pillow keeps the upper 8."""
    np.save(tmp_path / "a.npy", np.full((3, 8, 8, 1), 15, np.uint8))
    with pytest.warns(UserWarning, match="a.npy are nearly black: their brightest value is 15, of 255"):
        data.load(tmp_path / "a.npy")


def test_a_home_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "pictures").mkdir()
    keras.utils.save_img(tmp_path / "pictures" / "a.png", np.full((8, 8, 3), 255), scale=False)
    np.save(tmp_path / "a.npy", np.full((3, 8, 8, 1), 255, np.uint8))
    assert data.load("~/pictures", image_size=8).shape == (1, 8, 8, 3)
    assert data.load("~/a.npy").shape == (3, 8, 8, 1)


def test_without_a_network(monkeypatch, tmp_path):
    import tensorflow_datasets as tfds

    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # a port where nobody answers
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    with pytest.raises(
        OSError, match=r"cannot download fashion_mnist .*: 'digits' is a data set that needs no network"
    ):
        data.load("fashion_mnist")


# Batches


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 40), st.data(), st.integers(0, 2**31 - 1))
def test_an_epoch_shows_no_image_twice(count, draw, seed):
    batch_size = draw.draw(st.integers(1, count))
    numbers = np.arange(count, dtype="float32")[:, None]
    batches = data.Batches(numbers, batch_size, seed)
    shown = np.stack(take(batches.dataset(), 3 * len(batches))).reshape(3, -1)
    for number, epoch in enumerate(shown):
        assert len(np.unique(epoch)) == count // batch_size * batch_size
        assert np.isin(epoch, numbers).all()
        np.testing.assert_array_equal(epoch, np.random.default_rng([seed, number]).permutation(count)[: len(epoch)])


def test_however_many_epochs_and_seeds_no_order_comes_again():
    orders = [data.Batches(np.zeros((100, 1)), 100, seed).order(0) for seed in range(400)]
    orders += [data.Batches(np.zeros((100, 1)), 100).order(epoch) for epoch in range(1, 400)]
    assert len({order.tobytes() for order in orders}) == 799  # epochs 0 and 256, seeds 0 and 318 among them


def test_an_epoch_mixes_as_chance_does():
    """How many images of a batch have been neighbors in the data, or in the same batch of the epoch before."""
    batches = data.Batches(np.zeros((1000, 1)), 100, seed=4)
    orders = [batches.order(epoch) for epoch in range(20)]
    neighbors = np.mean([np.sum(np.diff(np.sort(batch)) == 1) for order in orders for batch in order])
    assert neighbors == pytest.approx(999 * 100 / 1000 * 99 / 999, rel=0.1)
    pairs = [pair for before, now in itertools.pairwise(orders) for pair in itertools.product(before, now)]
    together = [len(np.intersect1d(*pair)) for pair in pairs]
    assert np.mean(together) == 10
    assert np.var(together) == pytest.approx(100 * 0.1 * 0.9 * 900 / 999, rel=0.1)  # hypergeometric


def test_can_start_at_any_step():
    """Also at one that is known late: Keras' BackupAndRestore says where to resume once `fit` has its dataset."""
    batches = data.Batches(np.arange(50, dtype="float32")[:, None], 8, 3)
    from_the_start = take(batches.dataset(), 20)
    for step in (1, 6, 13):
        np.testing.assert_array_equal(take(batches.dataset(step), 5), from_the_start[step : step + 5])
    steps = iter([7, 0])
    dataset = batches.dataset(lambda: next(steps))
    np.testing.assert_array_equal(take(dataset, 3), from_the_start[7:10])
    np.testing.assert_array_equal(take(dataset, 3), from_the_start[:3])
    assert next(steps, None) is None


def test_the_batches_have_no_end_and_an_epoch_a_length():
    batches = data.Batches(np.zeros((50, 1)), 8)
    assert len(batches) == 6
    assert batches.dataset().cardinality() == tf.data.INFINITE_CARDINALITY
    assert batches.dataset().element_spec == tf.TensorSpec((8, 1), tf.float32)


def test_uint8_becomes_minus_one_to_one():
    batch = take(data.batches(np.uint8([[0], [51], [255]]), 3), 1)[0]
    np.testing.assert_allclose(np.sort(batch.ravel()), [-1, -0.6, 1], atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "dtype"), [("tensor", "uint8"), ("memmap", "float64"), ("memmap", "uint8"), ("hdf5", "float32")]
)
def test_images_on_disk_give_the_batches_of_those_in_memory(kind, dtype, tmp_path):
    images = np.random.default_rng(0).integers(0, 2, (30, 4, 4, 1)).astype(dtype)
    with contextlib.ExitStack() as stack:
        if kind == "memmap":
            stored = np.memmap(tmp_path / "images.raw", dtype, "w+", shape=images.shape)
            stored[:] = images
        elif kind == "hdf5":
            stored = stack.enter_context(h5py.File(tmp_path / "images.h5", "w")).create_dataset("images", data=images)
        else:
            stored = tf.constant(images)
        batches = take(data.Batches(stored, 7, seed=2).dataset(3), 6)
    assert batches[0].dtype == np.float32
    np.testing.assert_array_equal(batches, take(data.Batches(images, 7, seed=2).dataset(3), 6))
    assert len({batch.tobytes() for batch in batches}) == 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed is -1: it must be from 0"),
        ({"batch_size": 0}, "batch_size is 0: it must be 1 or more"),
        ({"batch_size": "2"}, "batch_size is '2': it must be a whole number"),
        ({"batch_size": 11}, "a batch of 11 cannot be drawn from 10 images: choose a smaller batch_size"),
        ({"images": "folder"}, "Batches was given a str: it takes an array of images"),
        ({"labels": range(9)}, "there are 9 labels for 10 images"),
        (
            {"labels": ["cat"] * 10},
            r"labels are <U3 of shape \(10,\): they are whole numbers",
        ),
    ],
)
def test_what_batches_refuse(arguments, message):
    with pytest.raises(ValueError, match=message):
        data.Batches(**{"images": [[0.0]] * 10, "batch_size": 2, **arguments})
