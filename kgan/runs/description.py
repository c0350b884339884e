"""Describes a model as flat JSON, which is compared before a run is resumed."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kgan.checks import plain
from kgan.errors import Mistake

if TYPE_CHECKING:
    from kgan.gan import GAN


def describe_model(model: GAN) -> dict[str, Any]:
    """All that determines the result of training, besides the data: networks, optimizers, loss, seed; flat JSON."""
    config: dict[str, Any] = {"class": type(model).__name__}
    for name, serialize in (("model", model.get_config), ("compile", model.get_compile_config)):
        with contextlib.suppress(TypeError, ValueError, NotImplementedError):  # as of a loss that is a `partial`
            config[name] = json.loads(json.dumps(serialize(), default=plain))
    for name in ("jit_compile", "run_eagerly", "steps_per_execution"):  # they change only the speed
        config.get("compile", {}).pop(name, None)
    return dict(_flat(json.loads(_numbered(json.dumps(config)))))


def check_same(here: dict[str, Any], there: dict[str, Any]) -> None:
    """Raise Mistake naming the first thing in which two descriptions of a run differ."""
    for name in dict.fromkeys([*here, *there]):
        if here.get(name) != there.get(name):
            if name.endswith("sha256"):  # "images.sha256", "labels.sha256"
                what = name.split(".")[0]
                raise Mistake(f"the {what} differ from those of the checkpoint: only epochs may change")
            values = (description.get(name, "not there") for description in (here, there))
            ours, theirs = (f"{value:g}" if isinstance(value, float) else str(value)[:80] for value in values)
            raise Mistake(f"{name} is {ours}, but in the checkpoint {theirs}: only epochs may change")


def _numbered(text: str) -> str:
    """JSON in which layers are numbered: Keras numbers names within a process ("dense_7"), so two builds differ."""
    string = r'"(?:[^"\\]|\\.)*"'
    names = list(dict.fromkeys(re.findall(f'"name": ({string})', text)))

    def renamed(found: re.Match[str]) -> str:
        is_key = found[2] == ":"
        return found[0] if is_key or found[1] not in names else f'"#{names.index(found[1])}"'

    return re.sub(f"({string})(:?)", renamed, text)


def _flat(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """{"model": {"filters": 8}} → ("filters", 8); lists of plain values stay whole."""
    if isinstance(value, list) and any(isinstance(inner, (dict, list)) and inner for inner in value):
        value = dict(enumerate(value))
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, (*path, str(key)))
    else:
        yield ".".join(key for key in path if key not in ("model", "compile", "config")), value
