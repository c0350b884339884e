"""JSON files, and the reading of files that kgan does not trust."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kgan.errors import Mistake
from kgan.files import replacing


def write_json(path: str | Path, content: Any) -> None:
    """Write JSON that a person can read."""
    with replacing(path) as temporary:
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")  # file names may be any bytes


def read_json(path: str | Path) -> dict[str, Any]:
    """Read an object from a JSON file that kgan does not trust.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it holds no JSON object.

    Example:
        >>> write_json("run.json", {"seed": 0})
        >>> read_json("run.json")
        {'seed': 0}
    """
    try:
        content = json.loads(read_file(path, at_most=2**24))
    except (ValueError, RecursionError):
        raise Mistake(f"{path} cannot be read: it is not the JSON that kgan wrote") from None
    if not isinstance(content, dict):
        raise Mistake(f"{path} cannot be read: it is not the JSON that kgan wrote")
    return content


def value_of(content: Mapping[str, Any], name: str, kind: type) -> Any:
    """The value under a name, or an empty value of this kind if the value is missing or of another kind.

    Example:
        >>> value_of({"epochs": 3, "findings": "none"}, "epochs", int)
        3
        >>> value_of({"epochs": 3, "findings": "none"}, "findings", list)
        []
    """
    value = content.get(name)
    return value if isinstance(value, kind) else kind()


def read_file(path: str | Path, at_most: int) -> bytes:
    """The bytes of a plain file: no device, no link, and not more than `at_most` bytes."""
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no {path}")
    if path.is_symlink() or not path.is_file():
        raise Mistake(f"{path} is not a plain file")
    if path.stat().st_size > at_most:
        raise Mistake(f"{path} is larger than any that kgan writes")
    return path.read_bytes()
