"""Trained models that come with the package: of digits, each in a file of less than 1 MB.

    model = kgan.pretrained.load("dcgan-mnist")

A file holds the weights of both networks and how they were made, nothing else: no optimizers, no code. Kernels are
kept as whole numbers of 8 bits, with a scale for each of their last axis, which makes the files four times smaller.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kgan import recipes

if TYPE_CHECKING:
    import numpy as np

    from kgan.gan import GAN

FOLDER = Path(__file__).parent
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.npz")))


def load(name: str) -> GAN:
    """A trained model, ready to generate. It is not compiled: `compile` it to train it further.

    Args:
        name: one of `kgan.pretrained.NAMES`.

    Raises:
        ValueError: for an unknown name, with the choices.

    Example:
        >>> kgan.pretrained.load("dcgan-digits").generate(3).shape
        (3, 28, 28, 1)
    """
    return read(_path(name))


def record(name: str) -> dict[str, Any]:
    """How a model was made: recipe, settings, image_shape, names of its classes, epochs, quality before and after.

    Raises:
        ValueError: for an unknown name, with the choices.

    Example:
        >>> kgan.pretrained.record("dcgan-digits")["recipe"]
        'dcgan-digits'
    """
    return _record(_arrays(_path(name)))


def read(path: str | Path) -> GAN:
    """The model in a file that `write` wrote.

    Example:
        >>> model = read(FOLDER / "dcgan-digits.npz")
    """
    arrays = _arrays(path)
    made = _record(arrays)
    recipe = recipes.get(made["recipe"])
    # What was the generator's average is the generator now.
    settings = {**recipes.resolve(recipe, made["settings"]), "ema": 0.0}
    model = recipes.build_uncompiled(recipe, settings, made["image_shape"], len(made["classes"]))
    for number, weight in enumerate(_weights(model)):
        weight.assign(_restored(arrays[f"weight-{number}"], arrays.get(f"scale-{number}")))
    return model


def write(path: str | Path, model: GAN, made: Mapping[str, Any]) -> None:
    """Write the weights of a model that a recipe built, and how it was made.

    Args:
        path: ends in .npz.
        model: its generator is the average, where it has one.
        made: the record: recipe, settings, classes (their names) and whatever else is to be known.

    Example:
        >>> recipe = kgan.recipes.get("gan-digits")
        >>> settings = kgan.recipes.resolve(recipe, {})
        >>> model = kgan.recipes.build_uncompiled(recipe, settings, (28, 28, 1))
        >>> write("small.npz", model, {"recipe": "gan-digits", "settings": settings, "classes": []})
    """
    import numpy as np

    from kgan.files import replacing

    arrays = {}
    for number, weight in enumerate(_weights(model)):
        arrays[f"weight-{number}"], scale = _reduced(weight.numpy())
        if scale is not None:
            arrays[f"scale-{number}"] = scale
    text = json.dumps({**made, "image_shape": model.data_shape}, ensure_ascii=False)
    with replacing(path) as temporary:
        np.savez_compressed(temporary, record=np.array(text), **arrays)


def _weights(model: GAN) -> Sequence[Any]:
    return [*model.sampler.weights, *model.discriminator.weights]


def _reduced(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """A kernel as whole numbers from -127 to 127 and what one of them means; a vector as it is, without a scale."""
    import numpy as np

    if weight.ndim < 2:
        return weight, None
    scale = np.float32(np.abs(weight).max(axis=tuple(range(weight.ndim - 1))) / 127)
    return np.int8(np.rint(weight / np.where(scale, scale, 1))), scale


def _restored(weight: np.ndarray, scale: np.ndarray | None) -> np.ndarray:
    return weight if scale is None else weight * scale


def _path(name: str) -> Path:
    if name not in NAMES:
        raise ValueError(f"unknown pretrained model {name!r}: choose one of {', '.join(NAMES)}")
    return FOLDER / f"{name}.npz"


def _arrays(path: str | Path) -> dict[str, np.ndarray]:
    import numpy as np

    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def _record(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    return json.loads(str(arrays["record"]))
