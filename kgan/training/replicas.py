"""The part of a training step that one replica does: its part of the global batch.

Under a `tf.distribute` strategy the batch is split among the replicas. The result of a step must not depend on their
number: codes depend on the position of an image in the global batch, and the gradients of a replica are weighted by its
fraction of the global batch.
"""

from __future__ import annotations

from kgan._backend import tf


def count() -> int:
    """Replicas that train together; 1 without a strategy."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def position(batch_size: int | tf.Tensor) -> tuple[int | tf.Tensor, int | tf.Tensor]:
    """Where this replica's images begin in the global batch, and how many images the global batch has.

    Args:
        batch_size: images of this replica.

    Example:
        >>> position(32)
        (0, 32)
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return 0, batch_size
    replica, size = context.replica_id_in_sync_group, None
    if not tf.executing_eagerly():
        size = tf.get_static_value(batch_size)
    if size is not None:  # known beforehand: all parts have the same size, and replicas need not ask
        return replica * size, tf.constant(context.num_replicas_in_sync * size)
    sizes = context.all_gather(tf.reshape(batch_size, [1]), axis=0)
    before = tf.range(tf.size(sizes)) < replica
    return tf.reduce_sum(tf.where(before, sizes, 0)), tf.reduce_sum(sizes)


def share(batch_size: int | tf.Tensor) -> float | tf.Tensor:
    """This replica's fraction of the global batch; 1.0 if it is alone.

    Keras adds up the gradients of all replicas, so each of them is weighted by its fraction.
    """
    _, total = position(batch_size)
    return 1.0 if total is batch_size else tf.cast(batch_size, tf.float32) / tf.cast(total, tf.float32)
