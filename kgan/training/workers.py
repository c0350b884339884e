"""Several machines that train one model: each runs the same script, and its worker trains a share of every batch.

All workers must do in the same order whatever takes all of them, such as a training step, reading a metric, or a
function in here; who is alone in it waits for ever. The first of them, the chief, is the only one that writes files.
"""

from __future__ import annotations

import contextlib
import functools
import pickle
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kgan import files
from kgan._backend import keras, tf
from kgan.data.batching import Batches


def count(strategy: tf.distribute.Strategy) -> int:
    """Workers of a strategy: 1 for all but `tf.distribute.MultiWorkerMirroredStrategy`."""
    return max(1, sum(map(len, _cluster(strategy).values())))


def number(strategy: tf.distribute.Strategy) -> int:
    """This worker's, from 0, which is the chief."""
    resolver, chiefs = strategy.cluster_resolver, len(_cluster(strategy).get("chief", ()))
    if resolver is None or resolver.task_type == "chief":
        return 0
    return chiefs + (resolver.task_id or 0)


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this worker writes the files."""
    return number(strategy) == 0


def gathered(strategy: tf.distribute.Strategy, content: Any) -> list[Any]:
    """What each worker gives, by its number; takes all workers.

    Args:
        content: whatever can be pickled.
    """
    if count(strategy) == 1:
        return [content]
    own = np.frombuffer(pickle.dumps(content), np.uint8)
    heads = _of_all(strategy, np.array([number(strategy), len(own)])).reshape(-1, 2)
    parts = np.split(_of_all(strategy, own), np.cumsum(heads[:, 1])[:-1])
    # One part for each replica: those of a worker are alike.
    each = {int(head[0]): part for head, part in zip(heads, parts, strict=True)}
    return [pickle.loads(each[worker].astype(np.uint8).tobytes()) for worker in sorted(each)]


def from_chief(strategy: tf.distribute.Strategy, function: Callable[[], Any]) -> Any:
    """What a function gives, or raises, at the chief, which alone calls it; takes all workers."""
    if count(strategy) == 1:
        return function()
    result, error = None, None
    if is_chief(strategy):
        try:
            result = function()
        except Exception as raised:
            error = raised
    result, error = gathered(strategy, (result, error))[0]
    if error:
        raise error
    return result


def any_of(strategy: tf.distribute.Strategy, is_so: bool) -> bool:
    """Whether it is so at any worker; takes all workers."""
    if count(strategy) == 1:
        return is_so
    return bool(_of_all(strategy, np.array([is_so])).any())


class AverageStatistics(keras.callbacks.Callback):
    """Gives all workers the mean of their moving averages after each epoch.

    Each batch normalization that is not synchronized keeps those of its own part of the batches.
    """

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        own = [each for each in self.model.non_trainable_weights if each.name.startswith("moving_")]
        of_all = gathered(self.model.distribute_strategy, [each.numpy() for each in own])
        for weight, values in zip(own, zip(*of_all, strict=True), strict=True):
            weight.assign(np.mean(values, axis=0))


@contextlib.contextmanager
def replacing(strategy: tf.distribute.Strategy, path: str | Path) -> Iterator[Path]:
    """At the chief `kgan.files.replacing`; at other workers a file that is thrown away.

    For what takes all workers to write, such as a model.
    """
    if is_chief(strategy):
        with files.replacing(path) as temporary:
            yield temporary
    else:
        with tempfile.TemporaryDirectory() as directory:
            yield Path(directory) / Path(path).name


def batches(strategy: tf.distribute.Strategy, data: Batches, step: Callable[[], int]) -> Any:
    """The batches from a step on, of which each worker reads its share alone."""
    total = strategy.num_replicas_in_sync
    if count(strategy) == 1 or data.batch_size % total:
        return data.dataset(step)
    own = total // count(strategy)
    replicas = (number(strategy) * own, own, total)
    return strategy.distribute_datasets_from_function(lambda _: data.dataset(step, replicas))


def shared(strategy: tf.distribute.Strategy, data: Any) -> Any:
    """Data of which each worker takes its share of every batch, in their order.

    Raises:
        ValueError: for data that TensorFlow cannot share out.
    """
    if count(strategy) == 1 or isinstance(data, tf.distribute.DistributedDataset):
        return data
    if not isinstance(data, tf.data.Dataset):
        raise ValueError(
            f"several workers cannot share a {type(data).__name__}: give an array, kgan.data.Batches or a tf.data "
            "dataset"
        )
    options = tf.data.Options()
    # By batches: by files each worker would have a data order of its own.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return data.with_options(options)


def _cluster(strategy: tf.distribute.Strategy) -> dict[str, list[str]]:
    """Addresses by job."""
    resolver = strategy.cluster_resolver
    return resolver.cluster_spec().as_dict() if resolver is not None else {}


def _of_all(strategy: tf.distribute.Strategy, numbers: np.ndarray) -> np.ndarray:
    """The numbers of all replicas, one behind the other."""
    return _gather(strategy)(tf.constant(numbers, tf.int32)).numpy()


@functools.cache
def _gather(strategy: tf.distribute.Strategy) -> Callable[[tf.Tensor], tf.Tensor]:
    """`_of_all`, compiled once."""

    def replica(numbers: tf.Tensor) -> tf.Tensor:
        return tf.distribute.get_replica_context().all_gather(tf.identity(numbers), axis=0)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.int32)], autograph=False)
    def gather(numbers: tf.Tensor) -> tf.Tensor:
        return strategy.experimental_local_results(strategy.run(replica, args=(numbers,)))[0]

    return gather
