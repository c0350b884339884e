"""Who may import whom: the ground floor stands alone, and nothing goes round in circles."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

import kgan

PACKAGE = Path(kgan.__file__).parent

# The rooms of the house, from the ground up: a room imports what is named here, and nothing goes round in circles.
EVERYBODY = {
    "_backend",
    "_matplotlib",
    "batched",
    "checks",
    "errors",
    "files",
    "units",
    "__version__",
}  # who may be imported by all
MODELS = {"gan", "dcgan", "codegan"}
MAY_IMPORT = {
    "_backend": set(),
    "_matplotlib": set(),
    "errors": set(),
    "checks": {"errors"},
    "batched": {"checks"},
    "files": set(),
    "units": set(),
    "optimizers": set(),
    **{room: set() for room in ("losses", "penalties", "augment", "latent", "layers", "data", "plots", "diagnosis")},
    "summary": {"layers"},
    "networks": {"layers", "summary"},
    "quality": {"data"},
    "training": {"data", "latent", "layers", "losses", "optimizers", "penalties"},
    "sampling": {"data", "latent"},
    "gan": {"augment", "latent", "sampling", "training"},
    "dcgan": {"gan", "networks"},
    "codegan": {"dcgan", "gan", "latent", "losses", "training"},
    "runs": {"codegan"},  # with it all classes that a file may hold
    "speed": {"gan"},
    "callbacks": {"data", "diagnosis", "gan", "latent", "losses", "plots", "quality", "runs", "training"},
    # Some by name, for choices.
    "recipes": {*MODELS, "augment", "data", "latent", "losses", "networks", "optimizers", "penalties"},
    "placement": {"data", "training"},
    "report": {"losses", "plots", "quality", "recipes", "runs"},
    "pretrained": {"recipes"},
    "play": {"data", "latent", "plots"},
}
MAY_IMPORT["session"] = {*MAY_IMPORT} - {*EVERYBODY, "pretrained", "play"}
MAY_IMPORT["forecast"] = {"callbacks", "placement", "runs", "session", "training"}
MAY_IMPORT["cli"] = {*MAY_IMPORT} - EVERYBODY
MAY_IMPORT["__main__"] = {"cli"}


def modules(room):
    """The files of a room."""
    path = PACKAGE / room
    return sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]


def imported(room):
    """The rooms that a room imports, anywhere in it, but for type checkers."""
    found = set()
    for tree in (ast.parse(path.read_text(encoding="utf-8")) for path in modules(room)):
        for_types = [
            node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        ]
        left_out = {id(inner) for node in for_types for inner in ast.walk(node)}
        for node in ast.walk(tree):
            if id(node) in left_out:
                continue
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names if alias.name.startswith("kgan.")}
            elif isinstance(node, ast.ImportFrom) and node.module == "kgan":
                found |= {f"kgan.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kgan."):
                found.add(node.module)
    return {name.split(".")[1] for name in found} - {room}


def test_every_room_has_its_rule():
    rooms = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert rooms - {"__init__"} == set(MAY_IMPORT)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_rooms_import_only_whom_they_may(room):
    assert imported(room) - EVERYBODY <= MAY_IMPORT[room]


def test_nothing_goes_round_in_circles():
    graphlib.TopologicalSorter(MAY_IMPORT).prepare()  # raises CycleError


def test_every_public_name_is_there():
    for name in kgan.__all__:
        assert getattr(kgan, name)
    assert set(kgan.__all__) <= set(dir(kgan))
    with pytest.raises(AttributeError, match="no attribute 'WGAN'"):
        _ = kgan.WGAN


@pytest.mark.parametrize(
    "statement", ["import kgan", "from kgan.cli import app", "import kgan.recipes; kgan.recipes.RECIPES"]
)
def test_nothing_heavy_is_imported_before_it_is_used(statement):
    heavy = "{'tensorflow', 'keras', 'matplotlib', 'sklearn', 'tensorflow_datasets', 'PIL', 'numpy'}"
    code = f"import sys; {statement}; print(*({heavy} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not result.stdout.strip()
    assert not result.stderr


def test_tensorflow_starts_without_a_word_and_others_keep_theirs():
    code = """
import os, threading, kgan
is_over, written = threading.Event(), []
def write():
    while not is_over.wait(0.05):
        written.append(os.write(2, b"mine\\n"))
thread = threading.Thread(target=write)
thread.start()
kgan.DCGAN((8, 8, 1), filters=2).generate(2)
is_over.set()
thread.join()
print(len(written))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stderr == "mine\n" * int(result.stdout)


def test_another_backend_is_refused(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    result = subprocess.run([sys.executable, "-c", "import kgan; kgan.GAN"], capture_output=True, text=True)
    assert result.returncode == 1
    assert "kgan trains on TensorFlow, but KERAS_BACKEND is 'jax': unset it" in result.stderr
