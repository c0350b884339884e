"""Loads the model of a run."""

from __future__ import annotations

import json
import math
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from kgan.errors import Mistake
from kgan.runs.directory import resume_command

if TYPE_CHECKING:
    from kgan.gan import GAN


def load_model(run: str | Path) -> GAN:
    """The model of a run, compiled, ready to generate images or to be trained further.

    Nothing in the file is executed: Keras' safe mode refuses Lambda layers and whatever else holds code.

    Args:
        run: a run directory, or a `.keras` file.

    Raises:
        ValueError: if the file is not one of kgan's models, holds code, or describes networks larger than itself.

    Example:
        >>> images = load_model("runs/dcgan-digits").generate(64)
    """
    path = Path(run).expanduser()
    if path.is_dir():
        path = path / "model.keras"
    if (path.parent / "run.json").exists() and not path.exists():
        resume = resume_command(path.parent)
        raise FileNotFoundError(f"the run in {path.parent} has no model: resume it with `{resume}`")
    if not path.is_file():
        raise FileNotFoundError(f"there is no model at {path}: give the directory of a finished run, or a .keras file")
    if path.suffix != ".keras":  # other formats are older, and less safe
        raise Mistake(f"{path} is not a model that can be loaded: it must be a .keras file")

    import kgan.codegan  # its classes register themselves with Keras
    from kgan._backend import keras

    try:
        _check_size(path)
        model = keras.saving.load_model(path, safe_mode=True)
    except Exception as error:  # Keras raises many kinds
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise Mistake(f"{path} is not a model that can be loaded: {reason}") from None
    if not isinstance(model, kgan.gan.GAN):
        raise Mistake(f"{path} holds a {type(model).__name__}: kgan loads a GAN, a DCGAN or a CodeGAN")
    return model


def _check_size(path: Path) -> None:
    """Raise ValueError if a `.keras` file describes more weights than it holds: a few bytes can describe terabytes."""
    from kgan._backend import abstract_build, keras

    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    config.pop("compile_config", None)  # optimizers are as large as the networks allow
    model = abstract_build(lambda: keras.saving.deserialize_keras_object(config, safe_mode=True))
    weights = sum(math.prod(variable.shape) for variable in model.variables)
    if weights > path.stat().st_size:  # of 2 or 4 bytes each
        raise Mistake(f"it describes networks of {weights:,} weights, more than it holds")
