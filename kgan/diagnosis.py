"""What can go wrong with a GAN, and its symptoms: rules, each a pure function of what was measured after each epoch.

A symptom becomes a finding only if it lasts for some epochs and some minibatches, so a run that recovers soon is not
reported. Each disease is found at most once in a run. `kgan.callbacks.Doctor` takes the measurements.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple


class Record(NamedTuple):
    """What was measured after an epoch, on the same codes and real images each time; None where it does not apply."""

    epoch: int  # counted from 1
    minibatches: int  # of real images that the discriminator has seen: steps × d_steps
    d_loss: float  # this and the next three: means over the epoch, as in the history
    g_loss: float
    d_real: float  # the probabilities are NaN where the loss gives none
    d_fake: float
    gradient_norm: float  # of the generator's loss with respect to its weights
    ns_gradient_norm: float  # the same for the non-saturating loss, -E[log D(G(z))]
    d_fake_eval: float  # mean probability that D, in training mode, gives to only fakes, as in the generator's step
    weight_norm: float  # of all trainable weights
    moved: float | None = None  # root mean square change of the fakes of the same codes since the previous epoch
    diversity: float | None = None  # how much two fakes differ: see `kgan.quality.diversity`
    real_diversity: float | None = None
    nearest: float | None = None  # mean distance of a fake to the nearest other fake
    real_nearest: float | None = None
    unsaturated_fraction: float | None = None  # of pixels that are not at -1 or 1
    real_unsaturated_fraction: float | None = None
    low: float | None = None  # range of the real images
    high: float | None = None
    class_frequencies: Sequence[float] | None = None  # how often each class occurs, if there is a classifier
    real_class_frequencies: Sequence[float] | None = None
    count: int | None = None  # of fakes that were looked at, and of real images


class Finding(NamedTuple):
    """A disease that was found."""

    disease: str
    epoch: int  # in which it was found
    since: int  # the first epoch that showed the symptom
    sentence: str  # what is wrong, with the evidence
    suggestion: str  # what helps
    source: str  # who described it

    def __str__(self) -> str:
        return f"epoch {self.epoch}: {self.sentence}. {self.suggestion}"


class Sick(RuntimeError):
    """Ends a run in which a disease was found, if the user asked for that with `stop_when_sick`."""


# A function of the records of all epochs so far: a sentence with the evidence if the newest epoch shows the symptom.
Symptom = Callable[[Sequence[Record]], str | None]


class Rule(NamedTuple):
    """A disease, and how long its symptom must last."""

    disease: str
    symptom: Symptom
    suggestion: str
    source: str
    epochs: int = 3
    minibatches: int = 150
    follows: Collection[str] = ()  # once one of these diseases, which cause it, is found, this one is not reported


def diagnose(records: Sequence[Record], found: Sequence[Finding] = ()) -> list[Finding]:
    """The diseases that are found with the newest of all epochs so far, besides those found earlier; most often none.

    Example:
        >>> measured = {"gradient_norm": 9.0, "ns_gradient_norm": 9.0, "d_fake_eval": 0.001, "weight_norm": 30.0}
        >>> epochs = [Record(n, 56 * n, 0.01, 8.0, 0.999, 0.001, **measured) for n in (1, 2, 3)]
        >>> print(diagnose(epochs)[0].sentence)
        The discriminator has won: it gives real images a probability of 0.999 of being real, and fakes 0.001
    """
    new: list[Finding] = []
    for rule in RULES:
        if _is_open(rule, [*found, *new]) and len(shown := _shown(rule, records)) >= rule.epochs:
            before = records[-len(shown) - 1].minibatches if len(shown) < len(records) else 0
            if records[-1].minibatches - before >= rule.minibatches:
                since = records[-len(shown)].epoch
                new.append(Finding(rule.disease, records[-1].epoch, since, shown[0], rule.suggestion, rule.source))
    return new


def shows_symptoms(records: Sequence[Record], found: Sequence[Finding] = ()) -> bool:
    """Whether the newest epoch shows a symptom of a disease that is not a finding yet. It may never become one."""
    return bool(records) and any(rule.symptom(records) for rule in RULES if _is_open(rule, found))


def _is_open(rule: Rule, found: Sequence[Finding]) -> bool:
    """Whether neither this disease nor one that causes it was found."""
    return not {rule.disease, *rule.follows} & {finding.disease for finding in found}


def _shown(rule: Rule, records: Sequence[Record]) -> list[str]:
    """The evidence of the latest epochs in a row that showed the symptom; the newest first."""
    shown: list[str] = []
    while len(shown) < len(records) and (evidence := rule.symptom(records[: len(records) - len(shown)])):
        shown.append(evidence)
    return shown


# Thresholds, each with the worst value of healthy runs (`gan-digits`, `dcgan-digits`) and those of `benchmarks/zoo.py`.

LARGEST_LOSS = 1000.0  # healthy 2.5; gradient descent that explodes 5e6 and more; a discriminator that has won 20
MOST_GROWTH = 100.0  # healthy 1.2 in a run; 11 in 20 epochs with learning rates × 50, which did no harm
NARROWEST_RANGE = 1.2  # healthy 2; images in [0, 1], or in [-0.5, 0.5], 1
GENERATOR_WON = 0.95  # healthy 0.59; sick 0.96 to 1
DISCRIMINATOR_WON = 0.01  # healthy 0.15; sick 4e-5 to 0.005
FEWEST_UNSATURATED = 0.33  # of the fraction in real images; healthy 1.3; sick 0.02 to 0.26
BATCH_DEPENDENT = 0.5  # healthy no epoch with d_fake below 0.1 at all; sick 0.74 to 0.96
VANISHED = 0.02  # of the non-saturating loss's gradient; healthy 0.22; sick 1e-4 to 0.014
LEAST_MOVE = 0.01  # of the diversity of real images; healthy 0.10; sick 0.0007
NEAREST = 0.1  # of real images' distance; healthy 0.68; codes of 1 unit 0.01 to 0.04, codes of 2 units 0.2
FALL = 0.4  # of the best of ten epochs; healthy 0.66
MOST_MISSING = 0.3  # of the classes, for 3,000 minibatches; a healthy dense run lacks as many for up to 1,600
WIDEST_SWINGS = 0.3  # healthy 0.15; sick 0.39; learning rates × 50 with batch normalization, which did no harm, 0.27
MOST_IMBALANCE = 30.0  # for ten epochs; healthy 7; sick 38 to 1,600

# Symptoms. A comparison with NaN is false, so an epoch with NaN shows only the first.


def _newest(condition: Callable[[Record], bool], evidence: str) -> Symptom:
    """A symptom of the newest epoch alone; the evidence is a format string with names of a `Record`."""
    return lambda records: evidence.format(**records[-1]._asdict()) if condition(records[-1]) else None


def _not_a_number(records: Sequence[Record]) -> str | None:
    for name in ("d_loss", "g_loss", "gradient_norm", "weight_norm"):
        if not math.isfinite(value := getattr(records[-1], name)):
            return f"Training has broken: {name} is {value}"
    return None


def _nan_ahead(records: Sequence[Record]) -> str | None:
    for name in ("d_loss", "g_loss"):
        if abs(value := getattr(records[-1], name)) > LARGEST_LOSS:
            return f"NaN is ahead: {name} is {value:,.0f}"
    first, newest = records[0].weight_norm, records[-1].weight_norm
    if newest > MOST_GROWTH * first:
        return f"NaN is ahead: the weights are {newest / first:,.0f} times as large as after the first epoch"
    return None


def _saturated(records: Sequence[Record]) -> str | None:
    fraction, real_fraction = records[-1].unsaturated_fraction, records[-1].real_unsaturated_fraction
    if fraction is not None and fraction < FEWEST_UNSATURATED * real_fraction:
        return (
            f"Images are saturated: {1 - fraction:.0%} of the fakes' pixels are at -1 or 1, where tanh lets no "
            f"gradient through, and {1 - real_fraction:.0%} of the real images'"
        )
    return None


def _collapse(records: Sequence[Record]) -> str | None:
    """Each fake has a near copy among the other fakes, or the fakes are much more alike than a few epochs ago."""
    newest = records[-1]
    if newest.nearest is None:
        return None
    if newest.nearest < NEAREST * newest.real_nearest:
        return (
            f"The generator has collapsed: the fake nearest to another differs from it by {newest.nearest:.2g} on "
            f"average, the nearest real image by {newest.real_nearest:.2g}"
        )
    best = max(record.diversity for record in records[-10:] if record.diversity is not None)
    if newest.diversity < FALL * best and newest.diversity < newest.real_diversity / 2:
        return (
            f"The generator has collapsed: two of its images differ by {newest.diversity:.2g}, a few epochs ago by "
            f"{best:.2g}; two real ones by {newest.real_diversity:.2g}"
        )
    return None


def _missing_classes(records: Sequence[Record]) -> str | None:
    newest = records[-1]
    if newest.class_frequencies is None:
        return None
    wanted = [number for number, frequency in enumerate(newest.real_class_frequencies) if frequency >= 0.03]
    missing = [str(number) for number in wanted if newest.class_frequencies[number] == 0]
    if len(missing) > MOST_MISSING * len(wanted):
        return (
            f"Classes are missing: {len(missing)} of the {len(wanted)} in the data, numbers {', '.join(missing)}, are "
            f"not among {newest.count} fakes"
        )
    return None


def _oscillation(records: Sequence[Record]) -> str | None:
    """The discriminator swings between taking fakes for real and recognizing them."""
    last = [record.d_fake_eval for record in records[-15:]]
    swing = sum(abs(after - before) for before, after in itertools.pairwise(last)) / 14
    if len(last) == 15 and swing > WIDEST_SWINGS:
        return (
            f"Training oscillates: in the last 15 epochs the discriminator gave fakes a probability of {min(last):.2f} "
            f"to {max(last):.2f} of being real, and changed it by {swing:.2f} from one epoch to the next"
        )
    return None


def _imbalance(newest: Record) -> bool:
    """Losses whose zero has no special meaning are not compared: negative ones, and those that give no probability."""
    low, high = sorted((newest.d_loss, newest.g_loss))
    return 0 <= low < high / MOST_IMBALANCE and not math.isnan(newest.d_real)


_GOODFELLOW = "Goodfellow et al. 2014, Generative Adversarial Nets"
_RADFORD = "Radford et al. 2016, Unsupervised Representation Learning with DCGANs"
_STIFF = "Stiff, von Keyserlingk, Stuart, Image Generation Using Deep Convolutional Generative Adversarial Networks"
_REPORT = "laboratory report on GANs and DCGANs in TensorFlow with CUDA"

# Specific before general: if several are found in one epoch, the first may explain the others.
RULES: list[Rule] = [
    Rule(
        "not a number",
        _not_a_number,
        "Start again with lower learning rates",
        "IEEE 754-2019, section 6.2: NaN is handed on to every result",
        epochs=1,
        minibatches=0,
    ),
    Rule(
        "NaN ahead",
        _nan_ahead,
        "Lower both learning rates",
        "Pascanu et al. 2013, On the Difficulty of Training Recurrent Neural Networks: exploding gradients",
        epochs=1,
        minibatches=0,
    ),
    Rule(
        "narrow range",  # for example of images that were only divided by 255
        _newest(
            lambda newest: newest.low is not None and newest.high - newest.low < NARROWEST_RANGE,
            "The real images range from {low:.3g} to {high:.3g}, not from -1 to 1",
        ),
        "Scale them: images / 127.5 - 1 for uint8",
        f"{_RADFORD}, section 4: scaled to the range of tanh, [-1, 1]",
        epochs=1,
        minibatches=0,
    ),
    Rule(
        "generator won",
        _newest(
            lambda newest: newest.d_fake > GENERATOR_WON,
            "The generator has won: the discriminator gives its fakes a probability of {d_fake:.3f} of being real, and "
            "real images {d_real:.3f}",
        ),
        "Raise d_learning_rate or lower g_learning_rate",
        f"{_STIFF}, section 5.2: entirely certain that all are genuine",
    ),
    Rule(
        "saturated",
        _saturated,
        "Lower g_learning_rate",
        "Glorot, Bengio 2010, Understanding the Difficulty of Training Deep Feedforward Neural Networks, section 3",
        follows=("generator won",),
    ),
    Rule(
        "batch dependence",
        _newest(
            lambda newest: newest.d_fake < 0.1 and newest.d_fake_eval > BATCH_DEPENDENT,
            "The discriminator goes by the batch, not by the image: in its own steps it gives fakes a probability of "
            "{d_fake:.3f} of being real, and {d_fake_eval:.3f} in a batch that holds only fakes",
        ),
        "Show the discriminator real and fake images in batches of their own, or take norm=layer",
        "Salimans et al. 2016, Improved Techniques for Training GANs, section 3.5: outputs that depend on the batch",
    ),
    Rule(
        "vanishing gradients",
        _newest(
            lambda newest: newest.gradient_norm < VANISHED * newest.ns_gradient_norm,
            "The generator's gradients vanish: their norm is {gradient_norm:.2g}, with the non-saturating loss it "
            "would be {ns_gradient_norm:.2g}",
        ),
        "Take loss=non_saturating",
        f"{_GOODFELLOW}, section 3: log(1 - D(G(z))) saturates",
        follows=("saturated",),
    ),
    Rule(
        "discriminator won",
        _newest(  # under label smoothing it does not recognize all real images
            lambda newest: newest.d_fake < DISCRIMINATOR_WON and newest.d_real > 0.85,
            "The discriminator has won: it gives real images a probability of {d_real:.3f} of being real, and fakes "
            "{d_fake:.2g}",
        ),
        "Lower d_learning_rate, set label_smoothing=0.1, or narrow the discriminator",
        f"{_STIFF}, section 5.2: the discriminator outperforms the generator",
        follows=("saturated", "batch dependence", "vanishing gradients"),
    ),
    Rule(
        "stopped learning",
        _newest(
            lambda newest: newest.moved is not None and newest.moved < LEAST_MOVE * newest.real_diversity,
            "The generator has stopped learning: in an epoch its images change by {moved:.2g}, where two real images "
            "differ by {real_diversity:.2f}",
        ),
        "Raise g_learning_rate",
        f"{_STIFF}, section 5.2: frozen from making any improvements",
        follows=("saturated", "generator won", "vanishing gradients", "discriminator won"),
    ),
    Rule(
        "collapse",
        _collapse,
        "Lower g_learning_rate, or widen latent_dim where it is small",
        f"{_STIFF}, figures 11 and 12; Salimans et al. 2016, section 3.2",
        follows=("saturated", "generator won"),
    ),
    Rule(
        "missing classes",
        _missing_classes,
        "Train longer, widen latent_dim, or lower g_learning_rate",
        f"{_REPORT}: a DCGAN that draws 3, 5 and 8 alone",
        minibatches=3000,  # healthy runs find their classes one by one
        follows=("saturated", "generator won", "discriminator won", "vanishing gradients", "collapse"),
    ),
    Rule(
        "oscillation",
        _oscillation,
        "Lower both learning rates, or take d_beta_1=0.5 and g_beta_1=0.5",
        f"{_STIFF}, section 5.2: an oscillating state between two minima",
        epochs=1,
    ),
    Rule(
        "imbalance",
        _newest(_imbalance, "The losses are out of balance: d_loss is {d_loss:.2g}, g_loss {g_loss:.2g}"),
        "Bring them nearer: lower the learning rate of the network whose loss is small",
        f"{_STIFF}, section 3.1, after Berthelot et al. 2017: both losses should be equal",
        epochs=10,
        follows=("generator won", "saturated", "batch dependence", "vanishing gradients", "discriminator won"),
    ),
]
