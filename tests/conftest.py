"""Small real images and small models, so that every test is a matter of moments."""

import collections
import functools
import gc
import json
import os
import shutil
import subprocess
import sys

# Before NumPy is imported: threads of BLAS and scikit-learn wait for each other in loops, which took half the time of
# some tests where pytest's workers leave them no cores.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import filelock
import numpy as np
import pytest
from typer.testing import CliRunner

import kgan
from kgan._backend import keras
from kgan.cli import app

# 7 steps an epoch on 16 × 16 digits
SMALL_SETTINGS = ["--batch-size", "256", "--set", "image_size=16", "--set", "filters=4", "--set", "latent_dim=8"]
SMALL = ["dcgan-digits", *SMALL_SETTINGS]  # of `kgan train`
small_settings = {"batch_size": 256, "image_size": 16, "filters": 4, "latent_dim": 8}  # the same for `kgan.train`


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """A directory that pytest's workers share, so that one of them trains what all need."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session", autouse=True)
def _cache_of_the_tests(shared):
    """Keeps the tests out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KGAN_CACHE", str(shared / "cache"))
        patch.setattr(kgan.quality.features, "STEPS", 300)  # of 1,500, after which a classifier of digits is as good
        patch.setattr(kgan.quality.features, "STEPS_OF_REAL_VS_FAKE", 60)  # of 300, enough for what is plainly fake
        yield


@pytest.fixture(scope="module", autouse=True)
def _few_objects_to_collect():
    """Garbage collections leave aside what earlier modules made: TensorFlow's graphs took them a tenth of the time."""
    gc.freeze()


@pytest.fixture(scope="session")
def digits():
    """128 real digits of 16 × 16 × 1."""
    return kgan.data.load("digits", image_size=16)[:128]


class ModelsUsedAgain:
    """Compiled models, made once and lent to test after test: to trace a training step takes TensorFlow a second.

    After each test, and where a test takes them back itself, they are set back to how they were made. A model in which
    a test changed more than training does (an attribute, a method, an optimizer) is not lent again, so nothing that a
    model remembers in Python goes unnoticed.
    """

    def __init__(self):
        self.free, self.lent = collections.defaultdict(list), []

    def lend(self, make, **arguments):
        """A model as `make(**arguments)` makes it."""
        free = self.free[make, keras.config.dtype_policy().name, *sorted(arguments.items())]
        if not free:
            model = make(**arguments)
            values = [(variable, variable.numpy()) for variable in self._variables(model)]
            free.append((model, values, self._attributes(model)))
        self.lent.append((free, free.pop()))
        return self.lent[-1][1][0]

    def take_back(self):
        """Set back, and lend again, what was lent."""
        for free, (model, values, attributes) in self.lent:
            now = self._attributes(model)
            if now.keys() == attributes.keys() and all(now[name] is attributes[name] for name in now):
                for variable, value in values:
                    variable.assign(value)
                model.recorder.set_state({"rows": [], "elapsed": 0.0})
                free.append((model, values, attributes))
        self.lent.clear()

    @staticmethod
    def _variables(model):
        return *model.variables, *model.metrics_variables, *model.d_optimizer.variables, *model.g_optimizer.variables

    @staticmethod
    def _attributes(model):
        compiled = {"_execute", "_draws", "train_function", "test_function", "predict_function"}
        of_keras = {"history", "stop_training", "_called", "_parent_path", "_eval_epoch_iterator"}
        return {name: value for name, value in vars(model).items() if name not in compiled | of_keras}


@pytest.fixture(scope="session")
def _models_used_again():
    return ModelsUsedAgain()


@pytest.fixture
def models_used_again(_models_used_again):
    """Lends compiled models for the length of a test."""
    yield _models_used_again
    _models_used_again.take_back()


OF_COMPILE = {"loss", "label_smoothing", "run_eagerly", "jit_compile", "steps_per_execution"}
OF_COMPILE |= {"penalties", "penalty_every", "top_k", "simultaneous"}


def new_small_dcgan(**arguments):
    compiled = {name: arguments.pop(name) for name in OF_COMPILE & set(arguments)}
    model = kgan.DCGAN((16, 16, 1), latent_dim=8, filters=8, **arguments)
    model.compile(**compiled)
    return model


@pytest.fixture
def small_dcgan(models_used_again):
    """A function that gives compiled DCGANs of 8 filters for 16 × 16 × 1 images, all alike and untrained."""
    return functools.partial(models_used_again.lend, new_small_dcgan)


def _new_digits_gan(dropout=False, hidden_units=8, size=16, **arguments):
    compiled = {name: arguments.pop(name) for name in OF_COMPILE & set(arguments)}
    shape = (size, size, 1)
    generator = kgan.networks.dense_generator(shape, 4, hidden_units, seed=1)
    discriminator = kgan.networks.dense_discriminator(shape, hidden_units, seed=2)
    if dropout:
        layers = keras.Input(shape), keras.layers.Dropout(0.5, seed=3), discriminator
        discriminator = keras.Sequential(layers)
    model = kgan.GAN(generator, discriminator, **arguments)
    model.compile(**compiled)
    return model


@pytest.fixture(scope="session")
def new_digits_gan():
    """A function that makes compiled dense GANs for the digits, all alike; `digits_gan` lends them, which is faster."""
    return _new_digits_gan


@pytest.fixture
def digits_gan(models_used_again):
    """A function that gives compiled dense GANs for the digits, all alike and untrained."""
    return functools.partial(models_used_again.lend, _new_digits_gan)


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
def _settings_of_keras():
    yield
    keras.config.set_floatx("float32")
    keras.config.set_image_data_format("channels_last")
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
def trained(shared):
    """The directory of a small run, trained in a process of its own, and what that printed to stdout and stderr."""
    printed = shared / "printed.json"
    with filelock.FileLock(shared / "trained.lock"):
        if not printed.exists():
            command = [sys.executable, "-m", "kgan", "train", "--epochs", "3", *SMALL]
            result = subprocess.run(command, cwd=shared, capture_output=True, text=True)
            assert result.returncode == 0, result.stderr
            printed.write_text(json.dumps([result.stdout, result.stderr]))
    return shared / "runs" / "dcgan-digits", json.loads(printed.read_text())


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium, for tests of pages."""
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright, for tests in a browser")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("there is no Chromium to open pages with")
    quiet = ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", *quiet])
        yield opened
        opened.close()
