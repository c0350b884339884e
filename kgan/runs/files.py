"""Files that are never half written, and files that anybody may have written."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PARTIAL = ".part-"  # how the names of files begin that are not yet whole


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
    temporary = path.with_name(f"{PARTIAL}{path.name}")  # the suffix stays: it tells writers the format
    temporary.unlink(missing_ok=True)  # it might be a link that leads out of the directory
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
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


def write_json(path: str | Path, content: Any) -> None:
    """Write JSON that a person can read."""
    with replacing(path) as temporary:
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")  # file names may be any bytes


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
