"""What a network is made of: its layers as a table, and its work as a number of multiply-adds."""

from __future__ import annotations

import math
from typing import NamedTuple

from kgan._backend import keras
from kgan.layers import Packing, ReferenceNormalization, UpsampledConv2D
from kgan.units import shape_text

layers = keras.layers
NAMES = {layers.GroupNormalization: "layer norm", layers.ReLU: "ReLU"}
NAMES |= {layers.Dense: "dense", layers.Reshape: "reshape", layers.Flatten: "flatten"}


class LayerRow(NamedTuple):
    """A layer with the normalization and activation after it, as a paper's diagram shows them."""

    layer: str
    shape: tuple[int, ...]
    parameters: int


def layer_table(network: keras.Model) -> list[LayerRow]:
    """A network layer by layer: what each layer does, its output shape (without the batch), its parameters.

    Example:
        >>> layer_table(kgan.networks.dense_discriminator((28, 28, 1)))[1]
        LayerRow(layer='dense · leaky ReLU 0.2', shape=(128,), parameters=100480)
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

    Dense layers and convolutions of both kinds are counted, with the zeros of padding: they do nearly all of the work.
    """
    total = 0
    for outer in network.layers:
        match layer := _unwrapped(outer):
            case keras.Model():
                total += multiply_adds(layer)
            case layers.Dense():  # along the last axis
                total += math.prod(layer.kernel.shape) * math.prod(outer.input.shape[1:-1])
            case layers.Conv2D():  # the window once for each output pixel
                size = layer.small_size if isinstance(layer, UpsampledConv2D) else layer.kernel_size
                total += math.prod((*size, *layer.kernel.shape[2:], *outer.output.shape[1:3]))
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
        case layers.Conv2D() | layers.Conv2DTranspose():
            kind = "transposed convolution" if isinstance(layer, layers.Conv2DTranspose) else "convolution"
            before = "upsampling × 2 and " if isinstance(layer, UpsampledConv2D) else ""
            return f"{before}{shape_text(layer.kernel_size)} {kind}, stride {layer.strides[0]}"
        case layers.UpSampling2D():
            return f"upsampling × {layer.size[0]}"
        case layers.BatchNormalization():
            return "synchronized batch norm" if layer.synchronized else "batch norm"
        case ReferenceNormalization():
            return "virtual batch norm" if layer.virtual else "reference batch norm"
        case layers.LeakyReLU():
            return f"leaky ReLU {layer.negative_slope:.2g}"
        case layers.Activation():
            return layer.activation.__name__
    return NAMES.get(type(layer), layer.name.replace("_", " "))
