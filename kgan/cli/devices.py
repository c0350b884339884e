"""Several devices of one machine: `kgan train --devices N`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kgan.errors import Mistake

if TYPE_CHECKING:
    from kgan._backend import tf


def strategy(count: int, batch_size: int) -> tf.distribute.Strategy:
    """The strategy to build a model under so that `count` devices train it: GPUs, or parts of the CPU without GPUs.

    Call it before any other use of TensorFlow, which then fixes the number of its devices.

    Args:
        count: number of devices; for 1, TensorFlow's default strategy.
        batch_size: images in a minibatch, which the devices share.

    Raises:
        ValueError: if the devices cannot share a minibatch equally, or there are fewer GPUs than devices.
    """
    from kgan._backend import tf

    if count == 1:
        return tf.distribute.get_strategy()
    if batch_size % count:
        raise Mistake(f"batch_size is {batch_size}, which {count} devices cannot share equally")
    gpus = tf.config.list_physical_devices("GPU")
    if gpus and count > len(gpus):
        raise Mistake(f"--devices is {count}, but TensorFlow sees {len(gpus)} GPU{'s' * (len(gpus) > 1)}")
    if not gpus:
        (cpu,) = tf.config.list_physical_devices("CPU")
        try:
            tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
        except RuntimeError:
            raise Mistake(f"--devices is {count}, but TensorFlow has begun with the CPU as one") from None
    kind = "GPU" if gpus else "CPU"
    return tf.distribute.MirroredStrategy([f"{kind}:{number}" for number in range(count)])
