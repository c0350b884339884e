"""A run directory: its files, its lock, and the checks before it is used."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import filelock

from kgan.errors import Mistake
from kgan.files import PARTIAL
from kgan.runs.files import read_json

FILES = (
    *("run.json", "history.csv", "samples", "progress.gif", "losses.png", "epochs.png", "model.keras", "checkpoint"),
    *("best.keras", "quality.json", "quality.png", "report.html"),
)


@contextlib.contextmanager
def lock(directory: str | Path) -> Iterator[None]:
    """Reserve a directory for this process within the block; create it if it does not exist.

    The operating system keeps the lock, so a process that dies, for whatever reason, no longer holds it.

    Raises:
        BlockingIOError: if another process holds it.

    Example:
        >>> with lock("runs/new"):
        ...     kgan.runs.write_json("runs/new/run.json", {})
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    if (directory / ".lock").is_symlink():
        raise Mistake(f"{directory / '.lock'} is a link: remove it")
    system_lock = filelock.FileLock(directory / ".lock", timeout=0, is_singleton=True)
    try:
        system_lock.acquire()
    except filelock.Timeout:
        raise BlockingIOError(
            f"another run is training in {directory} now: wait for it, or name another directory"
        ) from None
    try:
        yield
    finally:
        system_lock.release()


def check_is_run(directory: str | Path) -> None:
    """Raise FileNotFoundError if there is no run in `directory`, not even one that was only just started."""
    if not (Path(directory) / "run.json").exists():
        raise FileNotFoundError(f"there is no run in {directory}: it has no run.json")


def check_free(directory: str | Path) -> None:
    """Raise FileExistsError if `directory` holds a run already, or any file that a run would overwrite."""
    directory = Path(directory)
    if directory.exists() and not directory.is_dir():
        raise FileExistsError(f"{directory} is a file: name a directory with --out")
    present = [name for name in FILES if (directory / name).exists()]
    if "run.json" in present and not _is_finished(directory):
        raise FileExistsError(
            f"{directory} holds a run that is not finished: resume it with `{resume_command(directory)}`, "
            "or name another with --out"
        )
    if present:
        raise FileExistsError(
            f"{directory} already holds a run ({', '.join(present)}), which is not overwritten: name another with --out"
        )


def short_names(directories: Sequence[Path]) -> list[str]:
    """Short names for runs that are shown together: the names of their directories, or whole paths if two are the same.

    Example:
        >>> short_names([Path("runs/a"), Path("runs/b"), Path("old/b")])
        ['a', 'runs/b', 'old/b']
    """
    names = [directory.resolve().name for directory in directories]
    return [name if names.count(name) == 1 else str(path) for path, name in zip(directories, names, strict=True)]


def resume_command(directory: str | Path, *options: str) -> str:
    """The command that resumes the run in a directory.

    Example:
        >>> resume_command("runs/my run")
        "kgan train --resume 'runs/my run'"
    """
    return command("train", "--resume", directory, *options)


def command(*arguments: str | Path) -> str:
    """A `kgan` command as this system's shell takes it.

    Example:
        >>> command("evaluate", "runs/my run")
        "kgan evaluate 'runs/my run'"
    """
    words = ["kgan", *map(str, arguments)]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def remove_partial_files(directory: str | Path) -> None:
    """Remove the partial files that a killed process left in a run directory, which must be locked.

    Raises:
        ValueError: if one of the run's files or folders is a link that leads elsewhere.

    Example:
        >>> remove_partial_files("runs/dcgan-digits")
    """
    directory = Path(directory)
    for name in FILES:
        if (directory / name).is_symlink():
            raise Mistake(f"{directory / name} is a link: a run is resumed only where all its files are its own")
    for folder in (directory, directory / "samples", directory / "checkpoint"):
        for half in folder.glob(f"{PARTIAL}*"):
            half.unlink()


def _is_finished(directory: Path) -> bool:
    try:
        return read_json(directory / "run.json").get("status") == "finished"
    except (OSError, ValueError):
        return True  # what cannot be read cannot be resumed either
