import inspect
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgan import losses

ZERO = np.zeros((4, 1), "float32")
# Logits of probability 3/4 and 1/4: σ(ln 3) = 3/4.
THREE_QUARTERS = np.full((2, 1), math.log(3), "float32")

logits = st.lists(st.floats(-20, 20, width=32), min_size=1, max_size=8).map(lambda row: np.float32(row)[:, None])


def test_at_zero_logits_the_discriminator_guesses():
    assert float(losses.discriminator_loss(ZERO, ZERO)) == pytest.approx(2 * math.log(2), rel=1e-6)
    assert float(losses.non_saturating(ZERO, ZERO)) == pytest.approx(math.log(2), rel=1e-6)
    assert float(losses.minimax(ZERO, ZERO)) == pytest.approx(-math.log(2), rel=1e-6)


def test_hand_worked_numbers():
    # D(x) = 3/4 and D(G(z)) = 1/4: -ln 3/4 - ln 3/4
    assert float(losses.discriminator_loss(THREE_QUARTERS, -THREE_QUARTERS)) == pytest.approx(2 * math.log(4 / 3))
    # D(G(z)) = 1/4: -ln 1/4 and ln 3/4
    assert float(losses.non_saturating(THREE_QUARTERS, -THREE_QUARTERS)) == pytest.approx(math.log(4))
    assert float(losses.minimax(THREE_QUARTERS, -THREE_QUARTERS)) == pytest.approx(math.log(3 / 4))


def test_hand_worked_numbers_of_logits_that_are_no_log_odds():
    real, fake = np.float32([[2.0], [0.5]]), np.float32([[-1.0], [1.0]])
    # ((2 - 1)² + (0.5 - 1)²) / 4 + (1 + 1) / 4, and ((-1 - 1)² + 0) / 4
    assert float(losses.LOSSES["least_squares"].discriminator(real, fake)) == pytest.approx(0.8125)
    assert float(losses.LOSSES["least_squares"].generator(real, fake)) == pytest.approx(1.0)
    # (1.1² + 0.4²) / 4 + 0.5: 0.9 is asked for
    smoothed = losses.least_squares_discriminator(real, fake, label_smoothing=0.1)
    assert float(smoothed) == pytest.approx((1.21 + 0.16) / 4 + 0.5)
    # (0 + 0.5) / 2 + (0 + 2) / 2, and -(-1 + 1) / 2
    assert float(losses.LOSSES["hinge"].discriminator(real, fake)) == pytest.approx(1.25)
    assert float(losses.LOSSES["hinge"].generator(real, fake)) == pytest.approx(0.0)
    # 0 - 1.25
    assert float(losses.LOSSES["wasserstein"].discriminator(real, fake)) == pytest.approx(-1.25)
    assert float(losses.LOSSES["wasserstein"].generator(real, fake + 3)) == pytest.approx(-3.0)
    # the n-th with the n-th: ζ(-3) and ζ(0.5); ζ(3) and ζ(-0.5)
    softplus = lambda value: math.log1p(math.exp(value))  # noqa: E731
    assert float(losses.LOSSES["relativistic"].discriminator(real, fake)) == pytest.approx(
        (softplus(-3) + softplus(0.5)) / 2
    )
    assert float(losses.LOSSES["relativistic"].generator(real, fake)) == pytest.approx(
        (softplus(3) + softplus(-0.5)) / 2
    )


def test_the_generator_learns_from_the_best_fakes():
    fake = np.float32([[1.0], [5.0], [-3.0], [2.0], [0.0]])
    # The better 3 of 5 (0.5 × 5 rounded up): 5, 2 and 1.
    assert float(losses.get("wasserstein", top_k=0.5).generator(ZERO, fake)) == pytest.approx(-8 / 3)
    assert float(losses.get("wasserstein", top_k=0.01).generator(ZERO, fake)) == -5.0
    assert losses.get("hinge", top_k=0.5).discriminator is losses.hinge_discriminator
    for wrong in (0, 1.1, float("nan")):
        with pytest.raises(ValueError, match=f"top_k is {wrong}: it is the fraction of the fakes"):
            losses.get("minimax", top_k=wrong)
    with pytest.raises(ValueError, match=r"top_k is 0\.5, but loss relativistic compares each fake with a real image"):
        losses.get("relativistic", top_k=0.5)


def test_label_smoothing_is_one_sided():
    # 0.9 of -ln 3/4 and 0.1 of -ln 1/4 for the real ones; the fakes as without it: -ln 3/4
    smoothed = losses.discriminator_loss(THREE_QUARTERS, -THREE_QUARTERS, label_smoothing=0.1)
    assert float(smoothed) == pytest.approx(0.9 * math.log(4 / 3) + 0.1 * math.log(4) + math.log(4 / 3))


@given(logits, logits)
def test_losses_are_the_papers_formulas(real_logits, fake_logits):
    d_real, d_fake = (1 / (1 + np.exp(-np.float64(values))) for values in (real_logits, fake_logits))
    formulas = {
        losses.discriminator_loss: -np.mean(np.log(d_real)) - np.mean(np.log1p(-d_fake)),
        losses.minimax: np.mean(np.log1p(-d_fake)),
        losses.non_saturating: -np.mean(np.log(d_fake)),
    }
    for loss, expected in formulas.items():
        assert float(loss(real_logits, fake_logits)) == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_a_very_certain_discriminator_gives_finite_losses():
    sure = np.full((4, 1), 1e4, "float32")
    assert float(losses.discriminator_loss(-sure, sure)) == pytest.approx(2e4)
    assert float(losses.non_saturating(sure, -sure)) == pytest.approx(1e4)
    assert float(losses.minimax(-sure, sure)) == pytest.approx(-1e4)


def test_get_by_name_and_by_pair():
    assert losses.get("minimax") == (losses.discriminator_loss, losses.minimax)
    assert losses.get((max, min)) == (max, min)


def one_argument(logits):
    return logits


@pytest.mark.parametrize(
    ("pair", "network"),
    [((one_argument, losses.minimax), "discriminator"), ((losses.discriminator_loss, one_argument), "generator")],
)
def test_both_losses_take_real_and_fake_logits(pair, network):
    for loss in losses.LOSSES.values():
        for function in loss:
            assert list(inspect.signature(function).parameters)[:2] == ["real_logits", "fake_logits"]
    with pytest.raises(ValueError, match=rf"the {network}'s loss must take two .*, \(real_logits, fake_logits\)"):
        losses.get(pair)


def test_label_smoothing_for_a_loss_that_has_none():
    with pytest.raises(ValueError, match=r"label_smoothing is 0\.1, but the loss has no target that it could"):
        losses.get((losses.minimax, losses.minimax), 0.1)


@pytest.mark.parametrize("loss", ["hing", None, losses.minimax, (losses.minimax,), ("a", "b")])
def test_get_names_the_choices(loss):
    with pytest.raises(
        ValueError,
        match="choose minimax, non_saturating, least_squares, hinge, wasserstein, relativistic or two functions",
    ):
        losses.get(loss)


@pytest.mark.parametrize("label_smoothing", [-0.1, 0.6, float("nan")])
def test_label_smoothing_out_of_range(label_smoothing):
    with pytest.raises(ValueError, match=f"label_smoothing is {label_smoothing}"):
        losses.get("minimax", label_smoothing)
