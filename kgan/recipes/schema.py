"""What a recipe is made of: settings with reasons, and the rules that their values must follow.

A setting is declared once, below, in the group that says where its value goes. `kgan.recipes.models` passes the
settings of the group `MODEL` to the model by name.
"""

from __future__ import annotations

import difflib
import importlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kgan.errors import Mistake

Value = int | float | str | bool


class Setting(NamedTuple):
    """A value, and the reason for it."""

    value: Value
    why: str


@dataclass(frozen=True)
class Recipe:
    """A model, the paper it comes from, and its settings by name.

    Attributes:
        name: what `kgan train` calls it.
        model: "GAN", "DCGAN" or "CodeGAN".
        paper: authors and title; "; " separates two papers.
        settings: each value with its reason.
        claims: what the paper claims about its results. For each claim, the metrics or the columns of the history that
            show it here, separated by spaces.
    """

    name: str
    model: str
    paper: str
    settings: Mapping[str, Setting]
    claims: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, setting: str) -> Value:
        return self.settings[setting].value


@dataclass(frozen=True)
class Rule:
    """A condition for a value, and the words for it in an error message."""

    sentence: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True)
class OneOf:
    """A rule: one of the choices that a module of kgan declares, or a choice that only recipes have.

    The choices are read when a value is checked, not before, because the modules import TensorFlow. So a choice that is
    added to a module is valid here at once.
    """

    module: str
    choices: str
    own: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        return f"one of {', '.join(self._known())}"

    def holds(self, value: Any) -> bool:
        return value in self._known()

    def _known(self) -> tuple[str, ...]:
        return (*self.own, *getattr(importlib.import_module(self.module), self.choices))


@dataclass(frozen=True)
class SomeOf:
    """A rule: "none", or one or more of the choices that a module of kgan declares, separated by commas."""

    module: str
    choices: str

    @property
    def sentence(self) -> str:
        return f"none, or one or more of {', '.join(self._known())} with commas between them"

    def holds(self, value: Any) -> bool:
        return set(names(value)) <= set(self._known())

    def _known(self) -> tuple[str, ...]:
        return tuple(getattr(importlib.import_module(self.module), self.choices))


def names(text: str) -> list[str]:
    """The names in a text like "r1,r2"; the text "none" holds no name.

    Example:
        >>> names("r1, r2")
        ['r1', 'r2']
    """
    return [] if text == "none" else [name.strip() for name in text.split(",")]


def _are_epochs(text: str) -> bool:
    return all(number.strip().isdecimal() and int(number) for number in text.split(","))


_FREE = Rule("anything", lambda value: True)  # the code that uses the value checks it
_COUNT = Rule("1 or more", lambda value: value >= 1)
_COUNT_OR_0 = Rule("0 or more", lambda value: value >= 0)
_SIZE = Rule("from 1 to 4096", lambda value: 1 <= value <= 4096)
_RATE = Rule("above 0 and finite", lambda value: 0 < value < math.inf)
_RATE_OR_0 = Rule("0 or more, and finite", lambda value: 0 <= value < math.inf)
_DECAY = Rule("0 or more, and less than 1", lambda value: 0 <= value < 1)
_EPOCHS = Rule("whole numbers from 1 up with commas between them", _are_epochs)

DATA = {
    "data": _FREE,
    "split": _FREE,
    "image_size": _SIZE,
    "crop": OneOf("kgan.data.folders", "CROPS"),
    "background": _FREE,
    "batch_size": _COUNT,
}
MODEL = {
    "latent_dim": _SIZE,
    "prior": OneOf("kgan.latent", "PRIORS"),
    "d_steps": _COUNT,
    "hidden_units": _SIZE,
    "filters": _SIZE,
    "kernel_size": Rule("from 1 to 32", lambda value: 1 <= value <= 32),
    "depth": Rule("from 0 to 10", lambda value: 0 <= value <= 10),
    "upsampling": OneOf("kgan.networks", "UPSAMPLINGS"),
    "activation": OneOf("kgan.networks", "ACTIVATIONS"),
    "norm": OneOf("kgan.networks", "NORMS"),
    "d_norm": OneOf("kgan.networks", "D_NORMS", own=("same",)),
    "packing": Rule("from 1 to 16", lambda value: 1 <= value <= 16),
    "augment": SomeOf("kgan.augment", "AUGMENTATIONS"),
    "conditional": _FREE,
    "ema": _DECAY,
    "stddev": _RATE,
    "reuse_fakes": _FREE,
    "code_weight": Rule("from 0 to 1", lambda value: 0 <= value <= 1),
    "code_loss": OneOf("kgan.losses", "CODE_LOSSES"),
    "noise": _RATE_OR_0,
    "stages": Rule("from 1 to 10", lambda value: 1 <= value <= 10),
    "seed": Rule("from 0 to 2147483647", lambda value: 0 <= value < 2**31),
}
TRAINING = {
    "epochs": _COUNT,
    "steps_per_epoch": _COUNT_OR_0,
    "loss": OneOf("kgan.losses", "LOSSES"),
    "label_smoothing": Rule("from 0 to 0.5", lambda value: 0 <= value <= 0.5),
    "top_k": Rule("above 0 and at most 1", lambda value: 0 < value <= 1),
    "penalty": SomeOf("kgan.penalties", "PENALTIES"),
    "penalty_weight": _RATE_OR_0,
    "penalty_every": _COUNT,
    "d_learning_rate": _RATE,
    "g_learning_rate": _RATE,
    "learning_rate_schedule": OneOf("kgan.recipes.models", "SCHEDULES"),
    "d_beta_1": _DECAY,
    "g_beta_1": _DECAY,
    "epsilon": _RATE,
    "weight_decay": _RATE_OR_0,
    "steps_per_execution": _COUNT,
    "precision": OneOf("kgan.recipes.models", "PRECISIONS"),
}
OUTPUT = {
    "sample_every": _COUNT,
    "chosen_epochs": _EPOCHS,
    "chosen_iterations": _EPOCHS,
    "quality_every": _COUNT_OR_0,
    "checkpoint_every": _COUNT,
    "checkpoint_minutes": _RATE,
}
RULES = {**DATA, **MODEL, **TRAINING, **OUTPUT}


def resolve(recipe: Recipe, changes: Mapping[str, Value | str]) -> dict[str, Value]:
    """The recipe's settings with changes; each change is checked.

    Args:
        recipe: see `kgan.recipes.get`.
        changes: new values by name, typed or as text.

    Raises:
        ValueError: for an unknown setting (the message gives the nearest name), or a value of another type or out of
            range.

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
        if name == "crop" and value == "centre":  # as earlier versions spelled it, also in run.json
            value = "center"
        settings[name] = _parsed(name, value, type(settings[name]))
        rule = RULES[name]
        if not rule.holds(settings[name]):
            raise Mistake(f"{name} is {settings[name]}: it must be {rule.sentence}")
    has_penalty = "gradient_penalty" in names(settings["penalty"]) and settings["penalty_weight"] > 0
    d_norm = settings["norm"] if settings["d_norm"] == "same" else settings["d_norm"]
    if has_penalty and d_norm in ("batch", "synchronized", "reference", "virtual"):
        raise Mistake(
            f"penalty is gradient_penalty, which needs single images, but with norm {d_norm} the discriminator mixes "
            "the images of a minibatch: take d_norm=none or d_norm=layer with it"
        )
    is_bounded = has_penalty or d_norm == "spectral"
    if settings["loss"] == "wasserstein" and not is_bounded:
        raise Mistake(
            "loss is wasserstein, which falls without end: take penalty=gradient_penalty or d_norm=spectral with it"
        )
    if settings["top_k"] < 1 and settings["loss"] == "relativistic":
        raise Mistake("loss is relativistic, which compares each fake with a real image: leave top_k at 1")
    return settings


def _parsed(name: str, value: Value | str, kind: type) -> Value:
    """The value as a `kind`; it may be given as text."""
    if kind is bool:
        spelled = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if str(value).lower() not in spelled:
            raise Mistake(f"{name} is {value!r}: it must be true or false")
        return spelled[str(value).lower()]
    try:
        return kind(str(value))
    except ValueError:
        wanted = {int: "a whole number", float: "a number"}[kind]
        raise Mistake(f"{name} is {value!r}: it must be {wanted}") from None
