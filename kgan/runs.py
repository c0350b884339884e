"""A run directory: what is in it, and how its files are written so that none is ever half there."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import math
import os
import platform
import re
import shlex
import shutil
import subprocess
import warnings
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import filelock
import numpy as np

if TYPE_CHECKING:
    from kgan.gan import GAN

FILES = (
    *("run.json", "history.csv", "samples", "progress.gif", "losses.png", "epochs.png", "model.keras", "checkpoint"),
    *("best.keras", "quality.json", "quality.png"),
)

# Writing


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary name to write to, which becomes `path` once the block has ended well.

    Whoever reads `path` finds the old file or the new one, never half of one, even after the power failed.

    Example:
        >>> with replacing("losses.png") as temporary:
        ...     figure.savefig(temporary)
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{_TEMPORARY}{path.name}")  # the suffix stays: it tells writers the format
    temporary.unlink(missing_ok=True)  # it might be a link that leads out of the directory
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
        _flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


_TEMPORARY = ".part-"


def _flush(path: Path) -> None:
    """Have the disk itself hold the file, or the names in the directory."""
    if path.is_dir() and os.name == "nt":  # Windows opens no directories
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: str | Path, content: Any) -> None:
    """Write JSON that a person can read."""
    with replacing(path) as temporary:
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")  # file names may be any bytes


# A run directory


@contextlib.contextmanager
def lock(directory: str | Path) -> Iterator[None]:
    """Keep a directory, made where there is none, to this process while the block lasts.

    The lock is the operating system's, so a process that dies, however it dies, holds none.

    Raises:
        BlockingIOError: where another process holds it.

    Example:
        >>> with lock("runs/new"):
        ...     write_json("runs/new/run.json", {})
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    if (directory / ".lock").is_symlink():
        raise ValueError(f"{directory / '.lock'} is a link: take it away")
    of_the_system = filelock.FileLock(directory / ".lock", timeout=0, is_singleton=True)
    try:
        of_the_system.acquire()
    except filelock.Timeout:
        raise BlockingIOError(
            f"another run is training in {directory} now: wait for it, or name another directory"
        ) from None
    try:
        yield
    finally:
        of_the_system.release()


def check_begun(directory: str | Path) -> None:
    """Raise FileNotFoundError where no run was begun in `directory`."""
    if not (Path(directory) / "run.json").exists():
        raise FileNotFoundError(f"there is no run in {directory}: it has no run.json")


def check_free(directory: str | Path) -> None:
    """Raise FileExistsError where `directory` holds a run already, or any file that a run would overwrite."""
    directory = Path(directory)
    if directory.exists() and not directory.is_dir():
        raise FileExistsError(f"{directory} is a file: name a directory with --out")
    taken = [name for name in FILES if (directory / name).exists()]
    if "run.json" in taken and not _is_finished(directory):
        go_on = f"kgan train --resume {shlex.quote(str(directory))}"
        raise FileExistsError(
            f"{directory} holds a run that is not finished: go on with it by `{go_on}`, or name another with --out"
        )
    if taken:
        raise FileExistsError(
            f"{directory} already holds a run ({', '.join(taken)}), which is not overwritten: name another with --out"
        )


def _is_finished(directory: Path) -> bool:
    try:
        return read_json(directory / "run.json").get("status") == "finished"
    except (OSError, ValueError):
        return True  # what cannot be read cannot be resumed either


def read_json(path: str | Path) -> dict[str, Any]:
    """Read an object from a JSON file that anybody may have written.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: where it holds no JSON object.

    Example:
        >>> write_json("run.json", {"seed": 0})
        >>> read_json("run.json")
        {'seed': 0}
    """
    try:
        content = json.loads(read_file(path, at_most=2**24))
    except (ValueError, RecursionError):
        raise ValueError(f"{path} cannot be read: it is not the JSON that kgan wrote") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} cannot be read: it is not the JSON that kgan wrote")
    return content


def read_history(path: str | Path) -> dict[str, list[float]]:
    """The columns of a `history.csv`, which anybody may have written; NaN where nothing is written.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: where it is not the table of a run.

    Example:
        >>> text = Path("history.csv").write_text("epoch,d_loss,seconds\\n1,1.38,7.5\\n")
        >>> read_history("history.csv")
        {'epoch': [1.0], 'd_loss': [1.38], 'seconds': [7.5]}
    """
    content = read_file(path, at_most=2**26)
    try:
        rows = list(csv.DictReader(io.StringIO(content.decode())))
        history = {name: [float(row[name] or "nan") for row in rows] for name in (rows[0] if rows else ())}
    except (ValueError, TypeError, csv.Error):
        history = {}
    if not {"epoch", "seconds"} <= set(history):
        raise ValueError(f"{path} cannot be read: it is not the table that kgan wrote")
    return history


def read_file(path: str | Path, at_most: int) -> bytes:
    """The bytes of a plain file in its own directory: no device, no link, nothing without end."""
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no {path}")
    if path.is_symlink() or not path.is_file():
        raise ValueError(f"{path} is not a plain file")
    if path.stat().st_size > at_most:
        raise ValueError(f"{path} is larger than any that kgan writes")
    return path.read_bytes()


def sweep(directory: str | Path) -> None:
    """Remove what a process that was killed left half written in a run directory, which must be locked.

    Raises:
        ValueError: where one of the run's files or folders is a link that leads elsewhere.

    Example:
        >>> sweep("runs/dcgan-digits")
    """
    directory = Path(directory)
    for name in FILES:
        if (directory / name).is_symlink():
            raise ValueError(f"{directory / name} is a link: a run is resumed only where all its files are its own")
    for folder in (directory, directory / "samples", directory / "checkpoint"):
        for half in folder.glob(f"{_TEMPORARY}*"):
            half.unlink()


# Checkpoints: `checkpoint-000012.npz`, and beside it a `.json` with its checksum, which is written last and so says
# that the other is whole. Only arrays and JSON: nothing that is read from them is ever executed.


class Saved(NamedTuple):
    """A checkpoint as it was read."""

    number: int
    arrays: dict[str, np.ndarray]
    state: dict[str, Any]


def write_checkpoint(directory: str | Path, number: int, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
    """Write a checkpoint under its number, durably and whole, or not at all.

    Args:
        directory: where to.
        number: larger than that of any other in the directory.
        arrays: by name.
        state: whatever JSON can hold.

    Raises:
        OSError: on a full disk; what was there before is still there.

    Example:
        >>> write_checkpoint("checkpoint", 1, {"weights": np.zeros(3)}, {"epochs": 4})
        >>> read_checkpoint("checkpoint").state
        {'epochs': 4}
    """
    path = _checkpoint(directory, number)
    in_json = np.frombuffer(json.dumps(state).encode(), np.uint8)
    with replacing(path.with_suffix(".npz")) as temporary:
        np.savez(temporary, **arrays, state=in_json)
        digest = hashlib.sha256(temporary.read_bytes()).hexdigest()
    write_json(path.with_suffix(".json"), {"sha256": digest})


def read_checkpoint(directory: str | Path) -> Saved | None:
    """The newest good checkpoint, or None where there never was one. A damaged one is passed over, with a warning.

    Raises:
        ValueError: where all are damaged.

    Example:
        >>> read_checkpoint("nowhere") is None
        True
    """
    directory = Path(directory)
    numbers = sorted(_numbers(directory, ".json"), reverse=True)
    damaged = []
    for number in numbers:
        try:
            saved = _read_checkpoint(directory, number)
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                raise  # a disk or a permission is at fault: perhaps it can be read another time
            damaged.append(f"{_checkpoint(directory, number).name} ({error})")
        except Exception as error:  # of many kinds: in a damaged file there may be anything
            damaged.append(f"{_checkpoint(directory, number).name} ({error})")
        else:
            if damaged:
                warnings.warn(f"damaged: {'; '.join(damaged)}: the checkpoint before is used", stacklevel=2)
            return saved
    # The very first may lack its checksum: the process was killed between the two files, and the run starts over.
    if numbers or len(_numbers(directory, ".npz")) > 1:
        what = "; ".join(damaged) or "their checksums are missing"
        raise ValueError(f"no checkpoint in {directory} can be used: {what}. Nothing was changed")
    return None


def keep_checkpoints(directory: str | Path, numbers: Collection[int]) -> None:
    """Remove all checkpoints but these."""
    for suffix in (".json", ".npz"):  # in this order: one without a checksum is none
        for number in set(_numbers(Path(directory), suffix)) - set(numbers):
            _checkpoint(directory, number).with_suffix(suffix).unlink(missing_ok=True)


def next_number(directory: str | Path) -> int:
    """A number above those of all checkpoints in a directory, good or damaged."""
    directory = Path(directory)
    return 1 + max([*_numbers(directory, ".json"), *_numbers(directory, ".npz")], default=0)


def _checkpoint(directory: str | Path, number: int) -> Path:
    return Path(directory) / f"checkpoint-{number:06}"


def _numbers(directory: Path, suffix: str) -> list[int]:
    names = (re.fullmatch(r"checkpoint-(\d{6,12})", path.stem) for path in directory.glob(f"checkpoint-*{suffix}"))
    return [int(name[1]) for name in names if name]


def _read_checkpoint(directory: Path, number: int) -> Saved:
    path = _checkpoint(directory, number)
    digest = read_json(path.with_suffix(".json"))["sha256"]
    content = read_file(path.with_suffix(".npz"), at_most=2**40)
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError("its checksum is wrong")
    with np.load(io.BytesIO(content), allow_pickle=False) as file:  # a pickle could run anything
        if any(each.compress_type != zipfile.ZIP_STORED for each in file.zip.infolist()):
            raise ValueError("it is compressed, as kgan writes none")  # a few bytes might stand for terabytes
        arrays = {name: file[name] for name in file.files}
    return Saved(number, arrays, json.loads(arrays.pop("state").tobytes()))


# What a run is: compared before it is resumed


def describe_model(model: GAN) -> dict[str, Any]:
    """What decides, with the data, the numbers of a training run: networks, optimizers, loss, seed; as flat JSON.

    Args:
        model: compiled. What cannot be serialized, such as a `functools.partial` for a loss, is not compared.

    Example:
        >>> describe_model(model)["filters"]
        4
    """
    config: dict[str, Any] = {"class": type(model).__name__}
    for name, serialize in (("model", model.get_config), ("compile", model.get_compile_config)):
        with contextlib.suppress(TypeError, ValueError, NotImplementedError):
            config[name] = json.loads(json.dumps(serialize(), default=str))
    for name in ("jit_compile", "run_eagerly", "steps_per_execution"):  # how fast, not what
        config.get("compile", {}).pop(name, None)
    return dict(_flat(_numbered(config)))


def describe_data(data: Any) -> dict[str, Any]:
    """What `fit` is given to train on: of arrays and `kgan.data.batches` the content counts, of others the shapes.

    Example:
        >>> describe_data(images)["images.shape"]
        [128, 28, 28, 1]
    """
    of_batches = {name: getattr(data, name) for name in ("batch_size", "seed") if hasattr(data, "images")}
    images = getattr(data, "images", data)
    if hasattr(images, "shape"):
        digest = hashlib.sha256()
        for begin in range(0, len(images), 4096):  # not all at once: they may be on disk
            digest.update(np.ascontiguousarray(images[begin : begin + 4096]))
        real = {"shape": list(images.shape), "dtype": images.dtype.name, "sha256": digest.hexdigest()}
    elif hasattr(images, "element_spec"):
        first = next(iter(images.take(1)), None)
        shapes = [list(each.shape) for each in (first if isinstance(first, tuple) else (first,))]
        real = {"batches": int(images.cardinality()), "batch": shapes}
    else:
        real = {"kind": type(images).__name__, "batches": len(images) if hasattr(images, "__len__") else None}
    return dict(_flat({"images": {**real, **of_batches}}))


def check_same(here: dict[str, Any], there: dict[str, Any]) -> None:
    """Raise ValueError naming the first thing in which two descriptions of a run differ.

    Example:
        >>> check_same({"filters": 64}, {"filters": 32})
        Traceback (most recent call last):
        ValueError: filters is 64, but in the checkpoint 32: only epochs may change
    """
    for name in dict.fromkeys([*here, *there]):
        if here.get(name) != there.get(name):
            if name == "images.sha256":
                raise ValueError("the images are others than those of the checkpoint: only epochs may change")
            ours, theirs = (_short(each.get(name, "not there")) for each in (here, there))
            raise ValueError(f"{name} is {ours}, but in the checkpoint {theirs}: only epochs may change")


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)[:80]


def _numbered(config: Any) -> Any:
    """Keras numbers names through a process ("dense_7"): number them through the model, so that two builds compare."""
    names: dict[str, str] = {}

    def collect(value: Any) -> None:
        if isinstance(value, dict) and isinstance(value.get("name"), str):
            names.setdefault(value["name"], f"#{len(names)}")
        for inner in _inner(value):
            collect(inner)

    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: renamed(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [renamed(inner) for inner in value]
        return names.get(value, value) if isinstance(value, str) else value

    collect(config)
    return renamed(config)


def _inner(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def _flat(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """{"model": {"filters": 8}} → ("filters", 8); lists of plain values stay whole."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, (*path, key))
    elif isinstance(value, list) and any(_inner(inner) for inner in value):
        for number, inner in enumerate(value):
            yield from _flat(inner, (*path, str(number)))
    else:
        yield ".".join(key for key in path if key not in ("model", "compile", "config")), value


def load_model(run: str | Path) -> GAN:
    """The model of a run, compiled, ready to generate or to go on training.

    Nothing in the file is executed: Keras' safe mode refuses Lambda layers and whatever else holds code.

    Args:
        run: a run directory, or a `.keras` file.

    Raises:
        FileNotFoundError: where there is no model.
        ValueError: where the file is not one of kgan's models, holds code, or describes networks larger than itself.

    Example:
        >>> images = load_model("runs/dcgan-digits").generate(64)
    """
    path = Path(run)
    if path.is_dir():
        path = path / "model.keras"
    if (path.parent / "run.json").exists() and not path.exists():
        go_on = f"kgan train --resume {shlex.quote(str(path.parent))}"
        raise FileNotFoundError(f"the run in {path.parent} has left no model: go on with it by `{go_on}`")
    if not path.is_file():
        raise FileNotFoundError(f"there is no model at {path}: give the directory of a finished run, or a .keras file")
    if path.suffix != ".keras":  # other formats are older, and less safe
        raise ValueError(f"{path} is not a model that can be loaded: it must be a .keras file")

    import kgan.codegan  # its classes register themselves with Keras
    from kgan._backend import keras

    try:
        _check_size(path)
        model = keras.saving.load_model(path, safe_mode=True)
    except Exception as error:  # Keras raises many kinds
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise ValueError(f"{path} is not a model that can be loaded: {reason}") from None
    if not isinstance(model, kgan.gan.GAN):
        raise ValueError(f"{path} holds a {type(model).__name__}: kgan loads a GAN, a DCGAN or a CodeGAN")
    return model


def _check_size(path: Path) -> None:
    """Raise ValueError where a `.keras` file asks for more than it holds: a few bytes can ask for terabytes."""
    from kgan._backend import keras, without_memory

    with zipfile.ZipFile(path) as archive:
        if any(each.compress_type != zipfile.ZIP_STORED for each in archive.infolist()):
            raise ValueError("it is compressed, as Keras writes none")
        config = json.loads(archive.read("config.json"))
    config.pop("compile_config", None)  # optimizers are as large as the networks allow
    model = without_memory(lambda: keras.saving.deserialize_keras_object(config, safe_mode=True))
    weights = sum(math.prod(variable.shape) for variable in model.variables)
    if weights > path.stat().st_size:  # of 2 or 4 bytes each
        raise ValueError(f"it describes networks of {weights:,} weights, more than it holds")


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
