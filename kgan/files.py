"""How kgan writes files: completely or not at all; and where it keeps what takes long to compute."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import platformdirs

PARTIAL = ".part-"  # the names of incomplete files begin like this


@contextlib.contextmanager
def replacing(path: str | Path, *, durable: bool = True) -> Iterator[Path]:
    """A temporary file to write to, which replaces `path` when the block ends without an error.

    A reader of `path` finds the old file or the new one, never half of one. With `durable` this holds even after a
    power failure, but takes the disk some milliseconds, so pictures are written without it.

    Example:
        >>> with replacing("losses.png") as temporary:
        ...     figure.savefig(temporary)
    """
    path = Path(path).expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    # Each process has its own name: several may write to one cache. The suffix stays: it tells writers the format.
    temporary = path.with_name(f"{PARTIAL}{os.getpid()}-{path.name}")
    temporary.unlink(missing_ok=True)  # it might be a link that leads out of the directory
    try:
        yield temporary
        if durable:
            _flush(temporary)
        os.replace(temporary, path)
        if durable:
            _flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Make sure that the file, or the list of names in a directory, is really on the disk."""
    if path.is_dir() and os.name == "nt":  # Windows cannot open directories
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def cache_directory() -> Path:
    """The directory for results that take long to compute: `KGAN_CACHE`; default: the system's cache directory.

    Example:
        >>> cache_directory().name
        'cache'
    """
    return Path(os.environ.get("KGAN_CACHE") or platformdirs.user_cache_dir("kgan", appauthor=False)).expanduser()


def cache_path(room: str, *basis: Any) -> Path:
    """The place in a room of the cache for what is computed from `basis`, which JSON can hold.

    Example:
        >>> cache_path("folders", "photos", 64).parent.name
        'folders'
    """
    return cache_directory() / room / hashlib.sha256(json.dumps(basis).encode()).hexdigest()[:20]


def stamp(path: Path) -> list[int]:
    """Size and times of a file, which differ once it has changed."""
    facts = path.stat()
    # The modification time alone is not enough: copying and unpacking may set it back.
    return [facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns]
