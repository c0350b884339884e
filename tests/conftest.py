"""Small real images and small models, so that every test is a matter of moments."""

import os
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

import kgan
from kgan._backend import keras
from kgan.cli import app

# 7 steps an epoch on 16 × 16 digits
SMALL = ["--batch-size", "256", "--set", "image_size=16", "--set", "filters=4", "--set", "latent_dim=8"]


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


@pytest.fixture
def kgan_command(tmp_path, monkeypatch):
    """Run the command in an empty directory, in this process."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The directory of a small run, trained in a process of its own, and what that printed."""
    directory = tmp_path_factory.mktemp("trained")
    command = [sys.executable, "-m", "kgan", "train", "--epochs", "3", *SMALL]
    result = subprocess.run(command, cwd=directory, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return directory / "runs" / "dcgan-digits", result
