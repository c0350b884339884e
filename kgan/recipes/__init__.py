"""Recipes: the papers' settings as data, each with its reason.

Where a paper prints a number, its recipe has it and says "printed". Where it prints none, or can be read in more than
one way, the reason says "not printed" or "read". All other reasons are kgan's own.

There is one file for each paper, `offline` for the recipes that need no network, and `modern` for the recipes with
later methods. `kgan.train("gan-mnist", epochs=5)` trains a recipe and changes a setting; so does
`kgan train gan-mnist --set epochs=5`.
"""

from __future__ import annotations

from kgan.errors import Mistake
from kgan.recipes import (
    ding_shao_ren,
    generating_images_using_a_dcgan,
    modern,
    offline,
    shao_li_jiang,
    stiff_keyserlingk_stuart,
)
from kgan.recipes.models import build, build_uncompiled, classes, image_shape
from kgan.recipes.schema import Recipe, Setting, resolve

FILES = (modern, offline, ding_shao_ren, stiff_keyserlingk_stuart, generating_images_using_a_dcgan, shao_li_jiang)
DEFAULT = "modern-digits"  # of `kgan.train` and `kgan train`
RECIPES = {recipe.name: recipe for file in FILES for recipe in file.RECIPES}


def get(name: str) -> Recipe:
    """The recipe with this name; a Mistake with the choices for an unknown one."""
    if name not in RECIPES:
        raise Mistake(f"unknown recipe {name!r}: choose one of {', '.join(RECIPES)}")
    return RECIPES[name]
