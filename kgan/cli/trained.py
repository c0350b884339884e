"""Find a run or a pretrained model for other commands: its files, and the data that it was trained on."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kgan import pretrained, recipes
from kgan.errors import Mistake

if TYPE_CHECKING:
    import numpy as np

    from kgan.data import Labeled
    from kgan.gan import GAN


def directory(run: Path) -> Path:
    """The run directory, even if `run` is a file in it."""
    return run.parent if run.is_file() else run


def settings(run: Path) -> dict[str, Any]:
    """The settings that a run was trained with.

    Raises:
        FileNotFoundError, ValueError: if there is no `run.json`, or it has no valid settings.
    """
    from kgan import runs

    file = directory(run) / "run.json"
    record = runs.read_json(file)
    try:
        return recipes.resolve(recipes.get(record["recipe"]), record["settings"])
    except (KeyError, TypeError, AttributeError):
        raise Mistake(f"{file} does not say what the run was trained on") from None


def class_names(run: Path) -> list[str]:
    """The names of the classes that a conditional run can draw; empty if `run.json` does not name them."""
    from kgan import runs

    file = directory(run) / "run.json"
    names = runs.read_json(file).get("classes") if file.exists() else None
    return [str(name) for name in names or []]


def labeled(run: Path) -> Labeled:
    """The real images that a run was trained on."""
    return prepared(settings(run))


def prepared(used: dict[str, Any], source: str | None = None) -> Labeled:
    """The real images that the settings name, or others prepared in the same way."""
    from kgan import data

    options = {name: used[name] for name in ("split", "image_size", "crop", "background")}
    return data.load_labeled(source or used["data"], **options)


Run = Annotated[Path | None, typer.Argument(metavar="RUN", help="Run directory, such as runs/dcgan-digits.")]
Pretrained = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help=f"Instead of a run, use a model that comes with kgan: {', '.join(pretrained.NAMES)}."
    ),
]


class Source:
    """What a command draws from: a run, or a model that comes with the package.

    Raises:
        ValueError: if both are named, or neither.
    """

    def __init__(self, run: Path | None, name: str | None) -> None:
        if run is not None and name is not None:
            raise Mistake(f"{run} and --pretrained {name} are two models: name one of them")
        if run is None and name is None:
            raise Mistake(
                f"name a run directory, or a model that comes with kgan by --pretrained: {', '.join(pretrained.NAMES)}"
            )
        if name is not None:
            pretrained.check_name(name)
        self.run, self.pretrained = run, name

    def __str__(self) -> str:
        return str(self.run) if self.run else f"the pretrained {self.pretrained}"

    def path(self, name: str) -> Path:
        """The default path of a picture: in the run directory, or in the current one for a pretrained model."""
        return directory(self.run) / name if self.run else Path(f"{self.pretrained}-{name}")

    @functools.cached_property
    def model(self) -> GAN:
        from kgan import runs

        return runs.load_model(self.run) if self.run else pretrained.load(self.pretrained)

    @property
    def settings(self) -> dict[str, Any]:
        if self.run:
            return settings(self.run)
        record = pretrained.record(self.pretrained)
        return recipes.resolve(recipes.get(record["recipe"]), record["settings"])

    @property
    def class_names(self) -> list[str]:
        """The names of a conditional model's classes; their numbers if no names are known."""
        count = self.model.classes
        names = class_names(self.run) if self.run else pretrained.record(self.pretrained)["classes"]
        return names if len(names) == count else [str(number) for number in range(count)]

    @property
    def with_classes(self) -> str:
        """For an error message: how to get a model that has classes, if this one has none."""
        if self.pretrained:
            return "modern-digits and modern-mnist do"
        return "a CodeGAN cannot" if hasattr(self.model, "encode") else "train with --set conditional=true"

    @property
    def is_digits(self) -> bool:
        """Whether it was trained on handwritten digits, as far as is known."""
        try:
            return self.settings["data"] in ("digits", "mnist")
        except (OSError, ValueError):  # a model file without its run
            return False

    def real_images(self, count: int, seed: int, images: str | None = None) -> np.ndarray:
        """`count` images of the data that the model was trained on, or of other data; the seed chooses them."""
        import numpy as np

        from kgan import data

        found = prepared(self.settings, images).images
        if count > len(found):
            raise Mistake(f"--count is {count}: there are only {len(found)} real images")
        return data.from_uint8(found[np.random.default_rng(seed).choice(len(found), count, replace=False)])


def drawn(model: GAN, codes: np.ndarray, at_a_time: int = 1024) -> Iterator[np.ndarray]:
    """The images of codes, uint8, in batches: the floats of tens of thousands of images would fill the memory."""
    from kgan import plots

    for begin in range(0, len(codes), at_a_time):
        yield plots.to_uint8(model.generate(codes[begin : begin + at_a_time]))


def save(path: Path, model: GAN, codes: np.ndarray) -> None:
    """Write the images of codes to a `.npy` file, as they are drawn."""
    import numpy as np

    # Not a memory map: there a full disk causes a fatal signal, not an error.
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(codes), *model.data_shape)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for pixels in drawn(model, codes):
            file.write(pixels.tobytes())
