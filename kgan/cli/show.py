"""`kgan recipes`, `kgan report`, `kgan play`: what there is to train, and what was trained, as a page."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Annotated

import typer

import kgan
from kgan import recipes
from kgan.cli.console import one_sentence, say, table
from kgan.cli.trained import PretrainedOption, RunArgument, Source
from kgan.errors import Mistake
from kgan.recipes import times
from kgan.units import duration, shape_text


def list_recipes(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Show every setting of this recipe, and its networks.")
    ] = None,
) -> None:
    """List the recipes, or show every setting of one with its reason, and its networks."""
    with one_sentence():
        if name:
            _show_recipe(recipes.get(name))
            return
    took = {name: duration(seconds) for name, seconds in times.SECONDS.items()}
    rows = [
        (recipe.name, recipe["data"], str(recipe["epochs"]), took.get(recipe.name, ""), recipe.paper)
        for recipe in recipes.RECIPES.values()
    ]
    table(("recipe", "data set", "epochs", "time", "paper"), rows)
    say("")
    say(f"time: of all epochs, on {times.MACHINE}; kgan plan RECIPE measures it here")


def _show_recipe(recipe: recipes.Recipe) -> None:
    for line in (f"{recipe.name}: a {recipe.model}", recipe.paper, ""):
        say(line)
    rows = [(name, str(setting.value), setting.why) for name, setting in recipe.settings.items()]
    table(("setting", "value", "reason"), rows)

    from kgan._backend import abstract_build

    settings, image_shape, classes = recipes.resolve(recipe, {}), recipes.image_shape(recipe), recipes.classes(recipe)
    model = abstract_build(lambda: recipes.build_uncompiled(recipe, settings, image_shape, classes))
    for network, inputs in ((model.generator, "codes"), (model.discriminator, "images")):
        rows = [(inputs, shape_text(network.inputs[0].shape[1:]), "")]
        layers = kgan.networks.layer_table(network)
        rows += [(layer, shape_text(shape), f"{count:,}") for layer, shape, count in layers]
        rows.append(("", "", f"{network.count_params():,}"))
        say("")
        table((network.name, "shape", "parameters"), rows, right_aligned=("shape", "parameters"))


def report(
    shown: Annotated[list[Path], typer.Argument(metavar="RUN", help="Run directories: one, or several to compare.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Default: report.html in the run directory.")
    ] = None,
) -> None:
    """Write a page: samples by epoch, curves, quality, the doctor's findings, settings with their reasons."""
    with one_sentence():
        if out is None and len(shown) > 1:
            raise Mistake("several runs have no directory in common: name the file with --out FILE.html")
        target = out or shown[0] / "report.html"
        if target.suffix.lower() != ".html":
            raise Mistake(f"--out is {target}: it must end in .html")

        from kgan.report import write_report

        write_report(shown, target)
    say(str(target))


def play(
    run: RunArgument = None,
    pretrained: PretrainedOption = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on. With 0.0.0.0, other machines can open the page and upload files.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Default: the first free port from 7860 on.")
    ] = None,
) -> None:
    """Open a playground: sliders through the latent space, paths, classes; draw an image and see it rebuilt."""
    with one_sentence():
        source = Source(run, pretrained)

        from kgan.play import playground, server

        server.gradio_module()  # first: TensorFlow takes seconds to start
        page = playground(source.model, str(run or pretrained), source.class_names, source.is_digits)
        address = server.launch(page, host, port)
    say(f"{address} (Ctrl-C ends it)")
    if host in server.LOOPBACK:
        say("only this machine can open it; with --host 0.0.0.0 others can, too")
    else:
        say(f"other machines that can reach {host if host != '0.0.0.0' else 'this machine'} can open it by that name")
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)
    page.close(verbose=False)
