"""How a GAN draws images and scores them, in inference mode and in batches: the functions are methods of `kgan.GAN`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kgan import latent
from kgan._backend import keras, tf
from kgan.batched import in_batches
from kgan.checks import whole_numbers
from kgan.data.checks import check_images, checked_labels, label_array
from kgan.errors import Mistake


def sample_codes(
    model: keras.Model,
    count: int | tf.Tensor,
    seed: int | Sequence[int | tf.Tensor] = 0,
    labels: Sequence[int] | None = None,
) -> tf.Tensor:
    """Codes for this generator from its prior: see `kgan.latent.sample_codes`.

    Args:
        count, seed: see there.
        labels: (count,), or one for all: classes for a conditional model; default: random, with equal probability.

    Raises:
        ValueError: see there; for labels that the model does not know.

    Example:
        >>> model.sample_codes(3, seed=1).shape
        TensorShape([3, 100])
    """
    codes = latent.sample_codes(count, model.latent_dim, model.prior, seed)
    if not model.classes:
        _refuse_labels(model, labels)
        return codes
    if labels is None:
        seeds = seed if isinstance(seed, (tuple, list)) else (seed,)
        drawn = latent.sample_codes(count, 1, "uniform", (*seeds, latent.Stream.LABELS))
        labels = tf.cast((drawn[:, 0] + 1) / 2 * model.classes, tf.int32)
    else:
        labels = label_array(labels)
        labels = checked_labels(labels if labels.ndim else np.full(count, labels), int(count), model.classes)
    return latent.with_labels(codes, tf.one_hot(labels, model.classes))


def generate(
    model: keras.Model,
    codes: int | np.ndarray | tf.Tensor | None = None,
    *,
    labels: Sequence[int] | None = None,
    seed: int = 0,
    batch_size: int = 256,
) -> np.ndarray:
    """Fake images, (count, …), float32, in [-1, 1] where the generator ends in tanh.

    Args:
        codes: (count, latent_dim), or how many to draw from the prior; the default is one for each label. The codes of
            a conditional model include their classes: see `sample_codes`.
        labels: classes to draw, for a conditional model: whole numbers from 0, one for each image, or one for all.
        seed: the same seed draws the same codes.
        batch_size: how many go through the generator at a time.

    Raises:
        ValueError: for a count or a batch size below 1, codes of another width, labels that the model does not know.

    Example:
        >>> model.generate(3, seed=1).shape
        (3, 28, 28, 1)
    """
    _refuse_labels(model, labels)
    labels = None if labels is None else label_array(labels)  # a generator can be read only once
    if codes is None:
        if labels is None:
            raise Mistake("generate was given neither codes nor labels: say how many images to draw")
        codes = len(labels) if labels.ndim else 1
    if np.ndim(codes) == 0:
        [count] = whole_numbers(images=codes)
        codes = model.sample_codes(count, seed, labels)
    elif labels is not None:
        raise Mistake("generate was given codes and labels: the codes have their classes already")
    codes = np.asarray(codes, np.float32)
    if codes.ndim != 2 or codes.shape[1] != model.code_dim or not len(codes):
        raise Mistake(f"codes have shape {codes.shape}: this generator takes (count, {model.code_dim})")
    return in_batches(model.draw_function(), codes, batch_size)


def score(
    model: keras.Model,
    images: np.ndarray | tf.Tensor,
    *,
    labels: Sequence[int] | None = None,
    batch_size: int = 256,
) -> np.ndarray:
    """How real the discriminator finds each image: logits, (count,), float32; the higher, the more real.

    Args:
        images: (count, …), in [-1, 1].
        labels: their classes, for a conditional model.
        batch_size: how many go through the discriminator at a time.

    Raises:
        ValueError: for images of another shape or outside [-1, 1], labels that are missing or not the model's.

    Example:
        >>> model.score(model.generate(3)).shape
        (3,)
    """
    images = np.asarray(images, np.float32)
    check_images(images, model.data_shape)
    _refuse_labels(model, labels)
    labels = checked_labels(labels, len(images), model.classes)

    def logits(rows: np.ndarray) -> tf.Tensor:
        classes = None if labels is None else tf.one_hot(labels[rows], model.classes)
        return model.discriminate(tf.constant(images[rows]), False, classes).logits[:, 0]

    return in_batches(logits, np.arange(len(images)), batch_size)


def _refuse_labels(model: keras.Model, labels: Sequence[int] | None) -> None:
    if labels is not None and not model.classes:
        raise Mistake("this model is not conditional, so it knows no classes: leave labels out")
