"""Trained models that come with the package, each in less than 1 MB: weights and how they were made, but no code.

Kernels are stored as 8-bit integers, with one scale for each entry of their last axis: a quarter of the size.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kgan import recipes
from kgan.checks import check_choice
from kgan.files import replacing

if TYPE_CHECKING:
    import numpy as np

    from kgan.gan import GAN

FOLDER = Path(__file__).parent
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("[!.]*.npz")))


def load(name: str) -> GAN:
    """A trained model, one of `kgan.pretrained.NAMES`. It is not compiled: `compile` it to train it further.

    Example:
        >>> kgan.pretrained.load("dcgan-digits").generate(3).shape
        (3, 28, 28, 1)
    """
    check_choice("pretrained model", name, NAMES)
    return read(FOLDER / f"{name}.npz")


def record(name: str) -> dict[str, Any]:
    """How a model was made: its recipe, settings, epochs, image_shape, and the names of its classes.

    Example:
        >>> kgan.pretrained.record("dcgan-digits")["recipe"]
        'dcgan-digits'
    """
    import numpy as np

    check_choice("pretrained model", name, NAMES)
    with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as file:
        return json.loads(str(file["record"]))


def read(path: str | Path) -> GAN:
    """The model in a file that `write` wrote."""
    import numpy as np

    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    record = json.loads(str(arrays["record"]))
    recipe = recipes.get(record["recipe"])
    # The generator in the file is already the average, if there was one.
    settings = {**recipes.resolve(recipe, record["settings"]), "ema": 0.0}
    model = recipes.build_uncompiled(recipe, settings, record["image_shape"], len(record["classes"]))
    for number, weight in enumerate([*model.sampler.weights, *model.discriminator.weights]):
        weight.assign(arrays[f"weight-{number}"] * arrays.get(f"scale-{number}", np.float32(1)))
    return model


def write(path: str | Path, model: GAN, record: Mapping[str, Any]) -> None:
    """Write the weights of a model that a recipe built, and the record of how it was made.

    Args:
        path: ends in .npz.
        model: if it has an average of its generator, the average is written.
        record: recipe, settings, classes (their names) and anything else worth knowing.

    Example:
        >>> recipe = kgan.recipes.get("gan-digits")
        >>> settings = kgan.recipes.resolve(recipe, {})
        >>> model = kgan.recipes.build_uncompiled(recipe, settings, (28, 28, 1))
        >>> write("small.npz", model, {"recipe": "gan-digits", "settings": settings, "classes": []})
    """
    import numpy as np

    arrays = {}
    for number, weight in enumerate([*model.sampler.weights, *model.discriminator.weights]):
        arrays[f"weight-{number}"], scale = _reduced(weight.numpy())
        if scale is not None:
            arrays[f"scale-{number}"] = scale
    text = json.dumps({**record, "image_shape": model.data_shape}, ensure_ascii=False)
    with replacing(path) as temporary:
        np.savez_compressed(temporary, record=np.array(text), **arrays)


def _reduced(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """A kernel as integers from -127 to 127, and the scale that restores it; a vector unchanged, without a scale."""
    import numpy as np

    if weight.ndim < 2:
        return weight, None
    scale = np.float32(np.abs(weight).max(axis=tuple(range(weight.ndim - 1))) / 127)
    return np.int8(np.rint(weight / np.where(scale, scale, 1))), scale
