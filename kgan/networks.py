"""Generators and discriminators for any image size: plain functions that build Keras models.

Generators take codes (batch, latent_dim) and end in tanh, images in [-1, 1]. Discriminators take images and end in
logits (batch, 1). Both outputs are float32 under every precision policy. With a `seed` the initial weights are a
function of it; without one they are drawn from Keras' global generator.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence

from kgan._backend import keras

layers = keras.layers


def dense_generator(
    data_shape: Sequence[int],
    latent_dim: int = 100,
    hidden_units: int = 128,
    *,
    activation: str = "tanh",
    seed: int | None = None,
) -> keras.Model:
    """A multilayer perceptron from codes to images or vectors (Goodfellow et al. 2014, section 5).

    One hidden layer, as the laboratory report on GANs and DCGANs in TensorFlow with CUDA describes its GAN.

    Args:
        data_shape: shape of one image or vector, such as (28, 28, 1) or (2,).
        latent_dim: units of a code.
        hidden_units: units of the hidden layer.
        activation: of the output: "tanh" for images in [-1, 1], "linear" for vectors of any range.
        seed: of the initial weights.

    Raises:
        ValueError: for a size below 1.

    Example:
        >>> dense_generator((28, 28, 1)).output_shape
        (None, 28, 28, 1)
    """
    _check_positive(latent_dim=latent_dim, hidden_units=hidden_units)
    units, seeds = _units(data_shape), _seeds(seed)
    return keras.Sequential(
        [
            keras.Input((latent_dim,)),
            layers.Dense(hidden_units, kernel_initializer=_glorot(seeds)),
            layers.ReLU(),
            layers.Dense(units, kernel_initializer=_glorot(seeds)),
            layers.Reshape(tuple(data_shape)),
            layers.Activation(activation, dtype="float32"),
        ],
        name="generator",
    )


def dense_discriminator(data_shape: Sequence[int], hidden_units: int = 128, *, seed: int | None = None) -> keras.Model:
    """A multilayer perceptron from images or vectors to logits, the counterpart of `dense_generator`.

    Args:
        data_shape: shape of one image or vector.
        hidden_units: units of the hidden layer.
        seed: of the initial weights.

    Raises:
        ValueError: for a size below 1.

    Example:
        >>> dense_discriminator((28, 28, 1)).output_shape
        (None, 1)
    """
    _check_positive(hidden_units=hidden_units)
    _units(data_shape)
    seeds = _seeds(seed)
    return keras.Sequential(
        [
            keras.Input(tuple(data_shape)),
            layers.Flatten(),
            layers.Dense(hidden_units, kernel_initializer=_glorot(seeds)),
            layers.LeakyReLU(0.2),
            layers.Dense(1, kernel_initializer=_glorot(seeds), dtype="float32"),
        ],
        name="discriminator",
    )


def dcgan_generator(
    image_shape: Sequence[int],
    latent_dim: int = 100,
    filters: int = 64,
    kernel_size: int = 4,
    *,
    seed: int | None = None,
) -> keras.Model:
    """Radford et al. (2016), figure 1: a dense layer, then transposed convolutions of stride 2.

    BatchNormalization and ReLU after every layer but the last, which ends in tanh; weights from N(0, 0.02).

    Args:
        image_shape: (height, width, channels); height and width 8, or multiples of 4 from 16 up.
        latent_dim: units of a code.
        filters: of the layer before the image; doubled in each layer further back, to at most 8 times as many.
        kernel_size: 4 divides by the stride, which spares the checkerboard of the paper's 5 and is quicker.
        seed: of the initial weights.

    Raises:
        ValueError: for a size that the layers cannot make, with the nearest ones.

    Example:
        >>> dcgan_generator((28, 28, 1)).output_shape
        (None, 28, 28, 1)
    """
    _check_positive(latent_dim=latent_dim, filters=filters, kernel_size=kernel_size)
    (height, width), widths = _pyramid(image_shape, filters)
    seeds = _seeds(seed)
    # Shapes at line ends are those of 28 × 28 × 1 images with 64 filters.
    network = [
        keras.Input((latent_dim,)),
        layers.Dense(height * width * widths[-1], use_bias=False, kernel_initializer=_normal(seeds)),
        layers.Reshape((height, width, widths[-1])),  # 7 × 7 × 128
        _batch_norm(),
        layers.ReLU(),
    ]
    for width in reversed(widths[:-1]):
        network += [
            layers.Conv2DTranspose(
                width, kernel_size, strides=2, padding="same", use_bias=False, kernel_initializer=_normal(seeds)
            ),  # 14 × 14 × 64
            _batch_norm(),
            layers.ReLU(),
        ]
    network += [
        layers.Conv2DTranspose(
            image_shape[2], kernel_size, strides=2, padding="same", kernel_initializer=_normal(seeds)
        ),  # 28 × 28 × 1
        layers.Activation("tanh", dtype="float32"),
    ]
    return keras.Sequential(network, name="generator")


def dcgan_discriminator(
    image_shape: Sequence[int], filters: int = 64, kernel_size: int = 4, *, seed: int | None = None
) -> keras.Model:
    """Radford et al. (2016), section 3: convolutions of stride 2 with LeakyReLU, the generator in reverse.

    BatchNormalization after every convolution but the first, which sees the image; weights from N(0, 0.02).

    Args:
        image_shape: (height, width, channels); height and width 8, or multiples of 4 from 16 up.
        filters: of the first layer; doubled in each further one, to at most 8 times as many.
        kernel_size: of the convolutions.
        seed: of the initial weights.

    Raises:
        ValueError: for a size that the layers cannot take, with the nearest ones.

    Example:
        >>> dcgan_discriminator((28, 28, 1)).output_shape
        (None, 1)
    """
    _check_positive(filters=filters, kernel_size=kernel_size)
    _, widths = _pyramid(image_shape, filters)
    seeds = _seeds(seed)
    # Shapes at line ends are those of 28 × 28 × 1 images with 64 filters.
    network = [
        keras.Input(tuple(image_shape)),
        layers.Conv2D(widths[0], kernel_size, strides=2, padding="same", kernel_initializer=_normal(seeds)),
        layers.LeakyReLU(0.2),  # 14 × 14 × 64
    ]
    for width in widths[1:]:
        network += [
            layers.Conv2D(
                width, kernel_size, strides=2, padding="same", use_bias=False, kernel_initializer=_normal(seeds)
            ),  # 7 × 7 × 128
            _batch_norm(),
            layers.LeakyReLU(0.2),
        ]
    network += [layers.Flatten(), layers.Dense(1, kernel_initializer=_normal(seeds), dtype="float32")]
    return keras.Sequential(network, name="discriminator")


def _pyramid(image_shape: Sequence[int], filters: int) -> tuple[tuple[int, int], list[int]]:
    """How often an image can be halved, down to 4 pixels at the least: the smallest size, and filters from the top.

    28 → 14 → 7 takes two layers of stride 2, 64 → 32 → 16 → 8 → 4 takes four.
    """
    if len(image_shape) != 3 or image_shape[2] < 1:
        raise ValueError(f"image_shape is {tuple(image_shape)}: it is (height, width, channels)")
    for size in image_shape[:2]:
        if size != 8 and (size < 16 or size % 4):
            nearest = sorted({8, 16, max(16, size // 4 * 4), max(16, size // 4 * 4 + 4)}, key=lambda s: abs(s - size))
            raise ValueError(
                f"images of {image_shape[0]} × {image_shape[1]} cannot be made by doubling: "
                f"take 8 or a multiple of 4 from 16 up, such as {nearest[0]} or {nearest[1]}"
            )
    height, width, _ = image_shape
    widths = []
    while height % 2 == 0 and width % 2 == 0 and min(height, width) >= 8:
        height, width = height // 2, width // 2
        widths.append(filters * min(2 ** len(widths), 8))
    return (height, width), widths


def _units(data_shape: Sequence[int]) -> int:
    if not data_shape or min(data_shape) < 1:
        raise ValueError(f"data_shape is {tuple(data_shape)}: it holds one or more sizes, each 1 or more")
    return math.prod(data_shape)


def _check_positive(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} is {size}: it is 1 or more")


def _seeds(seed: int | None) -> Iterator[int | None]:
    """A seed for each layer: one seed for all would give layers of equal shape equal weights."""
    numbers = random.Random(seed)
    while True:
        yield None if seed is None else numbers.randrange(2**31)


def _batch_norm() -> keras.layers.Layer:
    """With PyTorch's momentum: at Keras' 0.99 the averages that `generate` uses lag behind by several hundred steps."""
    return layers.BatchNormalization(momentum=0.9)


def _normal(seeds: Iterator[int | None]) -> keras.initializers.Initializer:
    """N(0, 0.02): Radford et al. (2016), section 4."""
    return keras.initializers.RandomNormal(stddev=0.02, seed=next(seeds))


def _glorot(seeds: Iterator[int | None]) -> keras.initializers.Initializer:
    return keras.initializers.GlorotUniform(seed=next(seeds))
