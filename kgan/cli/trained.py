"""A run as other commands find it: where its files are, and what it was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kgan import recipes

if TYPE_CHECKING:
    from kgan.data import Labelled


def directory(run: Path) -> Path:
    """The run directory, where a file in it was named."""
    return run.parent if run.is_file() else run


def settings(run: Path) -> dict[str, Any]:
    """The settings that a run was trained with.

    Raises:
        FileNotFoundError, ValueError: where there is no `run.json`, or it does not say so.
    """
    from kgan import runs

    file = directory(run) / "run.json"
    record = runs.read_json(file)
    try:
        return recipes.resolve(recipes.get(record["recipe"]), record["settings"])
    except (KeyError, TypeError, AttributeError):
        raise ValueError(f"{file} does not say what the run was trained on") from None


def labelled(run: Path, source: str | None = None) -> Labelled:
    """The real images that a run was trained on, or others prepared in the same way."""
    from kgan import data

    used = settings(run)
    options = {name: used[name] for name in ("split", "image_size", "crop", "background")}
    return data.load_labelled(source or used["data"], **options)
