"""Nearest upsampling and the convolution after it as one layer, computed on the small image."""

from __future__ import annotations

import math

import numpy as np

from kgan._backend import keras, tf


@keras.saving.register_keras_serializable(package="kgan")
class UpsampledConv2D(keras.layers.Conv2D):
    """`UpSampling2D(2)` and then `Conv2D(…, padding="same")` in one layer: the same weights and less work.

    A window on the upsampled image holds each pixel of the small image several times, so the weights that meet the same
    small pixel can be added up beforehand. Which weights these are depends only on whether the row and the column of
    the output pixel are even or odd. One convolution of the small image computes these four cases as channels, and
    `depth_to_space` puts them in their places. A window of 5 × 5 then takes 9 multiply-adds per pixel instead of 25.

    Args:
        filters, kernel_size, **keywords: those of `keras.layers.Conv2D`; padding is "same" and strides are 1.

    Raises:
        ValueError: for padding, strides, dilation, groups or a data format that the layer does not support.

    Example:
        >>> layer = UpsampledConv2D(3, kernel_size=5, padding="same", data_format="channels_last")
        >>> layer(np.zeros((10, 7, 7, 64), "float32")).shape
        TensorShape([10, 14, 14, 3])
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        has = {"padding": "same", "strides": (1, 1), "dilation_rate": (1, 1), "groups": 1}
        for name, value in {**has, "data_format": "channels_last"}.items():
            if getattr(self, name) != value:
                raise ValueError(f"{name} is {getattr(self, name)!r}: that of {type(self).__name__} is {value!r}")
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
    """Which weights of a window fall on the same small pixel, along one axis.

    Args:
        size: number of weights of the window along this axis.

    Returns:
        An array (2, small, size): for even and for odd pixels, and for each place in the small window, 1 where a weight
        belongs to that place. For every size, TensorFlow's padding "same" puts the small window in the right position.

    Example:
        >>> even, odd = _phases(3)
        >>> even
        array([[1., 0., 0.],
               [0., 1., 1.],
               [0., 0., 0.]], dtype=float32)
    """
    before = (size - 1) // 2  # TensorFlow's padding "same"
    places = (np.arange(2)[:, None] + np.arange(size) - before) // 2
    first, last = int(places.min()), int(places.max())
    belongs = places[:, None, :] == np.arange(first, last + 1)[:, None]
    return belongs.astype(np.float32)
