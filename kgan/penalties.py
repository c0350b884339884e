"""Penalties: terms that can be added to the discriminator's loss, each with the formula of its paper.

A penalty is a function; to add one, write it: `model.compile(penalties=[("r1", 10.0), my_penalty])`. It gets the
discriminator, a function images → logits (batch, 1), and equally many real and fake images; with a fourth argument
`random` also random numbers (see `kgan.augment`). It returns a scalar.

    >>> float(r1(lambda images: 3 * images, tf.zeros((4, 1)), tf.zeros((4, 1))))
    4.5
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import NamedTuple

from kgan._backend import tf
from kgan.checks import named

Discriminator = Callable[[tf.Tensor], tf.Tensor]
Random = Callable[[int, str], tf.Tensor]


def r1(discriminator: Discriminator, real_images: tf.Tensor, fake_images: tf.Tensor) -> tf.Tensor:
    """E[‖∇D(x)‖²] / 2: Mescheder et al. (2018), *Which Training Methods for GANs do actually Converge?*, equation 9.

    The gradient of logits with respect to the pixels of real images. The weight is the paper's γ.
    """
    return tf.reduce_mean(_squared_slopes(discriminator, real_images)) / 2


def r2(discriminator: Discriminator, real_images: tf.Tensor, fake_images: tf.Tensor) -> tf.Tensor:
    """E[‖∇D(G(z))‖²] / 2: `r1` for fakes, equation 10 of the same paper."""
    return tf.reduce_mean(_squared_slopes(discriminator, fake_images)) / 2


def gradient_penalty(
    discriminator: Discriminator, real_images: tf.Tensor, fake_images: tf.Tensor, random: Random
) -> tf.Tensor:
    """E[(‖∇D(x̂)‖ - 1)²], x̂ = ε x + (1 - ε) G(z), ε ~ U(0, 1): a slope of 1 on the lines from real images to fakes.

    Gulrajani et al. (2017), *Improved Training of Wasserstein GANs*, equation 3. The weight is the paper's λ, there 10.
    It was made for the Wasserstein loss.
    """
    epsilon = tf.cast((random(1, "uniform") + 1) / 2, real_images.dtype)  # U(-1, 1) is drawn
    epsilon = tf.reshape(epsilon, (-1, *[1] * (real_images.shape.rank - 1)))
    squares = _squared_slopes(discriminator, epsilon * real_images + (1 - epsilon) * fake_images)
    slopes = tf.sqrt(tf.maximum(squares, 1e-12))  # the slope of the root is infinite at 0
    return tf.reduce_mean(tf.square(slopes - 1))


def _squared_slopes(discriminator: Discriminator, images: tf.Tensor) -> tf.Tensor:
    """‖∇D(x)‖² of each image, (batch,)."""
    with tf.GradientTape() as tape:
        tape.watch(images)
        # The gradient of the sum holds the gradient of each image's own logit, since an image does not change the
        # logits of others (unless the discriminator has batch normalization).
        logits = tf.reduce_sum(discriminator(images))
    gradient = tf.cast(tape.gradient(logits, images), tf.float32)  # squares would overflow half precision
    return tf.reduce_sum(tf.square(gradient), axis=tf.range(1, tf.rank(gradient)))


PENALTIES = {
    "r1": r1,
    "r2": r2,
    "gradient_penalty": gradient_penalty,
}
SLOPE_BOUNDING = ("gradient_penalty",)  # they bound the slope of an image's own logit, so images must not mix


class Penalty(NamedTuple):
    """A penalty and its weight in the discriminator's loss."""

    function: Callable[..., tf.Tensor]
    weight: float

    def __call__(self, discriminator: Discriminator, real: tf.Tensor, fake: tf.Tensor, random: Random) -> tf.Tensor:
        """The weighted penalty. Only functions with an argument `random` get random numbers."""
        numbers = (random,) if "random" in inspect.signature(self.function).parameters else ()
        return self.weight * self.function(discriminator, real, fake, *numbers)


def get(penalties: Sequence[str | Callable | tuple[str | Callable, float]]) -> list[Penalty]:
    """The penalties of these names or functions, each with its weight, by default 1; a Mistake for anything else."""
    signature = "(discriminator, real_images, fake_images), with random as a fourth argument where it needs numbers"
    found = named(penalties, PENALTIES, "penalty", signature, "weight")
    return [Penalty(function, 1.0 if weight is None else float(weight)) for function, weight in found]
