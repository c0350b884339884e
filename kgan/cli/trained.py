"""What a command draws from or measures: a run, or a pretrained model, with the data that it was trained on."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import kgan
from kgan import pretrained, recipes
from kgan.checks import check_choice
from kgan.errors import Mistake

if TYPE_CHECKING:
    import numpy as np

    from kgan.data import Labeled
    from kgan.gan import GAN

NAMES = ", ".join(pretrained.NAMES)
RunArgument = Annotated[Path | None, typer.Argument(metavar="RUN", help="Run directory, such as runs/dcgan-digits.")]
PretrainedOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help=f"Instead of a run, use a model that comes with kgan: {NAMES}."),
]


class Source:
    """A run, by its directory or a model in it, or a model of the package. It is a mistake to name both, or neither."""

    def __init__(self, run: Path | None, name: str | None = None) -> None:
        if run and name:
            raise Mistake(f"{run} and --pretrained {name} are two models: name one of them")
        if not run and name is None:
            raise Mistake(f"name a run directory, or a model that comes with kgan by --pretrained: {NAMES}")
        if name is not None:
            check_choice("pretrained model", name, pretrained.NAMES)
        self.run, self.pretrained = run, name

    def __str__(self) -> str:
        return str(self.run) if self.run else f"the pretrained {self.pretrained}"

    @property
    def directory(self) -> Path:
        return self.run.parent if self.run.is_file() else self.run

    def path(self, name: str) -> Path:
        """The default path of a picture: in the run directory, or in the current one for a pretrained model."""
        return self.directory / name if self.run else Path(f"{self.pretrained}-{name}")

    @functools.cached_property
    def model(self) -> GAN:
        return kgan.load_model(self.run) if self.run else pretrained.load(self.pretrained)

    @functools.cached_property
    def record(self) -> dict[str, Any]:
        """How it was made: the content of `run.json`, or of the file that comes with the package."""
        return kgan.runs.read_json(self.path("run.json")) if self.run else pretrained.record(self.pretrained)

    @property
    def settings(self) -> dict[str, Any]:
        try:
            return recipes.resolve(recipes.get(self.record["recipe"]), self.record["settings"])
        except (KeyError, TypeError, AttributeError):
            raise Mistake(f"{self.path('run.json')} does not say what the run was trained on") from None

    @property
    def class_names(self) -> list[str]:
        """The names of a conditional model's classes; their numbers if no names are known."""
        count = self.model.classes
        names = self.record.get("classes") if self.pretrained or self.path("run.json").exists() else None
        return list(map(str, names if names and len(names) == count else range(count)))

    @property
    def is_digits(self) -> bool:
        """Whether it was trained on handwritten digits, as far as is known."""
        try:
            return self.settings["data"] in ("digits", "mnist")
        except (OSError, Mistake):  # a model file without its run
            return False

    def labeled(self, instead: str | None = None) -> Labeled:
        """The real images that it was trained on, or other data prepared in the same way."""
        options = {name: self.settings[name] for name in ("split", "image_size", "crop", "background")}
        return kgan.data.load_labeled(instead or self.settings["data"], **options)

    def real_images(self, count: int, seed: int, instead: str | None = None) -> np.ndarray:
        """`count` of these images, float32 in [-1, 1]; the seed chooses them."""
        import numpy as np

        found = self.labeled(instead).images
        if count > len(found):
            raise Mistake(f"--count is {count}: there are only {len(found)} real images")
        return kgan.data.from_uint8(found[np.random.default_rng(seed).choice(len(found), count, replace=False)])


def draw(model: GAN, codes: np.ndarray) -> np.ndarray:
    """The images of codes, uint8: as floats, tens of thousands of images would fill the memory."""
    from kgan.batched import in_batches

    def pixels(batch: np.ndarray) -> np.ndarray:
        images = model.generate(batch)
        kgan.quality.check_finite(images, "samples")
        return kgan.plots.to_uint8(images)

    return in_batches(pixels, codes, 1024)
