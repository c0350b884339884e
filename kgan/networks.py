"""Generators and discriminators for any image size: plain functions that build Keras models.

Generators take codes (batch, latent_dim) and end in tanh, so their images are in [-1, 1]. Discriminators take images
and end in logits (batch, 1). Both outputs are float32 under every precision policy, and images are channels-last
whatever Keras' `image_data_format` is. With a `seed` the initial weights depend only on it; without one, Keras' global
random generator draws them. A generator and a discriminator have independent weights, even with the same seed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kgan._backend import keras
from kgan.errors import Mistake
from kgan.layers import (
    FusedBatchNormalization,
    Packing,
    ReferenceBatch,
    ReferenceNormalization,
    UpsampledConv2D,
    WithoutReference,
)

layers = keras.layers
CHANNELS_LAST = {"data_format": "channels_last"}  # whatever keras.json says

REFERENCE_NORMS = ("reference", "virtual")
NORMS = ("batch", "synchronized", *REFERENCE_NORMS, "layer", "none")
D_NORMS = (*NORMS, "spectral")  # of a discriminator
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
        latent_dim: units of a code.
        hidden_units: units of the hidden layer.
        activation: activation of the output: "tanh" for images in [-1, 1], "linear" for vectors of any range.
        norm: normalization of the hidden layer: see `dcgan_generator`.
        classes: number of classes of a conditional model: see `dcgan_generator`.
        seed: seed of the initial weights.

    Raises:
        ValueError: for a size below 1, or an unknown norm.

    Example:
        >>> dense_generator((28, 28, 1)).output_shape
        (None, 28, 28, 1)
    """
    _check_positive(latent_dim=latent_dim, hidden_units=hidden_units)
    _check_choice("norm", norm, NORMS)
    units, seeds = _units(data_shape), _seeds(seed, "generator")
    network = [
        layers.Dense(hidden_units, use_bias=norm == "none", kernel_initializer=_glorot(seeds)),
        *_normalized(norm),
        layers.ReLU(),
        layers.Dense(units, kernel_initializer=_glorot(seeds)),
        layers.Reshape(tuple(data_shape)),
        layers.Activation(activation, dtype="float32"),
    ]
    return _model("generator", (latent_dim + classes,), network, norm, seeds)


def dense_discriminator(
    data_shape: Sequence[int],
    hidden_units: int = 128,
    *,
    norm: str = "none",
    packing: int = 1,
    classes: int = 0,
    seed: int | None = None,
) -> keras.Model:
    """A multilayer perceptron from images or vectors to logits, the counterpart of `dense_generator`.

    Args:
        data_shape: shape of one image or vector.
        hidden_units: units of the hidden layer.
        norm: normalization of the hidden layer: see `dcgan_discriminator`.
        packing: how many images the network sees together: see `kgan.layers`.
        classes: number of classes of a conditional model: see `dcgan_discriminator`.
        seed: seed of the initial weights.

    Raises:
        ValueError: for a size below 1, an unknown norm, packing or classes with reference or virtual batch
            normalization, or packing with classes.

    Example:
        >>> dense_discriminator((28, 28, 1)).output_shape
        (None, 1)
    """
    _check_positive(hidden_units=hidden_units)
    _units(data_shape)
    _check_discriminator(norm, packing, classes)
    seeds, use_bias = _seeds(seed, "discriminator"), norm in ("none", "spectral")
    network = [
        *_packed(packing),
        layers.Flatten(**CHANNELS_LAST),
        _bounded(layers.Dense(hidden_units, use_bias=use_bias, kernel_initializer=_glorot(seeds)), norm),
        *_normalized(norm),
        layers.LeakyReLU(0.2),
        _bounded(layers.Dense(1, kernel_initializer=_glorot(seeds), dtype="float32"), norm),
    ]
    model = _model("discriminator", data_shape, network, norm, seeds)
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

    Normalization and activation follow every layer except the last, which ends in tanh. Initial weights are
    drawn from N(0, 0.02). With upsampling="nearest" and activation="leaky_relu" it is the generator of Stiff, von
    Keyserlingk and Stuart, *Image Generation Using Deep Convolutional Generative Adversarial Networks*, figure 4.

    Args:
        image_shape: (height, width, channels); height and width 8, or multiples of 4 from 16 up.
        latent_dim: units of a code.
        filters: number of filters of the last hidden layer. Each layer before it has twice as many, up to 8 × filters.
        kernel_size: kernel size of the convolutions. 4 is a multiple of the stride: it avoids the checkerboard pattern
            of the paper's 5, and is faster.
        depth: how many layers double the size; by default as many as possible, from 4 pixels or a few more.
        upsampling: "transposed" convolutions; or "nearest": each pixel is repeated 2 × 2, and a convolution follows
            (`kgan.layers`).
        activation: "relu" or "leaky_relu" (0.2).
        norm: "batch", "synchronized" (batch normalization over the minibatches of all devices), "layer" (over height,
            width and channels), "none"; or "reference" and "virtual", batch normalization by one fixed batch
            (`kgan.layers`).
        stddev: standard deviation of the initial weights.
        classes: number of classes of a conditional model. Codes then have `classes` more units, which hold the class.
            The weights of these units in the first layer are an embedding of the classes. The normalizations do not
            depend on the class, since ten classes of digits do not need that.
        seed: seed of the initial weights.

    Raises:
        ValueError: for an image size that the layers cannot make (the message names the nearest sizes); a depth that
            the size does not allow; an unknown upsampling, activation or norm.

    Example:
        >>> dcgan_generator((28, 28, 1)).output_shape
        (None, 28, 28, 1)
    """
    _check_positive(latent_dim=latent_dim, filters=filters, kernel_size=kernel_size)
    _check_choice("activation", activation, ACTIVATIONS)
    _check_choice("norm", norm, NORMS)
    (height, width), widths = _pyramid(image_shape, filters, depth)
    seeds, use_bias = _seeds(seed, "generator"), norm == "none"  # a normalization has a shift of its own
    # Shapes at line ends are those of 28 × 28 × 1 images with 64 filters.
    network = [
        layers.Dense(height * width * widths[-1], use_bias=use_bias, kernel_initializer=_normal(seeds, stddev)),
        layers.Reshape((height, width, widths[-1])),  # 7 × 7 × 128
        *_normalized(norm),
        _activated(activation),
    ]
    for width in reversed(widths[:-1]):
        network += [
            _doubled(width, kernel_size, upsampling, use_bias, seeds, stddev),  # 14 × 14 × 64
            *_normalized(norm),
            _activated(activation),
        ]
    network += [
        _doubled(image_shape[2], kernel_size, upsampling, True, seeds, stddev),  # 28 × 28 × 1
        layers.Activation("tanh", dtype="float32"),
    ]
    return _model("generator", (latent_dim + classes,), network, norm, seeds)


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

    Normalization follows every convolution except the first, which sees the image. Initial weights are drawn from
    N(0, 0.02).

    Args:
        image_shape: (height, width, channels); height and width 8, or multiples of 4 from 16 up.
        filters: number of filters of the first layer. Each layer after it has twice as many, up to 8 × filters.
        kernel_size: kernel size of the convolutions.
        depth: how many layers halve the size; by default as many as possible, down to 4 pixels or a few more.
        norm: as in `dcgan_generator`; or "spectral": the weights of all layers are normalized instead of the
            activations (Miyato et al. 2018, *Spectral Normalization for Generative Adversarial Networks*), by Keras'
            own layer. As in the paper, a convolution's kernel is divided by the largest singular value of its matrix.
            Unlike in the paper, the quotient becomes the weight that is trained, and the gradient is taken with respect
            to the quotient.
        stddev: see `dcgan_generator`.
        packing: how many images the network sees together: see `kgan.layers`.
        classes: number of classes of a conditional model. The network then takes [images, labels] with one-hot labels,
            and adds to its logits the product of its last features with a vector of the class (Miyato and Koyama 2018,
            *cGANs with Projection Discriminator*, figure 1d).
        code_units: number of units of a second head, which reads a code from the image. The network then has two
            outputs, [logits, codes] (Shao, Li, Jiang, *A Survey of DCGAN based Unsupervised Decoding and Image
            Generation*).
        seed: seed of the initial weights.

    Raises:
        ValueError: for an image size that the layers cannot take (the message names the nearest sizes); a depth that
            the size does not allow; an unknown norm; packing or classes with reference or virtual batch normalization;
            packing with classes, or either with a code.

    Example:
        >>> dcgan_discriminator((28, 28, 1)).output_shape
        (None, 1)
    """
    _check_positive(filters=filters, kernel_size=kernel_size)
    _check_discriminator(norm, packing, classes)
    if classes and code_units:
        raise Mistake(f"classes is {classes}: a discriminator that reads codes knows no classes")
    if packing > 1 and code_units:
        raise Mistake(f"packing is {packing}: a CodeGAN reads a code from a single image, so leave it at 1")
    _, widths = _pyramid(image_shape, filters, depth)
    seeds, use_bias = _seeds(seed, "discriminator"), norm in ("none", "spectral")
    # Shapes at line ends are those of 28 × 28 × 1 images with 64 filters.
    network = [
        *_packed(packing),
        _bounded(_halved(widths[0], kernel_size, True, seeds, stddev), norm),
        layers.LeakyReLU(0.2),  # 14 × 14 × 64
    ]
    for width in widths[1:]:
        network += [
            _bounded(_halved(width, kernel_size, use_bias, seeds, stddev), norm),  # 7 × 7 × 128
            *_normalized(norm),
            layers.LeakyReLU(0.2),
        ]
    flatten = layers.Flatten(**CHANNELS_LAST)
    network += [flatten, _bounded(layers.Dense(1, kernel_initializer=_normal(seeds, stddev), dtype="float32"), norm)]
    model = _model("discriminator", image_shape, network, norm, seeds)
    if classes:
        return _projecting(model, classes, norm, _normal(seeds, stddev), seeds)
    if code_units is None:
        return model
    _check_positive(code_units=code_units)
    read = layers.Dense(code_units, kernel_initializer=_normal(seeds, stddev), dtype="float32", name="code")
    codes = read(flatten.output)
    if norm in REFERENCE_NORMS:
        codes = WithoutReference(dtype="float32")(codes)
    return keras.Model(model.inputs[0], [*model.outputs, codes], name="discriminator")


class LayerRow(NamedTuple):
    """A layer with the normalization and activation after it, as a paper's diagram shows them."""

    layer: str
    shape: tuple[int, ...]
    parameters: int


def layer_table(network: keras.Model) -> list[LayerRow]:
    """A network layer by layer: what each layer does, its output shape (without the batch), its parameters.

    Example:
        >>> for row in layer_table(dense_discriminator((28, 28, 1))):
        ...     print(*row, sep=" | ")
        flatten | (784,) | 0
        dense · leaky ReLU 0.2 | (128,) | 100480
        dense | (1,) | 129
    """
    found: list[LayerRow] = []
    for layer in network.layers:
        if isinstance(layer, layers.InputLayer):
            continue
        shape, parameters = tuple(layer.output.shape[1:]), layer.count_params()
        is_one_tensor = found and (found[-1].shape == shape or isinstance(layer, layers.Reshape))
        if is_one_tensor and not isinstance(_unwrapped(layer), (layers.Dense, layers.Conv2D, layers.Conv2DTranspose)):
            before = found.pop()
            found.append(LayerRow(f"{before.layer} · {_described(layer)}", shape, before.parameters + parameters))
        else:
            found.append(LayerRow(_described(layer), shape, parameters))
    return found


def multiply_adds(network: keras.Model) -> int:
    """How many multiply-adds (a multiplication and an addition) a network needs for one example.

    Dense layers, convolutions and transposed convolutions are counted: they do nearly all of the work. Biases,
    normalizations and activations are not counted. At borders the zeros of padding are counted too.

    Args:
        network: a built model. The reference batch of reference or virtual batch normalization, which passes through
            the network once with every minibatch, is not counted.

    Example:
        >>> multiply_adds(dense_discriminator((28, 28, 1)))  # 784 · 128 + 128 · 1
        100480
    """
    total = 0
    for outer in network.layers:
        match layer := _unwrapped(outer):
            case keras.Model():
                total += multiply_adds(layer)
            case layers.Dense():  # along the last axis
                total += math.prod(layer.kernel.shape) * math.prod(outer.input.shape[1:-1])
            case UpsampledConv2D():  # the small window once for each output pixel
                weights = math.prod((*layer.small_size, *layer.kernel.shape[2:]))
                total += weights * math.prod(outer.output.shape[1:3])
            case layers.Conv2D():  # the window once for each output pixel
                total += math.prod(layer.kernel.shape) * math.prod(outer.output.shape[1:3])
            case layers.Conv2DTranspose():  # the window once for each input pixel
                total += math.prod(layer.kernel.shape) * math.prod(outer.input.shape[1:3])
    return total


def _unwrapped(layer: keras.layers.Layer) -> keras.layers.Layer:
    """The layer without the spectral normalization around it."""
    return layer.layer if isinstance(layer, layers.SpectralNormalization) else layer


def _described(layer: keras.layers.Layer) -> str:
    match layer:
        case layers.SpectralNormalization():
            return f"{_described(layer.layer)}, spectral norm"
        case Packing():
            return f"packs of {layer.size}"
        case layers.Conv2DTranspose():
            return f"{_window(layer)} transposed convolution, stride {layer.strides[0]}"
        case UpsampledConv2D():
            return f"upsampling × 2 and {_window(layer)} convolution, stride 1"
        case layers.Conv2D():
            return f"{_window(layer)} convolution, stride {layer.strides[0]}"
        case layers.UpSampling2D():
            return f"upsampling × {layer.size[0]}"
        case layers.BatchNormalization():
            return "synchronized batch norm" if layer.synchronized else "batch norm"
        case layers.GroupNormalization():
            return "layer norm"
        case ReferenceNormalization():
            return "virtual batch norm" if layer.virtual else "reference batch norm"
        case layers.ReLU():
            return "ReLU"
        case layers.LeakyReLU():
            return f"leaky ReLU {layer.negative_slope:.2g}"
        case layers.Activation():
            return layer.activation.__name__
        case layers.Dense() | layers.Reshape() | layers.Flatten():
            return type(layer).__name__.lower()
    return layer.name.replace("_", " ")


def _window(layer: keras.layers.Layer) -> str:
    return " × ".join(str(size) for size in layer.kernel_size)


def _model(
    name: str, input_shape: Sequence[int], network: list[keras.layers.Layer], norm: str, seeds: Iterator[int | None]
) -> keras.Model:
    if norm in REFERENCE_NORMS:
        network = [ReferenceBatch(seed=next(seeds)), *network, WithoutReference(dtype="float32")]
    return _with_power_iterations(keras.Sequential([keras.Input(tuple(input_shape)), *network], name=name), seeds)


def _with_power_iterations(model: keras.Model, seeds: Iterator[int | None]) -> keras.Model:
    """The model with seeded start vectors for spectral normalization: Keras draws different ones each time."""
    for layer in model.layers:
        if isinstance(layer, layers.SpectralNormalization):
            layer.vector_u.assign(_normal(seeds, 1.0)(layer.vector_u.shape))
    return model


def _projecting(
    network: keras.Model,
    classes: int,
    norm: str,
    initializer: keras.initializers.Initializer,
    seeds: Iterator[int | None],
) -> keras.Model:
    """The discriminator with labels: Miyato and Koyama (2018), equation 4, the vector of a class · φ(x) + ψ(φ(x))."""
    features, labels = network.layers[-1].input, keras.Input((classes,), name="labels")
    vectors = layers.Dense(features.shape[1], use_bias=False, kernel_initializer=initializer, dtype="float32")
    product = layers.Dot(axes=1, dtype="float32")([_bounded(vectors, norm)(labels), features])
    logits = layers.Add(dtype="float32")([network.outputs[0], product])
    return _with_power_iterations(keras.Model([network.inputs[0], labels], logits, name="discriminator"), seeds)


def _halved(
    filters: int, kernel_size: int, use_bias: bool, seeds: Iterator[int | None], stddev: float
) -> keras.layers.Layer:
    """A layer that halves height and width."""
    common = {"padding": "same", "use_bias": use_bias, "kernel_initializer": _normal(seeds, stddev)}
    return layers.Conv2D(filters, kernel_size, strides=2, **common, **CHANNELS_LAST)


def _doubled(
    filters: int, kernel_size: int, upsampling: str, use_bias: bool, seeds: Iterator[int | None], stddev: float
) -> keras.layers.Layer:
    """A layer that doubles height and width."""
    _check_choice("upsampling", upsampling, UPSAMPLINGS)
    common = {"padding": "same", "use_bias": use_bias, "kernel_initializer": _normal(seeds, stddev), **CHANNELS_LAST}
    if upsampling == "transposed":
        return layers.Conv2DTranspose(filters, kernel_size, strides=2, **common)
    return UpsampledConv2D(filters, kernel_size, **common)


def _activated(activation: str) -> keras.layers.Layer:
    return layers.ReLU() if activation == "relu" else layers.LeakyReLU(0.2)


def _bounded(layer: keras.layers.Layer, norm: str) -> keras.layers.Layer:
    """The layer with its weights divided by their largest singular value, where `norm` is "spectral"."""
    # float32: the layer writes the divided weights back, and bfloat16 would lose the small steps of the optimizer.
    return layers.SpectralNormalization(layer, dtype="float32") if norm == "spectral" else layer


def _packed(packing: int) -> list[keras.layers.Layer]:
    return [Packing(packing)] if packing > 1 else []


def _normalized(norm: str) -> list[keras.layers.Layer]:
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
    for size in image_shape[:2]:
        if size != 8 and (size < 16 or size % 4):
            nearest = sorted({8, 16, max(16, size // 4 * 4), max(16, size // 4 * 4 + 4)}, key=lambda s: abs(s - size))
            raise Mistake(
                f"images of {image_shape[0]} × {image_shape[1]} cannot be made by doubling: "
                f"take 8 or a multiple of 4 from 16 up, such as {nearest[0]} or {nearest[1]}"
            )
    if depth is not None:
        _check_positive(depth=depth)
    height, width, _ = image_shape
    widths = []
    while height % 2 == 0 and width % 2 == 0 and min(height, width) >= 8 and len(widths) != depth:
        height, width = height // 2, width // 2
        widths.append(filters * min(2 ** len(widths), 8))
    if depth not in (None, len(widths)):
        size = f"{image_shape[0]} × {image_shape[1]}"
        raise Mistake(f"depth is {depth}: images of {size} can be halved from 1 to {len(widths)} times")
    return (height, width), widths


def _units(data_shape: Sequence[int]) -> int:
    if not data_shape or min(data_shape) < 1:
        raise Mistake(f"data_shape is {tuple(data_shape)}: it holds one or more sizes, each 1 or more")
    return math.prod(data_shape)


def _check_positive(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise Mistake(f"{name} is {size}: it is 1 or more")


def _check_discriminator(norm: str, packing: int, classes: int) -> None:
    _check_choice("norm", norm, D_NORMS)
    _check_positive(packing=packing)
    if packing > 1 and norm in REFERENCE_NORMS:
        raise Mistake(f"packing is {packing}: with norm {norm!r} the reference batch would be packed as well")
    if classes and norm in REFERENCE_NORMS:
        raise Mistake(f"classes is {classes}: with norm {norm!r} the reference batch would need labels")
    if classes and packing > 1:
        raise Mistake(
            f"packing is {packing}: it does not work with classes, here {classes}, since a pack has one label"
        )


def _seeds(seed: int | None, network: str) -> Iterator[int | None]:
    """A seed for each layer of a network: with one seed for all, layers of equal shape would have equal weights."""
    numbers = random.Random(f"{network} {seed}")
    while True:
        yield None if seed is None else numbers.randrange(2**31)


def _check_choice(name: str, choice: str, choices: Sequence[str]) -> None:
    if choice not in choices:
        raise Mistake(f"unknown {name} {choice!r}: choose one of {', '.join(choices)}")


def _normal(seeds: Iterator[int | None], stddev: float) -> keras.initializers.Initializer:
    """N(0, 0.02) in Radford et al. (2016), section 4."""
    return keras.initializers.RandomNormal(stddev=stddev, seed=next(seeds))


def _glorot(seeds: Iterator[int | None]) -> keras.initializers.Initializer:
    return keras.initializers.GlorotUniform(seed=next(seeds))
