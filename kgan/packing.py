"""Packing: the discriminator looks at several images at a time, so that it sees when they are all alike.

Lin et al. (2018), *PacGAN: The power of two samples in generative adversarial networks*.
"""

from __future__ import annotations

from typing import Any

from kgan._backend import keras, tf


@keras.saving.register_keras_serializable(package="kgan")
class Packing(keras.layers.Layer):
    """Puts each image of a minibatch together with the images after it, along the channels.

        D(x₁, …, xₘ) instead of D(x)

    In training the n-th pack holds the images n, n + 1, … of the minibatch. After the last image comes the first one
    again, so there are as many packs as images; in the paper, packs have no image in common. Under a `tf.distribute`
    strategy each replica packs its own images.

    In inference mode a pack holds copies of one image, so that the logit of an image does not depend on other images.
    The discriminator learns to recognize copies as fake, so compare such logits only with each other.

    Args:
        size: number of images in a pack.

    Example:
        >>> packs = Packing(2)(tf.reshape(tf.range(3.0), (3, 1, 1, 1)), training=True)
        >>> packs[:, 0, 0].numpy().tolist()
        [[0.0, 1.0], [1.0, 2.0], [2.0, 0.0]]
    """

    def __init__(self, size: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.size = size

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        return tf.concat([tf.roll(inputs, -n if training else 0, axis=0) for n in range(self.size)], axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:-1], input_shape[-1] * self.size)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}
