"""What a recipe is made of, and how its settings are changed."""

from __future__ import annotations

import dataclasses
import difflib
import pkgutil
from collections.abc import Mapping
from typing import Any, NamedTuple

from kgan.checks import check, check_choice, plain
from kgan.errors import Mistake

Value = int | float | str | bool


class Setting(NamedTuple):
    """A value, and the reason for it."""

    value: Value
    why: str


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A model, the paper it comes from, and its settings by name.

    `claims` says what the paper claims about its results. For each claim, it has the metrics or the columns of the
    history that show it here, separated by spaces.
    """

    name: str  # what `kgan train` calls it
    model: str  # "GAN", "DCGAN" or "CodeGAN"
    paper: str  # authors and title; "; " separates two papers
    settings: Mapping[str, Setting]
    claims: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __getitem__(self, setting: str) -> Value:
        return self.settings[setting].value

    def changed(self, name: str, changes: Mapping[str, Setting], **others: Any) -> Recipe:
        """The recipe under another name, with some of its settings, and other attributes, changed."""
        return dataclasses.replace(self, name=name, settings={**self.settings, **changes}, **others)


# Where the choices of a setting are declared: read when a value is checked, since the modules import TensorFlow.
CHOICES = {
    "crop": "kgan.data.folders:CROPS",
    "prior": "kgan.latent:PRIORS",
    "upsampling": "kgan.networks:UPSAMPLINGS",
    "activation": "kgan.networks:ACTIVATIONS",
    "norm": "kgan.networks:NORMS",
    "d_norm": "kgan.networks:D_NORMS",
    "augment": "kgan.augment:AUGMENTATIONS",
    "loss": "kgan.losses:LOSSES",
    "code_loss": "kgan.losses:CODE_LOSSES",
    "penalty": "kgan.penalties:PENALTIES",
    "learning_rate_schedule": "kgan.recipes.models:SCHEDULES",
    "precision": "kgan.recipes.models:PRECISIONS",
}
NAMES = ("augment", "penalty")  # "none", or several choices with commas between them
NUMBERS = ("chosen_epochs", "chosen_iterations")  # whole numbers with commas between them
FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def resolve(recipe: Recipe, changes: Mapping[str, Value | str]) -> dict[str, Value]:
    """The recipe's settings with changes, typed or as text; a Mistake for what is none, or does not go together.

    Example:
        >>> kgan.recipes.resolve(kgan.recipes.get("gan-mnist"), {"epochs": "5"})["epochs"]
        5
    """
    settings = {name: setting.value for name, setting in recipe.settings.items()}
    for name, value in changes.items():
        if name not in settings:
            nearest = difflib.get_close_matches(name, settings, n=1, cutoff=0.5)
            hint = f"did you mean {nearest[0]}?" if nearest else f"choose one of {', '.join(settings)}"
            raise Mistake(f"{recipe.name} has no setting {name!r}: {hint}")
        settings[name] = _parsed(name, value, type(settings[name]))
        _check(name, settings[name])
    _check_together(settings)
    return settings


def names(text: str) -> list[str]:
    """The names in a text like "r1,r2"; the text "none" holds no name."""
    return [] if text == "none" else [name.strip() for name in text.split(",")]


def _parsed(name: str, value: Value | str, kind: type) -> Value:
    """The value as a `kind`; it may be given as text."""
    text = str(plain(value))
    if kind is bool:
        check_choice(name, text.lower(), FLAGS)
        return FLAGS[text.lower()]
    try:
        return kind(text)
    except ValueError:
        wanted = "a whole number" if kind is int else "a number"
        raise Mistake(f"{name} is {value!r}: it must be {wanted}") from None


def _check(name: str, value: Value) -> None:
    """Raise Mistake for a value that is out of range or no choice."""
    if name in CHOICES:
        choices = [*["same"] * (name == "d_norm"), *pkgutil.resolve_name(CHOICES[name])]
        for choice in names(value) if name in NAMES else (value,):
            check_choice(name, choice, choices)
    elif name in NUMBERS:
        if not all(number.strip().isdecimal() and int(number) for number in value.split(",")):
            raise Mistake(f"{name} is {value}: it must be whole numbers from 1 up with commas between them")
    elif not isinstance(value, (bool, str)) and (name, value) != ("steps_per_epoch", 0):  # 0: as many as the data have
        check(**{name: value})


def _check_together(settings: Mapping[str, Value]) -> None:
    """Raise Mistake for settings that exclude or need each other."""
    from kgan import losses, networks, penalties

    loss, d_norm = settings["loss"], settings["norm"] if settings["d_norm"] == "same" else settings["d_norm"]
    losses.get(loss, settings["label_smoothing"], settings["top_k"])
    bounding = set(names(settings["penalty"])) & set(penalties.SLOPE_BOUNDING) if settings["penalty_weight"] else ()
    if bounding and d_norm in networks.MIXING_NORMS:
        raise Mistake(
            f"penalty is {bounding.pop()}, which needs single images, but with norm {d_norm} the discriminator mixes "
            "the images of a minibatch: choose d_norm=none or d_norm=layer"
        )
    if loss in losses.UNBOUNDED and not bounding and d_norm != "spectral":
        raise Mistake(f"loss is {loss}, which falls without limit: add penalty=gradient_penalty or d_norm=spectral")
