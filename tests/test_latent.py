import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from kgan import latent
from kgan._backend import tf


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


def test_unknown_prior():
    with pytest.raises(ValueError, match="unknown prior 'cauchy': choose one of normal, uniform"):
        latent.sample_codes(3, 4, "cauchy")
