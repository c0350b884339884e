"""Several machines that train one model: each runs the same script, and its worker trains on a part of every batch.

A training step, reading a metric, and every function here that says so need all workers: all of them must call it, in
the same order. A worker that calls it alone waits forever. Only the first worker, the chief, writes files.
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
from kgan.errors import Mistake

PIECE = 2**24  # numbers of four bytes that are sent at a time


def count(strategy: tf.distribute.Strategy) -> int:
    """Workers of a `tf.distribute.MultiWorkerMirroredStrategy`; 1 for strategies of one machine."""
    return max(1, sum(map(len, _cluster(strategy).values())))


def number(strategy: tf.distribute.Strategy) -> int:
    """The number of this worker, from 0; number 0 is the chief."""
    resolver, chiefs = strategy.cluster_resolver, len(_cluster(strategy).get("chief", ()))
    if resolver is None or resolver.task_type == "chief":
        return 0
    return chiefs + (resolver.task_id or 0)


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this worker writes the files."""
    return number(strategy) == 0


def gathered(strategy: tf.distribute.Strategy, content: Any) -> list[Any]:
    """The content of each worker, in the order of their numbers. All workers must call it.

    Args:
        content: anything that can be pickled.
    """
    if count(strategy) == 1:
        return [content]
    own = np.frombuffer(pickle.dumps(content), np.uint8)
    heads = _of_all(strategy, np.array([number(strategy), len(own)])).reshape(-1, 2)
    parts = np.split(_of_all(strategy, own), np.cumsum(heads[:, 1])[:-1])
    # One part for each replica: the parts of one worker are equal.
    each = {int(head[0]): part for head, part in zip(heads, parts, strict=True)}
    return [pickle.loads(each[worker].astype(np.uint8).tobytes()) for worker in sorted(each)]


def from_chief(strategy: tf.distribute.Strategy, function: Callable[[], Any]) -> Any:
    """What a function returns, or raises, at the chief, the only one that calls it. All workers must call this."""
    if not callable(function):
        return list(function) if count(strategy) == 1 else from_chief(strategy, lambda: list(function))
    if count(strategy) == 1:
        return function()
    result, error = None, None
    if is_chief(strategy):
        try:
            result = function()
        except Exception as raised:
            error = raised
    result, error = pickle.loads(_sent(strategy, pickle.dumps((result, error))))
    if error:
        raise error
    return result


def any_of(strategy: tf.distribute.Strategy, is_so: bool) -> bool:
    """Whether `is_so` is true at any worker. All workers must call it."""
    if count(strategy) == 1:
        return is_so
    return bool(_of_all(strategy, np.array([is_so])).any())


def average_statistics(model: keras.Model) -> None:
    """Give all workers the mean of their moving averages. All workers must call it.

    A batch normalization that is not synchronized has, on each worker, the averages of that worker's part of the
    batches.
    """
    strategy = model.distribute_strategy
    if count(strategy) == 1:
        return
    own = [each for each in model.non_trainable_weights if each.name.startswith("moving_")]
    of_all = gathered(strategy, [each.numpy() for each in own])
    for weight, values in zip(own, zip(*of_all, strict=True), strict=True):
        weight.assign(np.mean(values, axis=0))


class AverageStatistics(keras.callbacks.Callback):
    """Calls `average_statistics` after each epoch, before all other callbacks."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        average_statistics(self.model)


@contextlib.contextmanager
def replacing(strategy: tf.distribute.Strategy, path: str | Path) -> Iterator[Path]:
    """At the chief `kgan.files.replacing`; at other workers a file that is thrown away.

    It is for files that all workers must write together, such as a model.
    """
    if is_chief(strategy):
        with files.replacing(path) as temporary:
            yield temporary
    else:
        with tempfile.TemporaryDirectory() as directory:
            yield Path(directory) / Path(path).name


def check_evaluation(strategy: tf.distribute.Strategy, steps_per_execution: int) -> None:
    """Raise ValueError if several workers should evaluate several batches at a time: Keras fails then."""
    if count(strategy) > 1 and steps_per_execution > 1:
        raise Mistake(
            f"steps_per_execution is {steps_per_execution}: several workers validate and evaluate only with 1"
        )


def batches(strategy: tf.distribute.Strategy, data: Batches, step: Callable[[], int]) -> Any:
    """The batches from a step on; each worker reads only its part of them."""
    total = strategy.num_replicas_in_sync
    if count(strategy) == 1 or data.batch_size % total:
        return data.dataset(step)
    own = total // count(strategy)
    replicas = (number(strategy) * own, own, total)
    return strategy.distribute_datasets_from_function(lambda _: data.dataset(step, replicas))


def shared(strategy: tf.distribute.Strategy, data: Any) -> Any:
    """Data of which each worker takes its part of every batch, in the order of the data.

    Raises:
        ValueError: for data that TensorFlow cannot share out.
    """
    if count(strategy) == 1 or isinstance(data, tf.distribute.DistributedDataset):
        return data
    if not isinstance(data, tf.data.Dataset):
        raise Mistake(
            f"several workers cannot share a {type(data).__name__}: give an array, kgan.data.Batches or a tf.data "
            "dataset"
        )
    options = tf.data.Options()
    # Shared by batches: if files were shared, each worker would have a data order of its own.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return data.with_options(options)


def _cluster(strategy: tf.distribute.Strategy) -> dict[str, list[str]]:
    """Addresses by job."""
    resolver = strategy.cluster_resolver
    return resolver.cluster_spec().as_dict() if resolver is not None else {}


def _sent(strategy: tf.distribute.Strategy, content: bytes) -> bytes:
    """The chief's bytes, at all workers; in pieces, as a checkpoint can be large."""
    size = int(_of_all(strategy, np.array([len(content)]))[0])
    numbers = np.zeros(-(-size // 4), np.int32)
    if is_chief(strategy):
        numbers.view(np.uint8)[:size] = np.frombuffer(content, np.uint8)
    pieces = [numbers[start : start + PIECE] for start in range(0, len(numbers), PIECE)]
    received = [_collective(strategy, "sum")(tf.constant(piece)).numpy() for piece in pieces]
    return np.concatenate(received).tobytes()[:size]


def _of_all(strategy: tf.distribute.Strategy, numbers: np.ndarray) -> np.ndarray:
    """The numbers of all replicas, one after the other."""
    return _collective(strategy, "gather")(tf.constant(numbers, tf.int32)).numpy()


@functools.cache
def _collective(strategy: tf.distribute.Strategy, kind: str) -> Callable[[tf.Tensor], tf.Tensor]:
    """A compiled function of int32 numbers: it returns those of all replicas ("gather") or of the first ("sum")."""

    def replica(numbers: tf.Tensor) -> tf.Tensor:
        context = tf.distribute.get_replica_context()
        if kind == "gather":
            return context.all_gather(tf.identity(numbers), axis=0)
        is_first = tf.equal(context.replica_id_in_sync_group, 0)
        return context.all_reduce("sum", tf.where(is_first, numbers, tf.zeros_like(numbers)))

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.int32)], autograph=False)
    def together(numbers: tf.Tensor) -> tf.Tensor:
        return strategy.experimental_local_results(strategy.run(replica, args=(numbers,)))[0]

    return together
