"""Who may import whom: the ground floor stands alone, and nothing goes round in circles."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import kgan

PACKAGE = Path(kgan.__file__).parent

# `_backend` is the quiet start of TensorFlow, which everybody may use.
MAY_IMPORT = {
    "_backend": set(),
    "losses": set(),
    "reference": set(),
    "networks": {"reference"},
    "folders": set(),
    "data": {"folders"},
    "latent": set(),
    "plots": set(),
    "runs": {"gan", "dcgan"},  # to load a model
    "gan": {
        "losses",
        "latent",
        "data",
        "reference",
    },  # data: arrays given to `fit` are shuffled as a function of (seed, step)
    "dcgan": {"gan", "networks", "losses"},
    "callbacks": {"plots", "latent", "runs"},
    "recipes": {"gan", "dcgan", "losses", "networks", "data"},
    "cli": {"recipes", "callbacks", "data", "folders", "latent", "plots", "runs"},
    "__main__": {"cli"},
}


def imported(module):
    """The modules of kgan that a module imports, anywhere in it, but for type checkers."""
    tree = ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))
    for_types = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)]
    left_out = {id(inner) for node in for_types for inner in ast.walk(node)}
    found = set()
    for node in ast.walk(tree):
        if id(node) in left_out:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("kgan.")}
        elif isinstance(node, ast.ImportFrom) and node.module == "kgan":
            found |= {alias.name for alias in node.names if (PACKAGE / f"{alias.name}.py").exists()}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kgan."):
            found.add(node.module.split(".")[1])
    return found


def test_every_module_has_its_rule():
    assert {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"} == set(MAY_IMPORT)


@pytest.mark.parametrize("module", MAY_IMPORT)
def test_modules_import_only_whom_they_may(module):
    assert imported(module) - {"_backend"} <= MAY_IMPORT[module]


def test_every_public_name_is_there():
    for name in kgan.__all__:
        assert getattr(kgan, name)
    assert set(kgan.__all__) <= set(dir(kgan))
    with pytest.raises(AttributeError, match="no attribute 'WGAN'"):
        _ = kgan.WGAN


@pytest.mark.parametrize(
    "statement", ["import kgan", "from kgan.cli import app", "import kgan.cli; kgan.cli.recipes.RECIPES"]
)
def test_nothing_heavy_is_imported_before_it_is_used(statement):
    heavy = "{'tensorflow', 'keras', 'matplotlib', 'sklearn', 'tensorflow_datasets', 'PIL', 'numpy'}"
    code = f"import sys; {statement}; print(*({heavy} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not result.stdout.strip()
    assert not result.stderr


def test_tensorflow_starts_without_a_word():
    code = "import kgan; kgan.DCGAN((8, 8, 1), filters=2).generate(2)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (result.stdout, result.stderr) == ("", "")


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_is_refused(backend, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", backend)
    result = subprocess.run([sys.executable, "-c", "import kgan; kgan.GAN"], capture_output=True, text=True)
    assert result.returncode == 1
    assert f"kgan trains on TensorFlow, but KERAS_BACKEND is '{backend}': unset it" in result.stderr
