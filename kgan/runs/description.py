"""Describes a run as flat JSON, which is compared before the run is resumed."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from kgan.errors import Mistake

if TYPE_CHECKING:
    from kgan.gan import GAN


def describe_model(model: GAN) -> dict[str, Any]:
    """All that determines the result of a training run, besides the data: networks, optimizers, loss, seed; flat JSON.

    Args:
        model: a compiled model. What cannot be serialized, such as a `functools.partial` for a loss, is not compared.

    Example:
        >>> describe_model(model)["filters"]
        4
    """
    config: dict[str, Any] = {"class": type(model).__name__}
    for name, serialize in (("model", model.get_config), ("compile", model.get_compile_config)):
        with contextlib.suppress(TypeError, ValueError, NotImplementedError):
            config[name] = json.loads(json.dumps(serialize(), default=str))
    for name in ("jit_compile", "run_eagerly", "steps_per_execution"):  # they change only the speed
        config.get("compile", {}).pop(name, None)
    return dict(_flat(_numbered(config)))


def describe_data(data: Any) -> dict[str, Any]:
    """The data that `fit` trains on: arrays and `kgan.data.Batches` by their content, other data by their shapes.

    Example:
        >>> describe_data(images)["images.shape"]
        [128, 28, 28, 1]
    """
    batching = {name: getattr(data, name) for name in ("batch_size", "seed") if hasattr(data, "images")}
    images = getattr(data, "images", data)
    if hasattr(images, "shape"):
        digest = hashlib.sha256()
        for begin in range(0, len(images), 4096):  # not all at once: they may be on disk
            digest.update(np.ascontiguousarray(images[begin : begin + 4096]))
        real = {"shape": list(images.shape), "dtype": images.dtype.name, "sha256": digest.hexdigest()}
    elif hasattr(images, "element_spec"):
        first = next(iter(images.take(1)), None)
        shapes = [list(each.shape) for each in (first if isinstance(first, tuple) else (first,))]
        real = {"batches": int(images.cardinality()), "batch": shapes}
    else:
        real = {"kind": type(images).__name__, "batches": len(images) if hasattr(images, "__len__") else None}
    return dict(_flat({"images": {**real, **batching}}))


def check_same(here: dict[str, Any], there: dict[str, Any]) -> None:
    """Raise ValueError naming the first thing in which two descriptions of a run differ.

    Example:
        >>> check_same({"filters": 64}, {"filters": 32})
        Traceback (most recent call last):
        ValueError: filters is 64, but in the checkpoint 32: only epochs may change
    """
    for name in dict.fromkeys([*here, *there]):
        if here.get(name) != there.get(name):
            if name == "images.sha256":
                raise Mistake("the images differ from those of the checkpoint: only epochs may change")
            ours, theirs = (_short(each.get(name, "not there")) for each in (here, there))
            raise Mistake(f"{name} is {ours}, but in the checkpoint {theirs}: only epochs may change")


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)[:80]


def _numbered(config: Any) -> Any:
    """Keras numbers names within a process ("dense_7"); number them within the model, so that two builds compare."""
    names: dict[str, str] = {}

    def collect(value: Any) -> None:
        if isinstance(value, dict) and isinstance(value.get("name"), str):
            names.setdefault(value["name"], f"#{len(names)}")
        for inner in _inner(value):
            collect(inner)

    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: renamed(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [renamed(inner) for inner in value]
        return names.get(value, value) if isinstance(value, str) else value

    collect(config)
    return renamed(config)


def _inner(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def _flat(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """{"model": {"filters": 8}} → ("filters", 8); lists of plain values stay whole."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, (*path, key))
    elif isinstance(value, list) and any(_inner(inner) for inner in value):
        for number, inner in enumerate(value):
            yield from _flat(inner, (*path, str(number)))
    else:
        yield ".".join(key for key in path if key not in ("model", "compile", "config")), value
