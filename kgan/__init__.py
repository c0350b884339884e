"""GANs you can read in an evening, trust overnight and teach from.

    import kgan

    images = kgan.data.load("digits")                # 1,797 real digits, 28 × 28 × 1, in [-1, 1]
    model = kgan.DCGAN(image_shape=(28, 28, 1))
    model.compile()
    model.fit(images, batch_size=32, epochs=40, callbacks=[kgan.callbacks.EpochGIF("progress.gif")])

Start reading at `kgan/gan.py`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kgan import callbacks, data, diagnosis, folders, latent, losses, networks, plots, quality, recipes, runs, speed
    from kgan.codegan import CodeGAN
    from kgan.dcgan import DCGAN
    from kgan.gan import GAN
    from kgan.runs import load_model

__version__ = "0.1.0"
__all__ = [
    "DCGAN",
    "GAN",
    "CodeGAN",
    "callbacks",
    "data",
    "diagnosis",
    "folders",
    "latent",
    "load_model",
    "losses",
    "networks",
    "plots",
    "quality",
    "recipes",
    "runs",
    "speed",
]

_HOMES = {"GAN": "kgan.gan", "DCGAN": "kgan.dcgan", "CodeGAN": "kgan.codegan", "load_model": "kgan.runs"}


def __getattr__(name: str) -> object:
    """Import on first use: TensorFlow takes seconds to start, and `kgan --help` does not need it."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in __all__:
        return importlib.import_module(f"kgan.{name}")
    raise AttributeError(f"module 'kgan' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
