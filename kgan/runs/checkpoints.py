"""Checkpoints: `checkpoint-000012.npz`, each written completely or not at all, with the checksums of a zip file.

The files hold only arrays and JSON: nothing that is read from them is ever executed.
"""

from __future__ import annotations

import io
import json
import re
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kgan.checks import plain
from kgan.errors import Mistake
from kgan.files import replacing
from kgan.runs.directory import read_file


class Saved(NamedTuple):
    """A checkpoint as it was read."""

    number: int
    arrays: dict[str, np.ndarray]
    state: dict[str, Any]


def write_checkpoint(directory: str | Path, number: int, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
    """Write a checkpoint, durably and completely, or not at all; its number is above those that are there."""
    with replacing(_path(directory, number)) as temporary:
        np.savez(temporary, **arrays, state=np.frombuffer(json.dumps(state, default=plain).encode(), np.uint8))


def read_checkpoint(directory: str | Path) -> Saved | None:
    """The newest good checkpoint; None if there never was one. A damaged one is skipped, with a warning."""
    damaged = []
    for number in sorted(_numbers(directory), reverse=True):
        path = _path(directory, number)
        try:
            with np.load(io.BytesIO(read_file(path)), allow_pickle=False) as file:  # a pickle could run anything
                arrays = dict(file)  # reading an array compares its checksum
            saved = Saved(number, arrays, json.loads(arrays.pop("state").tobytes()))
        except OSError:
            raise  # a disk or a permission is at fault: perhaps it can be read another time
        except Exception as error:  # of many kinds: in a damaged file there may be anything
            damaged.append(f"{path.stem} ({error})")
        else:
            if damaged:
                warnings.warn(f"damaged: {'; '.join(damaged)}: the checkpoint before is used", stacklevel=2)
            return saved
    if damaged:
        raise Mistake(f"no checkpoint in {directory} can be used: {'; '.join(damaged)}. Nothing was changed")
    return None


def keep_checkpoints(directory: str | Path, numbers: Collection[int]) -> None:
    """Remove all checkpoints except these."""
    for number in set(_numbers(directory)) - set(numbers):
        _path(directory, number).unlink(missing_ok=True)


def next_number(directory: str | Path) -> int:
    """A number above those of all checkpoints in a directory, good or damaged."""
    return 1 + max(_numbers(directory), default=0)


def _path(directory: str | Path, number: int) -> Path:
    return Path(directory) / f"checkpoint-{number:06}.npz"


def _numbers(directory: str | Path) -> list[int]:
    names = (re.fullmatch(r"checkpoint-(\d{6,12})", path.stem) for path in Path(directory).glob("checkpoint-*.npz"))
    return [int(name[1]) for name in names if name]
