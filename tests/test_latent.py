import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kgan import latent
from kgan._backend import tf
from kgan.errors import Mistake


def test_normal_codes_are_standard_normal():
    codes = latent.sample_codes(20_000, 5, "normal", seed=3).numpy()
    assert codes.shape == (20_000, 5)
    assert codes.dtype == np.float32
    np.testing.assert_allclose(codes.mean(axis=0), 0, atol=0.05)  # 7 standard errors
    np.testing.assert_allclose(np.cov(codes.T), np.eye(5), atol=0.06)
    assert scipy.stats.kstest(codes.ravel(), "norm").pvalue > 0.01


def test_uniform_codes_fill_minus_one_to_one():
    codes = latent.sample_codes(20_000, 5, "uniform", seed=3).numpy()
    assert -1 < codes.min() < -0.999
    assert 0.999 < codes.max() < 1
    assert scipy.stats.kstest(codes.ravel(), "uniform", (-1, 2)).pvalue > 0.01


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31 - 1), st.integers(0, 10**9), st.integers(0, 100))
def test_codes_are_a_function_of_seed_step_and_draw(seed, step, draw):
    def codes(*key):
        return latent.sample_codes(3, 4, seed=key).numpy()

    np.testing.assert_array_equal(codes(seed, step, draw), codes(seed, step, draw))
    for other in ((seed + 1, step, draw), (seed, step + 1, draw), (seed, step, draw + 1)):
        assert np.abs(codes(*other) - codes(seed, step, draw)).max() > 0.01


@pytest.mark.parametrize("prior", latent.PRIORS)
def test_xla_draws_the_same_codes(prior):
    """In a GAN that trains under XLA, as Keras does on GPUs, and in one that does not."""
    step = tf.Variable(7, dtype=tf.int64)  # a constant would be worked out before XLA sees it

    def draw():
        return latent.sample_codes(64, 100, prior, seed=(1, step, 3))

    compiled = tf.function(draw, jit_compile=True)
    np.testing.assert_allclose(compiled(), draw(), rtol=1e-4, atol=1e-6)


def test_fewer_codes_are_the_first_of_more():
    np.testing.assert_array_equal(latent.sample_codes(4, 10, seed=1), latent.sample_codes(9, 10, seed=1)[:4])


# Walks

CODES = hnp.arrays(np.float32, (3, 7), elements=st.floats(-4, 4, width=32))


@settings(max_examples=100, deadline=None)
@given(CODES, CODES, st.integers(2, 20), st.sampled_from(latent.PATHS))
def test_walks_begin_and_end_exactly_at_their_codes(start, end, steps, path):
    codes = latent.interpolate(start, end, steps, path)
    assert codes.shape == (3, steps, 7)
    np.testing.assert_array_equal(codes[:, 0], start)
    np.testing.assert_array_equal(codes[:, -1], end)
    assert np.isfinite(codes).all()


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 100), st.integers(3, 20))
def test_spherical_walks_turn_evenly_and_their_norm_goes_evenly(seed, units, steps):
    start, end = np.random.default_rng(seed).normal(size=(2, units))
    codes = np.float64(latent.interpolate(start, end, steps))
    norms = np.linalg.norm(codes, axis=1)
    np.testing.assert_allclose(norms, np.linspace(norms[0], norms[-1], steps), rtol=1e-5)
    directions = codes / norms[:, np.newaxis]
    cosines = (directions[1:] * directions[:-1]).sum(axis=1)
    assert np.ptp(np.arccos(np.clip(cosines, -1, 1))) < 1e-3


def test_walks_by_hand():
    start, end = np.array([1.0, 0.0]), np.array([0.0, 3.0])
    np.testing.assert_allclose(latent.interpolate(start, end, 3, "linear"), [[1, 0], [0.5, 1.5], [0, 3]])
    # A quarter turn, half of it 45°; the norm goes from 1 over 2 to 3.
    np.testing.assert_allclose(latent.interpolate(start, end, 3), [[1, 0], [2**0.5, 2**0.5], [0, 3]], rtol=1e-6)
    # Opposite directions lie on no one circle: straight.
    np.testing.assert_allclose(latent.interpolate(start, -start, 3), [[1, 0], [0, 0], [-1, 0]], atol=1e-7)


def test_classes_at_the_end_of_codes_are_mixed_while_the_codes_turn():
    start, end = np.float32([[1, 0, 1, 0], [3, 0, 0, 1]]), np.float32([[0, 3, 0, 1], [0, 1, 0, 1]])
    codes = latent.interpolate(start, end, 5, classes=2)
    np.testing.assert_array_equal(codes[..., :2], latent.interpolate(start[:, :2], end[:, :2], 5))
    np.testing.assert_array_equal(codes[..., 2:], latent.interpolate(start[:, 2:], end[:, 2:], 5, "linear"))
    np.testing.assert_allclose(codes[0, :, 2:], [[1, 0], [0.75, 0.25], [0.5, 0.5], [0.25, 0.75], [0, 1]])
    np.testing.assert_array_equal(codes[1, :, 2:], [[0, 1]] * 5)  # within a class, the class stays
    straight = latent.interpolate(start, end, 5, "linear")
    np.testing.assert_array_equal(latent.interpolate(start, end, 5, "linear", classes=2), straight)


def test_traversal_changes_one_unit_only():
    code = np.arange(5, dtype=np.float32)
    codes = latent.traverse(code, units=[1, 4], values=[-2, 0, 2])
    assert codes.shape == (2, 3, 5)
    for row, unit in enumerate([1, 4]):
        np.testing.assert_array_equal(codes[row, :, unit], [-2, 0, 2])
        others = np.arange(5) != unit
        np.testing.assert_array_equal(codes[row][:, others], np.tile(code[others], (3, 1)))


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (lambda: latent.interpolate(np.ones(3), np.ones(3), 1), "steps is 1: a path has 2 or more"),
        (lambda: latent.interpolate(np.ones(3), np.ones(4), 2), r"shapes \(3,\) and \(4,\)"),
        (lambda: latent.interpolate(np.ones(3), np.ones(3), 2, "round"), "path is 'round': choose one of linear"),
        (lambda: latent.sample_codes(3, 4, "cauchy"), "prior is 'cauchy': choose one of normal, uniform"),
        (lambda: latent.traverse(np.ones(3), [-1], [0]), "unit is -1: this code has units 0 to 2"),
    ],
)
def test_codes_that_there_are_not(codes, message):
    with pytest.raises(Mistake, match=message):
        codes()
