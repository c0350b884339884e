"""Models that draw the class they are asked for: labels reach both networks, from whatever form the data have."""

import functools
import json

import numpy as np
import pytest
from PIL import Image
from test_inputs import Loader, Sequence
from typer.testing import CliRunner

import kgan
from kgan import latent, networks
from kgan._backend import keras, tf
from kgan.cli import app
from kgan.cli.evaluate import described
from kgan.data import Batches

CLASSES = 10


@pytest.fixture(scope="module")
def labeled():
    """64 real digits of 16 × 16 × 1, and their labels."""
    found = kgan.data.load_labeled("digits", image_size=16)
    return kgan.data.from_uint8(found.images[:64]), found.labels[:64]


def made(run_eagerly=False, **arguments):
    model = kgan.DCGAN((16, 16, 1), latent_dim=8, filters=4, classes=CLASSES, **arguments)
    model.compile(run_eagerly=run_eagerly)
    return model


@pytest.fixture
def conditional(models_used_again):
    return functools.partial(models_used_again.lend, made)


def test_the_discriminator_adds_the_product_with_the_vector_of_the_class():
    discriminator = networks.dense_discriminator((6,), hidden_units=5, classes=3, seed=0)
    images = np.float32(np.random.default_rng(0).normal(size=(4, 6)))
    labels = np.eye(3, dtype="float32")[[2, 0, 1, 1]]
    dense = [layer for layer in discriminator.layers if isinstance(layer, keras.layers.Dense)]
    hidden, logit = (layer for layer in dense if layer.use_bias)
    (vectors,) = (layer for layer in dense if not layer.use_bias)
    assert vectors.kernel.shape == (3, 5)
    features = images @ hidden.kernel.numpy() + hidden.bias.numpy()
    features = np.where(features > 0, features, 0.2 * features)
    expected = features @ logit.kernel.numpy() + logit.bias.numpy()
    expected += np.sum(vectors.kernel.numpy()[[2, 0, 1, 1]] * features, axis=1, keepdims=True)
    np.testing.assert_allclose(discriminator([images, labels]), expected, rtol=1e-5, atol=1e-6)


def test_fakes_have_the_classes_of_the_real_images_of_their_minibatch(labeled):
    images, labels = labeled
    model = made(d_steps=2)
    (first, one), (second, other) = model.minibatches((tf.constant(images[:8]), tf.constant(labels[:8])))
    np.testing.assert_array_equal(first, images[:8:2])
    np.testing.assert_array_equal(one, np.eye(CLASSES)[labels[:8:2]])
    np.testing.assert_array_equal(second, images[1:8:2])
    np.testing.assert_array_equal(other, np.eye(CLASSES)[labels[1:8:2]])
    fakes = model.draw_fakes(4, draw=1, labels=other)
    np.testing.assert_array_equal(fakes.codes[:, 8:], other)
    np.testing.assert_array_equal(fakes.codes[:, :8], latent.sample_codes(4, 8, seed=(0, 0, 0, 1)))
    np.testing.assert_array_equal(fakes.images, model.generator(fakes.codes, training=True))


def dataset(images, labels):
    return tf.data.Dataset.from_tensor_slices((images, labels)).batch(16)


def in_batches(images, labels, kind=tuple):
    return [kind((images[begin : begin + 16], labels[begin : begin + 16])) for begin in range(0, 64, 16)]


FORMS = {
    "array": lambda images, labels: {"x": images, "y": labels, "batch_size": 16, "shuffle": False},
    "column": lambda images, labels: {"x": images, "y": labels[:, None], "batch_size": 16, "shuffle": False},
    "dataset": lambda images, labels: {"x": dataset(images, labels)},
    "PyDataset": lambda images, labels: {"x": Sequence(in_batches(images, labels)), "shuffle": False},
    "generator": lambda images, labels: {"x": iter(dataset(images, labels)), "steps_per_epoch": 4},
    "loader": lambda images, labels: {"x": Loader(in_batches(images, labels, list))},
    "dataset of short columns": lambda images, labels: {"x": dataset(images, np.uint16(labels)[:, None])},
    "loader of columns": lambda images, labels: {"x": Loader(in_batches(images, labels[:, None], list))},
}


def test_every_form_of_data_trains_the_same(conditional, models_used_again, labeled):
    weights = {}
    for form, arguments in FORMS.items():
        model = conditional()
        model.fit(**arguments(*labeled), epochs=1, verbose=0)
        weights[form] = [variable.numpy() for variable in model.variables]
        assert int(model.step.numpy()) == 4
        models_used_again.take_back()
    for form, values in weights.items():
        for value, expected in zip(values, weights["array"], strict=True):
            np.testing.assert_array_equal(value, expected, err_msg=form)


def test_a_shuffled_array_keeps_labels_with_their_images(labeled):
    images, labels = labeled
    by_image = {image.tobytes(): label for image, label in zip(images, labels, strict=True)}
    seen = []
    for some, theirs in Batches(images, 16, seed=1, labels=labels).dataset().take(8):
        assert [by_image[image.tobytes()] for image in some.numpy()] == theirs.numpy().tolist()
        seen.extend(theirs.numpy())
    assert sorted(seen) == sorted([*labels, *labels])


def test_a_model_draws_the_classes_that_it_is_asked_for(conditional):
    model = conditional()
    images = model.generate(labels=[7, 7, 3], seed=2)
    codes = latent.with_labels(latent.sample_codes(3, 8, seed=2), tf.one_hot([7, 7, 3], CLASSES))
    np.testing.assert_array_equal(images, model.generate(codes))
    np.testing.assert_array_equal(model.generate(3, labels=[7, 7, 3], seed=2), images)
    assert model.generate(5).shape == (5, 16, 16, 1)
    labels = np.argmax(model.sample_codes(2000, seed=4)[:, 8:], axis=1)
    assert np.bincount(labels, minlength=CLASSES).min() > 150
    np.testing.assert_array_equal(model.sample_codes(20, seed=4)[:, 8:], np.eye(CLASSES)[labels[:20]])
    assert not np.array_equal(np.argmax(model.sample_codes(20, seed=5)[:, 8:], axis=1), labels[:20])


def test_scores_and_evaluation_are_by_classes(conditional, labeled):
    images, labels = labeled
    model = conditional(run_eagerly=True)
    history = model.fit(images, labels, validation_split=0.25, batch_size=16, epochs=1, verbose=0).history
    assert "val_d_loss" in history
    right, wrong = model.score(images, labels=labels), model.score(images, labels=(labels + 1) % CLASSES)
    assert not np.array_equal(right, wrong)
    expected = model.discriminator([images, np.eye(CLASSES, dtype="float32")[labels]])[:, 0]
    np.testing.assert_allclose(right, expected, rtol=1e-4, atol=1e-5)
    found = model.evaluate(images, labels, batch_size=64, verbose=0, return_dict=True)
    assert found["d_real"] == pytest.approx(np.mean(1 / (1 + np.exp(-right))), rel=1e-4)
    on_batch = model.train_on_batch(images[:16], labels[:16], return_dict=True)
    assert set(on_batch) == {"d_loss", "g_loss", "d_real", "d_fake"}
    assert len(model.test_on_batch(images[:16], labels[:16])) == 4


def test_callbacks_know_conditional_models(conditional, labeled, tmp_path):
    images, labels = labeled
    doctor = kgan.callbacks.Doctor(images)
    each = [doctor, kgan.callbacks.SampleGrid(tmp_path), kgan.callbacks.Checkpoint(tmp_path / "checkpoint")]
    conditional(run_eagerly=True).fit(images, labels, batch_size=32, epochs=2, verbose=0, callbacks=each)
    assert np.isfinite(doctor.records[-1].gradient_norm)
    assert len(list(tmp_path.glob("epoch-*.png"))) == 2


@pytest.mark.parametrize(
    ("x", "y", "sentence"),
    [
        (0, None, "this model is conditional, on 10 classes: pass labels with the images"),
        (
            0,
            np.full(64, 0.5),
            r"labels are float64 of shape \(64,\): they are whole numbers, one for each of 64 images",
        ),
        (0, np.full(64, 10), "labels range from 10 to 10: those of 10 classes range from 0 to 9"),
        (0, np.arange(64) - 1, "labels range from -1 to 62: those of 10 classes range from 0 to 9"),
        (0, np.zeros(63, int), "there are 63 labels for 64 images"),
    ],
)
def test_labels_that_cannot_be(x, y, sentence, conditional, labeled):
    with pytest.raises(ValueError, match=sentence):
        conditional().fit(labeled[0], y, verbose=0)


def test_datasets_without_labels(conditional, labeled):
    images, labels = labeled
    for data in (tf.data.Dataset.from_tensor_slices(images).batch(16), Batches(images, 16), iter([images])):
        with pytest.raises(ValueError, match="this model is conditional, on 10 classes: pass labels with the images"):
            conditional().fit(data, verbose=0)
    with pytest.raises(ValueError, match="labels range from 1 to 10: those of 10 classes range"):
        conditional().fit(dataset(images, labels + 1), verbose=0)
    one_wrong = np.where(np.arange(64) == 63, 10, labels)
    with pytest.raises(ValueError, match="labels range from 0 to 10: those of 10 classes range"):
        conditional().fit(Batches(images, 16, labels=one_wrong), verbose=0)


def test_what_is_no_conditional_model(small_dcgan, labeled):
    images, labels = labeled
    model = small_dcgan(run_eagerly=True)
    one, score = functools.partial(model.sample_codes, 1), functools.partial(model.score, images[:1])
    for refuse in (model.generate, one, score):
        with pytest.raises(ValueError, match="this model is not conditional, so it knows no classes: leave labels out"):
            refuse(labels=[1])
    with pytest.raises(ValueError, match="generate was given neither codes nor labels"):
        model.generate()
    model.fit(images, labels, batch_size=32, verbose=0)  # left aside, as ever


def mixed(discriminator_classes, classes):
    generator = networks.dense_generator((2,), 4)
    return kgan.GAN(generator, networks.dense_discriminator((2,), classes=discriminator_classes), classes=classes)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: kgan.CodeGAN((16, 16, 1), classes=10), "classes is 10: a CodeGAN, which reads codes back, knows no"),
        (lambda: kgan.DCGAN((16, 16, 1), classes=1), "classes is 1: it must be 0, or 2 or more"),
        (lambda: made(packing=2), "packing is 2: it does not work with classes, here 10"),
        (lambda: made(norm="virtual"), "classes is 10: with norm 'virtual' the reference batch would need labels"),
        (lambda: mixed(0, 3), r"the discriminator takes \(None, 2\): that of 3 classes takes \[images, lab"),
        (lambda: mixed(4, 0), "the discriminator takes 2 inputs, .*: for a conditional model pass classes"),
        (lambda: mixed(4, 4), "the generator takes codes of 4 units: 4 classes leave none for z"),
    ],
)
def test_models_that_cannot_be_conditional(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


def test_codes_and_labels_together(conditional):
    model = conditional()
    with pytest.raises(ValueError, match="generate was given codes and labels: the codes have their classes already"):
        model.generate(model.sample_codes(2), labels=[1, 2])
    with pytest.raises(ValueError, match=r"codes have shape \(2, 8\): this generator takes \(count, 18\)"):
        model.generate(np.zeros((2, 8)))


# The command


SMALL = ["--epochs", "1", "--batch-size", "256", "--set", "image_size=16", "--set", "filters=4"]
CONDITIONAL = ["--set", "conditional=true", "--set", "latent_dim=8"]


def invoke(*command, code=0):
    result = CliRunner().invoke(app, [*map(str, command)])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A conditional run of digits, with its quality measured."""
    directory = tmp_path_factory.mktemp("conditional") / "run"
    arguments = [*SMALL, *CONDITIONAL, "--set", "quality_every=1", "--out", directory]
    invoke("train", "dcgan-digits", *arguments)
    return directory


def test_a_conditional_run_knows_its_classes(run):
    record = json.loads((run / "run.json").read_text())
    assert record["classes"] == [str(number) for number in range(10)]
    assert record["settings"]["conditional"] is True
    history = (run / "history.csv").read_text().splitlines()[0].split(",")
    assert {"frechet", "class_accuracy"} <= set(history)
    model = kgan.load_model(run)
    assert (model.classes, model.latent_dim, model.code_dim) == (10, 8, 18)
    with Image.open(run / "samples" / "epoch-0001.png") as grid:
        rows, columns = (round((size - 2) / (3 * 16 + 2)) for size in (grid.height, grid.width))
    assert (rows, columns) == (10, 8)


def test_sample_draws_all_classes(run, tmp_path):
    model = kgan.load_model(run)
    for options, labels in (
        ([], np.repeat(np.arange(10), 8)),  # a row of each class
        (["--count", "11"], [0, 0, *range(1, 10)]),  # no multiple of the classes
    ):
        invoke("sample", run, *options, "--out", tmp_path / "all.npy")
        np.testing.assert_array_equal(np.load(tmp_path / "all.npy"), kgan.plots.to_uint8(model.generate(labels=labels)))


@pytest.mark.parametrize("best", [(), ("--best",)])
def test_sample_draws_the_classes_that_are_asked_for(best, run, tmp_path):
    command = ["sample", run, "--classes", "7, 3", "--count", "6", *best]
    invoke(*command, "--out", tmp_path / "some.npy")
    model, labels = kgan.load_model(run), [7, 7, 7, 3, 3, 3]
    expected = model.generate(labels=labels)
    if best:  # of eight candidates for each
        candidates = model.generate(labels=np.repeat(labels, 8), seed=0).reshape(6, 8, 16, 16, 1)
        scores = [model.score(images, labels=[label] * 8) for images, label in zip(candidates, labels, strict=True)]
        expected = candidates[np.arange(6), np.argmax(scores, axis=1)]
    np.testing.assert_array_equal(np.load(tmp_path / "some.npy"), kgan.plots.to_uint8(expected))
    output = invoke(*command)
    assert (run / f"sample-6-classes-7-3{'-best-of-48' if best else ''}-seed-0.png").exists(), output


def test_evaluate_says_how_often_the_class_is_right(run):
    output = invoke("evaluate", run, "--count", "200", "--seeds", "2")
    report = json.loads((run / "quality.json").read_text())
    accuracy = report["metrics"]["class_accuracy"]
    assert 0 <= accuracy["value"] < 0.7 < accuracy["baseline"] <= 1  # after one epoch
    assert len(report["classes"]["accuracy"]) == 10
    assert "worst class: " in output


def test_the_folders_of_a_folder_are_classes(tmp_path):
    """Dark and light images in two sub-folders: the labels reach training, and a class is asked for by its name."""
    for name, gray in (("dark", 40), ("light", 220)):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(32):
            image = np.full((16, 16, 3), gray + number % 8, np.uint8)
            Image.fromarray(image).save(tmp_path / "images" / name / f"{number}.png")
    data, out = str(tmp_path / "images"), tmp_path / "run"
    quick = ["image_size=16", "filters=4", "depth=1", "batch_size=16", "d_learning_rate=5e-3", "g_learning_rate=5e-3"]
    small = [*(f"--set={each}" for each in quick), *CONDITIONAL]
    command = ["train", "dcgan-folder", "--data", data, "--epochs", "16", *small, "--out", out]
    invoke(*command)
    assert json.loads((out / "run.json").read_text())["classes"] == ["dark", "light"]
    command = ["sample", out, "--classes", "light,dark", "--count", "8", "--out", tmp_path / "some.npy"]
    invoke(*command)
    images = np.load(tmp_path / "some.npy")
    assert images[:4].mean() > images[4:].mean() + 30


def test_a_class_that_was_never_asked_for_is_not_the_worst():
    classes = {"names": ["cat", "dog", "cow"], "accuracy": [0.5, 0.25, None], "missing": []}
    report = {"seeds": [0], "count": 9, "features": "some", "classes": classes, "notes": []}
    assert described(report)[1] == "worst class: dog, right in 25.0% of cases"


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["sample", "RUN", "--classes", "eleven"], "--classes has 'eleven': choose from 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"),
        (["sample", "RUN", "--classes", "1,10"], "--classes has '10': choose from 0, 1, 2"),
        (["train", "codegan-digits", "--set", "conditional=true"], "a CodeGAN, which reads codes back, knows no clas"),
        (["train", "dcgan-folder", "--data", "PLAIN", *CONDITIONAL], "has no classes: its images have no labels"),
    ],
)
def test_mistakes_of_the_command(command, sentence, run, tmp_path):
    plain = tmp_path / "plain"
    plain.mkdir()
    for number in range(40):
        Image.fromarray(np.full((64, 64, 3), number, np.uint8)).save(plain / f"{number}.png")
    places = {"RUN": str(run), "PLAIN": str(plain)}
    arguments = [places.get(each, each) for each in command]
    out = ["--out", str(tmp_path / "new")] if command[0] == "train" else []
    assert sentence in " ".join(invoke(*arguments, *out, code=2).split())
    assert not (tmp_path / "new").exists()
