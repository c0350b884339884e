"""Several machines that train one model: each runs the same script, and its worker trains on a part of every batch.

What exchanges numbers, a training step and reading a metric too, waits until all workers call it, in the same order.
"""

from __future__ import annotations

import contextlib
import functools
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from kgan import files
from kgan._backend import keras, tf


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


def gathered(strategy: tf.distribute.Strategy, numbers: Sequence[int] | np.ndarray) -> np.ndarray:
    """The n numbers of each worker, int32, (workers, n). All workers must call it."""
    own = np.asarray(numbers, np.int32)
    if count(strategy) == 1:
        return own[np.newaxis]
    replicas = strategy.num_replicas_in_sync // count(strategy)  # of one worker: they send the same
    return _all_gather(strategy)(tf.constant(own)).numpy().reshape(-1, len(own))[::replicas]


def any_of(strategy: tf.distribute.Strategy, is_so: bool) -> bool:
    """Whether `is_so` is true at any worker. All workers must call it."""
    return bool(gathered(strategy, [is_so]).any())


def from_chief(strategy: tf.distribute.Strategy, values: Sequence[float]) -> list[float]:
    """The chief's values, at all workers. All workers must call it."""
    return _gathered_floats(strategy, values)[0].tolist()


def average_statistics(model: keras.Model) -> None:
    """Give all workers the mean of their moving averages, which are of parts of batches. All workers must call it."""
    if count(model.distribute_strategy) == 1:
        return
    for weight in model.non_trainable_weights:
        if weight.name.startswith("moving_"):
            own = weight.numpy()
            weight.assign(_gathered_floats(model.distribute_strategy, own.ravel()).mean(axis=0).reshape(own.shape))


@contextlib.contextmanager
def replacing(strategy: tf.distribute.Strategy, path: str | Path) -> Iterator[Path]:
    """At the chief `kgan.files.replacing`; at others a file to throw away, since all must write a model together."""
    if is_chief(strategy):
        with files.replacing(path) as temporary:
            yield temporary
    else:
        with tempfile.TemporaryDirectory() as directory:
            yield Path(directory) / Path(path).name


def _cluster(strategy: tf.distribute.Strategy) -> dict[str, list[str]]:
    """Addresses by job."""
    resolver = strategy.cluster_resolver
    return resolver.cluster_spec().as_dict() if resolver is not None else {}


def _gathered_floats(strategy: tf.distribute.Strategy, values: Sequence[float] | np.ndarray) -> np.ndarray:
    """float64, (workers, n): gathered as pairs of int32, so that no bit is lost."""
    return gathered(strategy, np.asarray(values, np.float64).view(np.int32)).view(np.float64)


@functools.cache
def _all_gather(strategy: tf.distribute.Strategy) -> Callable[[tf.Tensor], tf.Tensor]:
    """A compiled function of int32 numbers, (n,): the numbers of all replicas, one after the other."""

    def replica(numbers: tf.Tensor) -> tf.Tensor:
        return tf.distribute.get_replica_context().all_gather(tf.identity(numbers), axis=0)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.int32)], autograph=False)
    def gather(numbers: tf.Tensor) -> tf.Tensor:
        return strategy.experimental_local_results(strategy.run(replica, args=(numbers,)))[0]

    return gather
