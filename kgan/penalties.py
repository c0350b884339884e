"""Penalties: what may be added to the discriminator's loss, the paper's formula above each.

A penalty is a function (discriminator, real_images, fake_images) → scalar, and a new one is a new function:
`model.compile(penalties=[("r1", 10.0), my_penalty])`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from kgan._backend import tf
from kgan._named import named

Discriminator = Callable[[tf.Tensor], tf.Tensor]


def r1(discriminator: Discriminator, real_images: tf.Tensor, fake_images: tf.Tensor) -> tf.Tensor:
    """Half of the squared gradient of the logits by the pixels of real images.

        E[‖∇D(x)‖²] / 2

    Mescheder, Geiger, Nowozin (2018), *Which Training Methods for GANs do actually Converge?*, equation 9; its γ is the
    weight of the penalty.

    Args:
        discriminator: images → logits (batch, 1).
        real_images: (batch, …).
        fake_images: (batch, …); not used.

    Returns:
        A scalar, 0 or more.

    Example:
        >>> float(r1(lambda images: 3 * images, tf.zeros((4, 1)), tf.zeros((4, 1))))
        4.5
    """
    with tf.GradientTape() as tape:
        tape.watch(real_images)
        # Summed: an image's gradient is then its own, as it has no part in the logits of others (unless the
        # discriminator has batch normalization).
        logits = tf.reduce_sum(discriminator(real_images))
    gradient = tf.cast(tape.gradient(logits, real_images), tf.float32)  # squares would overflow half precision
    return tf.reduce_mean(tf.reduce_sum(tf.square(gradient), axis=tf.range(1, tf.rank(gradient)))) / 2


PENALTIES = {
    "r1": r1,
}


class Penalty(NamedTuple):
    """A penalty and its weight in the discriminator's loss."""

    function: Callable[[Discriminator, tf.Tensor, tf.Tensor], tf.Tensor]
    weight: float


def get(penalties: Sequence[str | Callable | tuple[str | Callable, float]]) -> list[Penalty]:
    """The penalties of these names or functions, each with its weight.

    Args:
        penalties: names in `PENALTIES` or functions, with the weight 1; or pairs (name or function, weight).

    Raises:
        ValueError: for an unknown name, something else, or a weight that is negative or not finite.

    Example:
        >>> get([("r1", 10.0)])[0].weight
        10.0
    """
    signature = "(discriminator, real_images, fake_images)"
    found = named(penalties, PENALTIES, "penalty", signature, "weight")
    return [Penalty(function, 1.0 if weight is None else float(weight)) for function, weight in found]
