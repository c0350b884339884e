"""The examples in docstrings, in the README and in the manual run, and say the truth."""

import doctest
import importlib
import pkgutil
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import kgan
from kgan import forecast
from kgan._backend import keras, tf

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
MODULES = [
    name
    for _, name, _ in pkgutil.walk_packages(kgan.__path__, "kgan.")
    if not name.startswith(("kgan.cli", "kgan.__main__"))
]


def examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    for name in MODULES:
        for test in finder.find(importlib.import_module(name), name):
            if test.examples:
                yield pytest.param(test, id=test.name)


def new_model():
    model = kgan.DCGAN((28, 28, 1), filters=4)
    model.compile()
    return model


@pytest.fixture(scope="module")
def images():
    return kgan.data.load("digits")[:128]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A directory with a run and with pictures."""
    directory = tmp_path_factory.mktemp("examples")
    (directory / "runs" / "dcgan-digits").mkdir(parents=True)
    new_model().save(directory / "runs" / "dcgan-digits" / "model.keras")
    (directory / "pictures").mkdir()
    for name in ("one.png", "two.png"):
        Image.new("RGB", (40, 30), "red").save(directory / "pictures" / name)
    return directory


@pytest.fixture
def names(folder, images, models_used_again, tmp_path, monkeypatch):
    """What an example may speak of without saying where it comes from."""
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(forecast, "SECONDS", 0.1)
    figure = kgan.plots.loss_curves({key: [0.5] for key in ("d_loss", "g_loss", "d_real", "d_fake")})
    return {"kgan": kgan, "np": np, "tf": tf, "keras": keras, "Image": Image} | {
        "model": models_used_again.lend(new_model),
        "images": images.copy(),
        "figure": figure,
    }


@pytest.mark.parametrize("example", list(examples()))
def test_examples_of_docstrings(example, names):
    example.globs.update(names)
    result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example)
    assert result.failed == 0
    assert result.attempted


@pytest.mark.parametrize("name", MODULES)
def test_everything_public_has_a_docstring(name):
    module = importlib.import_module(name)
    for public, thing in vars(module).items():
        if callable(thing) and getattr(thing, "__module__", "") == module.__name__ and not public.startswith("_"):
            assert thing.__doc__, public


def blocks():
    for page in PAGES:
        for number, block in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)):
            yield pytest.param(block, id=f"{page.stem}-{number}")


@pytest.mark.slow
@pytest.mark.parametrize("block", list(blocks()))
def test_python_of_the_readme_and_the_manual(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    digits = kgan.data.sources._digits()
    few = digits._replace(images=digits.images[:128], labels=digits.labels[:128])
    monkeypatch.setattr(kgan.data.sources, "_digits", lambda: few)
    exec(re.sub(r"epochs=\d+", "epochs=1", block), {})
    assert (tmp_path / "progress.gif").exists() == ("progress.gif" in block)
