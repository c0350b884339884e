"""`kgan recipes`: what can be trained, with every setting and its reason."""

from __future__ import annotations

from typing import Annotated

import typer

from kgan import recipes
from kgan.cli.console import one_sentence, table


def list_recipes(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Show every setting of this recipe.")] = None,
) -> None:
    """List the recipes, or show every setting of one with its reason."""
    with one_sentence():
        if name:
            recipe = recipes.get(name)
            typer.echo(f"{recipe.name}: a {recipe.model}\n{recipe.paper}\n")
            table(
                ("setting", "value", "reason"),
                [(key, str(setting.value), setting.why) for key, setting in recipe.settings.items()],
            )
        else:
            table(
                ("recipe", "data set", "epochs", "paper"),
                [(each.name, each["data"], str(each["epochs"]), each.paper) for each in recipes.RECIPES.values()],
            )
