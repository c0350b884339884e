"""GANs you can read in an evening, trust overnight and teach from.

    import kgan

    run = kgan.train("modern-digits")                # a recipe: its data, its model, its pictures

    images = kgan.data.load("digits")                # or 1,797 real digits, 28 × 28 × 1, in [-1, 1],
    model = kgan.DCGAN(image_shape=(28, 28, 1))      # and a model of your own
    model.compile()
    model.fit(images, batch_size=32, epochs=40, callbacks=[kgan.callbacks.EpochGIF("progress.gif")])

Start reading at `kgan/gan.py`.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import wrapt

if TYPE_CHECKING:
    from kgan import (
        callbacks,
        data,
        diagnosis,
        latent,
        losses,
        networks,
        optimizers,
        penalties,
        plots,
        pretrained,
        quality,
        recipes,
        runs,
        speed,
    )
    from kgan.codegan import CodeGAN
    from kgan.dcgan import DCGAN
    from kgan.gan import GAN
    from kgan.runs import load_model
    from kgan.session import Run, train

__version__ = "0.3.0.dev0"
__all__ = [
    "DCGAN",
    "GAN",
    "CodeGAN",
    "Run",
    "augment",
    "callbacks",
    "data",
    "diagnosis",
    "latent",
    "load_model",
    "losses",
    "networks",
    "optimizers",
    "penalties",
    "play",
    "plots",
    "pretrained",
    "quality",
    "recipes",
    "runs",
    "speed",
    "train",
]

_MODELS = {"GAN": "gan", "DCGAN": "dcgan", "CodeGAN": "codegan"}
_HOMES = {**_MODELS, "Run": "session", "load_model": "runs", "train": "session"}
_LAYERS = (
    "FusedBatchNormalization",
    "Packing",
    "ReferenceBatch",
    "ReferenceNormalization",
    "UpsampledConv2D",
    "WithoutReference",
)


def __getattr__(name: str) -> object:
    """Import on first use: TensorFlow takes seconds to start, and `kgan --help` does not need it."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"kgan.{_HOMES[name]}"), name)
    if name in __all__:
        return importlib.import_module(f"kgan.{name}")
    raise AttributeError(f"module 'kgan' has no attribute {name!r}")


class _Registered(NamedTuple):
    """A placeholder that Keras finds under the name of a kgan class until that class is imported and replaces it."""

    module: str
    name: str

    def from_config(self, config: dict[str, Any]) -> Any:
        return getattr(importlib.import_module(self.module), self.name).from_config(config)


@wrapt.when_imported("keras")
def _register(keras: ModuleType) -> None:
    """Let `keras.models.load_model` find kgan's classes as soon as both packages are imported."""
    for name, module in {**_MODELS, "Adam": "optimizers", **dict.fromkeys(_LAYERS, "layers")}.items():
        registered = _Registered(f"kgan.{module}", name)
        keras.saving.get_custom_objects().setdefault(f"kgan>{name}", registered)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
