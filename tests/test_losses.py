import inspect
import math

import numpy as np
import pytest

from kgan import losses
from kgan._backend import keras
from kgan.errors import Mistake

ZERO = np.zeros((4, 1), "float32")
# Logits of probability 3/4 and 1/4: σ(ln 3) = 3/4.
THREE_QUARTERS = np.full((2, 1), math.log(3), "float32")
REAL, FAKE = np.float32([[2.0], [0.5]]), np.float32([[-1.0], [1.0]])


def softplus(value):
    return math.log1p(math.exp(value))


@pytest.mark.parametrize(
    ("loss", "real", "fake", "d_loss", "g_loss"),
    [
        ("non_saturating", ZERO, ZERO, 2 * math.log(2), math.log(2)),
        ("minimax", ZERO, ZERO, 2 * math.log(2), -math.log(2)),
        # D(x) = 3/4 and D(G(z)) = 1/4: -ln 3/4 - ln 3/4; -ln 1/4, and ln 3/4
        ("non_saturating", THREE_QUARTERS, -THREE_QUARTERS, 2 * math.log(4 / 3), math.log(4)),
        ("minimax", THREE_QUARTERS, -THREE_QUARTERS, 2 * math.log(4 / 3), math.log(3 / 4)),
        # ((2 - 1)² + (0.5 - 1)²) / 4 + (1 + 1) / 4, and ((-1 - 1)² + 0) / 4
        ("least_squares", REAL, FAKE, 0.8125, 1.0),
        # (0 + 0.5) / 2 + (0 + 2) / 2, and -(-1 + 1) / 2
        ("hinge", REAL, FAKE, 1.25, 0.0),
        # 0 - 1.25, and -(2 + 4) / 2
        ("wasserstein", REAL, FAKE, -1.25, 0.0),
        ("wasserstein", REAL, FAKE + 3, 3 - 1.25, -3.0),
        # the n-th with the n-th: ζ(-3) and ζ(0.5); ζ(3) and ζ(-0.5)
        ("relativistic", REAL, FAKE, (softplus(-3) + softplus(0.5)) / 2, (softplus(3) + softplus(-0.5)) / 2),
    ],
)
def test_hand_worked_numbers(loss, real, fake, d_loss, g_loss):
    pair = losses.LOSSES[loss]
    assert float(pair.discriminator(real, fake)) == pytest.approx(d_loss, rel=1e-6)
    assert float(pair.generator(real, fake)) == pytest.approx(g_loss, rel=1e-6)


def test_label_smoothing_is_one_sided():
    # 0.9 of -ln 3/4 and 0.1 of -ln 1/4 for the real ones; the fakes as without it: -ln 3/4
    smoothed = losses.get("minimax", label_smoothing=0.1).discriminator(THREE_QUARTERS, -THREE_QUARTERS)
    assert float(smoothed) == pytest.approx(0.9 * math.log(4 / 3) + 0.1 * math.log(4) + math.log(4 / 3))
    # (1.1² + 0.4²) / 4 + 0.5: 0.9 is asked for
    smoothed = losses.get("least_squares", label_smoothing=0.1).discriminator(REAL, FAKE)
    assert float(smoothed) == pytest.approx((1.21 + 0.16) / 4 + 0.5)


def test_the_generator_learns_from_the_best_fakes():
    fake = np.float32([[1.0], [5.0], [-3.0], [2.0], [0.0]])
    # The better 3 of 5 (0.5 × 5 rounded up): 5, 2 and 1.
    assert float(losses.get("wasserstein", top_k=0.5).generator(ZERO, fake)) == pytest.approx(-8 / 3)
    assert float(losses.get("wasserstein", top_k=0.01).generator(ZERO, fake)) == -5.0
    assert losses.get("hinge", top_k=0.5).discriminator is losses.hinge_discriminator


def test_a_very_certain_discriminator_gives_finite_losses():
    certain = np.full((4, 1), 1e4, "float32")
    assert float(losses.discriminator_loss(-certain, certain)) == pytest.approx(2e4)
    assert float(losses.non_saturating(certain, -certain)) == pytest.approx(1e4)
    assert float(losses.minimax(-certain, certain)) == pytest.approx(-1e4)


def test_get_by_name_and_by_pair():
    assert losses.get("minimax") == (losses.discriminator_loss, losses.minimax)
    assert losses.get((max, min)) == (max, min)
    for pair in losses.LOSSES.values():
        for function in pair:
            assert list(inspect.signature(function).parameters)[:2] == ["real_logits", "fake_logits"]


def one_argument(logits):
    return logits


OF_KERAS = r"call Keras' losses, which take \(y_true, y_pred\), within"
CHOICES = "choose minimax, non_saturating, least_squares, hinge, wasserstein, relativistic or two functions"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        *((loss, CHOICES) for loss in ("hing", None, losses.minimax, (losses.minimax,), ("a", "b"))),
        ((one_argument, losses.minimax), r"the discriminator's loss must take two .*, \(real_logits, fake_logits\)"),
        ((losses.discriminator_loss, one_argument), "the generator's loss must take two"),
        ((keras.losses.BinaryCrossentropy(from_logits=True),) * 2, OF_KERAS),
        ((keras.losses.binary_crossentropy,) * 2, OF_KERAS),
        (("minimax", -0.1), r"label_smoothing is -0\.1: it must be from 0 to 0\.5"),
        (("minimax", 0.6), r"label_smoothing is 0\.6"),
        (("minimax", math.nan), "label_smoothing is nan"),
        (("hinge", 0.1), r"label_smoothing is 0\.1, but the loss has no target that it could"),
        (("minimax", 0, 0), "top_k is 0: it must be above 0 and at most 1"),
        (("minimax", 0, 1.1), r"top_k is 1\.1"),
        (("minimax", 0, math.nan), "top_k is nan"),
        (("relativistic", 0, 0.5), r"top_k is 0\.5, but loss relativistic compares each fake with a real image"),
    ],
)
def test_losses_that_cannot_be(arguments, message):
    loss, *numbers = arguments if isinstance(arguments, tuple) and arguments[0] in losses.LOSSES else (arguments,)
    with pytest.raises(Mistake, match=message):
        losses.get(loss, *numbers)
