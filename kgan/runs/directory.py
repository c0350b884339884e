"""A run directory: its files, its lock, and the checks before it is used."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import filelock

from kgan.checks import plain
from kgan.errors import Mistake
from kgan.files import PARTIAL, replacing

FILES = (
    *("run.json", "history.csv", "samples", "progress.gif", "losses.png", "epochs.png", "model.keras", "checkpoint"),
    *("best.keras", "quality.json", "quality.png", "report.html"),
)


@contextlib.contextmanager
def lock(directory: str | Path) -> Iterator[None]:
    """Reserve a directory for this process within the block; create it if it does not exist.

    It raises BlockingIOError if another process holds it; one that died, for whatever reason, does not.

    Example:
        >>> with lock("runs/new"):
        ...     kgan.runs.write_json("runs/new/run.json", {})
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(directory / ".lock", timeout=0, is_singleton=True):
            yield
    except filelock.Timeout:
        raise BlockingIOError(
            f"another run is training in {directory} now: wait for it, or name another directory"
        ) from None


def check_is_run(directory: str | Path) -> None:
    """Raise FileNotFoundError if there is no run in `directory`, not even one that was only just started."""
    if not (Path(directory) / "run.json").exists():
        raise FileNotFoundError(f"there is no run in {directory}: it has no run.json")


def check_free(directory: str | Path) -> None:
    """Raise FileExistsError if `directory` holds a run already, or any file that a run would overwrite."""
    directory = Path(directory)
    if directory.is_file():
        raise FileExistsError(f"{directory} is a file: name a directory with --out")
    status = "finished"
    with contextlib.suppress(OSError, ValueError):  # what cannot be read cannot be resumed either
        status = read_json(directory / "run.json").get("status")
    if status != "finished":
        what = f"a run that is not finished: resume it with `{resume_command(directory)}`, or name another with --out"
        raise FileExistsError(f"{directory} holds {what}")
    if present := [name for name in FILES if (directory / name).exists()]:
        what = f"a run ({', '.join(present)}), which is not overwritten: name another with --out"
        raise FileExistsError(f"{directory} already holds {what}")


def remove_partial_files(directory: str | Path) -> None:
    """Remove what a killed process left in a run directory, which must be locked; refuse links, which may lead out."""
    directory = Path(directory)
    for name in FILES:
        if (directory / name).is_symlink():
            raise Mistake(f"{directory / name} is a link: a run is resumed only where all its files are its own")
    for folder in (directory, directory / "samples", directory / "checkpoint"):
        for partial in folder.glob(f"{PARTIAL}*"):
            partial.unlink()


def write_json(path: str | Path, content: Any) -> None:
    """Write JSON that a person can read."""
    with replacing(path) as temporary:
        text = json.dumps(content, indent=2, ensure_ascii=False, default=plain) + "\n"
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")  # file names may be any bytes


def read_json(path: str | Path) -> dict[str, Any]:
    """Read an object from a JSON file. Raises FileNotFoundError if there is none, Mistake for any other content.

    Example:
        >>> write_json("run.json", {"seed": 0})
        >>> read_json("run.json")
        {'seed': 0}
    """
    try:
        content = json.loads(read_file(path))
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise Mistake(f"{path} cannot be read: it is not the JSON that kgan wrote")
    return content


def read_history(path: str | Path) -> dict[str, list[float]]:
    """The columns of a `history.csv`; empty cells are NaN. Mistake if it is not the table of a run.

    Example:
        >>> text = Path("history.csv").write_text("epoch,d_loss,seconds\\n1,1.38,7.5\\n")
        >>> read_history("history.csv")
        {'epoch': [1.0], 'd_loss': [1.38], 'seconds': [7.5]}
    """
    content = read_file(path)
    try:
        rows = list(csv.DictReader(io.StringIO(content.decode())))
        history = {name: [float(row[name] or "nan") for row in rows] for name in (rows[0] if rows else ())}
    except (ValueError, TypeError, csv.Error):
        history = {}
    if not {"epoch", "seconds"} <= set(history):
        raise Mistake(f"{path} cannot be read: it is not the table that kgan wrote")
    return history


def value_of(content: Mapping[str, Any], name: str, kind: type) -> Any:
    """The value under a name, or an empty value of this kind if the value is missing or of another kind."""
    value = content.get(name)
    return value if isinstance(value, kind) else kind()


def read_file(path: str | Path) -> bytes:
    """The bytes of a plain file: a link might lead out of the run, and a device has no end."""
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no {path}")
    if path.is_symlink() or not path.is_file():
        raise Mistake(f"{path} is not a plain file")
    return path.read_bytes()


def short_names(directories: Sequence[Path]) -> list[str]:
    """The names of directories; whole paths where two names are the same: ["a", "runs/b", "old/b"]."""
    names = [directory.resolve().name for directory in directories]
    return [name if names.count(name) == 1 else str(path) for path, name in zip(directories, names, strict=True)]


def resume_command(directory: str | Path, *options: str) -> str:
    """The command that resumes the run in a directory."""
    return command("train", "--resume", directory, *options)


def command(*arguments: str | Path) -> str:
    """A `kgan` command as this system's shell takes it: `kgan evaluate 'runs/my run'`."""
    words = ["kgan", *map(str, arguments)]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
