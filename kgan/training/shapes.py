"""The shapes of two networks, which have to fit each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kgan._backend import keras
from kgan.errors import Mistake


def fitting_shapes(
    generator: keras.Model, discriminator: keras.Model, classes: int
) -> tuple[int, tuple[int, ...], Any]:
    """Units of a code, classes included; shape of an image; shape of the discriminator's output, or of each head."""
    codes, images = _input_shape(generator, "generator"), _input_shape(discriminator, "discriminator", classes)
    if len(codes) != 2:
        raise Mistake(f"the generator takes inputs of shape {codes}: codes are (batch, latent_dim)")
    if codes[1] <= classes:
        raise Mistake(f"the generator takes codes of {codes[1]} units: {classes} classes leave none for z")
    made = _output_shape(generator, codes)
    if made[1:] != images[1:]:
        raise Mistake(f"the generator makes images of shape {made[1:]}, but the discriminator takes {images[1:]}")
    return codes[1], images[1:], _output_shape(discriminator, [images, (None, classes)] if classes else images)


def _input_shape(network: keras.Model, name: str, classes: int = 0) -> tuple[int | None, ...]:
    """The input shape (None, …) of a built network; for a conditional discriminator, that of its images."""
    shape = getattr(network, "input_shape", None) if network.built else None
    if classes:
        if not isinstance(shape, list) or [labels[1:] for labels in shape[1:]] != [(classes,)]:
            raise Mistake(
                f"the {name} takes {shape}: that of {classes} classes takes [images, labels (batch, {classes})]"
            )
        shape = shape[0]
    if isinstance(shape, list):
        raise Mistake(f"the {name} takes {len(shape)} inputs, {shape}: for a conditional model pass classes")
    if shape is None and network.built:  # a subclass of keras.Model, which has been called
        shape = (network.get_build_config() or {}).get("input_shape")
    if not isinstance(shape, (tuple, list)) or not all(isinstance(size, int) for size in shape[1:]):
        example = "codes, (1, latent_dim)" if name == "generator" else "images"
        raise Mistake(
            f"the {name}'s input shape is not known: begin it with keras.Input, or call it once on a batch of {example}"
        )
    return (None, *shape[1:])


def _output_shape(network: keras.Model, input_shape: Sequence[int | None]) -> Any:
    """The output shape (None, …) of a network for its input, or a list of such shapes."""
    shape = getattr(network, "output_shape", None)
    if shape is not None:
        return shape
    outputs = network.compute_output_spec(keras.KerasTensor(input_shape, dtype="float32"))
    shapes = [tuple(output.shape) for output in keras.tree.flatten(outputs)]
    return shapes if isinstance(outputs, (list, tuple)) else shapes[0]
