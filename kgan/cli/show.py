"""`kgan recipes`: the recipes; of one recipe every setting with its reason, and the networks layer by layer."""

from __future__ import annotations

from typing import Annotated

import typer

from kgan import recipes
from kgan.cli.console import duration, one_sentence, say, shape_text, table
from kgan.recipes import times


def list_recipes(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Show every setting of this recipe, and its networks.")
    ] = None,
) -> None:
    """List the recipes, or show every setting of one with its reason, and its networks."""
    with one_sentence():
        if name:
            recipe = recipes.get(name)
            for line in (f"{recipe.name}: a {recipe.model}", recipe.paper, ""):
                say(line)
            table(
                ("setting", "value", "reason"),
                [(key, str(setting.value), setting.why) for key, setting in recipe.settings.items()],
            )
            _draw_networks(recipe)
        else:
            table(
                ("recipe", "data set", "epochs", "time", "paper"),
                [
                    (each.name, each["data"], str(each["epochs"]), _time(each.name), each.paper)
                    for each in recipes.RECIPES.values()
                ],
            )
            say("")
            say(f"time: of all epochs, on {times.MACHINE}; kgan plan RECIPE measures it here")


def _time(name: str) -> str:
    return duration(times.SECONDS[name]) if name in times.SECONDS else ""


def _draw_networks(recipe: recipes.Recipe) -> None:
    from kgan import networks
    from kgan._backend import abstract_build

    settings, image_shape = recipes.resolve(recipe, {}), recipes.image_shape(recipe)
    classes = recipes.classes(recipe)
    model = abstract_build(lambda: recipes.build_uncompiled(recipe, settings, image_shape, classes))
    for network in (model.generator, model.discriminator):
        inputs = "codes" if network is model.generator else "images"
        rows = [(inputs, shape_text(network.inputs[0].shape[1:]), "")]
        rows += [(layer, shape_text(shape), f"{count:,}") for layer, shape, count in networks.layer_table(network)]
        rows.append(("", "", f"{network.count_params():,}"))
        say("")
        table((network.name, "shape", "parameters"), rows, right_aligned=("shape", "parameters"))
