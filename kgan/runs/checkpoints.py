"""Checkpoints: `checkpoint-000012.npz`, and a `.json` with its checksum.

The checksum is written last, so it shows that the other file is complete. The files hold only arrays and JSON: nothing
that is read from them is ever executed.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import warnings
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kgan.errors import Mistake
from kgan.runs.files import read_file, read_json, replacing, write_json


class Saved(NamedTuple):
    """A checkpoint as it was read."""

    number: int
    arrays: dict[str, np.ndarray]
    state: dict[str, Any]


def write_checkpoint(directory: str | Path, number: int, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
    """Write a checkpoint under its number, durably and completely, or not at all.

    Args:
        directory: the directory to write to.
        number: larger than the number of any other checkpoint in the directory.
        arrays: arrays by name.
        state: anything that JSON can hold.

    Raises:
        OSError: if the disk is full; what was there before is still there.

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
    """The newest good checkpoint, or None if there never was one. A damaged one is skipped, with a warning.

    Raises:
        ValueError: if all are damaged.

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
        raise Mistake(f"no checkpoint in {directory} can be used: {what}. Nothing was changed")
    return None


def keep_checkpoints(directory: str | Path, numbers: Collection[int]) -> None:
    """Remove all checkpoints except these."""
    for suffix in (".json", ".npz"):  # in this order: without its checksum it is no checkpoint
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
        raise Mistake("its checksum is wrong")
    with np.load(io.BytesIO(content), allow_pickle=False) as file:  # a pickle could run anything
        if any(each.compress_type != zipfile.ZIP_STORED for each in file.zip.infolist()):
            raise Mistake("it is compressed, as kgan writes none")  # a few bytes might stand for terabytes
        arrays = {name: file[name] for name in file.files}
    return Saved(number, arrays, json.loads(arrays.pop("state").tobytes()))
