"""Every kind of input: what works trains, and an error names the mistake before anything is trained."""

import io
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

import kgan
from kgan._backend import keras, tf
from kgan.data.checks import checked_labels
from kgan.training import images_of
from kgan.training.data import real_images, split_for_validation

SHAPE = (8, 8, 1)
IMAGES = np.random.default_rng(0).uniform(-1, 1, (96, *SHAPE)).astype("float32")
PIXELS = np.uint8((IMAGES + 1) * 127.5)
SPOILED = IMAGES.copy()
SPOILED[5, 0, 0, 0] = np.nan
BATCHES = [IMAGES[:32], IMAGES[32:64]]


class Sequence(keras.utils.PyDataset):
    """A `PyDataset` of batches in a list."""

    def __init__(self, batches, **keywords):
        super().__init__(**keywords)
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


class Loader:
    """Gives its batches again and again, as PyTorch's DataLoader does, and knows nothing of Keras."""

    def __init__(self, batches):
        self.batches = batches
        self.dataset = IMAGES  # PyTorch's has one as well

    def __iter__(self):
        return iter(self.batches)


class Frame:
    """Like a `pandas.DataFrame` or `Series`."""

    def __init__(self, values):
        self.to_numpy = lambda: values


def sliced(x):
    return tf.data.Dataset.from_tensor_slices(x)


def unknown_length(batches):
    spec = tf.TensorSpec((None, *SHAPE), tf.float32)
    return tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=spec)


def in_hdf5(images):
    h5py = pytest.importorskip("h5py")
    file = h5py.File(io.BytesIO(), "w")
    file["images"] = images
    return file["images"]


@pytest.fixture
def gan(digits_gan):
    """A compiled GAN on images of 8 × 8 × 1."""
    return digits_gan(size=8)


@pytest.fixture
def eager(digits_gan):
    """As `gan`, but not traced anew for each kind of input."""
    return digits_gan(size=8, run_eagerly=True)


@pytest.fixture
def two_steps(digits_gan):
    """As `gan`, with d_steps=2."""
    return digits_gan(size=8, d_steps=2)


# Functions, since a generator gives its batches once. The second is how many steps an epoch has.
TAKEN = {
    "array": (lambda: IMAGES, 3),
    "float64": (lambda: np.float64(IMAGES), 3),
    "float16": (lambda: np.float16(IMAGES), 3),
    "list of images": (lambda: list(IMAGES), 3),
    "memoryview": (lambda: memoryview(IMAGES), 3),
    "TensorFlow's tensor": (lambda: tf.constant(IMAGES), 3),
    "TensorFlow's variable": (lambda: tf.Variable(IMAGES), 3),
    "Keras' variable": (lambda: keras.Variable(IMAGES), 3),
    "DataFrame": (lambda: Frame(IMAGES), 3),
    "HDF5": (lambda: in_hdf5(IMAGES), 3),
    "masked array that masks nothing": (lambda: np.ma.masked_array(IMAGES), 3),
    "Batches": (lambda: kgan.data.Batches(IMAGES, 32), 3),
    "Batches of pixels": (lambda: kgan.data.Batches(PIXELS, 32), 3),
    "dataset": (lambda: sliced(IMAGES).batch(32), 3),
    "dataset with a partial batch": (lambda: sliced(IMAGES[:70]).batch(32), 3),
    "dataset of unknown length": (lambda: unknown_length(BATCHES), 2),
    "dataset with one-hot labels": (lambda: sliced((IMAGES, np.eye(96))).batch(32), 3),
    "dataset with labels in a dict": (lambda: sliced((IMAGES, {"digit": np.zeros(96)})).batch(32), 3),
    "PyDataset": (lambda: Sequence(BATCHES), 2),
    "PyDataset with labels": (lambda: Sequence([(batch, np.zeros(32)) for batch in BATCHES]), 2),
    "generator": (lambda: (batch for batch in BATCHES), 2),
    "generator with labels": (lambda: ([batch, np.zeros(32)] for batch in BATCHES), 2),
    "iterator": (lambda: iter(BATCHES), 2),
    "iterator of a dataset": (lambda: iter(sliced(IMAGES).batch(32)), 3),
    "as_numpy_iterator": (lambda: sliced(IMAGES).batch(32).as_numpy_iterator(), 3),
    "loader": (lambda: Loader(BATCHES), 2),
    "loader with labels": (lambda: Loader([[batch, np.zeros(32)] for batch in BATCHES]), 2),
}

NO_BATCH = "the dataset gives no batch"
UNBATCHED = r"the dataset is not batched: it gives one image at a time; add .batch\(32\)"
SOURCES = {  # of one batch
    "array": lambda x: x,
    "HDF5": lambda x: in_hdf5(x),
    "dataset": lambda x: sliced(x).batch(96),
    "PyDataset": lambda x: Sequence([x]),
    "generator": lambda x: iter([x]),
    "loader": lambda x: Loader([x]),
}
FAULTS = {
    "empty": (IMAGES[:0], f"there are no images|first batch is empty|{NO_BATCH}"),
    "pixels": (PIXELS, r"images range from 0 to \d+: scale them to \[-1, 1\]"),
    "NaN": (SPOILED, "images hold NaN or infinity"),
    "infinity": (np.where(np.isnan(SPOILED), np.inf, SPOILED), "images hold NaN or infinity"),
    "no channel": (IMAGES[..., 0], r"add the axis of the channel: images\[..., np.newaxis\]"),
    "channels first": (np.moveaxis(IMAGES, -1, 1), r"put the channels last: np.moveaxis\(images, 1, -1\)"),
}
REFUSED = {
    f"{fault} in {kind}": (lambda x=x, source=source: source(x), message)
    for fault, (x, message) in FAULTS.items()
    for kind, source in SOURCES.items()
}
REFUSED |= {
    # Nothing in it, or masked
    "dataset that drops all": (lambda: sliced(IMAGES[:20]).batch(32, drop_remainder=True), NO_BATCH),
    "dataset filtered empty": (lambda: sliced(IMAGES).filter(lambda image: image[0, 0, 0] > 2).batch(8), NO_BATCH),
    "PyDataset of length 0": (lambda: Sequence([]), f"{NO_BATCH}: its length is 0"),
    "empty list": (list, "there are no images: the array is empty"),
    "empty generator": (lambda: iter([]), NO_BATCH),
    "masked pixels": (lambda: np.ma.masked_array(IMAGES, IMAGES > 0.5), "masked array"),
    # No batches, or more than that
    "dataset not batched": (lambda: sliced(IMAGES), UNBATCHED),
    "generator not batched": (lambda: iter(IMAGES), UNBATCHED),
    "PyDataset not batched": (lambda: Sequence(IMAGES), UNBATCHED),
    "single image": (
        lambda: IMAGES[0],
        r"one image, of shape \(8, 8, 1\): pass several, \(count, 8, 8, 1\); .*write images\[np.newaxis\]",
    ),
    "list of batches": (lambda: BATCHES, r"make one array: np.concatenate\(batches\)"),
    "endless dataset": (lambda: sliced(IMAGES).batch(32).repeat(), "the dataset is endless: say with steps"),
    "dataset of datasets": (lambda: sliced(IMAGES).window(32), "gives a _VariantDataset: it must give images"),
    # Sizes
    "ragged": (lambda: tf.ragged.constant([[1.0, 2.0], [3.0]]), "RaggedTensor: bring them to one size"),
    "ragged batches": (
        lambda: tf.data.Dataset.from_tensors(tf.ragged.constant([[1.0, 2.0], [3.0]])),
        "gives a RaggedTensor: bring images to one size",
    ),
    "sparse": (lambda: tf.sparse.from_dense(IMAGES[..., 0]), "SparseTensor: bring them to one size"),
    "sparse batches": (lambda: sliced(tf.sparse.from_dense(IMAGES[..., 0])).batch(8), "gives a SparseTensor"),
    "list of unequal sizes": (lambda: [IMAGES[0], IMAGES[1, :4]], "images in the list have different sizes"),
    # Dicts and tuples
    "dict": (lambda: {"image": IMAGES}, r"dict with the keys image: pass the images alone, such as x\['image'\]"),
    "empty dict": (dict, "dict with no keys"),
    "dataset of dicts": (lambda: sliced({"image": IMAGES}).batch(32), r"the keys image.*batch\['image'\]"),
    "dict among labels": (lambda: sliced(({"image": IMAGES}, np.zeros(96))).batch(32), "dict with the keys image"),
    "PyDataset of dicts": (lambda: Sequence([{"image": IMAGES}]), "the keys image"),
    "loader of dicts": (lambda: Loader([{"image": IMAGES}]), "the keys image"),
    "tuple": (lambda: (IMAGES,), "a tuple: pass the images as x"),
    "four values": (lambda: sliced((IMAGES,) * 4).batch(32), "gives 4 values a batch"),
    "no value": (lambda: iter([()]), "gives 0 values a batch"),
    "weights": (lambda: sliced((IMAGES, np.zeros(96), np.ones(96))).batch(32), "sample weight.* has no meaning"),
    # No images at all
    "None": (lambda: None, "was given no images"),
    "string": (lambda: "folder", r"load them with kgan.data.load\('folder'\)"),
    "path": (lambda: Path("folder"), r"load them with kgan.data.load\('folder'\)"),
    "number": (lambda: 3, "was given a int"),
    "NumPy's number": (lambda: np.float32(3), "was given a float32"),
    "class": (lambda: Sequence, "was given a type"),
    "generator function": (lambda: lambda: iter(BATCHES), "was given a function"),
    "range": (lambda: range(5), "gives a int: it must give images"),
    "symbolic tensor": (lambda: keras.KerasTensor((None, *SHAPE)), "was given a KerasTensor"),
    "objects": (lambda: np.array([None] * 96), "images are of type object"),
    "words": (lambda: np.array(["a", "b"]), "images are of type str"),
    "complex": (lambda: IMAGES * 1j, "images are of type complex64"),
    "generator of None": (lambda: iter([None]), "gives a NoneType"),
    "generator of words": (lambda: iter(["a"]), "gives a str"),
}


@pytest.mark.parametrize("kind", TAKEN)
def test_what_is_taken(kind, gan):
    make, steps = TAKEN[kind]
    data = real_images(make(), None, gan)
    opened = data.open(tf.distribute.get_strategy())
    batches = [images_of(batch) for batch in (opened.take(steps) if data.steps_per_epoch else opened)]
    assert len(batches) == steps
    found = np.concatenate(batches)
    np.testing.assert_allclose(np.sort(found, axis=None), np.sort(IMAGES[: len(found)], axis=None), atol=0.008)


WITH_LABELS = [kind for kind in TAKEN if "labels" in kind]


@pytest.mark.parametrize("kind", ["array", "dataset", "PyDataset", "loader", "iterator of a dataset", *WITH_LABELS])
def test_every_epoch_has_all(kind, eager):
    make, steps = TAKEN[kind]
    epochs, validation = (1, None) if kind.startswith(("generator", "iterator")) else (2, make())
    history = eager.fit(make(), epochs=epochs, verbose=0, validation_data=validation).history
    assert eager.step.numpy() == epochs * steps
    assert np.isfinite(history["d_loss"]).all()
    assert len(history.get("val_d_loss", [])) == (2 if validation is not None else 0)
    if validation is None:
        assert np.isfinite(eager.evaluate(make(), verbose=0)).all()


@pytest.mark.parametrize(
    ("make", "steps", "trained"),
    [
        (lambda: unknown_length(BATCHES), 2, 8),
        (lambda: iter(BATCHES), None, 2),
        (lambda: iter(BATCHES * 2), 3, 4),  # the second epoch has one step
        (lambda: unknown_length(iter(BATCHES)), None, 1),  # the check took the first batch
    ],
    ids=["dataset of unknown length", "generator", "generator with steps", "dataset that can be read once"],
)
@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_no_epoch_is_without_training(make, steps, trained, eager):
    ended = []
    callback = keras.callbacks.LambdaCallback(on_train_end=lambda logs: ended.append(True))
    with (
        pytest.warns(UserWarning, match="the data ended, so training ends with epoch") if trained < 8 else nullcontext()
    ):
        history = eager.fit(make(), epochs=4, steps_per_epoch=steps, callbacks=[callback], verbose=0)
    assert eager.step.numpy() == trained
    assert min(history.history["d_loss"]) > 0
    assert len(history.epoch) == eager.recorder.epoch == {8: 4, 4: 2}.get(trained, 1)
    assert ended == [True]


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused(kind, gan):
    make, message = REFUSED[kind]
    calls = [lambda x: gan.fit(x, epochs=1, verbose=0)]
    if kind != "tuple":  # which is (images, labels), as Keras has it
        calls.append(lambda x: gan.evaluate(x, verbose=0))
    if kind not in ("None", "tuple"):
        steps = None if "endless" in kind else 1
        calls.append(lambda x: gan.fit(IMAGES, validation_data=x, validation_steps=steps, verbose=0))
    for call in calls:
        with pytest.raises(ValueError, match=message):
            call(make())
    assert gan.step.numpy() == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": sliced(IMAGES).batch(32), "batch_size": 8}, "the data come in batches of their own: leave it out"),
        ({"x": Sequence(BATCHES), "batch_size": 8}, "the data come in batches of their own: leave it out"),
        ({"batch_size": 0}, "batch_size is 0: it must be 1 or more"),
        ({"batch_size": -1}, "batch_size is -1: it must be 1 or more"),
        ({"steps_per_epoch": 0}, "steps_per_epoch is 0: it must be 1 or more"),
        ({"batch_size": 2.5}, "batch_size is 2.5: it must be a whole number"),
        ({"batch_size": 97}, "a batch of 97 cannot be drawn from 96 images"),
        ({"y": np.zeros(95)}, "there are 95 labels for 96 images"),
        ({"y": {"digit": np.zeros(95)}}, "there are 95 labels for 96 images"),
        ({"x": sliced(IMAGES).batch(32), "y": np.zeros(96)}, "y goes with an array"),
        ({"validation_data": iter(BATCHES)}, "validation_data is a generator, which is used up after the first"),
        ({"validation_data": (IMAGES, np.zeros(95))}, "there are 95 labels for 96 images"),
        ({"validation_data": (IMAGES, np.zeros(96), np.ones(96))}, "sample weights in validation_data"),
        ({"validation_data": BATCHES}, "make one array"),
        ({"validation_split": 1.5}, "validation_split is 1.5: it lies between 0 and 1"),
        ({"x": sliced(IMAGES).batch(32), "validation_split": 0.5}, "validation_split takes an array"),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, dict) else None,
)
def test_arguments_that_do_not_fit(arguments, message, gan):
    with pytest.raises(ValueError, match=message):
        gan.fit(**{"x": IMAGES, "verbose": 0, **arguments})
    assert gan.step.numpy() == 0


@pytest.mark.parametrize("y", [np.eye(96), {"digit": np.zeros(96)}, list(range(96))], ids=["one-hot", "dict", "list"])
def test_labels_beside_an_array_are_left_aside(y, gan):
    assert real_images(IMAGES, y, gan).labels is None


LABELS = np.arange(96) % 3


@pytest.mark.parametrize(
    "given",
    [list, tuple, iter, Frame, tf.constant, tf.Variable, np.float32, np.object_, lambda labels: labels[:, np.newaxis]],
    ids=["list", "tuple", "generator", "Series", "tensor", "variable", "float32", "objects", "column"],
)
def test_labels_of_any_form_and_type(given, gan, monkeypatch):
    monkeypatch.setattr(gan, "classes", 3)
    np.testing.assert_array_equal(real_images(IMAGES, given(LABELS), gan).labels, LABELS)
    np.testing.assert_array_equal(kgan.data.Batches(IMAGES, 32, labels=given(LABELS)).labels, LABELS)
    *_, (_, held_out) = split_for_validation(IMAGES, given(LABELS), 0.5)
    np.testing.assert_array_equal(checked_labels(held_out, 48, 3), LABELS[48:])


def test_batches_with_labels_that_are_floats(gan, monkeypatch):
    """`flow_from_directory` gives such ones."""
    monkeypatch.setattr(gan, "classes", 3)
    batches = [(batch, np.float32(LABELS[:32])) for batch in BATCHES]
    for x in (Sequence(batches), iter(batches), sliced((IMAGES, np.float32(LABELS))).batch(32)):
        data = real_images(x, None, gan)
        _, labels = next(iter(data.open(tf.distribute.get_strategy())))
        np.testing.assert_array_equal(labels, LABELS[:32])


def test_images_of_a_dataset_get_their_shape_and_type(gan):
    decoded = sliced(IMAGES).map(lambda image: tf.numpy_function(lambda pixels: pixels, [image], tf.float32))
    for x in (decoded, decoded.map(lambda image: (image, 1)), sliced(np.float64(IMAGES)), sliced(np.float16(IMAGES))):
        for steps in (None, 2):
            data = real_images(x.batch(32), None, gan, steps=steps).open(tf.distribute.get_strategy())
            assert images_of(data.element_spec) == tf.TensorSpec((None, *SHAPE), tf.float32)


@pytest.mark.parametrize("number", [np.int64, np.float32, tf.constant, float])
def test_numbers_of_any_type(number, eager):
    numbers = {"steps_per_epoch": number(2), "validation_steps": number(1), "validation_batch_size": number(8)}
    eager.fit(IMAGES, batch_size=number(32), validation_data=IMAGES, verbose=0, **numbers)
    assert eager.step.numpy() == 2
    assert np.isfinite(eager.evaluate(IMAGES, batch_size=number(32), steps=number(1), verbose=0)).all()


def test_a_batch_with_labels_is_evaluated_eagerly():
    model = kgan.DCGAN(SHAPE, latent_dim=4, filters=2, classes=3)
    model.compile(run_eagerly=True)
    logs = model.test_on_batch(IMAGES[:8], list(LABELS[:8]), return_dict=True)
    assert logs == pytest.approx(model.evaluate((IMAGES[:8].tolist(), list(LABELS[:8])), verbose=0, return_dict=True))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (lambda: IMAGES[:65], "a batch of 1 cannot be split into 2 equal minibatches"),
        (lambda: sliced(IMAGES[:65]).batch(32), "batch with drop_remainder=True"),
        (lambda: sliced(IMAGES).batch(31, drop_remainder=True), "a batch of 31 cannot be split"),
        (lambda: Sequence([IMAGES[:31]]), "a batch of 31 cannot be split"),
        (lambda: iter([IMAGES[:31]]), "a batch of 31 cannot be split"),
        (lambda: Loader([IMAGES[:31]]), "a batch of 31 cannot be split"),
    ],
    ids=["array in its own order", "dataset", "dataset of odd batches", "PyDataset", "generator", "loader"],
)
def test_batches_that_d_steps_does_not_divide(x, message, two_steps):
    with pytest.raises(ValueError, match=message):
        two_steps.fit(x(), shuffle=False, verbose=0)
    assert two_steps.step.numpy() == 0


@pytest.mark.parametrize("kind", [iter, Loader], ids=["generator", "loader"])
def test_a_later_batch_that_cannot_be_split_is_not_trained_on(kind, two_steps):
    with pytest.raises(ValueError, match=r"a batch cannot be split into 2 equal minibatches \(d_steps\)"):
        two_steps.fit(kind([IMAGES[:32], IMAGES[:31]]), verbose=0)
    assert two_steps.step.numpy() == 1


@pytest.mark.filterwarnings("error")
def test_only_images_in_0_to_1_are_warned_of(gan):
    real_images(IMAGES, None, gan)
    for x in ((IMAGES + 1) / 2, sliced((IMAGES + 1) / 2).batch(32)):
        with pytest.warns(UserWarning, match=r"kgan expects \[-1, 1\]"):
            real_images(x, None, gan)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_epochs_after_the_validation_data_ended_are_not_validated(eager):
    with pytest.warns(UserWarning, match="validation_data ended: this epoch is not validated"):
        history = eager.fit(IMAGES, validation_data=iter(BATCHES), validation_steps=1, epochs=3, verbose=0)
    assert len(history.history["val_d_loss"]) == 2
    assert len(history.history["d_loss"]) == 3


def test_what_has_read_the_first_batch_is_held_while_a_cached_dataset_is_trained_on(eager):
    events = []

    def batches():
        events.append("begun")
        try:
            yield from BATCHES
        finally:
            events.append("ended")

    source = tf.data.Dataset.from_generator(batches, output_signature=tf.TensorSpec((None, *SHAPE), tf.float32))
    before = int(eager.step.numpy())
    eager.fit(source.cache().prefetch(1), epochs=2, verbose=0)
    assert events[:2] == ["begun", "begun"]  # the second one is training
    assert int(eager.step.numpy()) - before == 2 * len(BATCHES)


class Watched(Sequence):
    """A `PyDataset` that notes what is asked of it."""

    def __init__(self, count, workers=1):
        super().__init__([IMAGES[:8] * number / count for number in range(1, count + 1)], workers=workers)
        self.asked = []

    def __getitem__(self, index):
        self.asked.append(index)
        return super().__getitem__(index)

    def on_epoch_begin(self):
        self.asked.append("begin")

    def on_epoch_end(self):
        self.asked.append("end")


def test_the_order_of_a_pydataset_is_a_function_of_seed_and_epoch(eager):
    orders = []
    for workers in (1, 3):
        data = Watched(6, workers)
        eager.fit(data, epochs=2, verbose=0)
        data.asked.remove(0)  # the check
        events, first, second = data.asked, data.asked[1:7], data.asked[9:15]
        assert [events[place] for place in (0, 7, 8, 15)] == ["begin", "end", "begin", "end"]
        assert sorted(first) == sorted(second) == list(range(6))
        orders.append(data.asked if workers == 1 else [sorted(first), sorted(second)])
    expected = [np.random.default_rng([eager.seed, epoch]).permutation(6).tolist() for epoch in (0, 1)]
    assert orders[0] == ["begin", *expected[0], "end", "begin", *expected[1], "end"]
    plain = Watched(3)
    eager.fit(plain, epochs=1, shuffle=False, verbose=0)
    assert plain.asked == [0, "begin", 0, 1, 2, "end"]


def test_a_description_has_the_content_of_images_and_labels_and_the_shapes_of_a_dataset(gan):
    def described(x, y=None, classes=0):
        gan.classes = classes
        return real_images(x, y, gan, shuffle=True).description()

    labels = np.arange(96) % 3
    one, other = described(IMAGES, labels, 3), described(IMAGES, labels[::-1], 3)
    assert {name for name in one if one[name] != other[name]} == {"labels.sha256"}
    assert described(IMAGES)["images.sha256"] == one["images.sha256"] != described(-IMAGES)["images.sha256"]
    assert described(sliced((IMAGES, labels)).batch(32))["images.batch"] == [[32, *SHAPE], [32]]
    assert described(Sequence(BATCHES))["images.batches"] == 2


@pytest.mark.parametrize("kind", ["array", "Batches", "dataset", "PyDataset", "generator", "loader"])
def test_no_pipeline_has_a_tuning_thread(kind, gan):
    """The end of `fit` would wait for it, up to a minute."""
    dataset = real_images(TAKEN[kind][0](), None, gan, shuffle=True).open(tf.distribute.get_strategy())
    assert dataset.options().autotune.enabled is False
