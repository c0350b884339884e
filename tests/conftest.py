"""Small real images and small models, so that every test is a matter of moments."""

import os

import numpy as np
import pytest

import kgan
from kgan._backend import keras


@pytest.fixture(scope="session")
def digits():
    """128 real digits of 16 × 16 × 1."""
    return kgan.data.load("digits", image_size=16)[:128]


@pytest.fixture
def small_dcgan():
    """A function that makes compiled DCGANs of 8 filters for 16 × 16 × 1 images, all alike."""

    def make(seed=0, **arguments):
        of_compile = {"loss", "label_smoothing", "run_eagerly", "jit_compile", "steps_per_execution"}
        compiled = {name: arguments.pop(name) for name in of_compile & set(arguments)}
        model = kgan.DCGAN((16, 16, 1), latent_dim=8, filters=8, seed=seed, **arguments)
        model.compile(**compiled)
        return model

    return make


@pytest.fixture
def vector_gan():
    """A function that makes uncompiled dense GANs on vectors of 2, all alike."""

    def make(**arguments):
        return kgan.GAN(
            kgan.networks.dense_generator((2,), latent_dim=4, hidden_units=16, activation="linear", seed=1),
            kgan.networks.dense_discriminator((2,), hidden_units=16, seed=2),
            **arguments,
        )

    return make


@pytest.fixture
def vectors():
    return np.random.default_rng(0).normal(size=(96, 2)).astype("float32")


@pytest.fixture(autouse=True)
def _full_precision():
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="session")
def mnist_dir():
    """A directory in which TensorFlow Datasets holds the real MNIST."""
    directory = os.environ.get("TFDS_DATA_DIR")
    if not directory or not os.path.isdir(os.path.join(directory, "mnist")):
        pytest.skip("TFDS_DATA_DIR names no directory with MNIST")
    return directory
