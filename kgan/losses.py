"""Adversarial losses: pure functions of logits, the paper's formula above each.

In the first three, D(x) = σ(logit) is the probability that x is real. With the softplus ζ(a) = log(1 + eᵃ),
-log D(x) = ζ(-logit) and -log(1 - D(x)) = ζ(logit), so they never compute log 0, however certain the discriminator is.
In the others D is the logit itself.

A loss is a pair of such functions, one for each network: `model.compile(loss=(my_d_loss, my_g_loss))`. Both get the
logits of real images and of fakes, (batch, 1) each, and return a scalar, or a value for each image, whose mean counts.
With label_smoothing=0.1 the target for real images is 0.9 instead of 1; that for fakes does not change (one-sided,
Salimans et al. 2016, section 3.4).

    >>> float(discriminator_loss(tf.zeros((4, 1)), tf.zeros((4, 1))))  # 2 ln 2
    1.3862943649291992
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from kgan._backend import tf
from kgan.checks import check
from kgan.errors import Mistake


def discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor, label_smoothing: float = 0.0) -> tf.Tensor:
    """D: -E[log D(x)] - E[log(1 - D(G(z)))], the negative value function of Goodfellow et al. (2014), equation 1."""
    real_as_real = tf.reduce_mean(tf.nn.softplus(-real_logits))  # -E[log D(x)]
    real_as_fake = tf.reduce_mean(tf.nn.softplus(real_logits))  # -E[log(1 - D(x))]
    fake_as_fake = tf.reduce_mean(tf.nn.softplus(fake_logits))  # -E[log(1 - D(G(z)))]
    return (1 - label_smoothing) * real_as_real + label_smoothing * real_as_fake + fake_as_fake


def minimax(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """G: E[log(1 - D(G(z)))], Algorithm 1 of Goodfellow et al. (2014), last line.

    Its gradient vanishes where the discriminator is certain that the fakes are fake, unlike `non_saturating`'s.
    """
    return -tf.reduce_mean(tf.nn.softplus(fake_logits))


def non_saturating(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """G: -E[log D(G(z))], section 3 of Goodfellow et al. (2014)."""
    return tf.reduce_mean(tf.nn.softplus(-fake_logits))


def least_squares_discriminator(
    real_logits: tf.Tensor, fake_logits: tf.Tensor, label_smoothing: float = 0.0
) -> tf.Tensor:
    """D: E[(D(x) - 1)²] / 2 + E[D(G(z))²] / 2: Mao et al. (2017), *Least Squares GANs*, equation 9."""
    real_errors = real_logits - (1 - label_smoothing)
    return (tf.reduce_mean(tf.square(real_errors)) + tf.reduce_mean(tf.square(fake_logits))) / 2


def least_squares_generator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """G: E[(D(G(z)) - 1)²] / 2, of the same equation."""
    return tf.reduce_mean(tf.square(fake_logits - 1)) / 2


def hinge_discriminator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """D: E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))]: Lim and Ye (2017), *Geometric GAN*."""
    return tf.reduce_mean(tf.nn.relu(1 - real_logits)) + tf.reduce_mean(tf.nn.relu(1 + fake_logits))


def wasserstein_discriminator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """D: E[D(G(z))] - E[D(x)]: Arjovsky et al. (2017), *Wasserstein GAN*, equation 2.

    It falls without limit unless something bounds the slope of the discriminator: the penalty
    `kgan.penalties.gradient_penalty`, or spectral normalization.
    """
    return tf.reduce_mean(fake_logits) - tf.reduce_mean(real_logits)


def wasserstein_generator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """G: -E[D(G(z))], for `wasserstein_discriminator` and `hinge_discriminator`."""
    return -tf.reduce_mean(fake_logits)


def relativistic_discriminator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """D: E[ζ(D(G(z)) - D(x))], where the n-th real image meets the n-th fake.

    Jolicoeur-Martineau (2019), *The relativistic discriminator*. Huang et al. (2024), *The GAN is dead; long live the
    GAN!*, show that with the penalties r1 and r2 it keeps the generator from dropping modes.
    """
    return tf.reduce_mean(tf.nn.softplus(fake_logits - real_logits))


def relativistic_generator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """G: E[ζ(D(x) - D(G(z)))], for `relativistic_discriminator`."""
    return tf.reduce_mean(tf.nn.softplus(real_logits - fake_logits))


class AdversarialLoss(NamedTuple):
    """The losses that the two networks minimize: functions (real_logits, fake_logits) → scalar."""

    discriminator: Callable[..., tf.Tensor]
    generator: Callable[..., tf.Tensor]


LOSSES = {
    "minimax": AdversarialLoss(discriminator_loss, minimax),
    "non_saturating": AdversarialLoss(discriminator_loss, non_saturating),
    "least_squares": AdversarialLoss(least_squares_discriminator, least_squares_generator),
    "hinge": AdversarialLoss(hinge_discriminator, wasserstein_generator),
    "wasserstein": AdversarialLoss(wasserstein_discriminator, wasserstein_generator),
    "relativistic": AdversarialLoss(relativistic_discriminator, relativistic_generator),
}
WITHOUT_PROBABILITIES = ("least_squares", "hinge", "wasserstein", "relativistic")  # σ(logit) is no probability
PAIRED = ("relativistic",)  # they compare the n-th real image with the n-th fake
UNBOUNDED = ("wasserstein",)  # they fall without limit unless the slope of the discriminator is bounded


def get(loss: str | tuple[Callable, Callable], label_smoothing: float = 0.0, top_k: float = 1.0) -> AdversarialLoss:
    """The losses of the two networks, as `compile` describes them; a Mistake for what it does not take."""
    check(label_smoothing=label_smoothing, top_k=top_k)
    if top_k < 1 and name_of(loss) in PAIRED:
        raise Mistake(f"top_k is {top_k}, but loss {name_of(loss)} compares each fake with a real image: leave it at 1")
    if isinstance(loss, str) and loss in LOSSES:
        pair = LOSSES[loss]
    elif isinstance(loss, (tuple, list)) and len(loss) == 2 and all(map(callable, loss)):
        pair = AdversarialLoss(*loss)
    else:
        raise Mistake(f"unknown loss {loss!r}: choose {', '.join(LOSSES)} or two functions (discriminator, generator)")
    for network, function in pair._asdict().items():
        if not _takes(function, "real_logits", "fake_logits"):
            raise Mistake(
                f"the {network}'s loss must take two arguments, (real_logits, fake_logits): call Keras' losses, "
                "which take (y_true, y_pred), within such a function"
            )
    if label_smoothing:
        if not _takes(pair.discriminator, "real_logits", "fake_logits", label_smoothing=label_smoothing):
            raise Mistake(
                f"label_smoothing is {label_smoothing}, but the loss has no target that it could change: leave it at 0"
            )
        pair = pair._replace(discriminator=functools.partial(pair.discriminator, label_smoothing=label_smoothing))
    if top_k < 1:
        pair = pair._replace(generator=functools.partial(top_k_loss, pair.generator, top_k))
    return pair


def name_of(loss: str | tuple[Callable, Callable]) -> str | None:
    """The name in `LOSSES` of a loss that is given by name or as its two functions; None for any other loss."""
    loss = tuple(loss) if isinstance(loss, list) else loss
    return next((name for name, pair in LOSSES.items() if loss in (name, pair)), None)


def _takes(function: Callable, *arguments: Any, **keywords: Any) -> bool:
    """Whether a function can be called like this, and is none of Keras' losses."""
    try:
        signature = inspect.signature(function)
        signature.bind(*arguments, **keywords)
    except TypeError:
        return False
    except ValueError:  # a builtin, whose arguments Python does not know
        return True
    return "y_true" not in signature.parameters


def top_k_loss(
    generator_loss: Callable[..., tf.Tensor], top_k: float, real_logits: tf.Tensor, fake_logits: tf.Tensor
) -> tf.Tensor:
    """The generator's loss on the ⌈top_k · batch⌉ fakes with the largest logits: the others tell it little.

    Sinha et al. (2020), *Top-k Training of GANs*, section 3, where top_k falls from 1 to 1/2 during training. Under a
    `tf.distribute` strategy each replica takes the best of its own fakes.
    """
    count = tf.cast(tf.math.ceil(top_k * tf.cast(tf.shape(fake_logits)[0], tf.float32)), tf.int32)
    best = tf.math.top_k(fake_logits[:, 0], count).values
    return generator_loss(real_logits, best[:, None])


def code_l1(codes: tf.Tensor, read_codes: tf.Tensor) -> tf.Tensor:
    """E[Σ |z - E(G(z))|], of codes (batch, latent_dim) and those that a `kgan.CodeGAN` reads back from their images.

    Shao, Li, Jiang, *A Survey of DCGAN based Unsupervised Decoding and Image Generation*, equation 3: a sum over the
    units of a code. A mean over them would make the paper's weight a hundred times weaker.
    """
    return tf.reduce_mean(tf.reduce_sum(tf.abs(codes - read_codes), axis=1))


def code_l2(codes: tf.Tensor, read_codes: tf.Tensor) -> tf.Tensor:
    """E[Σ (z - E(G(z)))²], "the sum of squared differences" in section 4 of the same paper."""
    return tf.reduce_mean(tf.reduce_sum(tf.square(codes - read_codes), axis=1))


CODE_LOSSES = {"l1": code_l1, "l2": code_l2}


def code_loss_of_guessing(latent_dim: int, prior: str = "normal", code_loss: str = "l2") -> float:
    """The code loss of a discriminator that has learned nothing and always answers with the prior's mean, 0."""
    l1, l2 = (1 / 2, 1 / 3) if prior == "uniform" else (math.sqrt(2 / math.pi), 1.0)  # E|z| and E z² of a unit
    return latent_dim * (l1 if code_loss == "l1" else l2)
