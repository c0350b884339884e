"""A run directory: what is in it, and how its files are written so that none is ever half there."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kgan.gan import GAN

FILES = ("run.json", "history.csv", "samples", "progress.gif", "losses.png", "epochs.png", "model.keras")


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary name to write to, which becomes `path` once the block has ended well.

    Whoever reads `path` finds the old file or the new one, never half of one.

    Example:
        >>> with replacing("losses.png") as temporary:
        ...     figure.savefig(temporary)
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".part-{path.name}")  # the suffix stays: it tells writers the format
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: str | Path, content: Any) -> None:
    """Write JSON that a person can read."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def check_free(directory: str | Path) -> None:
    """Raise FileExistsError where `directory` holds a run already, or any file that a run would overwrite."""
    directory = Path(directory)
    if directory.exists() and not directory.is_dir():
        raise FileExistsError(f"{directory} is a file: name a directory with --out")
    taken = [name for name in FILES if (directory / name).exists()]
    if taken:
        raise FileExistsError(
            f"{directory} already holds a run ({', '.join(taken)}), which is not overwritten: name another with --out"
        )


def claim(directory: str | Path) -> None:
    """Make `directory` that of a new run; of two runs that claim it at the same moment one is refused.

    Raises:
        FileExistsError: see `check_free`.

    Example:
        >>> claim("runs/new")
    """
    check_free(directory)
    Path(directory).mkdir(parents=True, exist_ok=True)
    try:
        (Path(directory) / "run.json").open("x").close()
    except FileExistsError:
        raise FileExistsError(f"{directory} was taken by another run just now: name another with --out") from None


def load_model(run: str | Path) -> GAN:
    """The model of a run, compiled, ready to generate or to go on training.

    Args:
        run: a run directory, or a `.keras` file.

    Raises:
        FileNotFoundError: where there is no model.
        ValueError: where the file is not one of kgan's models.

    Example:
        >>> images = load_model("runs/dcgan-digits").generate(64)
    """
    path = Path(run)
    if path.is_dir():
        path = path / "model.keras"
    if not path.is_file():
        raise FileNotFoundError(f"there is no model at {path}: give the directory of a finished run, or a .keras file")

    import kgan.dcgan  # its classes register themselves with Keras
    from kgan._backend import keras

    try:
        model = keras.saving.load_model(path)
    except Exception as error:  # Keras raises many kinds
        raise ValueError(f"{path} is not a model that can be loaded: {str(error).splitlines()[0][:200]}") from None
    if not isinstance(model, kgan.gan.GAN):
        raise ValueError(f"{path} holds a {type(model).__name__}: kgan loads a GAN or a DCGAN")
    return model


def environment() -> dict[str, Any]:
    """Versions and hardware, for `run.json`."""
    import numpy as np

    import kgan
    from kgan._backend import keras, tf

    gpus = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    return {
        "device": ", ".join(gpu.get("device_name", "GPU") for gpu in gpus) or f"CPU, {os.cpu_count()} cores",
        "machine": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "kgan": kgan.__version__,
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
    }


def unused_gpu() -> str | None:
    """The name of this machine's NVIDIA GPU where TensorFlow uses none, though nobody hides it on purpose."""
    from kgan._backend import tf

    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return None
    if tf.config.list_physical_devices("GPU") or not shutil.which("nvidia-smi"):
        return None
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        names = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return names.strip().splitlines()[0] if names.strip() else None
