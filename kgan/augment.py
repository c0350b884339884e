"""Augmentations: what happens to every image that the discriminator is trained on, real and fake alike.

An augmentation is a function (images, random, strength) → images, and a new one is a new function:
`kgan.DCGAN(augment=[("instance_noise", 0.1), my_augmentation])`. `random(units, prior)` draws numbers for it,
(batch, units), which depend on the seed, the step and the place of an image in its batch alone; so a run that is
resumed augments as the run that was never stopped. Gradients reach the generator through it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from kgan._backend import tf
from kgan._named import named

Random = Callable[[int, str], tf.Tensor]


def instance_noise(images: tf.Tensor, random: Random, strength: float = 0.1) -> tf.Tensor:
    """Gaussian noise on every pixel: Sønderby et al. (2017), *Amortised MAP Inference for Image Super-Resolution*, 2.3.

        x + strength · ε, ε ~ N(0, 1)

    Shao, Li, Jiang, *A Survey of DCGAN based Unsupervised Decoding and Image Generation*, add it to the data; on the
    fakes as well, it does not tell the two apart.

    Args:
        images: (batch, …).
        random: (units, prior) → numbers (batch, units).
        strength: standard deviation of the noise, 0 or more.

    Returns:
        Images of the same shape. With noise they can leave [-1, 1].

    Example:
        >>> random = lambda units, prior: kgan.latent.sample_codes(4, units, prior)
        >>> instance_noise(tf.zeros((4, 8, 8, 1)), random, 0.1).shape
        TensorShape([4, 8, 8, 1])
    """
    shape = images.shape[1:]
    noise = tf.reshape(random(math.prod(shape), "normal"), (-1, *shape))
    return images + tf.cast(strength * noise, images.dtype)


AUGMENTATIONS = {
    "instance_noise": instance_noise,
}


class Augmentation(NamedTuple):
    """An augmentation, and how strong it is; None: as the function has it."""

    function: Callable[..., tf.Tensor]
    strength: float | None

    def __call__(self, images: tf.Tensor, random: Random) -> tf.Tensor:
        return self.function(images, random, *(() if self.strength is None else (self.strength,)))


def get(augment: Sequence[str | Callable | tuple[str | Callable, float]]) -> list[Augmentation]:
    """The augmentations of these names or functions, each with its strength.

    Args:
        augment: names in `AUGMENTATIONS` or functions; or pairs (name or function, strength).

    Raises:
        ValueError: for an unknown name, something else, or a strength that is negative or not finite.

    Example:
        >>> get([("instance_noise", 0.2)])[0].strength
        0.2
    """
    signature = "(images, random), or (images, random, strength) where it is given with a strength"
    return [Augmentation(*found) for found in named(augment, AUGMENTATIONS, "augmentation", signature, "strength")]
