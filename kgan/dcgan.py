"""The DCGAN of Radford et al. (2016): a GAN whose two networks are convolutional."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
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
        filters: width of the networks (see `kgan.networks.dcgan_generator`).
        kernel_size: of all convolutions.
        depth, upsampling, activation, norm, stddev: of the networks, likewise.
        reuse_fakes: on, as in PyTorch's DCGAN and *Generating Images Using a DCGAN*, where the generator's step
            uses the fakes made for the discriminator: a generator pass is what a step pays most for.
        seed: of the initial weights, the codes and the data order.
        **kwargs: those of `GAN`: d_steps, prior, name.

    Raises:
        ValueError: for an image size that the networks cannot make, with the nearest ones, or an unknown choice.

    Example:
        >>> model = kgan.DCGAN(image_shape=(28, 28, 1))
        >>> model.compile()
        >>> history = model.fit(kgan.data.load("digits"), batch_size=64, epochs=1, verbose=0)
        >>> model.generate(16).shape
        (16, 28, 28, 1)
    """

    reads_codes = False  # whether the discriminator has a second head (`kgan.CodeGAN`)

    def __init__(
        self,
        image_shape: Sequence[int] = (28, 28, 1),
        latent_dim: int = 100,
        filters: int = 64,
        kernel_size: int = 4,
        *,
        depth: int | None = None,
        upsampling: str = "transposed",
        activation: str = "relu",
        norm: str = "batch",
        stddev: float = 0.02,
        reuse_fakes: bool = True,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        image_shape = tuple(int(size) for size in image_shape)
        with _policy(kwargs.get("dtype")):
            generator = networks.dcgan_generator(
                image_shape,
                latent_dim,
                filters,
                kernel_size,
                depth=depth,
                upsampling=upsampling,
                activation=activation,
                norm=norm,
                stddev=stddev,
                seed=seed,
            )
            discriminator = networks.dcgan_discriminator(
                image_shape,
                filters,
                kernel_size,
                depth=depth,
                norm=norm,
                stddev=stddev,
                code_units=latent_dim if self.reads_codes else None,
                seed=seed + 1,
            )
        super().__init__(generator, discriminator, reuse_fakes=reuse_fakes, seed=seed, **kwargs)
        self.image_shape = image_shape
        self.filters = filters
        self.kernel_size = kernel_size
        self.depth = depth
        self.upsampling = upsampling
        self.activation = activation
        self.norm = norm
        self.stddev = stddev

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["generator"], config["discriminator"]  # built anew from what follows
        return {
            **config,
            "image_shape": self.image_shape,
            "latent_dim": self.latent_dim,
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "depth": self.depth,
            "upsampling": self.upsampling,
            "activation": self.activation,
            "norm": self.norm,
            "stddev": self.stddev,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DCGAN:
        return cls(**config)


@contextlib.contextmanager
def _policy(dtype: Any) -> Iterator[None]:
    """A model that is loaded has the precision it was saved with, whatever the policy of the day is."""
    of_the_day = keras.config.dtype_policy()
    keras.config.set_dtype_policy(of_the_day if dtype is None else keras.dtype_policies.get(dtype))
    try:
        yield
    finally:
        keras.config.set_dtype_policy(of_the_day)
