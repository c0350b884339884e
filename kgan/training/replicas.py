"""A replica's part of the global batch. The result of a step must not depend on the number of replicas.

So codes go by the position of an image in the global batch, and a replica's gradients count by its fraction of it.
"""

from __future__ import annotations

from kgan._backend import tf


def count() -> int:
    """Replicas that train together; 1 without a strategy."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def position(batch_size: int | tf.Tensor) -> tuple[int | tf.Tensor, int | tf.Tensor]:
    """Where this replica's `batch_size` images begin in the global batch, and how many images that has."""
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
    """This replica's fraction of the global batch, since Keras adds up the gradients of all replicas."""
    _, total = position(batch_size)
    return 1.0 if total is batch_size else tf.cast(batch_size, tf.float32) / tf.cast(total, tf.float32)
