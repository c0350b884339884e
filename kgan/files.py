"""The one way in which kgan writes files: whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

PARTIAL = ".part-"  # how the names of files begin that are not yet whole


@contextlib.contextmanager
def replacing(path: str | Path, *, durable: bool = True) -> Iterator[Path]:
    """A temporary name to write to, which becomes `path` once the block has ended well.

    Whoever reads `path` finds the old file or the new one, never half of one: even after the power failed, if it is
    `durable`. That takes the disk some milliseconds, which pictures are not worth.

    Example:
        >>> with replacing("losses.png") as temporary:
        ...     figure.savefig(temporary)
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The process's own, since a cache may be written to by several; the suffix stays: it tells writers the format.
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
    """Have the disk itself hold the file, or the names in the directory."""
    if path.is_dir() and os.name == "nt":  # Windows opens no directories
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
