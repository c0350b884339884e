"""Layers of kgan's own.

- `FusedBatchNormalization` and `UpsampledConv2D` compute what Keras' layers do, faster.
- `Packing` shows the discriminator several images at a time, so that it sees when all are alike: Lin et al. (2018),
  *PacGAN: The power of two samples in generative adversarial networks*.
- `ReferenceBatch`, `ReferenceNormalization` and `WithoutReference` are reference and virtual batch normalization:
  Salimans et al. (2016), *Improved Techniques for Training GANs*, section 3.5. All examples are normalized by the
  statistics of one reference batch, which is chosen once and passes through the network with every minibatch, so none
  depends on others of its minibatch. Virtual batch normalization adds the example itself to the reference batch.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kgan._backend import keras, tf
from kgan.errors import Mistake

REFERENCE_SIZE = 32  # examples of the reference batch; each costs as much as one more example in every minibatch


@keras.saving.register_keras_serializable(package="kgan")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Keras' BatchNormalization, but with one TensorFlow operation instead of a dozen when it trains on images.

    It computes the same function with the same weights, and works on bfloat16 directly; Keras' layer makes float32
    copies. An axis that is not the last, renorm, synchronized, or no center or scale, is a Mistake.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        for name in ("center", "scale", "renorm", "synchronized"):
            if getattr(self, name) is not (name in ("center", "scale")):
                raise Mistake(f"{name} is {getattr(self, name)}: {type(self).__name__} does not support it")
        if self.axis not in (-1, len(input_shape) - 1):
            raise Mistake(f"axis is {self.axis}: {type(self).__name__} normalizes the last one, the channels")
        super().build(input_shape)

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: tf.Tensor | None = None) -> tf.Tensor:
        is_images = len(inputs.shape) == 4 and inputs.dtype.size <= 4
        if not (training and self.trainable and is_images) or mask is not None:
            return super().call(inputs, training=training, mask=mask)
        scale, offset = (tf.convert_to_tensor(weight) for weight in (self.gamma, self.beta))
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs, scale=scale, offset=offset, mean=[], variance=[], epsilon=self.epsilon, is_training=True
        )
        count = tf.cast(tf.size(inputs) // inputs.shape[-1], variance.dtype)  # values of a channel
        variance *= (count - 1) / count  # the plain variance, which Keras averages, not the unbiased estimate
        for average, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            average.assign(average * self.momentum + value * (1 - self.momentum))
        return outputs


@keras.saving.register_keras_serializable(package="kgan")
class UpsampledConv2D(keras.layers.Conv2D):
    """`UpSampling2D(2)` and then `Conv2D(…, padding="same")` in one layer: the same weights and less work.

    A window on the upsampled image holds each pixel of the small image several times, so the weights that meet the same
    small pixel can be added up beforehand. Which weights these are depends only on whether the row and the column of
    the output pixel are even or odd. One convolution of the small image computes these four cases as channels, and
    `depth_to_space` puts them in their places. A window of 5 × 5 then takes 9 multiply-adds per pixel instead of 25.

    Any other padding, strides, dilation, groups or data format than below is a Mistake.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        plain = {"padding": "same", "strides": (1, 1), "dilation_rate": (1, 1), "groups": 1}
        for name, value in {**plain, "data_format": "channels_last"}.items():
            if getattr(self, name) != value:
                raise Mistake(f"{name} is {getattr(self, name)!r}: that of {type(self).__name__} is {value!r}")
        super().build(input_shape)

    @property
    def small_size(self) -> tuple[int, ...]:
        """Height and width of the window on the small image."""
        return tuple(_phases(size).shape[1] for size in self.kernel_size)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        *size, channels, filters = self.kernel.shape
        # p, q: place in the small window; a, b: even or odd; t, u: place in the large window
        phases = np.einsum("apt,bqu->pqabtu", *map(_phases, size)).reshape(-1, math.prod(size))
        kernel = tf.matmul(tf.cast(phases, self.compute_dtype), tf.reshape(self.kernel, (math.prod(size), -1)))
        kernel = tf.transpose(tf.reshape(kernel, (-1, 4, channels, filters)), (0, 2, 1, 3))
        kernel = tf.reshape(kernel, (*self.small_size, channels, 4 * filters))
        outputs = tf.nn.conv2d(inputs, kernel, 1, "SAME")  # explicit padding would not use oneDNN
        if self.use_bias:  # here TensorFlow fuses it with the convolution
            outputs = tf.nn.bias_add(outputs, tf.tile(self.bias, [4]))
        return self.activation(tf.nn.depth_to_space(outputs, 2))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, *sizes, _ = input_shape
        return batch, *(size and 2 * size for size in sizes), self.filters


def _phases(size: int) -> np.ndarray:
    """Which of the `size` weights of a window, along one axis, fall on the same small pixel.

    An array (2, small, size): for even and for odd pixels, and for each place in the small window, 1 where a weight
    belongs to that place. Of 3 weights and an even pixel, [[1, 0, 0], [0, 1, 1], [0, 0, 0]].
    """
    before = (size - 1) // 2  # TensorFlow's padding "same"
    places = (np.arange(2)[:, None] + np.arange(size) - before) // 2
    window = np.arange(places.min(), places.max() + 1)  # on the small image, where padding "same" puts it as well
    return np.float32(places[:, None, :] == window[:, None])


@keras.saving.register_keras_serializable(package="kgan")
class Packing(keras.layers.Layer):
    """Puts each image of a minibatch together with the `size` - 1 images after it, along the channels.

        D(x₁, …, xₘ) instead of D(x)

    In training the n-th pack holds the images n, n + 1, … of the minibatch. After the last image comes the first one
    again, so there are as many packs as images; in the paper, packs have no image in common. Under a `tf.distribute`
    strategy each replica packs its own images.

    In inference mode a pack holds copies of one image, so that the logit of an image does not depend on other images.
    The discriminator learns to recognize copies as fake, so compare such logits only with each other.
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


@keras.saving.register_keras_serializable(package="kgan")
class ReferenceBatch(keras.layers.Layer):
    """Puts the reference batch before a minibatch: (batch, …) → (size + batch, …).

    A network begins with it, has `ReferenceNormalization` where it would have BatchNormalization, and then
    `WithoutReference`, all of the same `size`. `GAN.fit` chooses the examples, once: real images for a discriminator,
    codes for a generator. They are weights, so they are saved with the model. Before `fit` they are noise.
    """

    def __init__(self, size: int = REFERENCE_SIZE, seed: int | None = None, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.size, self.seed = size, seed

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        noise = keras.initializers.RandomNormal(stddev=1.0, seed=self.seed)
        shape = (self.size, *input_shape[1:])
        self.examples = self.add_weight(name="examples", shape=shape, initializer=noise, trainable=False)
        self.chosen = self.add_weight(name="chosen", shape=(), dtype="int32", initializer="zeros", trainable=False)

    def adapt(self, examples: np.ndarray | tf.Tensor) -> None:
        """Choose the reference batch: `size` examples; a Mistake for another number, or another shape."""
        if tuple(examples.shape) != tuple(self.examples.shape):
            raise Mistake(f"a reference batch has shape {tuple(self.examples.shape)}, not {tuple(examples.shape)}")
        self.examples.assign(examples)
        self.chosen.assign(1)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.concat([tf.cast(self.examples, inputs.dtype), inputs], axis=0)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (None, *input_shape[1:])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size, "seed": self.seed}


@keras.saving.register_keras_serializable(package="kgan")
class ReferenceNormalization(keras.layers.Layer):
    """Normalizes each channel by the mean and variance that it has in the reference batch, which comes first.

    With `virtual` an example is normalized by the reference batch and itself, with weights size / (size + 1) and
    1 / (size + 1).
    """

    def __init__(self, size: int = REFERENCE_SIZE, virtual: bool = False, epsilon: float = 1e-3, **keywords: Any):
        super().__init__(**keywords)
        self.size, self.virtual, self.epsilon = size, virtual, epsilon

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.gamma = self.add_weight(name="gamma", shape=input_shape[-1:], initializer="ones")
        self.beta = self.add_weight(name="beta", shape=input_shape[-1:], initializer="zeros")

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        values = tf.cast(inputs, tf.float32) if inputs.dtype.size < 4 else inputs  # squares would overflow float16
        reference, examples = values[: self.size], values[self.size :]
        axes = list(range(len(values.shape) - 1))
        mean, variance = tf.nn.moments(reference, axes, keepdims=True)
        normalized = [self._normalize(reference, mean, variance)]
        if self.virtual:  # mean and variance of the reference batch and an example together
            share = 1 / (self.size + 1)
            own_mean, own_variance = tf.nn.moments(examples, axes[1:], keepdims=True)
            apart = share * (1 - share) * tf.square(own_mean - mean)
            mean = share * own_mean + (1 - share) * mean
            variance = share * own_variance + (1 - share) * variance + apart
        normalized.append(self._normalize(examples, mean, variance))
        scaled = tf.concat(normalized, axis=0) * tf.cast(self.gamma, values.dtype) + tf.cast(self.beta, values.dtype)
        return tf.cast(scaled, inputs.dtype)

    def _normalize(self, values: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor) -> tf.Tensor:
        return (values - mean) * tf.math.rsqrt(variance + self.epsilon)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size, "virtual": self.virtual, "epsilon": self.epsilon}


@keras.saving.register_keras_serializable(package="kgan")
class WithoutReference(keras.layers.Layer):
    """Removes the reference batch again: (size + batch, …) → (batch, …)."""

    def __init__(self, size: int = REFERENCE_SIZE, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.size = size

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return inputs[self.size :]

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (None, *input_shape[1:])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}
