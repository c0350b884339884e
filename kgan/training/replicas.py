"""What a replica does of a step that several share: its part of the global batch.

Under a `tf.distribute` strategy the batch is split among the replicas. What a step computes must not depend on their
number: codes go by an image's place in the global batch, and a replica's gradients by its share of it.
"""

from __future__ import annotations

from kgan._backend import tf


def count() -> int:
    """Replicas that train together; 1 without a strategy."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def position(batch_size: int | tf.Tensor) -> tuple[int | tf.Tensor, int | tf.Tensor]:
    """Where this replica's images begin in the global batch, and how many that has.

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
    if size is not None:  # known beforehand: all parts are alike, and nobody need be asked
        return replica * size, tf.constant(context.num_replicas_in_sync * size)
    sizes = context.all_gather(tf.reshape(batch_size, [1]), axis=0)
    before = tf.range(tf.size(sizes)) < replica
    return tf.reduce_sum(tf.where(before, sizes, 0)), tf.reduce_sum(sizes)


def share(batch_size: int | tf.Tensor) -> float | tf.Tensor:
    """This replica's share of the global batch; 1.0 where it is alone.

    Keras adds the gradients of all replicas up, so each of them counts by its share.
    """
    _, total = position(batch_size)
    return 1.0 if total is batch_size else tf.cast(batch_size, tf.float32) / tf.cast(total, tf.float32)
