"""A run as other commands find it: where its files are, and what it was trained on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kgan import recipes

if TYPE_CHECKING:
    import numpy as np

    from kgan.data import Labelled
    from kgan.gan import GAN


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


def class_names(run: Path) -> list[str]:
    """The names of the classes that a conditional run can draw; none where `run.json` does not say them."""
    from kgan import runs

    file = directory(run) / "run.json"
    names = runs.read_json(file).get("classes") if file.exists() else None
    return [str(name) for name in names or []]


def labelled(run: Path, source: str | None = None) -> Labelled:
    """The real images that a run was trained on, or others prepared in the same way."""
    from kgan import data

    used = settings(run)
    options = {name: used[name] for name in ("split", "image_size", "crop", "background")}
    return data.load_labelled(source or used["data"], **options)


def drawn(model: GAN, codes: np.ndarray, at_a_time: int = 1024) -> Iterator[np.ndarray]:
    """The images of codes, uint8, so many at a time: of tens of thousands the floats would fill the memory."""
    from kgan import plots

    for begin in range(0, len(codes), at_a_time):
        yield plots.to_uint8(model.generate(codes[begin : begin + at_a_time]))


def save(path: Path, model: GAN, codes: np.ndarray) -> None:
    """Write the images of codes to a `.npy` file, as they are drawn."""
    import numpy as np

    # Not by a memory map: there a full disk is a deadly signal and no error.
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(codes), *model.data_shape)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for pixels in drawn(model, codes):
            file.write(pixels.tobytes())
