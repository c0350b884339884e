"""Augmentations: what happens to every image that the discriminator is trained on, real and fake alike.

An augmentation is a function; to add one, write it: `kgan.DCGAN(augment=[("instance_noise", 0.1), my_augmentation])`.
It gets images (batch, height, width, channels) and returns as many, which can leave [-1, 1]. Gradients flow through it
to the generator. `strength` is 0 or more; 0 changes nothing. `random` gives numbers (batch, units) of a prior. They
depend only on the seed, the step and the position of an image in its batch, so a resumed run augments exactly as a run
that was never stopped.

    >>> random = lambda units, prior: kgan.latent.sample_codes(4, units, prior)
    >>> instance_noise(tf.zeros((4, 8, 8, 1)), random, strength=0.1).shape
    TensorShape([4, 8, 8, 1])
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from kgan._backend import keras, tf
from kgan.checks import named
from kgan.errors import Mistake

Random = Callable[[int, str], tf.Tensor]


def instance_noise(images: tf.Tensor, random: Random, strength: float = 0.1) -> tf.Tensor:
    """x + strength · ε, ε ~ N(0, 1): Sønderby et al. (2017), *Amortised MAP Inference for Image Super-Resolution*, 2.3.

    Shao, Li, Jiang, *A Survey of DCGAN based Unsupervised Decoding and Image Generation*, add it to the real images.
    Here the fakes get it too: otherwise the noise would tell real from fake. Works on vectors as well.
    """
    shape = images.shape[1:]
    noise = tf.reshape(random(math.prod(shape), "normal"), (-1, *shape))
    return images + tf.cast(strength * noise, images.dtype)


def translation(images: tf.Tensor, random: Random, strength: float = 0.125) -> tf.Tensor:
    """x′[i, j] = x[i - u₁, j - u₂]: each image is shifted by up to strength · size pixels, and the gap filled with 0.

    Zhao et al. (2020), *Differentiable Augmentation for Data-Efficient GAN Training*, section 3.3, with their 1/8.
    """
    size = tuple(images.shape[1:3])
    shifts = tf.cast(tf.round(strength * random(2, "uniform") * tf.cast(size, tf.float32)), tf.int32)  # (batch, 2)
    moved = []
    for n, shift in zip(size, tf.unstack(shifts, axis=1), strict=True):
        distance = tf.range(n)[:, tf.newaxis] - tf.range(n)  # [to, from]
        moved.append(tf.cast(distance == shift[:, tf.newaxis, tf.newaxis], images.dtype))  # 0 or 1
    # Matrix products: exact on a CPU, and faster than gathering by index, whose gradient is slow.
    return tf.einsum("bij,bkl,bjlc->bikc", *moved, images, optimize="optimal")


def cutout(images: tf.Tensor, random: Random, strength: float = 0.5) -> tf.Tensor:
    """x′[i, j] = 0 where |i - p₁| < strength · height / 2 and |j - p₂| < strength · width / 2, at a random place p.

    DeVries and Taylor (2017), *Improved Regularization of Convolutional Neural Networks with Cutout*. Zhao et al.
    (2020), section 3.3, take half of the size.
    """
    inside = []
    for n, place in zip(images.shape[1:3], tf.unstack(random(2, "uniform"), axis=1), strict=True):
        middle = (place[:, tf.newaxis] + 1) / 2 * n - 0.5  # the middle, anywhere in the image
        inside.append(tf.abs(tf.range(n, dtype=tf.float32) - middle) < strength * n / 2)
    hole = inside[0][:, :, tf.newaxis, tf.newaxis] & inside[1][:, tf.newaxis, :, tf.newaxis]
    return tf.where(hole, tf.zeros((), images.dtype), images)


def color(images: tf.Tensor, random: Random, strength: float = 1.0) -> tf.Tensor:
    """Random brightness, saturation and contrast of each image: Zhao et al. (2020), section 3.3.

        x + u₁ / 2, then distances from a pixel's mean × (1 + u₂), then distances from the image's mean × (1 + u₃ / 2)

    with uᵢ ~ strength · U(-1, 1). Gray images have no saturation.
    """
    numbers = tf.cast(strength * random(3, "uniform"), images.dtype)[:, tf.newaxis, tf.newaxis, :]
    brightness, saturation, contrast = tf.split(numbers, 3, axis=3)  # (batch, 1, 1, 1) each
    images += brightness / 2
    gray = tf.reduce_mean(images, axis=3, keepdims=True)
    images = gray + (images - gray) * (1 + saturation)
    mean = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
    return mean + (images - mean) * (1 + contrast / 2)


AUGMENTATIONS = {
    "instance_noise": instance_noise,
    "translation": translation,
    "cutout": cutout,
    "color": color,
}
OF_IMAGES = (translation, cutout, color)  # of (height, width, channels) alone


class Augmentation(NamedTuple):
    """An augmentation and its strength; None: the default of the function."""

    function: Callable[..., tf.Tensor]
    strength: float | None

    def __call__(self, images: tf.Tensor, random: Random) -> tf.Tensor:
        return self.function(images, random, *(() if self.strength is None else (self.strength,)))


def get(
    augment: Sequence[str | Callable | tuple[str | Callable, float]], data_shape: Sequence[int]
) -> list[Augmentation]:
    """The augmentations of these names or functions for examples of a shape; a Mistake for anything else."""
    signature = "(images, random), or (images, random, strength) where it is given with a strength"
    found = [Augmentation(*entry) for entry in named(augment, AUGMENTATIONS, "augmentation", signature, "strength")]
    for function, _ in found:
        if isinstance(function, keras.Layer):
            example = "lambda images, random: layer(images, training=True)"
            raise Mistake(f"{type(function).__name__} is a layer: pass a function, such as {example}")
        if function in OF_IMAGES and len(data_shape) != 3:
            name, shape = function.__name__, tuple(data_shape)
            raise Mistake(f"{name} is for images, (height, width, channels): the data have shape {shape}")
    return found
