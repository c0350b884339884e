"""Adversarial losses: pure functions of logits, the paper's formula above each.

D(x) = σ(logit) is the probability that x is real, and ζ(a) = log(1 + eᵃ) is the softplus, so that
-log D(x) = ζ(-logit) and -log(1 - D(x)) = ζ(logit). Written with ζ, the losses never compute log 0, however certain
the discriminator is.

A loss is a pair of functions of (real_logits, fake_logits), one for each network. Both functions get both logits, so a
loss may compare real with fake: `model.compile(loss=(my_discriminator_loss, my_generator_loss))`.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from kgan._backend import tf
from kgan.errors import Mistake


def discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor, label_smoothing: float = 0.0) -> tf.Tensor:
    """The discriminator's loss: the negative of the value function of Goodfellow et al. (2014), eq. 1.

        -E[log D(x)] - E[log(1 - D(G(z)))]

    One-sided label smoothing (Salimans et al. 2016, section 3.4) sets the target for real images to 1 - label_smoothing
    instead of 1, and does not change the target for fakes.

    Args:
        real_logits: the discriminator's logits for real images, shape (batch, 1).
        fake_logits: its logits for fake images, shape (batch, 1).
        label_smoothing: from 0 to 0.5; with 0.1 the target is D(x) = 0.9.

    Returns:
        A scalar; 2 ln 2 where all logits are 0.

    Example:
        >>> float(discriminator_loss(tf.zeros((4, 1)), tf.zeros((4, 1))))
        1.3862943649291992
    """
    real_as_real = tf.reduce_mean(tf.nn.softplus(-real_logits))  # -E[log D(x)]
    real_as_fake = tf.reduce_mean(tf.nn.softplus(real_logits))  # -E[log(1 - D(x))]
    fake_as_fake = tf.reduce_mean(tf.nn.softplus(fake_logits))  # -E[log(1 - D(G(z)))]
    return (1 - label_smoothing) * real_as_real + label_smoothing * real_as_fake + fake_as_fake


def minimax(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """The generator's half of the minimax game: Algorithm 1 of Goodfellow et al. (2014), last line.

        E[log(1 - D(G(z)))]

    Its gradient vanishes where the discriminator is certain that the fakes are fake. This is why section 3 of the paper
    and most implementations use `non_saturating`.

    Args:
        real_logits: the discriminator's logits for real images, shape (batch, 1); not used.
        fake_logits: its logits for fake images, shape (batch, 1).

    Returns:
        A scalar, never above 0; -ln 2 where all logits are 0.

    Example:
        >>> float(minimax(tf.zeros((4, 1)), tf.zeros((4, 1))))
        -0.6931471824645996
    """
    return -tf.reduce_mean(tf.nn.softplus(fake_logits))


def non_saturating(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """The generator maximizes log D(G(z)) instead: Goodfellow et al. (2014), section 3.

        -E[log D(G(z))]

    Args:
        real_logits: the discriminator's logits for real images, shape (batch, 1); not used.
        fake_logits: its logits for fake images, shape (batch, 1).

    Returns:
        A scalar, never below 0; ln 2 where all logits are 0.

    Example:
        >>> float(non_saturating(tf.zeros((4, 1)), tf.zeros((4, 1))))
        0.6931471824645996
    """
    return tf.reduce_mean(tf.nn.softplus(-fake_logits))


def least_squares_discriminator(
    real_logits: tf.Tensor, fake_logits: tf.Tensor, label_smoothing: float = 0.0
) -> tf.Tensor:
    """The discriminator aims at 1 for real images and at 0 for fakes: Mao et al. (2017), *Least Squares GANs*, eq. 9.

        E[(D(x) - 1)²] / 2 + E[D(G(z))²] / 2

    D is the logit itself, here and in the losses below.

    Args:
        real_logits: the discriminator's logits for real images, shape (batch, 1).
        fake_logits: its logits for fake images, shape (batch, 1).
        label_smoothing: from 0 to 0.5; the target for real images is 1 - label_smoothing.

    Returns:
        A scalar, never below 0; 1/2 where all logits are 0.

    Example:
        >>> float(least_squares_discriminator(tf.zeros((4, 1)), tf.zeros((4, 1))))
        0.5
    """
    real_error = tf.reduce_mean(tf.square(real_logits - (1 - label_smoothing)))
    return (real_error + tf.reduce_mean(tf.square(fake_logits))) / 2


def least_squares_generator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """The generator aims at 1 for its fakes: Mao et al. (2017), eq. 9.

        E[(D(G(z)) - 1)²] / 2

    Args:
        real_logits: the discriminator's logits for real images, shape (batch, 1); not used.
        fake_logits: its logits for fake images, shape (batch, 1).

    Returns:
        A scalar, never below 0; 1/2 where all logits are 0.

    Example:
        >>> float(least_squares_generator(tf.zeros((4, 1)), tf.zeros((4, 1))))
        0.5
    """
    return tf.reduce_mean(tf.square(fake_logits - 1)) / 2


def hinge_discriminator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """The discriminator's loss is 0 for logits on the right side of a margin of 1: Miyato et al. (2018), eq. 16.

        E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))]

    *Spectral Normalization for Generative Adversarial Networks*; first in Lim and Ye (2017), *Geometric GAN*.

    Args:
        real_logits: the discriminator's logits for real images, shape (batch, 1).
        fake_logits: its logits for fake images, shape (batch, 1).

    Returns:
        A scalar, never below 0; 2 where all logits are 0.

    Example:
        >>> float(hinge_discriminator(tf.zeros((4, 1)), tf.zeros((4, 1))))
        2.0
    """
    return tf.reduce_mean(tf.nn.relu(1 - real_logits)) + tf.reduce_mean(tf.nn.relu(1 + fake_logits))


def wasserstein_discriminator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """The critic's estimate of the Wasserstein distance, negative: Arjovsky et al. (2017), *Wasserstein GAN*, eq. 2.

        E[D(G(z))] - E[D(x)]

    It falls without limit unless something bounds the slope of the discriminator: the penalty
    `kgan.penalties.gradient_penalty`, or spectral normalization.

    Args:
        real_logits: the discriminator's logits for real images, shape (batch, 1).
        fake_logits: its logits for fake images, shape (batch, 1).

    Returns:
        A scalar; 0 where all logits are 0.

    Example:
        >>> float(wasserstein_discriminator(tf.ones((4, 1)), tf.zeros((4, 1))))
        -1.0
    """
    return tf.reduce_mean(fake_logits) - tf.reduce_mean(real_logits)


def wasserstein_generator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """The generator raises the logits of its fakes: Arjovsky et al. (2017), Algorithm 1; Miyato et al. (2018), eq. 17.

        -E[D(G(z))]

    Args:
        real_logits: the discriminator's logits for real images, shape (batch, 1); not used.
        fake_logits: its logits for fake images, shape (batch, 1).

    Returns:
        A scalar; 0 where all logits are 0.

    Example:
        >>> float(wasserstein_generator(tf.zeros((4, 1)), tf.ones((4, 1))))
        -1.0
    """
    return -tf.reduce_mean(fake_logits)


def relativistic_discriminator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Each real image should look more real than a fake: Jolicoeur-Martineau (2019), *The relativistic discriminator*.

        E[ζ(D(G(z)) - D(x))]

    The n-th real image is paired with the n-th fake. Huang et al. (2024), *The GAN is dead; long live the GAN!*, show
    that this loss, together with the penalties r1 and r2, keeps the generator from dropping modes.

    Args:
        real_logits: the discriminator's logits for real images, shape (batch, 1).
        fake_logits: its logits for as many fake images, shape (batch, 1).

    Returns:
        A scalar, never below 0; ln 2 where all logits are 0.

    Example:
        >>> float(relativistic_discriminator(tf.zeros((4, 1)), tf.zeros((4, 1))))
        0.6931471824645996
    """
    return tf.reduce_mean(tf.nn.softplus(fake_logits - real_logits))


def relativistic_generator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Each fake should look more real than a real image: the discriminator's loss with real and fake exchanged.

        E[ζ(D(x) - D(G(z)))]

    Args:
        real_logits: the discriminator's logits for real images, shape (batch, 1).
        fake_logits: its logits for as many fake images, shape (batch, 1).

    Returns:
        A scalar, never below 0; ln 2 where all logits are 0.

    Example:
        >>> float(relativistic_generator(tf.zeros((4, 1)), tf.zeros((4, 1))))
        0.6931471824645996
    """
    return tf.reduce_mean(tf.nn.softplus(real_logits - fake_logits))


def of_top_k(
    generator_loss: Callable[..., tf.Tensor], top_k: float, real_logits: tf.Tensor, fake_logits: tf.Tensor
) -> tf.Tensor:
    """A generator's loss on only its best fakes: Sinha et al. (2020), *Top-k Training of GANs*, section 3.

        generator_loss of the ⌈top_k · batch⌉ fakes with the largest logits

    The fakes that the discriminator finds least real tell the generator little about the right direction. The paper
    begins with all fakes and ends with half of them; here the fraction stays the same. Under a `tf.distribute` strategy
    each replica takes the best of its own fakes.

    Args:
        generator_loss: a function of (real_logits, fake_logits) that does not pair the n-th real image with the n-th
            fake.
        top_k: fraction of the fakes that is kept, above 0, up to 1; at least one fake is kept.
        real_logits: the discriminator's logits for real images, shape (batch, 1).
        fake_logits: its logits for fake images, shape (batch, 1).

    Returns:
        A scalar.

    Example:
        >>> float(of_top_k(wasserstein_generator, 0.5, tf.zeros((4, 1)), tf.constant([[1.0], [5.0], [3.0], [2.0]])))
        -4.0
    """
    count = tf.cast(tf.math.ceil(top_k * tf.cast(tf.shape(fake_logits)[0], tf.float32)), tf.int32)
    best = tf.math.top_k(fake_logits[:, 0], count).values
    return generator_loss(real_logits, best[:, None])


def code_l1(codes: tf.Tensor, read_codes: tf.Tensor) -> tf.Tensor:
    """The distance between the codes that are read back from images and the codes that the images were drawn from.

        E[Σ |z - E(G(z))|]

    Shao, Li, Jiang, *A Survey of DCGAN based Unsupervised Decoding and Image Generation*, equation 3. It is summed over
    the units of a code: a mean over them would make the paper's weight a hundred times weaker.

    Args:
        codes, read_codes: (batch, latent_dim).

    Returns:
        A scalar, 0 where they agree.

    Example:
        >>> float(code_l1(tf.constant([[1.0, 2.0]]), tf.constant([[0.0, -1.0]])))
        4.0
    """
    return tf.reduce_mean(tf.reduce_sum(tf.abs(codes - read_codes), axis=1))


def code_l2(codes: tf.Tensor, read_codes: tf.Tensor) -> tf.Tensor:
    """The same with squares, as section 4 of the paper says: "the sum of squared differences".

        E[Σ (z - E(G(z)))²]

    Args:
        codes, read_codes: (batch, latent_dim).

    Returns:
        A scalar, 0 where they agree.

    Example:
        >>> float(code_l2(tf.constant([[1.0, 2.0]]), tf.constant([[0.0, -1.0]])))
        10.0
    """
    return tf.reduce_mean(tf.reduce_sum(tf.square(codes - read_codes), axis=1))


CODE_LOSSES = {"l1": code_l1, "l2": code_l2}


def code_loss_of_guessing(latent_dim: int, prior: str = "normal", code_loss: str = "l2") -> float:
    """The code loss of a discriminator that has learned nothing and always answers with the prior's mean, 0.

    For a unit of N(0, 1), E|z| = √(2/π) and E z² = 1. For a unit of U(-1, 1) they are 1/2 and 1/3.

    Args:
        latent_dim: units of a code.
        prior: "normal" or "uniform".
        code_loss: "l1" or "l2".

    Raises:
        KeyError: for another prior or loss.

    Example:
        >>> code_loss_of_guessing(100)
        100.0
    """
    unit = {
        ("normal", "l1"): math.sqrt(2 / math.pi),
        ("normal", "l2"): 1.0,
        ("uniform", "l1"): 1 / 2,
        ("uniform", "l2"): 1 / 3,
    }
    return latent_dim * unit[prior, code_loss]


class AdversarialLoss(NamedTuple):
    """The losses that the two networks minimize: functions (real_logits, fake_logits) → scalar.

    Attributes:
        discriminator: the discriminator's loss.
        generator: the generator's loss. Logits of real images are computed for it only if it uses them.
    """

    discriminator: Callable[..., tf.Tensor]
    generator: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


LOSSES = {
    "minimax": AdversarialLoss(discriminator_loss, minimax),
    "non_saturating": AdversarialLoss(discriminator_loss, non_saturating),
    "least_squares": AdversarialLoss(least_squares_discriminator, least_squares_generator),
    "hinge": AdversarialLoss(hinge_discriminator, wasserstein_generator),
    "wasserstein": AdversarialLoss(wasserstein_discriminator, wasserstein_generator),
    "relativistic": AdversarialLoss(relativistic_discriminator, relativistic_generator),
}
# Their logits are not log-odds: σ of them lies between 0 and 1, but is no probability of being real.
WITHOUT_PROBABILITIES = ("least_squares", "hinge", "wasserstein", "relativistic")
PAIRED = ("relativistic",)  # they compare the n-th real image with the n-th fake


def get(loss: str | tuple[Callable, Callable], label_smoothing: float = 0.0, top_k: float = 1.0) -> AdversarialLoss:
    """The pair of losses with this name, or the given pair, with one-sided label smoothing for the discriminator.

    Args:
        loss: a name in `LOSSES`, or two functions (discriminator_loss, generator_loss) of (real_logits, fake_logits).
        label_smoothing: passed to the discriminator's loss where it is not 0.
        top_k: the generator's loss is computed on this fraction of the fakes, the most real ones: see `of_top_k`.

    Raises:
        ValueError: for an unknown name or anything else but two such functions; for label_smoothing outside [0, 0.5],
            or with a discriminator's loss that does not take it; for top_k outside (0, 1], or below 1 with a loss that
            compares each fake with a real image.

    Example:
        >>> get("minimax").generator is minimax
        True
    """
    if not 0 <= label_smoothing <= 0.5:
        raise Mistake(f"label_smoothing is {label_smoothing}: it lies between 0 and 0.5")
    if not 0 < top_k <= 1:
        raise Mistake(f"top_k is {top_k}: it is the fraction of the fakes that is kept, above 0 and at most 1")
    if top_k < 1 and name_of(loss) in PAIRED:
        raise Mistake(
            f"top_k is {top_k}, but loss {name_of(loss)} compares each fake with a real image: leave top_k at 1"
        )
    if isinstance(loss, str) and loss in LOSSES:
        pair = LOSSES[loss]
    elif isinstance(loss, (tuple, list)) and len(loss) == 2 and all(map(callable, loss)):
        pair = AdversarialLoss(*loss)
    else:
        raise Mistake(f"unknown loss {loss!r}: choose {', '.join(LOSSES)} or two functions (discriminator, generator)")
    for name, function in pair._asdict().items():
        if not _takes(function, "real_logits", "fake_logits"):
            raise Mistake(f"the {name}'s loss must take two arguments, (real_logits, fake_logits)")
    if label_smoothing:
        if not _takes(pair.discriminator, "real_logits", "fake_logits", label_smoothing=label_smoothing):
            raise Mistake(
                f"label_smoothing is {label_smoothing}, but the loss has no target that it could change: leave it at 0"
            )
        pair = pair._replace(discriminator=functools.partial(pair.discriminator, label_smoothing=label_smoothing))
    if top_k < 1:
        pair = pair._replace(generator=functools.partial(of_top_k, pair.generator, top_k))
    return pair


def name_of(loss: str | tuple[Callable, Callable]) -> str | None:
    """The name in `LOSSES` of a loss that is given by name or as its two functions; None for any other loss.

    Example:
        >>> name_of(LOSSES["hinge"])
        'hinge'
    """
    loss = tuple(loss) if isinstance(loss, list) else loss
    return next((name for name, pair in LOSSES.items() if loss in (name, pair)), None)


def _takes(function: Callable, *arguments: Any, **keywords: Any) -> bool:
    try:
        inspect.signature(function).bind(*arguments, **keywords)
    except TypeError:
        return False
    except ValueError:  # a builtin, whose arguments Python does not know
        return True
    return True
