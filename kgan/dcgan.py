"""The DCGAN of Radford et al. (2016): a GAN whose two networks are convolutional."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from kgan import networks
from kgan._backend import keras
from kgan.gan import GAN


@keras.saving.register_keras_serializable(package="kgan")
class DCGAN(GAN):
    """A GAN with Radford's networks, built for an image shape.

    Args:
        image_shape: (height, width, channels); height and width 8, or multiples of 4 from 16 up.
        latent_dim: units of a code.
        filters: width of the networks.
        kernel_size: kernel size of all convolutions.
        d_norm: normalization of the discriminator, see `kgan.networks.dcgan_discriminator`; default: `norm`, the
            normalization of the generator.
        packing: how many images the discriminator sees together: see `kgan.layers`.
        classes: number of classes of a conditional model: see `GAN`.
        reuse_fakes: whether the generator's step uses the fakes made for the discriminator. On by default, as in
            PyTorch's DCGAN and in *Generating Images Using a DCGAN*: the generator's pass is the most expensive part of
            a step.
        seed: seed of the initial weights, the codes and the data order.
        **keywords: arguments of the networks (depth, upsampling, activation, norm, stddev: see
            `kgan.networks.dcgan_generator` and `dcgan_discriminator`) and of `GAN` (d_steps, prior, augment, ema, name,
            dtype).

    Raises:
        ValueError: for an image size that the networks cannot make (the message names the nearest sizes), or an unknown
            choice.

    Example:
        >>> model = kgan.DCGAN(image_shape=(28, 28, 1))
        >>> model.compile()
        >>> history = model.fit(kgan.data.load("digits"), batch_size=64, epochs=1, verbose=0)
        >>> model.generate(16).shape
        (16, 28, 28, 1)
    """

    has_code_head = False  # whether the discriminator reads codes as well (`kgan.CodeGAN`)

    def __init__(
        self,
        image_shape: Sequence[int] = (28, 28, 1),
        latent_dim: int = 100,
        filters: int = 64,
        kernel_size: int = 4,
        *,
        d_norm: str | None = None,
        packing: int = 1,
        classes: int = 0,
        reuse_fakes: bool = True,
        seed: int = 0,
        **keywords: Any,
    ) -> None:
        image_shape = tuple(int(size) for size in image_shape)
        shared = {"filters": filters, "kernel_size": kernel_size, "seed": seed}
        shared |= {name: keywords.pop(name, default) for name, default in NETWORK_ARGUMENTS.items()}
        with networks.dtype_policy(keywords.get("dtype")):
            generator = networks.dcgan_generator(image_shape, latent_dim, classes=classes, **shared)
            code_units = latent_dim if self.has_code_head else None
            of_both = {name: value for name, value in shared.items() if name not in GENERATOR_ONLY}
            of_discriminator = {**of_both, "norm": d_norm or shared["norm"], "packing": packing}
            of_discriminator["classes"] = classes
            discriminator = networks.dcgan_discriminator(image_shape, code_units=code_units, **of_discriminator)
        super().__init__(generator, discriminator, classes=classes, reuse_fakes=reuse_fakes, seed=seed, **keywords)
        self.image_shape = image_shape
        self.d_norm = d_norm
        self.packing = packing
        for name, value in shared.items():
            setattr(self, name, value)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["generator"], config["discriminator"]  # built again from the arguments below
        own = ("image_shape", "latent_dim", "filters", "kernel_size", "d_norm", "packing", *NETWORK_ARGUMENTS)
        return {**config, **{name: getattr(self, name) for name in own}}


def _keyword_arguments(build: Callable[..., keras.Model]) -> dict[str, Any]:
    """The arguments of a builder that are passed by name, with their defaults."""
    parameters = inspect.signature(build).parameters.values()
    own = ("classes", "seed")  # arguments of the models
    named = (each for each in parameters if each.kind is each.KEYWORD_ONLY and each.name not in own)
    return {each.name: each.default for each in named}


# Depth, upsampling, activation, norm, stddev: only `kgan.networks` lists and explains them.
NETWORK_ARGUMENTS = _keyword_arguments(networks.dcgan_generator)
GENERATOR_ONLY = NETWORK_ARGUMENTS.keys() - _keyword_arguments(networks.dcgan_discriminator).keys()
