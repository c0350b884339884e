"""`kgan sample`, `kgan interpolate`, `kgan traverse`, `kgan reconstruct`: pictures of a trained run."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import kgan
from kgan.checks import check_choice
from kgan.cli.console import one_sentence, say
from kgan.cli.trained import PretrainedOption, RunArgument, Source, draw
from kgan.errors import Mistake
from kgan.files import replacing

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from kgan.gan import GAN

CANDIDATES = 8  # drawn for each image that --best keeps

Seed = Annotated[int, typer.Option(min=0, max=2**31 - 1, help="The same seed draws the same picture.")]
Picture = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE.png", help="Default: in the run directory. A GIF goes next to it."),
]


def sample(
    run: RunArgument = None,
    pretrained: PretrainedOption = None,
    count: Annotated[
        int | None,
        typer.Option(min=1, max=10**5, help="Images to draw: 64, or 8 of each class of a conditional run."),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(metavar="7,cat,…", help="Classes to draw from a conditional run: names, or numbers from 0."),
    ] = None,
    seed: Seed = 0,
    best: Annotated[
        bool,
        typer.Option(help=f"Cherry-pick: of {CANDIDATES} times as many, those that the discriminator scores highest."),
    ] = False,
    beside_real: Annotated[bool, typer.Option(help="Put a grid of as many real images to the right.")] = False,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.png|FILE.npy|DIR/",
            help="A grid (default: in the run directory), a uint8 array, or a folder with a PNG for each image.",
        ),
    ] = None,
) -> None:
    """Draw samples from a trained run, or from a model that comes with kgan."""
    import numpy as np
    from PIL import Image

    with one_sentence():
        source = Source(run, pretrained)
        suffix = Path(out or "sample.png").suffix.lower()
        is_folder = bool(out) and (out.endswith(("/", "\\")) or Path(out).is_dir() or not suffix)
        if not is_folder and suffix not in (".png", ".npy"):
            raise Mistake(f"--out is {out}: it must end in .png, .npy, or / for a folder")
        if is_folder and Path(out).exists() and any(Path(out).iterdir()):
            raise FileExistsError(f"{Path(out)} holds files already: name an empty or a new folder with --out")
        if beside_real and (is_folder or suffix != ".png"):
            raise Mistake(f"--out is {out}: samples next to real images make a grid, which ends in .png")
        model = source.model
        chosen = _chosen_classes(source, classes)
        count = count or 8 * len(chosen) or 64
        options = f"-classes-{'-'.join(map(str, chosen.values()))}" if classes else ""
        options += f"-best-of-{count * CANDIDATES}" if best else ""
        options += "-beside-real" if beside_real else ""
        target = Path(out) if out else source.path(f"sample-{count}{options}-seed-{seed}.png")
        # The same number of images for each class, as far as possible.
        labels = np.array([*chosen.values()])[np.arange(count) * len(chosen) // count] if chosen else None
        codes = _best(model, count, seed, labels) if best else model.sample_codes(count, seed, labels)
        caption = f"the best {count} of {count * CANDIDATES} by the discriminator" if best else "generated"
        if is_folder:
            for number, pixels in enumerate(draw(model, codes), start=1):
                file = target / f"{'best-' if best else ''}{number:0{max(4, len(str(count)))}}.png"
                kgan.plots.save(Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels), file)
        elif suffix == ".npy":
            pixels = draw(model, codes)
            with replacing(target, durable=False) as temporary, temporary.open("wb") as file:
                np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(pixels))
                file.write(pixels)  # of a full disk it says so, which np.save does not
        elif beside_real:
            real = source.real_images(count, seed)
            grids = [kgan.plots.image_grid(images, margin=0) for images in (model.generate(codes), real)]
            kgan.plots.save(kgan.plots.side_by_side(grids, [caption, "real"]), target)
        else:
            has_rows = bool(chosen) and count % len(chosen) == 0
            grid = kgan.plots.image_grid(model.generate(codes), count // len(chosen) if has_rows else None)
            grid = kgan.plots.with_row_labels(grid, [*chosen]) if has_rows else grid
            kgan.plots.save(kgan.plots.captioned(grid, caption) if best else grid, target)
    say(str(target))


def interpolate(
    run: RunArgument = None,
    pretrained: PretrainedOption = None,
    pairs: Annotated[int, typer.Option(min=1, max=64, help="Pairs of codes, one per row.")] = 6,
    steps: Annotated[int, typer.Option(min=2, max=64, help="Images from one code to the other.")] = 9,
    seed: Seed = 0,
    out: Picture = None,
) -> None:
    """Interpolate between pairs of codes, on linear and on spherical paths: a PNG, and a GIF that loops."""
    with one_sentence():
        source = Source(run, pretrained)
        target = _png(out, source, f"interpolate-seed-{seed}.png")
        gif = target.with_suffix(".gif")
        model = source.model
        codes = model.sample_codes(2 * pairs, seed).numpy()

        def walk(steps: int, path: str) -> np.ndarray:  # (pairs, steps, code_dim)
            return kgan.latent.interpolate(codes[::2], codes[1::2], steps, path, classes=model.classes)

        def grid(codes: np.ndarray, columns: int | None, path: str) -> Image.Image:
            return kgan.plots.captioned(kgan.plots.image_grid(model.generate(codes), columns), f"{path} interpolation")

        grids = [grid(walk(steps, path).reshape(-1, model.code_dim), steps, path) for path in kgan.latent.PATHS]
        kgan.plots.save(kgan.plots.stacked(grids), target)
        path = kgan.latent.natural_path(model.prior)
        moments = walk(24, path).swapaxes(0, 1)
        animation = kgan.plots.GIF(gif, milliseconds=80, hold=80)
        for codes_then in (*moments, *moments[-2:0:-1]):  # there and back
            animation.append(grid(codes_then, None, path))
    say(str(target))
    say(str(gif))


def traverse(
    run: RunArgument = None,
    pretrained: PretrainedOption = None,
    units: Annotated[
        str, typer.Option(metavar="0,1,…", help="Units of the code, counted from 0; one per row.")
    ] = "0,1,2,3,4,5,6,7",
    steps: Annotated[int, typer.Option(min=2, max=64, help="Images in a row.")] = 9,
    seed: Seed = 0,
    out: Picture = None,
) -> None:
    """Change one unit of a code at a time, over the range of its prior, to see what the unit does."""
    import numpy as np

    with one_sentence():
        source = Source(run, pretrained)
        target = _png(out, source, f"traverse-{units.replace(',', '-')}-seed-{seed}.png")
        try:
            rows = [int(unit) for unit in units.split(",")]
        except ValueError:
            raise Mistake(f"--units is {units!r}: write whole numbers with commas between them") from None
        model = source.model
        end = 1.0 if model.prior == "uniform" else 2.0  # 95 % of N(0, 1) lies within ±2
        codes = kgan.latent.traverse(model.sample_codes(1, seed).numpy()[0], rows, np.linspace(-end, end, steps))
        grid = kgan.plots.image_grid(model.generate(codes.reshape(-1, model.code_dim)), steps)
        labeled = kgan.plots.with_row_labels(grid, [str(unit) for unit in rows])
        kgan.plots.save(kgan.plots.captioned(labeled, f"one unit a row, from {-end:g} to {end:g}"), target)
    say(str(target))


def reconstruct(
    run: RunArgument = None,
    pretrained: PretrainedOption = None,
    images: Annotated[
        str | None, typer.Option(help="A folder of images, or other data; default: the training data of the run.")
    ] = None,
    degrade: Annotated[
        str | None, typer.Option(metavar="noise|blur|mask", help="Degrade the images before their codes are read.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=100, help="Images, one per column.")] = 8,
    refine: Annotated[int, typer.Option(min=0, max=10_000, help="Gradient steps that refine the codes.")] = 100,
    seed: Seed = 0,
    out: Picture = None,
) -> None:
    """Read the codes of images (by a CodeGAN), and draw the images again: from these codes, and from refined ones."""
    import numpy as np

    with one_sentence():
        source = Source(run, pretrained)
        target = _png(out, source, f"reconstruct{f'-{degrade}' if degrade else ''}-seed-{seed}.png")
        if degrade:
            check_choice("--degrade", degrade, kgan.data.DEGRADATIONS)
        model = source.model
        if not hasattr(model, "encode"):
            raise Mistake(f"{source} is a {type(model).__name__}: only a CodeGAN reads codes, as codegan-digits")
        originals = source.real_images(count, seed, images)
        shown, known = kgan.data.degrade(originals, degrade, seed=seed) if degrade else (originals, None)
        rows = {"original": originals} | ({degrade: shown} if degrade else {})
        rows["read"] = model.reconstruct(shown)
        rows["refined"] = model.reconstruct(shown, refine=refine, known=known)
        differences = {name: 50 * np.abs(row - originals).mean() for name, row in rows.items() if name != "original"}
        errors = ", ".join(f"{name} {difference:.1f} %" for name, difference in differences.items())
        grid = kgan.plots.with_row_labels(kgan.plots.image_grid(np.concatenate([*rows.values()]), count), [*rows])
        kgan.plots.save(kgan.plots.captioned(grid, f"error of a pixel: {errors}"), target)
    say(f"error of a pixel, of the range from black to white: {errors}")
    say(str(target))


def _chosen_classes(source: Source, text: str | None) -> dict[str, int]:
    """The numbers of the classes to draw, by name; default: all. Empty for a model that is not conditional."""
    names = source.class_names
    if text and not names:
        raise Mistake(f"--classes is {text}, but {source} knows no classes: name a conditional one, as modern-digits")
    known = {str(number): number for number in range(len(names))} | {name: i for i, name in enumerate(names)}
    # A name may have a comma of its own: alone, or in quotation marks, as in a CSV file.
    if text is None:
        words = names
    elif text in names:
        words = [text]
    else:
        words = [word.strip() for word in next(csv.reader([text], skipinitialspace=True))] or [""]
    for word in words:
        if word not in known:
            raise Mistake(f"--classes has {word!r}: choose from {', '.join(names)}")
    return {names[known[word]]: known[word] for word in words}


def _best(model: GAN, count: int, seed: int, labels: np.ndarray | None) -> np.ndarray:
    """The codes, of `CANDIDATES` times as many, whose images score highest, best first; with labels, one for each."""
    import numpy as np

    from kgan.batched import in_batches

    wanted = None if labels is None else np.repeat(labels, CANDIDATES)
    codes = model.sample_codes(count * CANDIDATES, seed, wanted).numpy()

    def score(batch: np.ndarray) -> np.ndarray:
        labels = batch[:, model.latent_dim :].argmax(axis=1) if model.classes else None
        return model.score(model.generate(batch), labels=labels)

    logits = in_batches(score, codes, 256)
    if labels is None:
        return codes[np.argsort(-logits, kind="stable")[:count]]
    return codes.reshape(count, CANDIDATES, -1)[np.arange(count), logits.reshape(count, CANDIDATES).argmax(axis=1)]


def _png(out: Path | None, source: Source, name: str) -> Path:
    if out and out.suffix.lower() != ".png":
        raise Mistake(f"--out is {out}: it must end in .png")
    return out or source.path(name)
