"""Generators and discriminators for any image size: plain functions that build Keras models.

Generators take codes (batch, latent_dim) and end in tanh, so their images are in [-1, 1]. Discriminators take images
and end in logits (batch, 1). Both outputs are float32 under every precision policy, and images are channels-last
whatever Keras' `image_data_format` is. A generator and a discriminator have independent weights, even with one seed.
What cannot be built is a Mistake, which names the nearest image size, the choices or the range.

Args:
    norm: normalization of the hidden layers: "batch", "synchronized" (batch normalization over the minibatches of all
        devices), "layer" (over height, width and channels), "none"; or "reference" and "virtual", batch normalization
        by one fixed batch (`kgan.layers`). Of a discriminator also "spectral": the weights of all layers are normalized
        instead of the activations (Miyato et al. 2018, *Spectral Normalization for Generative Adversarial Networks*),
        by Keras' own layer. Unlike in the paper, the quotient of weights and largest singular value becomes the weight
        that is trained, and the gradient is taken with respect to the quotient.
    packing: how many images the discriminator sees together (`kgan.layers`).
    classes: number of classes of a conditional model. Codes then have `classes` more units, which hold the class. The
        discriminator takes [images, labels] with one-hot labels, and adds to its logits the product of its last
        features with a vector of the class (Miyato and Koyama 2018, *cGANs with Projection Discriminator*, figure 1d).
    seed: seed of the initial weights; without one, Keras' global random generator draws them.
"""

from __future__ import annotations

import contextlib
import functools
import math
import random
from collections.abc import Iterator, Sequence
from typing import Any

from kgan._backend import keras
from kgan.checks import as_list, check, check_choice, whole_numbers
from kgan.errors import Mistake
from kgan.layers import (
    FusedBatchNormalization,
    Packing,
    ReferenceBatch,
    ReferenceNormalization,
    UpsampledConv2D,
    WithoutReference,
)
from kgan.summary import layer_table, multiply_adds  # noqa: F401, for the users of networks

layers = keras.layers
Layer = layers.Layer
Seeds = Iterator[int | None]
CHANNELS_LAST = {"data_format": "channels_last"}  # whatever keras.json says
_SAME = {"padding": "same", **CHANNELS_LAST}

REFERENCE_NORMS = ("reference", "virtual")
MIXING_NORMS = ("batch", "synchronized", *REFERENCE_NORMS)  # the logit of an image depends on others as well
NORMS = (*MIXING_NORMS, "layer", "none")
D_NORMS = (*NORMS, "spectral")
UPSAMPLINGS = ("transposed", "nearest")
ACTIVATIONS = ("relu", "leaky_relu")


def dense_generator(
    data_shape: Sequence[int],
    latent_dim: int = 100,
    hidden_units: int = 128,
    *,
    activation: str = "tanh",
    norm: str = "none",
    classes: int = 0,
    seed: int | None = None,
) -> keras.Model:
    """A multilayer perceptron from codes to images or vectors (Goodfellow et al. 2014, section 5).

    One hidden layer, as the laboratory report on GANs and DCGANs in TensorFlow with CUDA describes its GAN.

    Args:
        data_shape: shape of one image or vector, such as (28, 28, 1) or (2,).
        activation: of the output: "tanh" for images in [-1, 1], "linear" for vectors of any range.

    Example:
        >>> dense_generator((28, 28, 1)).output_shape
        (None, 28, 28, 1)
    """
    latent_dim, hidden_units = whole_numbers(latent_dim=latent_dim, hidden_units=hidden_units)
    check_choice("norm", norm, NORMS)
    data_shape, seeds = as_list(data_shape), _seeds(seed, "generator")
    units = _units(data_shape)
    # Shapes at line ends are those of (28, 28, 1) images.
    hidden = [
        layers.Dense(hidden_units, use_bias=norm == "none", kernel_initializer=_glorot(seeds)),  # 128
        *_normalized(norm),
        layers.ReLU(),
    ]
    output = [
        layers.Dense(units, kernel_initializer=_glorot(seeds)),  # 784
        layers.Reshape(tuple(data_shape)),  # 28 × 28 × 1
        layers.Activation(activation, dtype="float32"),
    ]
    return _network("generator", (latent_dim + classes,), hidden, output, norm, seeds)


def dense_discriminator(
    data_shape: Sequence[int],
    hidden_units: int = 128,
    *,
    norm: str = "none",
    packing: int = 1,
    classes: int = 0,
    seed: int | None = None,
) -> keras.Model:
    """A multilayer perceptron from images or vectors to logits, the counterpart of `dense_generator`."""
    (hidden_units,) = whole_numbers(hidden_units=hidden_units)
    data_shape = as_list(data_shape)
    _units(data_shape)
    _check_discriminator(norm, packing, classes)
    seeds, use_bias = _seeds(seed, "discriminator"), norm in ("none", "spectral")
    hidden = [
        *([Packing(packing)] if packing > 1 else []),
        layers.Flatten(**CHANNELS_LAST),  # 784
        _bounded(layers.Dense(hidden_units, use_bias=use_bias, kernel_initializer=_glorot(seeds)), norm),  # 128
        *_normalized(norm),
        layers.LeakyReLU(0.2),
    ]
    logit = _bounded(layers.Dense(1, kernel_initializer=_glorot(seeds), dtype="float32"), norm)  # 1
    model = _network("discriminator", data_shape, hidden, [logit], norm, seeds)
    return _projecting(model, classes, norm, _glorot(seeds), seeds) if classes else model


def dcgan_generator(
    image_shape: Sequence[int],
    latent_dim: int = 100,
    filters: int = 64,
    kernel_size: int = 4,
    *,
    depth: int | None = None,
    upsampling: str = "transposed",
    activation: str = "relu",
    norm: str = "batch",
    stddev: float = 0.02,
    classes: int = 0,
    seed: int | None = None,
) -> keras.Model:
    """Radford et al. (2016), figure 1: a dense layer, then transposed convolutions of stride 2.

    Normalization and activation follow every layer except the last, which ends in tanh. With upsampling="nearest" and
    activation="leaky_relu" it is the generator of Stiff, von Keyserlingk and Stuart, *Image Generation Using Deep
    Convolutional Generative Adversarial Networks*, figure 4.

    Args:
        image_shape: (height, width, channels); height and width 8, or multiples of 4 from 16 up.
        filters: of the last hidden layer. Each layer before it has twice as many, up to 8 × filters.
        kernel_size: 4 is a multiple of the stride: it avoids the checkerboard pattern of the paper's 5, and is faster.
        depth: how many layers double the size; by default as many as possible, from 4 pixels or a few more.
        upsampling: "transposed" convolutions; or "nearest": each pixel is repeated 2 × 2, and a convolution follows.
        activation: "relu" or "leaky_relu" (0.2).
        stddev: standard deviation of the initial weights, which are drawn from N(0, 0.02) in section 4.

    Example:
        >>> dcgan_generator((28, 28, 1)).output_shape
        (None, 28, 28, 1)
    """
    sizes = {"latent_dim": latent_dim, "filters": filters, "kernel_size": kernel_size}
    latent_dim, filters, kernel_size = whole_numbers(**sizes)
    check(stddev=stddev)
    check_choice("upsampling", upsampling, UPSAMPLINGS)
    check_choice("activation", activation, ACTIVATIONS)
    check_choice("norm", norm, NORMS)
    (height, width), widths = _pyramid(image_shape, filters, depth)
    seeds, use_bias = _seeds(seed, "generator"), norm == "none"  # a normalization has a shift of its own
    activated = layers.ReLU if activation == "relu" else functools.partial(layers.LeakyReLU, 0.2)
    if upsampling == "transposed":
        doubled = functools.partial(layers.Conv2DTranspose, kernel_size=kernel_size, strides=2, **_SAME)
    else:
        doubled = functools.partial(UpsampledConv2D, kernel_size=kernel_size, **_SAME)
    # Shapes at line ends are those of (28, 28, 1) images with 64 filters.
    first = (height, width, widths[-1])
    hidden = [
        layers.Dense(math.prod(first), use_bias=use_bias, kernel_initializer=_normal(seeds, stddev)),  # 6,272
        layers.Reshape(first),  # 7 × 7 × 128
        *_normalized(norm),
        activated(),
    ]
    for width in reversed(widths[:-1]):
        hidden += [
            doubled(width, use_bias=use_bias, kernel_initializer=_normal(seeds, stddev)),  # 14 × 14 × 64
            *_normalized(norm),
            activated(),
        ]
    output = [
        doubled(image_shape[2], kernel_initializer=_normal(seeds, stddev)),  # 28 × 28 × 1
        layers.Activation("tanh", dtype="float32"),
    ]
    return _network("generator", (latent_dim + classes,), hidden, output, norm, seeds)


def dcgan_discriminator(
    image_shape: Sequence[int],
    filters: int = 64,
    kernel_size: int = 4,
    *,
    depth: int | None = None,
    norm: str = "batch",
    stddev: float = 0.02,
    packing: int = 1,
    classes: int = 0,
    code_units: int | None = None,
    seed: int | None = None,
) -> keras.Model:
    """Radford et al. (2016), section 3: convolutions of stride 2 with LeakyReLU, the generator in reverse.

    Normalization follows every convolution except the first, which sees the image.

    Args:
        image_shape, filters, kernel_size, depth, stddev: see `dcgan_generator`; `filters` is that of the first layer.
        code_units: units of a second head, which reads a code from the image. The network then has two outputs,
            [logits, codes] (Shao, Li, Jiang, *A Survey of DCGAN based Unsupervised Decoding and Image Generation*).

    Example:
        >>> dcgan_discriminator((28, 28, 1)).output_shape
        (None, 1)
    """
    sizes = {"filters": filters, "kernel_size": kernel_size, "code_units": code_units}
    filters, kernel_size, code_units = whole_numbers(**sizes)
    check(stddev=stddev)
    _check_discriminator(norm, packing, classes)
    if classes and code_units:
        raise Mistake(f"classes is {classes}: a discriminator that reads codes knows no classes")
    if packing > 1 and code_units:
        raise Mistake(f"packing is {packing}: a CodeGAN reads a code from a single image, so leave it at 1")
    _, widths = _pyramid(image_shape, filters, depth)
    seeds, use_bias = _seeds(seed, "discriminator"), norm in ("none", "spectral")
    halved = functools.partial(layers.Conv2D, kernel_size=kernel_size, strides=2, **_SAME)
    # Shapes at line ends are those of (28, 28, 1) images with 64 filters.
    hidden = [
        *([Packing(packing)] if packing > 1 else []),
        _bounded(halved(widths[0], kernel_initializer=_normal(seeds, stddev)), norm),  # 14 × 14 × 64
        layers.LeakyReLU(0.2),
    ]
    for width in widths[1:]:
        convolution = halved(width, use_bias=use_bias, kernel_initializer=_normal(seeds, stddev))
        hidden += [_bounded(convolution, norm), *_normalized(norm), layers.LeakyReLU(0.2)]  # 7 × 7 × 128
    hidden.append(layers.Flatten(**CHANNELS_LAST))  # 6,272
    logit = _bounded(layers.Dense(1, kernel_initializer=_normal(seeds, stddev), dtype="float32"), norm)  # 1
    model = _network("discriminator", image_shape, hidden, [logit], norm, seeds)
    if classes:
        return _projecting(model, classes, norm, _normal(seeds, stddev), seeds)
    if code_units is None:
        return model
    code = layers.Dense(code_units, kernel_initializer=_normal(seeds, stddev), dtype="float32", name="code")
    return keras.Model(model.inputs[0], [*model.outputs, code(model.layers[-1].input)], name="discriminator")


def _network(
    name: str, input_shape: Sequence[int], hidden: list[Layer], output: list[Layer], norm: str, seeds: Seeds
) -> keras.Model:
    """The layers as a model. The reference batch passes through the hidden ones, where the normalizations are."""
    if norm in REFERENCE_NORMS:
        hidden = [ReferenceBatch(seed=next(seeds)), *hidden, WithoutReference()]
    model = keras.Sequential([keras.Input(tuple(input_shape)), *hidden, *output], name=name)
    return _with_power_iterations(model, seeds)


def _with_power_iterations(model: keras.Model, seeds: Seeds) -> keras.Model:
    """The model with seeded start vectors for spectral normalization: Keras draws different ones each time."""
    for layer in model.layers:
        if isinstance(layer, layers.SpectralNormalization):
            layer.vector_u.assign(_normal(seeds, 1.0)(layer.vector_u.shape))
    return model


def _projecting(
    network: keras.Model, classes: int, norm: str, initializer: keras.initializers.Initializer, seeds: Seeds
) -> keras.Model:
    """The discriminator with labels: Miyato and Koyama (2018), equation 4, the vector of a class · φ(x) + ψ(φ(x))."""
    features, labels = network.layers[-1].input, keras.Input((classes,), name="labels")
    vectors = layers.Dense(features.shape[1], use_bias=False, kernel_initializer=initializer, dtype="float32")
    product = layers.Dot(axes=1, dtype="float32")([_bounded(vectors, norm)(labels), features])
    logits = layers.Add(dtype="float32")([network.outputs[0], product])
    return _with_power_iterations(keras.Model([network.inputs[0], labels], logits, name="discriminator"), seeds)


def _bounded(layer: Layer, norm: str) -> Layer:
    """The layer with its weights divided by their largest singular value, where `norm` is "spectral"."""
    # float32: the layer writes the divided weights back, and bfloat16 would lose the small steps of the optimizer.
    return layers.SpectralNormalization(layer, dtype="float32") if norm == "spectral" else layer


def _normalized(norm: str) -> list[Layer]:
    match norm:
        case "batch":
            # With PyTorch's momentum: at Keras' 0.99 the averages that `generate` uses lag behind by hundreds of steps.
            return [FusedBatchNormalization(momentum=0.9)]
        case "synchronized":
            return [layers.BatchNormalization(momentum=0.9, synchronized=True)]
        case "layer":
            return [layers.GroupNormalization(groups=1)]  # one group: over all channels
        case "none" | "spectral":
            return []
    return [ReferenceNormalization(virtual=norm == "virtual")]


def _pyramid(image_shape: Sequence[int], filters: int, depth: int | None = None) -> tuple[tuple[int, int], list[int]]:
    """Halve an image size as often as possible, to 4 pixels or more: the smallest size, and the filters of each layer.

    28 → 14 → 7 takes two layers of stride 2, 64 → 32 → 16 → 8 → 4 takes four.
    """
    if len(image_shape) != 3 or image_shape[2] < 1:
        raise Mistake(f"image_shape is {tuple(image_shape)}: it is (height, width, channels)")
    height, width, _ = map(int, image_shape)
    for size in (height, width):
        if size != 8 and (size < 16 or size % 4):
            nearest = sorted({8, 16, max(16, size // 4 * 4), max(16, size // 4 * 4 + 4)}, key=lambda s: abs(s - size))
            raise Mistake(
                f"images of {height} × {width} cannot be made by doubling: "
                f"take 8 or a multiple of 4 from 16 up, such as {nearest[0]} or {nearest[1]}"
            )
    most = max(n for n in range(32) if height % 2**n == width % 2**n == 0 and min(height, width) >= 4 * 2**n)
    depth = most if depth is None else depth
    if not 1 <= depth <= most:
        raise Mistake(f"depth is {depth}: images of {height} × {width} can be halved from 1 to {most} times")
    return (height // 2**depth, width // 2**depth), [filters * min(2**layer, 8) for layer in range(depth)]


def _units(data_shape: Sequence[int]) -> int:
    if not data_shape or min(data_shape) < 1:
        raise Mistake(f"data_shape is {tuple(data_shape)}: it holds one or more sizes, each 1 or more")
    return math.prod(map(int, data_shape))


def _check_discriminator(norm: str, packing: int, classes: int) -> None:
    check_choice("norm", norm, D_NORMS)
    check(packing=packing)
    if packing > 1 and norm in REFERENCE_NORMS:
        raise Mistake(f"packing is {packing}: with norm {norm!r} the reference batch would be packed as well")
    if classes and norm in REFERENCE_NORMS:
        raise Mistake(f"classes is {classes}: with norm {norm!r} the reference batch would need labels")
    if classes and packing > 1:
        raise Mistake(f"packing is {packing}: it does not work with classes, here {classes}: a pack has one label")


def _seeds(seed: int | None, network: str) -> Seeds:
    """A seed for each layer of a network: with one seed for all, layers of equal shape would have equal weights."""
    numbers = random.Random(f"{network} {seed}")
    while True:
        yield None if seed is None else numbers.randrange(2**31)


def _normal(seeds: Seeds, stddev: float) -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=stddev, seed=next(seeds))


def _glorot(seeds: Seeds) -> keras.initializers.Initializer:
    return keras.initializers.GlorotUniform(seed=next(seeds))


@contextlib.contextmanager
def dtype_policy(dtype: Any) -> Iterator[None]:
    """Within the block, networks are built with this dtype policy of Keras; None: with the global one."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(before if dtype is None else keras.dtype_policies.get(dtype))
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
