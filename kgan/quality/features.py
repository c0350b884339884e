"""Features to compare images by: a small classifier of the data's own classes, pixels, or Keras' InceptionV3."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kgan._backend import keras, tf
from kgan.batched import in_batches
from kgan.data import Labeled, from_uint8
from kgan.errors import Mistake
from kgan.files import cache_directory, replacing
from kgan.quality.metrics import check_finite, class_frequencies

LARGEST = 32  # pixels: larger images are averaged to this size first
STEPS = 1500  # of training the classifier
STEPS_OF_REAL_VS_FAKE = 300
HELD_OUT = 5  # every fifth image is not trained on
POOR = 0.6  # a classifier that is right less often is of no use
MOST_OF_EACH = 4000  # real and fake images for `real_vs_fake_accuracy`
LOW_CONFIDENCE = 0.9  # the classifier has low confidence where no class reaches this probability
FORMAT = 1  # of the cache
AT_A_TIME = 128  # images that are converted to floats at a time; the system does not get back memory of larger pieces


class Features(NamedTuple):
    """What was extracted from images; None where there are no classes."""

    values: np.ndarray  # (count, units), float32
    class_frequencies: np.ndarray | None = None  # the fraction of the images in each class
    max_probability: np.ndarray | None = None  # of the most probable class of each image
    classes: np.ndarray | None = None  # the most probable class of each image


@dataclass(frozen=True)
class FeatureExtractor:
    """Computes the features that images are compared by."""

    name: str  # in words, reported with every metric
    features: Callable[[np.ndarray], np.ndarray]  # images, float32 in [-1, 1] → (count, units), float32
    names: tuple[str, ...] = ()  # of the classes, if there are any
    head: Callable[[np.ndarray], np.ndarray] | None = None  # features → probabilities (count, classes)
    note: str = ""  # what a reader of the metrics should know about the features

    def probabilities(self, images: np.ndarray) -> np.ndarray | None:
        """The probability of each class, (count, classes); None if there are no classes."""
        return self.head(self.features(images)) if self.head else None

    def extract(self, images: np.ndarray) -> Features:
        """All features of these images, uint8 or float32 in [-1, 1], from one pass through the network."""
        values = _computed(self.features, images)
        if not self.head:
            return Features(values)
        probabilities = self.head(values)
        classes = probabilities.argmax(axis=1)
        return Features(values, class_frequencies(classes, len(self.names)), probabilities.max(axis=1), classes)


def classifier(labeled: Labeled) -> FeatureExtractor:
    """The 128 units before the last layer of a small network, trained once on the labels of four of five images.

    Data without labels are refused, and those of which it is right on fewer than 60 % of the rest.
    """
    if labeled.labels is None:
        raise Mistake("the data have no labels: no classifier can be trained on them")
    if len(labeled.names) < 2 or len(labeled.images) < 10 * len(labeled.names):
        raise Mistake(
            f"{len(labeled.images)} images of {len(labeled.names)} classes are too few to train a classifier on"
        )
    shape = averaged(labeled.images[:1]).shape[1:]
    network = _network(shape, len(labeled.names))
    file = cache_directory() / "classifiers" / f"{_fingerprint(labeled)}.npz"
    accuracy = _load_cached(network, file)
    if accuracy is None:
        accuracy = _train(network, labeled)
        arrays = {str(number): value for number, value in enumerate(network.get_weights())}
        with contextlib.suppress(OSError), replacing(file) as temporary:  # otherwise it is trained again next time
            np.savez(temporary, **arrays, accuracy=accuracy)
    if accuracy < POOR:
        raise Mistake(
            f"a small classifier is right on only {accuracy:.1%} of held-out images: it cannot measure quality"
        )
    *_, last = network.layers
    body = keras.Model(network.inputs, last.input)
    features = tf.function(lambda images: body(_averaged(images, LARGEST), training=False), reduce_retracing=True)
    head = tf.function(lambda values: tf.nn.softmax(last(values)), reduce_retracing=True)
    return FeatureExtractor(
        f"classifier of these data at {shape[0]} × {shape[1]} pixels, right on {accuracy:.1%} of held-out images",
        lambda images: _computed(features, images),
        labeled.names,
        lambda values: _computed(head, values),
    )


def pixels() -> FeatureExtractor:
    """Images averaged to 8 × 8 pixels: they show only where light and color are."""
    return FeatureExtractor("pixels at 8 × 8", lambda images: averaged(images, 8).reshape(len(images), -1))


def inception(image_shape: Sequence[int]) -> FeatureExtractor:
    """The 2,048 features of Keras' InceptionV3. Published FID uses another port of it, and resizes in another way."""
    if (layout := keras.config.image_data_format()) != "channels_last":
        raise Mistake(f"image_data_format is {layout}: InceptionV3 takes images that are channels_last")
    try:
        network = keras.applications.InceptionV3(include_top=False, pooling="avg", weights="imagenet")
    except Exception as error:  # of many classes: no network, a broken file
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:120]
        raise OSError(f"the weights of InceptionV3 cannot be downloaded ({reason}): choose other features") from None
    is_gray = image_shape[2] == 1

    @tf.function(reduce_retracing=True)
    def features(images: tf.Tensor) -> tf.Tensor:
        large = tf.image.resize(images, (299, 299), antialias=True)
        values = network(tf.image.grayscale_to_rgb(large) if is_gray else large, training=False)
        return tf.cast(values, tf.float32)

    note = "gray images were given three equal channels for it, which it was not trained on" if is_gray else ""
    name = "Keras Inception: not comparable with published FID"
    return FeatureExtractor(name, lambda images: _computed(features, images, 32), note=note)


def real_vs_fake_accuracy(real: np.ndarray, fake: np.ndarray, *, seed: int = 0) -> float:
    """How often a fresh classifier, trained on one half, is right about which images of the other half are real.

    It is 0.5 if the classifier has to guess, 1 if it is always right.

    Args:
        real, fake: images, uint8 or float32 in [-1, 1], of one shape, 20 or more of each; 4,000 of each are used.
        seed: seed of the classifier's weights and of the halves.

    Example:
        >>> real_vs_fake_accuracy(images[:64], -images[64:128])
        1.0
    """
    count = min(len(real), len(fake), MOST_OF_EACH)
    if count < 20:
        raise Mistake(f"there are {count} images of each kind: to learn which are real takes 20")
    random = np.random.default_rng(seed)
    real, fake = (averaged(images[random.permutation(len(images))[:count]]) for images in (real, fake))
    half = count // 2
    network = _network(real.shape[1:], 2)
    _fit(network, np.concatenate([real[:half], fake[:half]]), np.repeat([0, 1], half), STEPS_OF_REAL_VS_FAKE, seed=seed)
    others = np.concatenate([real[half:], fake[half:]])
    logits = _computed(lambda batch: network(batch, training=False), others)
    leaning = logits[:, 1] - logits[:, 0]
    predicted = leaning > np.median(leaning)  # the other half holds as many real images as fakes
    return float((predicted == np.repeat([0, 1], count - half)).mean())


def as_floats(images: np.ndarray) -> np.ndarray:
    """Images as float32 in [-1, 1], whether they are uint8 or in [-1, 1] already; not with NaN or infinity."""
    if images.dtype == np.uint8:
        return from_uint8(images)
    check_finite(images)
    return np.asarray(images, np.float32)


def averaged(images: np.ndarray, size: int = LARGEST) -> np.ndarray:
    """Images averaged to at most `size` × `size` pixels."""
    return _computed(lambda batch: _averaged(batch, size), images)


def _computed(function: Callable[[np.ndarray], Any], images: np.ndarray, batch_size: int = AT_A_TIME) -> np.ndarray:
    """A function of float32 images in [-1, 1], for any number of images, which may be uint8."""
    return in_batches(lambda batch: function(as_floats(batch)), images, batch_size)


def _averaged(images: np.ndarray | tf.Tensor, size: int) -> np.ndarray | tf.Tensor:
    return tf.image.resize(images, (size, size), method="area") if max(images.shape[1:3]) > size else images


def _network(image_shape: Sequence[int], classes: int) -> keras.Model:
    """Three convolutions of stride 2, a layer of 128 features, logits: the same under every configuration of Keras."""
    layers, he = keras.layers, keras.initializers.HeNormal
    relu, nhwc = {"activation": "relu", "dtype": "float32"}, {"data_format": "channels_last"}
    images = outputs = keras.Input(tuple(image_shape), dtype="float32")
    for number, filters in enumerate((32, 64, 128)):
        kernel = he(seed=number)
        outputs = layers.Conv2D(filters, 3, 2, padding="same", kernel_initializer=kernel, **relu, **nhwc)(outputs)
    outputs = layers.Flatten(dtype="float32", **nhwc)(outputs)
    outputs = layers.Dense(128, kernel_initializer=he(seed=3), **relu)(outputs)
    outputs = layers.Dense(classes, kernel_initializer=he(seed=4), dtype="float32")(outputs)
    return keras.Model(images, outputs)


def _train(network: keras.Model, labeled: Labeled) -> float:
    """Train on four images of five; the accuracy on the rest."""
    order = np.random.default_rng(0).permutation(len(labeled.images))  # folders come class by class
    images, labels = labeled.images, labeled.labels
    held_out, train = order[::HELD_OUT], np.delete(order, np.s_[::HELD_OUT])
    _fit(network, averaged(images[train]), labels[train], STEPS, seed=0)
    logits = _computed(lambda batch: network(batch, training=False), averaged(images[held_out]))
    return float((logits.argmax(axis=1) == labels[held_out]).mean())


def _fit(network: keras.Model, images: np.ndarray, labels: np.ndarray, steps: int, seed: int) -> None:
    batch_size = min(128, len(images))
    rate = keras.optimizers.schedules.CosineDecay(1e-3, steps)
    network.compile(keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    rows = tf.data.Dataset.range(len(images)).shuffle(len(images), seed=seed).repeat().batch(batch_size)
    images, labels = tf.constant(images), tf.constant(labels)
    examples = rows.map(lambda rows: (tf.gather(images, rows), tf.gather(labels, rows))).prefetch(2)
    network.fit(examples, steps_per_epoch=steps, shuffle=False, verbose=0)


def _fingerprint(labeled: Labeled) -> str:
    digest = hashlib.sha256(f"{FORMAT} {STEPS} {labeled.images.shape} {labeled.names}".encode())
    for begin in range(0, len(labeled.images), 4096):  # not all at once: they may be on disk
        digest.update(np.ascontiguousarray(labeled.images[begin : begin + 4096]))
    digest.update(np.ascontiguousarray(labeled.labels))
    return digest.hexdigest()[:20]


def _load_cached(network: keras.Model, file: Path) -> float | None:
    """Load the weights that an earlier run cached and return their accuracy; None if no cached weights fit."""
    try:
        with np.load(file, allow_pickle=False) as cached:
            network.set_weights([cached[f"{number}"] for number in range(len(network.weights))])
            return float(cached["accuracy"])
    except Exception:  # whatever may be wrong with the file: the network is trained again
        return None
