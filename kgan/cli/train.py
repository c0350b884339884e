"""`kgan train` and `kgan plan`."""

from __future__ import annotations

import datetime
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from kgan import recipes
from kgan.cli.console import debug, exit_with, one_sentence, say
from kgan.cli.seeds import train_each
from kgan.errors import Mistake
from kgan.units import clock, duration, size

# The options that both commands have.
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
Out = Annotated[Path | None, typer.Option(help="Run directory; default: runs/RECIPE.")]
WithDoctor = Annotated[
    bool, typer.Option("--doctor/--no-doctor", help="Whether to check after each epoch if something goes wrong.")
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Change a setting of the recipe: see `kgan recipes RECIPE`."),
]


def train(
    recipe: RecipeName = None,
    data: Data = None,
    image_size: ImageSize = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    seed: Seed = None,
    precision: Precision = None,
    devices: Devices = None,
    workers: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT,…", help="Machines that train together; default: TF_CONFIG."),
    ] = None,
    worker: Annotated[
        int | None, typer.Option(min=0, help="Which of --workers this machine is, counted from 0.")
    ] = None,
    out: Out = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Resume the run in DIR, to its end or to the given --epochs.")
    ] = None,
    stop_when_sick: Annotated[
        bool, typer.Option("--stop-when-sick", help="End the run when the doctor finds something wrong.")
    ] = False,
    with_doctor: WithDoctor = True,
    log: Annotated[
        str | None,
        typer.Option(
            metavar="tensorboard|wandb|trackio", help="Send metrics and samples to an experiment tracker too."
        ),
    ] = None,
    changes: Changes = None,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, max=1000, help="Train with this many seeds, one after the other, into folders seed-0, …."),
    ] = None,
) -> None:
    """Train a recipe; its GIF, pictures, curves and model go into a run directory."""
    options = locals()
    from kgan import placement

    with one_sentence():
        if stop_when_sick and not with_doctor:
            raise Mistake("--stop-when-sick needs the doctor: leave out --no-doctor")
        if worker is not None and workers is None:
            raise Mistake(f"--worker is {worker}: name all of them with --workers HOST:PORT,HOST:PORT")
        if workers is not None:
            os.environ["TF_CONFIG"] = placement.tf_config(workers, worker)
        if seeds and placement.workers().addresses:
            raise Mistake("--seeds trains in one process: with several workers train each seed by itself")
        settings = given_settings(options)
    if seeds:
        train_each(train, seeds, **{**options, "seeds": None})
        return
    how = {"out": out, "resume": resume, "devices": devices, "doctor": with_doctor, "log": log}
    _train(recipe, stop_when_sick=stop_when_sick, **how, **settings)


def _train(recipe: str | None, **arguments: Any) -> None:
    """Train; exit with 1 where training failed, 2 for a mistake, 128 + the number of a signal."""
    from kgan import session
    from kgan.diagnosis import Sick

    with one_sentence():
        try:
            session.train(recipe, **arguments)
        except session.Interrupted as interrupted:
            say(str(interrupted))
            raise typer.Exit(128 + interrupted.signal) from None
        except (FloatingPointError, Sick) as error:
            kept, advice = error.__notes__
            say(advice)
            raise exit_with(f"{error}; {kept}", 1) from None
        except OSError as error:
            if debug() or error.__cause__ is None:  # a mistake, before training
                raise
            end = exit_with(error, 1)
            if isinstance(error, ConnectionError):
                sys.stdout.flush()
                os._exit(1)  # TensorFlow's threads wait for the worker that was lost
            raise end from None


def plan(
    recipe: RecipeName = None,
    data: Data = None,
    image_size: ImageSize = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    seed: Seed = None,
    precision: Precision = None,
    devices: Devices = None,
    out: Out = None,
    with_doctor: WithDoctor = True,
    changes: Changes = None,
) -> None:
    """Say how long a run would take: train a few steps of it, and save nothing."""
    options = locals()
    with one_sentence():
        settings = given_settings(options)

        from kgan import networks
        from kgan.forecast import forecast

        found = forecast(recipe, out=out, devices=devices or 1, doctor=with_doctor, **settings)
    end = datetime.datetime.now().astimezone() + datetime.timedelta(seconds=found.seconds)
    for network in (found.model.generator, found.model.discriminator):
        work = f"{networks.multiply_adds(network):,} multiply-adds an image"
        say(f"{network.name:14} {network.count_params():,} weights, {work}")
    images = found.settings["batch_size"] * found.settings["d_steps"]
    steps = f"{found.steps_per_epoch:,} steps, and {duration(found.between)} for pictures, checkpoint and checks"
    say(f"{'a step':14} {found.step * 1000:.3g} ms for {images} images in {found.settings['precision']}")
    say(f"{'an epoch':14} {duration(found.epoch)}: {steps}")
    say(f"{'the run':14} {duration(found.seconds)} for {found.epochs} epochs, until {clock(end)} if it began now")
    say(f"{'disk':14} {size(found.disk)} in {found.directory}")
    if found.memory:
        say(f"{'memory':14} {size(found.memory)} so far, the images among them")


def given_settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """The settings among the options of a command; --set filters=32 becomes {"filters": "32"}."""
    names = ("data", "image_size", "epochs", "batch_size", "seed", "precision")
    given = {name: options[name] for name in names if options[name] is not None}
    for change in options["changes"] or []:
        if "=" not in change:
            raise Mistake(f"--set {change}: write it as name=value")
        name, value = change.split("=", 1)
        given[name.strip()] = value.strip()
    return given
