"""The DCGAN of Radford et al. (2016): a GAN whose two networks are convolutional."""

from __future__ import annotations

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
        filters, kernel_size: width of the networks and size of their kernels.
        depth, upsampling, activation, norm, stddev: see `kgan.networks.dcgan_generator`.
        d_norm: normalization of the discriminator, see `kgan.networks.dcgan_discriminator`; default: `norm`.
        packing: how many images the discriminator sees together: see `kgan.layers`.
        reuse_fakes: see `GAN`; on by default, as in PyTorch's DCGAN, since it saves the dearest part of a step.
        seed: seed of the initial weights, the codes and the data order.
        d_steps, prior, augment, classes, ema: see `GAN`.
        **keywords: Keras' own: name, dtype.

    Raises:
        ValueError: for an image size that the networks cannot make, or an unknown choice.

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
        depth: int | None = None,
        upsampling: str = "transposed",
        activation: str = "relu",
        norm: str = "batch",
        d_norm: str | None = None,
        packing: int = 1,
        stddev: float = 0.02,
        d_steps: int = 1,
        reuse_fakes: bool = True,
        prior: str = "normal",
        augment: Sequence[str | Callable | tuple[str | Callable, float]] = (),
        classes: int = 0,
        ema: float = 0.0,
        seed: int = 0,
        **keywords: Any,
    ) -> None:
        image_shape = tuple(int(size) for size in image_shape)
        shared = {"filters": filters, "kernel_size": kernel_size, "depth": depth, "stddev": stddev}
        shared |= {"classes": classes, "seed": seed}
        with networks.dtype_policy(keywords.get("dtype")):
            generator = networks.dcgan_generator(
                image_shape, latent_dim, upsampling=upsampling, activation=activation, norm=norm, **shared
            )
            code_units = latent_dim if self.has_code_head else None
            discriminator = networks.dcgan_discriminator(
                image_shape, norm=d_norm or norm, packing=packing, code_units=code_units, **shared
            )
        super().__init__(
            generator,
            discriminator,
            d_steps=d_steps,
            reuse_fakes=reuse_fakes,
            prior=prior,
            augment=augment,
            classes=classes,
            ema=ema,
            seed=seed,
            **keywords,
        )
        self.image_shape = image_shape
        self.filters = filters
        self.kernel_size = kernel_size
        self.depth = depth
        self.upsampling = upsampling
        self.activation = activation
        self.norm = norm
        self.d_norm = d_norm
        self.packing = packing
        self.stddev = stddev

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for name in ("generator", "discriminator"):  # built again from the arguments below
            del config[name]
            if frozen := [number for number, layer in enumerate(getattr(self, name).layers) if not layer.trainable]:
                config.setdefault("frozen", {})[name] = frozen
        own = "image_shape", "latent_dim", "filters", "kernel_size", "depth", "upsampling", "activation", "norm"
        return {**config, **{name: getattr(self, name) for name in (*own, "d_norm", "packing", "stddev")}}
