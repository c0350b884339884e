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
    "normalization": set(),
    "networks": {"normalization"},
    "folders": set(),
    "data": {"folders"},
    "latent": set(),
    "plots": set(),
    "runs.files": set(),
    "runs.history": {"runs.files"},
    "runs.directory": {"runs.files"},
    "runs.checkpoints": {"runs.files"},
    "runs.description": set(),
    "runs.loading": {"runs.directory", "gan", "codegan"},  # the classes that a file may hold
    "runs.machine": set(),
    "runs": {
        "runs.checkpoints",
        "runs.description",
        "runs.directory",
        "runs.files",
        "runs.history",
        "runs.loading",
        "runs.machine",
    },
    "gan": {
        "losses",
        "latent",
        "data",
        "normalization",
    },  # data: arrays given to `fit` are shuffled as a function of (seed, step)
    "dcgan": {"gan", "networks", "losses"},
    "codegan": {"dcgan", "gan", "latent", "losses"},
    "quality.metrics": set(),
    "quality.names": set(),
    "quality.features": {"data", "folders", "quality.metrics", "runs"},  # runs: a file in the cache is written whole
    "quality.evaluation": {"quality.metrics", "quality.features", "data"},
    "quality": {"quality.metrics", "quality.names", "quality.features", "quality.evaluation"},
    "speed": {"gan"},
    "callbacks.base": set(),
    "callbacks.live": {"callbacks.pictures", "plots"},
    "callbacks.pictures": {"callbacks.base", "losses", "plots", "runs"},
    "callbacks.records": {"callbacks.base", "runs"},
    "callbacks.checkpoint": {"callbacks.base", "runs"},
    "callbacks.quality": {"callbacks.base", "data", "quality", "runs"},
    "diagnosis": set(),
    "callbacks.doctor": {"callbacks.base", "data", "diagnosis", "quality"},
    "callbacks": {
        "callbacks.base",
        "callbacks.doctor",
        "callbacks.live",
        "callbacks.pictures",
        "callbacks.quality",
        "callbacks.records",
        "callbacks.checkpoint",
    },
    "recipes.schema": {"folders", "latent", "losses", "networks"},  # their choices, read when a value is checked
    "recipes.shared": {"recipes.schema"},
    "recipes.models": {"codegan", "dcgan", "gan", "networks", "recipes.schema"},
    "recipes.offline": {"recipes.schema", "recipes.shared"},
    "recipes.ding_shao_ren": {"recipes.schema", "recipes.shared"},
    "recipes.generating_images_using_a_dcgan": {"recipes.schema", "recipes.shared"},
    "recipes.shao_li_jiang": {"recipes.schema", "recipes.shared"},
    "recipes.stiff_keyserlingk_stuart": {"recipes.schema", "recipes.shared"},
    "recipes": {
        "recipes.ding_shao_ren",
        "recipes.generating_images_using_a_dcgan",
        "recipes.models",
        "recipes.offline",
        "recipes.schema",
        "recipes.shao_li_jiang",
        "recipes.stiff_keyserlingk_stuart",
    },
    "cli.console": set(),
    "cli.seeds": {"cli.console", "quality", "runs"},
    "cli.train": {"cli.console", "cli.seeds", "recipes", "callbacks", "data", "diagnosis", "folders", "runs"},
    "cli.trained": {"data", "recipes", "runs"},
    "cli.draw": {"cli.console", "cli.trained", "data", "latent", "plots", "runs"},
    "cli.evaluate": {"cli.console", "cli.draw", "cli.trained", "data", "plots", "quality", "runs"},
    "cli.compare": {"cli.console", "cli.seeds", "cli.trained", "networks", "plots", "quality", "runs", "speed"},
    "cli.show": {"cli.console", "networks", "recipes"},
    "cli": {"cli.console", "cli.train", "cli.draw", "cli.evaluate", "cli.compare", "cli.show"},
    "__main__": {"cli"},
}


def source(module):
    path = PACKAGE / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def imported(module):
    """The modules of kgan that a module imports, anywhere in it, but for type checkers."""
    tree = ast.parse(source(module).read_text(encoding="utf-8"))
    for_types = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)]
    left_out = {id(inner) for node in for_types for inner in ast.walk(node)}
    found = set()
    for node in ast.walk(tree):
        if id(node) in left_out:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name.removeprefix("kgan.") for alias in node.names if alias.name.startswith("kgan.")}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "kgan":
            package = node.module.removeprefix("kgan").removeprefix(".")
            inner = {f"{package}.{alias.name}".strip(".") for alias in node.names} & set(MAY_IMPORT)
            found |= inner or {package} - {""}
    return found


def test_every_module_has_its_rule():
    modules = {path.relative_to(PACKAGE).with_suffix("") for path in PACKAGE.rglob("*.py")}
    names = {".".join(path.parts).removesuffix(".__init__") for path in modules}
    assert names - {"__init__"} == set(MAY_IMPORT)


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
    "statement", ["import kgan", "from kgan.cli import app", "import kgan.recipes; kgan.recipes.RECIPES"]
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
