import numpy as np
import pytest

import kgan
from kgan._backend import keras


def test_defaults_are_radfords(small_dcgan):
    model = kgan.DCGAN()
    model.compile()
    for optimizer in (model.d_optimizer, model.g_optimizer):
        assert float(optimizer.learning_rate) == pytest.approx(2e-4)
        assert optimizer.beta_1 == 0.5
        assert optimizer.beta_2 == 0.999
    assert model.latent_dim == 100
    assert model.reuse_fakes


def test_real_and_fake_pass_the_discriminator_apart(small_dcgan, digits):
    """BatchNormalization sees one kind at a time: its statistics after a step are those of two separate passes."""
    model, by_hand = small_dcgan(), small_dcgan()
    fakes = model.draw_fakes(32, draw=0)
    model.discriminator_step(digits[:32], fakes)
    by_hand.discriminator(digits[:32], training=True)
    by_hand.discriminator(fakes.images, training=True)
    moving = [weight.path for weight in model.discriminator.weights if "moving" in weight.path]
    assert moving
    for weight, expected in zip(model.discriminator.weights, by_hand.discriminator.weights, strict=True):
        if "moving" in weight.path:
            np.testing.assert_allclose(weight, expected, rtol=1e-5)


def test_learns_the_average_digit(digits):
    """The first thing a generator learns: where digits are white on the average, and where black."""
    model = kgan.DCGAN((16, 16, 1), latent_dim=8, filters=8)
    model.compile(*(keras.optimizers.Adam(2e-3, beta_1=0.5) for _ in range(2)))

    def distance():
        return np.abs(model.generate(256).mean(axis=0) - digits.mean(axis=0)).mean()

    before = distance()
    model.fit(digits, batch_size=16, epochs=25, verbose=0)
    assert distance() < before / 4
