"""Metrics against closed forms, scipy and the package prdc; and sets of images whose fault is known."""

import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prdc import compute_prdc
from scipy import linalg
from sklearn.metrics import pairwise_distances
from written import write_run

import kgan
from kgan import callbacks, quality
from kgan._backend import keras
from kgan.data import Labeled, from_uint8
from kgan.errors import Mistake


@pytest.fixture(autouse=True)
def _no_fresh_classifier(monkeypatch):
    """For speed: `evaluate` trains two. Tests that look at their accuracy undo this."""
    monkeypatch.setattr(quality.evaluation, "real_vs_fake_accuracy", lambda real, fake: 0.5)


@pytest.fixture
def _fresh_classifiers(_no_fresh_classifier, monkeypatch):
    monkeypatch.setattr(quality.evaluation, "real_vs_fake_accuracy", quality.real_vs_fake_accuracy)


@pytest.fixture(scope="module")
def real():
    return kgan.data.load_labeled("digits", image_size=16)


@pytest.fixture(scope="module")
def classifier(real):
    return quality.classifier(real)


@pytest.fixture(scope="module")
def clouds():
    random = np.random.default_rng(0)
    return random.normal(size=(300, 5)), random.normal(size=(200, 5)) @ random.normal(size=(5, 5)) + 0.5


# Metrics


def test_frechet_distance_agrees_with_the_matrix_root_of_scipy(clouds):
    real, fake = clouds
    a, b = (np.cov(each, rowvar=False) for each in clouds)
    difference = real.mean(axis=0) - fake.mean(axis=0)
    expected = difference @ difference + np.trace(a + b - 2 * linalg.sqrtm(a @ b).real)
    assert quality.frechet_distance(real, fake) == pytest.approx(expected, rel=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 40), st.integers(1, 6), st.integers(0, 1000))
def test_frechet_distance_is_symmetric_and_0_to_itself(count, units, seed):
    """Also where there are fewer images than units, and the covariance is singular."""
    random = np.random.default_rng(seed)
    real, fake = random.normal(size=(count, units)), random.normal(size=(count + 3, units))
    there, back = quality.frechet_distance(real, fake), quality.frechet_distance(fake, real)
    # To the root of a double's precision, as a singular covariance has it.
    assert there == pytest.approx(back, rel=1e-6, abs=1e-6)
    assert quality.frechet_distance(real, real) == pytest.approx(0, abs=1e-6)
    assert there >= 0


def test_kernel_distance_by_its_definition(clouds):
    real, fake = (each[:50] for each in clouds)

    def kernel(x, y):
        return (x @ y / 5 + 1) ** 3

    pairs = [(i, j) for i in range(50) for j in range(50) if i != j]
    within = sum(kernel(each[i], each[j]) for each in (real, fake) for i, j in pairs) / len(pairs)
    between = np.mean([[kernel(x, y) for y in fake] for x in real])
    value, spread = quality.kernel_distance(real, fake, subsets=3)
    assert value == pytest.approx(within - 2 * between, rel=1e-9)
    assert spread == pytest.approx(0, abs=1e-9)  # each subset is the whole


def test_manifold_agrees_with_prdc(clouds, monkeypatch):
    monkeypatch.setattr(quality.metrics, "MEBIBYTES", 0.1)  # so that the tables come in parts
    real, fake = clouds
    for neighbors in (1, 5):
        expected = compute_prdc(real_features=real, fake_features=fake, nearest_k=neighbors)
        assert quality.manifold(real, fake, neighbors=neighbors)._asdict() == pytest.approx(expected)


@pytest.mark.parametrize("size", [7, 300])
def test_nearest_by_the_whole_table(size, clouds):
    """Of all others at once, and of others that come in pieces."""
    real, fake = clouds
    pieces = lambda: (real[begin : begin + size] for begin in range(0, 300, size))  # noqa: E731
    table = pairwise_distances(fake, real) / np.sqrt(5)
    for others in (real, pieces()):
        positions, distances = quality.nearest(fake, others)
        assert (positions == table.argmin(axis=1)).all()
        assert distances == pytest.approx(table.min(axis=1))
    rows = np.arange(200)[::-1]  # each stands among the others somewhere
    _, distances = quality.nearest(real[rows], pieces(), itself=rows)
    table = pairwise_distances(real) / np.sqrt(5) + np.diag(np.full(300, np.inf))
    assert distances == pytest.approx(table.min(axis=1)[rows])


def test_diversity_is_the_mean_over_all_pairs(clouds):
    real = clouds[0][:20]
    squares = [np.mean((a - b) ** 2) for i, a in enumerate(real) for b in real[:i]]
    assert quality.diversity(real) == pytest.approx(np.sqrt(np.mean(squares)))


POINTS = np.arange(18.0).reshape(9, 2)
NOISE = np.random.default_rng(1).integers(0, 256, (60, 16, 16, 1), np.uint8)
NOTHING = np.full_like(NOISE, 9)
NAN = np.where(np.arange(NOISE.size).reshape(NOISE.shape) == 300, np.nan, from_uint8(NOISE))


def sampled(samples, real, **options):
    return quality.evaluate(lambda count, seed: samples[:count], Labeled(real), count=20, **options)


@pytest.mark.parametrize(
    ("measure", "sentence"),
    [
        (lambda: quality.frechet_distance(POINTS, np.zeros((3, 4))), "of equal units"),
        (lambda: quality.frechet_distance(POINTS, POINTS * np.nan), "features of fake images hold NaN or infinity"),
        (lambda: quality.kernel_distance(POINTS / 0, POINTS), "features of real images hold NaN or infinity"),
        (lambda: quality.kernel_distance(POINTS, POINTS, size=1), "size is 1: it takes 2 images or more"),
        (lambda: quality.manifold(POINTS[:5], POINTS), "it takes 6 of each"),
        (lambda: quality.manifold(POINTS, POINTS, neighbors=0), "neighbors is 0: it must be 1 or more"),
        (lambda: quality.diversity(POINTS[:1]), "2 images or more, and was given 1"),
        (lambda: quality.diversity(POINTS * np.nan), "images hold NaN or infinity"),
        (lambda: quality.nearest(POINTS, POINTS / 0), "images hold NaN or infinity"),
        (lambda: quality.nearest(POINTS, POINTS[:0]), "there are no others"),
        (lambda: quality.nearest(POINTS[:1], POINTS[:1], itself=np.array([0])), "there are no others"),
        (lambda: quality.real_vs_fake_accuracy(NAN, NOISE), "images hold NaN or infinity"),
        (lambda: quality.real_vs_fake_accuracy(NOISE[:19], NOISE), "19 images of each kind: to learn which are real"),
        (lambda: quality.choose_features(Labeled(NOISE), "classifier"), "the data have no labels"),
        (lambda: quality.choose_features(Labeled(NOISE), "vgg"), "features is 'vgg': choose one of auto, classif"),
        (lambda: sampled(NAN, NOISE), "images hold NaN or infinity"),
        (lambda: sampled(NOISE, NAN), "images hold NaN or infinity"),
        (lambda: sampled(NOISE, NOISE[:3]), "only 3 real images"),
        (lambda: sampled(NOISE[:1], NOISE), r"samples have shape \(1, 16, 16, 1\): \(20, 16, 16, 1\) was"),
        (lambda: sampled(NOISE[:, :4, :4], NOISE), r"samples have shape \(20, 4, 4, 1\): "),
        (lambda: sampled(NOISE, NOISE, asked=np.zeros), "conditional, but the real images have no labels"),
        (lambda: callbacks.Doctor(NAN[:4]), "images hold NaN or infinity"),
        (lambda: callbacks.Quality(Labeled(NOISE), count=1), "count is 1: how images vary is seen in 2 or more"),
        (lambda: callbacks.Quality(Labeled(NOISE), keep_best="best"), "keep_best is best: the file of a model ends in"),
        (lambda: callbacks.Quality(Labeled(NOISE), every=0), "every is 0"),
        (lambda: callbacks.Quality(Labeled(NOISE), by="fid"), "by is 'fid': choose one of frechet, classes"),
        (lambda: callbacks.Quality(Labeled(NOISE[:9])), "only 9 real images: choosing the best model takes"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_cannot_be_measured_gets_a_sentence(measure, sentence):
    with pytest.raises(Mistake, match=sentence):
        measure()


# The classifier


def test_classifier_tells_digits_and_is_remembered(real, classifier, monkeypatch):
    said = classifier.probabilities(real.images)
    assert (said.argmax(axis=1) == real.labels).mean() > 0.97
    assert said.sum(axis=1) == pytest.approx(1, abs=1e-5)
    monkeypatch.setattr(quality.features, "_train", None)  # it is not trained again
    assert quality.classifier(real).name == classifier.name
    assert "right on 9" in classifier.name


def test_classifier_of_other_labels_is_another(real, classifier, monkeypatch):
    monkeypatch.setattr(quality.features, "_train", lambda network, labeled: 0.59)
    other = real._replace(labels=real.labels[::-1].copy())
    with pytest.raises(ValueError, match=r"right on only 59.0% of held-out images"):
        quality.classifier(other)


@pytest.mark.parametrize("is_full", [False, True])
def test_a_classifier_that_is_damaged_or_cannot_be_cached_is_trained(is_full, real, classifier, monkeypatch, tmp_path):
    def full_disk(*arguments, **more):
        raise OSError(28, "No space left on device")

    (file,) = (kgan.files.cache_directory() / "classifiers").glob(f"{quality.features._fingerprint(real)}*")
    monkeypatch.setenv("KGAN_CACHE", str(tmp_path))
    if is_full:
        monkeypatch.setattr(np, "savez", full_disk)
    else:
        (tmp_path / "classifiers").mkdir()
        (tmp_path / "classifiers" / file.name).write_bytes(file.read_bytes()[:1000])
    monkeypatch.setattr(quality.features, "_train", lambda network, labeled: 0.77)
    assert "right on 77.0%" in quality.classifier(real).name
    assert {path.name for path in (tmp_path / "classifiers").iterdir()} <= {".lock", file.name}


def test_real_images_that_come_class_by_class_are_not_told_apart(real):
    """The example of the function has others that are."""
    by_class = real.images[np.argsort(real.labels, kind="stable")]
    assert quality.real_vs_fake_accuracy(by_class, real.images[::4]) == pytest.approx(0.5, abs=0.15)


# Keras as it may be configured


@pytest.fixture(params=["channels_first", "float64"])
def unusual_keras(request):
    layout, floatx = keras.config.image_data_format(), keras.config.floatx()
    if request.param == "channels_first":
        keras.config.set_image_data_format(request.param)
    else:
        keras.config.set_floatx(request.param)
        keras.config.set_dtype_policy(request.param)  # as it is by itself, unless it was set before
    yield request.param
    keras.config.set_image_data_format(layout)
    keras.config.set_floatx(floatx)


def quick_classifier(real, directory):
    """A classifier after 30 steps, and what it extracts from a few images."""
    few = Labeled(real.images[:200], real.labels[:200], real.names)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quality.features, "STEPS", 30)
        patch.setattr(quality.features, "POOR", 0.0)
        patch.setenv("KGAN_CACHE", str(directory))
        extractor = quality.classifier(few)
    return extractor.name, extractor.extract(from_uint8(few.images)).values


@pytest.fixture(scope="module")
def usual(real, tmp_path_factory):
    return quick_classifier(real, tmp_path_factory.mktemp("usual"))


def test_the_classifier_is_the_same_however_keras_is_configured(real, usual, unusual_keras, tmp_path):
    name, values = quick_classifier(real, tmp_path)
    assert name == usual[0]
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, usual[1], rtol=1e-3, atol=1e-3)


def test_inception_however_keras_is_configured(unusual_keras, monkeypatch):
    """And on gray images, of which it sees three channels. A mean over the image stands in for the network."""

    def mean_color(include_top, pooling, weights):
        assert (include_top, pooling, weights) == (False, "avg", "imagenet")
        return keras.Sequential([keras.Input((299, 299, 3)), keras.layers.GlobalAveragePooling2D()])

    monkeypatch.setattr(keras.applications, "InceptionV3", mean_color)
    if unusual_keras == "channels_first":
        with pytest.raises(ValueError, match="image_data_format is channels_first: InceptionV3 takes images"):
            quality.inception((8, 8, 1))
        return
    features = quality.inception((8, 8, 1))
    values = features.features(np.full((1, 8, 8, 1), 0.25, np.float32))
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, [[0.25, 0.25, 0.25]])
    assert "not comparable with published FID" in features.name
    assert "three equal channels" in features.note


# The whole


def evaluated(real, features, images, seeds=(0,), **options):
    """The report of a model that draws its samples from these images."""
    draw = np.random.default_rng(5)
    generate = lambda count, seed: from_uint8(images[draw.permutation(len(images))[:count]])  # noqa: E731
    measured = quality.evaluate(generate, real, features=features, count=350, seeds=seeds, **options)
    assert json.loads(json.dumps(measured.report)) == measured.report
    return measured.report


@pytest.fixture(scope="module")
def halves(real):
    """What a model was trained on, and real images that it has not seen."""
    order = np.random.default_rng(4).permutation(len(real.images))
    training = Labeled(real.images[order[:900]], real.labels[order[:900]], real.names)
    return training, real.images[order[900:]]


@pytest.mark.usefixtures("_fresh_classifiers")
def test_real_images_are_at_their_baseline(halves, classifier):
    training, unseen = halves
    metrics = evaluated(training, classifier, unseen, seeds=[0, 1], held_out=unseen[400:])["metrics"]
    assert set(metrics) == set(quality.METRICS) - {"class_accuracy"}  # of conditional models
    assert metrics["frechet"]["value"] == pytest.approx(metrics["frechet"]["baseline"], rel=0.3)
    for name in ("precision", "recall", "density", "coverage"):
        assert metrics[name]["value"] == pytest.approx(metrics[name]["baseline"], abs=0.1)
    assert metrics["classes"]["value"] == metrics["classes"]["baseline"] == 10
    assert metrics["copies"]["value"] < 0.05
    assert metrics["nearest"]["value"] == pytest.approx(metrics["nearest"]["baseline"], rel=0.1)
    assert metrics["real_vs_fake_accuracy"]["value"] < 0.65


def test_a_copy_of_the_training_images_shows(halves, classifier):
    training, unseen = halves
    metrics = evaluated(training, "pixels", training.images, held_out=unseen)["metrics"]
    assert metrics["nearest"]["value"] == pytest.approx(0, abs=1e-3)
    assert metrics["copies"]["value"] == 1
    assert metrics["copies"]["baseline"] < 0.05
    without_unseen = evaluated(training, "pixels", training.images)["metrics"]
    assert without_unseen["copies"]["value"] == 1
    twice = training._replace(images=np.tile(training.images, (2, 1, 1, 1)), labels=np.tile(training.labels, 2))
    assert evaluated(twice, "pixels", training.images)["metrics"]["copies"]["value"] == 1


def test_one_class_only_shows_and_one_image_only(halves, classifier):
    training, _ = halves
    report = evaluated(training, classifier, np.repeat(training.images[training.labels == 3], 6, axis=0))
    metrics, classes = report["metrics"], report["classes"]
    assert classes["missing"] == [name for name in "0123456789" if name != "3"]
    assert metrics["classes"]["value"] == 1
    assert metrics["kl"]["value"] == pytest.approx(np.log(10), abs=0.2)
    assert metrics["recall"]["value"] < 0.3
    assert metrics["frechet"]["value"] > 5 * metrics["frechet"]["baseline"]
    metrics = evaluated(training, classifier, np.full_like(training.images[:400], 128))["metrics"]
    assert metrics["coverage"]["value"] <= 0.01
    assert metrics["recall"]["value"] == 0
    assert metrics["frechet"]["value"] > 20 * metrics["frechet"]["baseline"]


def test_class_accuracy_is_how_often_the_class_is_the_one_asked_for(halves, classifier):
    """Images that the classifier reads as 3; of every four, it is asked for a 3 three times and for an 8 once."""
    training, _ = halves
    read = classifier.extract(from_uint8(training.images)).classes
    threes = from_uint8(training.images[read == 3])
    asked = lambda count, seed: np.resize([3, 3, 8, 3], count)  # noqa: E731
    generate = lambda count, seed: np.resize(threes, (count, *threes.shape[1:]))  # noqa: E731
    report = quality.evaluate(generate, training, features=classifier, asked=asked, count=200, seeds=[0]).report
    assert report["metrics"]["class_accuracy"]["value"] == 0.75
    assert (report["classes"]["accuracy"][3], report["classes"]["accuracy"][8]) == (1, 0)


def test_without_labels_what_can_be_computed_still_is(halves):
    training, unseen = halves
    report = evaluated(Labeled(training.images), "auto", unseen)
    assert report["features"] == "pixels at 8 × 8"
    assert set(quality.METRICS) - set(report["metrics"]) == {"classes", "class_accuracy", "kl", "low_confidence"}
    (note,) = report["notes"]
    assert note.startswith("the data have no labels")
    assert "there are no metrics of classes" in note


@pytest.mark.usefixtures("_fresh_classifiers")
def test_few_images():
    report = quality.evaluate(lambda count, seed: NOISE[:count], Labeled(NOISE[:8]), seeds=[0]).report
    assert set(report["metrics"]) == {"frechet", "kid", "nearest", "copies"}
    assert report["count"] == 3
    notes = " ".join(report["notes"])
    assert "10,000 samples were asked for, 3 are taken: half of the 7 real images" in notes
    assert "too few for precision" in notes


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize(
    ("images", "real", "options"),
    [
        (NOTHING, Labeled(NOISE), {}),
        (NOISE, Labeled(NOTHING), {}),
        (NOTHING, Labeled(NOTHING), {}),
        (NOISE, Labeled(NOISE[:4]), {}),
        (NOISE, Labeled(NOISE[:20]), {"held_out": NOISE[:1]}),
        (NOISE, Labeled(NOISE, np.zeros(60, int), ("a", "b")), {"asked": lambda count, seed: np.zeros(count, int)}),
        (NOISE, Labeled(NOISE, np.zeros(60, int), ("a",)), {"seeds": np.arange(2)}),
    ],
)
def test_little_to_compare_gives_finite_numbers(images, real, options, monkeypatch):
    monkeypatch.setattr(quality.features, "_train", lambda network, labeled: 1.0)
    report = quality.evaluate(lambda count, seed: from_uint8(images[:count]), real, **options, count=20).report
    assert len(report["metrics"]) >= 4
    json.dumps(report, allow_nan=False)


def test_float_images_are_measured_as_uint8_ones_are(digits_gan):
    both = Labeled(NOISE), Labeled(from_uint8(NOISE))
    reports = [quality.evaluate(lambda count, seed: NOISE[:count], labeled, seeds=[0]).report for labeled in both]
    assert reports[0] == reports[1]
    assert prepared(both[0], digits_gan()).measure() == prepared(both[1], digits_gan()).measure()


def test_a_conditional_model_needs_labels_to_be_measured():
    """Before training, not after the first epoch."""
    images = np.zeros((40, 8, 8, 1), np.float32)
    model = kgan.DCGAN((8, 8, 1), latent_dim=4, filters=2, classes=2)
    model.compile()
    for labeled, sentence in (
        (Labeled(images), "conditional, but the real images of Quality have no labels"),
        (Labeled(images, np.arange(40) % 3), "labels range from 0 to 2: those of 2 classes range from 0 to 1"),
        (Labeled(images[:, :4]), r"Quality was given images of shape \(4, 8, 1\), the model makes \(8, 8, 1\)"),
    ):
        with pytest.raises(ValueError, match=sentence):
            model.fit(images, np.arange(40) % 2, verbose=0, callbacks=[callbacks.Quality(labeled)])
    assert int(model.step) == 0


# The callback and the command


def test_the_callback_measures_every_few_epochs_and_keeps_the_best(real, classifier, digits_gan, tmp_path):
    file = tmp_path / "best.keras"
    watcher = callbacks.Quality(real, every=2, count=100, features=classifier, keep_best=file)
    table = callbacks.HistoryCSV(tmp_path / "history.csv")
    curves = callbacks.LossCurves(tmp_path / "losses.png")
    model = digits_gan()
    history = model.fit(from_uint8(real.images[:256]), epochs=4, verbose=0, callbacks=[watcher, table, curves])
    distances = history.history["frechet"]
    assert len(distances) == 3  # of epochs 1, 2 and 4
    lines = (tmp_path / "history.csv").read_text().splitlines()
    column = lines[0].split(",").index("frechet")
    assert [line.split(",")[column] == "" for line in lines[1:]] == [False, False, True, False]
    assert watcher.best == ([1, 2, 4][int(np.argmin(distances))], min(distances))
    best = kgan.load_model(file)
    fakes = best.generate(best.sample_codes(100, (0, kgan.latent.Stream.SELECTION)))
    expected = quality.frechet_distance(watcher._real.values, classifier.features(fakes))
    assert expected == pytest.approx(min(distances), rel=1e-6)
    again = callbacks.Quality(real, count=100, features=classifier)
    again.set_state(json.loads(json.dumps(watcher.get_state())))
    assert again.best == watcher.best


def test_the_callback_without_labels_and_with_samples_of_nan(digits, digits_gan, kgan_command, tmp_path):
    """A model that draws NaN is never the best, and the command says what is wrong."""
    watcher, model = callbacks.Quality(Labeled(NOISE), every=1), digits_gan()
    with pytest.warns(UserWarning, match="the data have no labels: .*, so images are compared by pixels at 8 × 8"):
        history = model.fit(digits, verbose=0, callbacks=[watcher])
    assert set(history.history) == {"d_loss", "g_loss", "d_real", "d_fake", "frechet"}
    for weight in model.generator.trainable_weights:
        weight.assign(weight * np.nan)
    assert np.isnan(model.fit(digits, verbose=0, callbacks=[watcher]).history["frechet"]).all()
    assert watcher.best[0] == 1
    model.save(write_run(tmp_path / "run", has_model=False) / "model.keras")
    result = kgan_command("evaluate", "run", "--features", "pixels")
    assert (result.exit_code, result.output.count("\n")) == (2, 1)
    assert result.output.startswith("kgan: samples hold NaN or infinity: the model has diverged")
    watcher = callbacks.Quality(Labeled(NOISE), by="classes", features=quality.pixels())
    with pytest.raises(ValueError, match="by is 'classes': that takes a classifier"):
        model.fit(digits, verbose=0, callbacks=[watcher])


def prepared(labeled, model, features="pixels"):
    """The callback, as `fit` prepares it."""
    callback = callbacks.Quality(labeled, features=features)
    callback.set_model(model)
    callback.before_fit(None)
    return callback


def recording(shown):
    """A feature extractor that remembers what it was shown."""

    def features(images):
        shown.append({image.tobytes() for image in images})
        return images.reshape(len(images), -1)

    return quality.FeatureExtractor("pixels", features)


def test_the_best_model_is_not_measured_with_what_chose_it(digits_gan):
    """Neither with the real images nor with the codes: the model stays the same, so codes show in its images."""
    labeled = Labeled(np.random.default_rng(8).integers(0, 256, (100, 16, 16, 1), np.uint8))
    model, chosen, measured = digits_gan(), [], []
    prepared(labeled, model, recording(chosen)).measure()
    generate = lambda count, seed: model.generate(count, seed=seed)  # noqa: E731
    report = quality.evaluate(generate, labeled, features=recording(measured), seeds=range(2)).report
    assert report["count"] == 40
    assert any("40 are taken: half of the 80 real images" in note for note in report["notes"])
    assert [len(images) for images in chosen] == [20, 20]
    assert [len(images) for images in measured] == [40] * 4
    assert not set.union(*chosen) & set.union(*measured)


def test_the_images_that_choose_are_few_where_there_are_many():
    reserved, rest = quality.selection_split(60_000)
    assert (len(reserved), len(rest)) == (1000, 59_000)
    assert sorted([*reserved, *rest]) == list(range(60_000))


def test_evaluate_a_run(kgan_command, tmp_path):
    run = write_run(tmp_path / "run")
    result = kgan_command("evaluate", run, "--count", 100, "--seeds", 2, "--features", "pixels")
    assert result.exit_code == 0, result.output
    for text in ("real images", "coverage", "pixels at 8 × 8"):
        assert text in result.output
    report = json.loads((run / "quality.json").read_text())
    assert (report["count"], report["seeds"]) == (100, [0, 1])
    assert (run / "quality.png").exists()
    for arguments, sentence in {
        ("nowhere",): "there is no model at nowhere",
        ("run", "--features", "vgg"): "features is 'vgg'",
    }.items():
        result = kgan_command("evaluate", *arguments)
        assert (result.exit_code, result.output.count("\n")) == (2, 1)
        assert sentence in result.output


def test_distances_are_not_kept_after_they_were_looked_at():
    real, fake = np.random.default_rng(0).normal(size=(2, 3000, 4)).astype("float32")
    quality.manifold(real[:300], fake[:300])  # imports scikit-learn
    tracemalloc.start()
    try:
        quality.manifold(real, fake)
        assert tracemalloc.get_traced_memory()[1] < 3000**2 * 8 / 2  # half a table of all distances
    finally:
        tracemalloc.stop()
