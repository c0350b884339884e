"""The options that `kgan train` and `kgan plan` share: a recipe, and the changes to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from kgan import recipes
from kgan.errors import Mistake

RecipeName = Annotated[
    str | None, typer.Argument(metavar="[RECIPE]", help=f"See `kgan recipes`; default: {recipes.DEFAULT}.")
]
Data = Annotated[
    str | None,
    typer.Option(help="digits, a TensorFlow data set such as mnist, a folder of images, or a .npy, .npz or .h5 file."),
]
ImageSize = Annotated[int | None, typer.Option(help="Height and width in pixels.")]
Epochs = Annotated[int | None, typer.Option(help="Passes over the data, counted from the beginning of the run.")]
BatchSize = Annotated[int | None, typer.Option(help="Images in a minibatch.")]
Seed = Annotated[int | None, typer.Option(help="The same seed gives the same run.")]
Precision = Annotated[
    str | None, typer.Option(help="float32, bfloat16, or auto, which measures both and takes the faster one.")
]
Devices = Annotated[
    int | None,
    typer.Option(min=1, max=64, help="How many GPUs share each minibatch; without GPUs, how many parts of the CPU."),
]
WorkerAddresses = Annotated[
    str | None,
    typer.Option("--workers", metavar="HOST:PORT,…", help="Machines that train together; default: TF_CONFIG."),
]
Worker = Annotated[int | None, typer.Option(min=0, help="Which of --workers this machine is, counted from 0.")]
Log = Annotated[
    str | None,
    typer.Option(metavar="tensorboard|wandb|trackio", help="Send metrics and samples to an experiment tracker too."),
]
Out = Annotated[Path | None, typer.Option(help="Run directory; default: runs/RECIPE.")]
WithDoctor = Annotated[
    bool, typer.Option("--doctor/--no-doctor", help="Whether to check after each epoch if something goes wrong.")
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Change a setting of the recipe: see `kgan recipes RECIPE`."),
]


def given_settings(
    data: str | None,
    image_size: int | None,
    epochs: int | None,
    batch_size: int | None,
    seed: int | None,
    precision: str | None,
) -> dict[str, Any]:
    """The settings among the options that were given, by name."""
    return {name: value for name, value in locals().items() if value is not None}


def assignments(changes: Sequence[str]) -> dict[str, str]:
    """["filters=32"] → {"filters": "32"}"""
    for change in changes:
        if "=" not in change:
            raise Mistake(f"--set {change}: write it as name=value")
    return {name.strip(): value.strip() for name, value in (change.split("=", 1) for change in changes)}
