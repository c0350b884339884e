"""`kgan sample`: pictures of a trained run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kgan.cli.console import one_sentence


def sample(
    run: Annotated[Path, typer.Argument(help="Run directory, such as runs/dcgan-digits.")],
    count: Annotated[int, typer.Option(min=1, help="Images to draw.")] = 64,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="The same seed draws the same images.")] = 0,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.png|FILE.npy|DIR/",
            help="A grid; an array (uint8, count × height × width × channels); or a folder of one PNG an image. "
            "A grid in the run directory unless given.",
        ),
    ] = None,
) -> None:
    """Draw samples from a trained run."""
    from kgan import runs

    with one_sentence():
        directory = run.parent if run.is_file() else run
        target = Path(out) if out else directory / f"sample-{count}-seed-{seed}.png"
        suffix = target.suffix.lower()
        as_folder = bool(out) and (out.endswith(("/", "\\")) or target.is_dir() or not suffix)
        if not as_folder and suffix not in (".png", ".npy"):
            raise ValueError(f"--out is {out}: it must end in .png, .npy, or / for a folder")
        if as_folder and target.exists() and any(target.iterdir()):
            raise FileExistsError(f"{target} holds files already: name an empty or a new folder with --out")
        model = runs.load_model(run)

        import imageio.v3 as iio
        import numpy as np

        from kgan import plots

        images = model.generate(count, seed=seed)
        if as_folder:
            digits = max(4, len(str(count)))
            for number, pixels in enumerate(plots.to_uint8(images), start=1):
                with runs.replacing(target / f"{number:0{digits}}.png") as temporary:
                    iio.imwrite(temporary, pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels)
        else:
            with runs.replacing(target) as temporary:
                if suffix == ".npy":
                    np.save(temporary, plots.to_uint8(images))
                else:
                    plots.image_grid(images).save(temporary)
    typer.echo(target)
