"""Real images as Keras' `fit` takes them, so that a run can be resumed anywhere: each kind of data has its `Feed`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from kgan._backend import keras, tf
from kgan.data.batching import Batches, held_weakly
from kgan.errors import Mistake
from kgan.training import inputs, workers


class Start(NamedTuple):
    """Where the data begin, as functions: Keras' BackupAndRestore restores the model only after `fit` has begun.

    Attributes:
        step: the training step of the first batch.
        batches: how many batches of the data were used already.
        is_late: whether both are known only after training has begun.
        strategy: the strategy that the model is trained under.
    """

    step: Callable[[], int]
    batches: Callable[[], int]
    is_late: bool
    strategy: tf.distribute.Strategy


class Feed(NamedTuple):
    """Checked data.

    Attributes:
        open: a function from `Start` to what Keras' `fit` takes as `x`.
        batch_size: batch size of data that are given as an array.
        steps_per_epoch: as given, or as the data say. None: Keras counts, and each epoch starts the data again.
        ends: whether the data end by themselves after each epoch, so that Keras does not get steps_per_epoch.
    """

    open: Callable[[Start], Any]
    batch_size: int | None
    steps_per_epoch: int | None
    ends: bool = False


def feed(
    x: Any,
    shape: tuple[int, ...],
    *,
    y: Any = None,
    d_steps: int = 1,
    classes: int = 0,
    batch_size: int | None = None,
    steps_per_epoch: int | None = None,
    shuffle: bool = True,
    seed: int = 0,
    steps_per_execution: int = 1,
) -> Feed:
    """Check data and prepare them for Keras' `fit`.

    Args:
        x: what `fit` was given, after `inputs.as_array`.
        shape: shape of one image.
        y: labels of an array.
        d_steps: number of minibatches in a batch.
        classes: number of classes of a conditional model; 0: labels are ignored.
        batch_size, steps_per_epoch, shuffle: arguments of `fit`.
        seed: seed of the order.
        steps_per_execution: the setting of the model.

    Raises:
        ValueError: for anything that cannot be right: see `kgan.training.inputs`.
    """
    if not isinstance(x, Batches):
        inputs.check_source(x)
    inputs.check_sizes(batch_size=batch_size, steps_per_epoch=steps_per_epoch)
    if inputs.is_array(x):
        inputs.check_range_is_meant(*inputs.check_images(x, shape))
        labels = inputs.checked_labels(y, len(x), classes)
        batch_size = batch_size or 32
        if x.dtype == np.uint8:  # the values are kept; `Batches` would map uint8 to [-1, 1]
            x = np.float32(x)
        inputs.check_divisible(batch_size, d_steps)
        return (
            _shuffled(Batches(x, batch_size, seed, labels), steps_per_epoch)
            if shuffle
            else _in_order(x, labels, batch_size, d_steps, steps_per_epoch)
        )
    if batch_size is not None:
        raise Mistake(f"batch_size is {batch_size}, but the data come in batches of their own: leave it out")

    def check(batch: Any) -> None:
        inputs.check_first_batch(batch, shape, d_steps, classes)

    if isinstance(x, Batches):
        check(next(iter(x.dataset().take(1))))
        inputs.checked_labels(x.labels, len(x.images), classes)  # of all batches
        return _shuffled(x, steps_per_epoch)
    if isinstance(x, tf.data.Dataset):
        return _dataset_feed(x, check, d_steps, steps_per_epoch, steps_per_execution)
    if isinstance(x, keras.utils.PyDataset):
        return _py_dataset_feed(x, check, steps_per_epoch, shuffle, seed)
    if isinstance(x, Iterator):
        return _generator_feed(x, check, steps_per_epoch)
    check(inputs.first_of(x))
    dataset = _from_iterable(x, shape, classes)
    return Feed(lambda start: _from(dataset, start) if steps_per_epoch else dataset, None, steps_per_epoch)


def _from_iterable(batches: Iterable[Any], shape: Sequence[int], classes: int) -> tf.data.Dataset:
    """A dataset from an object that can be iterated over many times, such as a DataLoader."""

    def images() -> Iterator[Any]:
        for batch in batches:
            each = np.asarray(batch[0] if isinstance(batch, (tuple, list)) else batch, np.float32)
            yield (each, np.asarray(batch[1], np.int64).reshape(-1)) if classes else each

    signature = tf.TensorSpec((None, *shape), tf.float32)
    if classes:
        signature = (signature, tf.TensorSpec((None,), tf.int64))
    return tf.data.Dataset.from_generator(images, output_signature=signature)


def _as_tuples(batches: Iterable[Any]) -> Iterator[tuple]:
    """Batches as tuples, as Keras expects them from a generator."""
    for batch in batches:
        yield tuple(batch) if isinstance(batch, (tuple, list)) else (batch,)


def _shuffled(batches: Batches, steps_per_epoch: int | None) -> Feed:
    """The batches depend on seed and step, so it does not matter how many were used already."""
    steps = steps_per_epoch or len(batches)
    return Feed(lambda start: workers.batches(start.strategy, batches, start.step), batches.batch_size, steps)


def _in_order(
    images: Any, labels: np.ndarray | None, batch_size: int, d_steps: int, steps_per_epoch: int | None
) -> Feed:
    """An array in its own order; the last batch may be smaller."""
    inputs.check_divisible(len(images) % batch_size, d_steps)
    dataset = _slices(images, labels, batch_size)
    if steps_per_epoch is None:
        return Feed(lambda start: dataset, batch_size, None)
    return Feed(lambda start: _from(dataset, start), batch_size, steps_per_epoch)


def _slices(images: Any, labels: np.ndarray | None, batch_size: int) -> tf.data.Dataset:
    images = np.asarray(images, np.float32)
    return tf.data.Dataset.from_tensor_slices(images if labels is None else (images, labels)).batch(batch_size)


def _dataset_feed(
    dataset: tf.data.Dataset,
    check: Callable[[Any], None],
    d_steps: int,
    steps_per_epoch: int | None,
    steps_per_execution: int,
) -> Feed:
    count = int(dataset.cardinality())
    if count == tf.data.INFINITE_CARDINALITY and not steps_per_epoch:
        raise Mistake("the dataset is endless: say with steps_per_epoch how long an epoch is")
    check(inputs.first_of(dataset.take(1)))
    spec = inputs.images_of(dataset.element_spec)
    if d_steps > 1 and spec.shape[0] is None:
        raise Mistake(
            f"with d_steps={d_steps} every batch must hold a multiple of {d_steps} images, and the dataset's last one "
            "may not: batch with drop_remainder=True"
        )
    if steps_per_epoch is None:
        return Feed(lambda start: dataset, None, None)

    def opened(start: Start) -> tf.data.Dataset:
        behind = start.batches()
        if behind and count > 0 and count % steps_per_epoch:
            raise Mistake(
                f"a dataset of {count} batches cannot be resumed in epochs of {steps_per_epoch} steps: repeat() it"
            )
        # Keras counts whole executions, and would end a finite dataset too early if they do not divide the epoch.
        return _from(dataset, start) if behind or start.is_late or steps_per_execution > 1 else dataset

    return Feed(opened, None, steps_per_epoch)


def _from(dataset: tf.data.Dataset, start: Start) -> tf.data.Dataset:
    """The dataset, repeated without end, from the first batch that was not used yet."""
    endless = dataset if dataset.cardinality() == tf.data.INFINITE_CARDINALITY else dataset.repeat()
    if not start.is_late:
        return endless.skip(start.batches())

    def behind_now() -> np.int64:
        return np.int64(start.batches())

    @tf.autograph.experimental.do_not_convert
    def skipped(_: tf.Tensor) -> tf.data.Dataset:
        behind = tf.numpy_function(held_weakly(behind_now), [], tf.int64)
        return endless.skip(tf.ensure_shape(behind, ()))

    return tf.data.Dataset.from_tensors(0).flat_map(skipped)


def _py_dataset_feed(
    x: keras.utils.PyDataset,
    check: Callable[[Any], None],
    steps_per_epoch: int | None,
    shuffle: bool,
    seed: int,
) -> Feed:
    first = _first_batch_of(x)
    if x.num_batches is None and not steps_per_epoch:
        raise Mistake("the dataset is endless: say with steps_per_epoch how long an epoch is")
    check(first)
    steps = steps_per_epoch or x.num_batches
    return Feed(lambda start: Ordered(x, start, steps, shuffle, seed), None, steps, ends=True)


def _first_batch_of(x: keras.utils.PyDataset) -> Any:
    if x.num_batches == 0:
        raise Mistake("the dataset gives no batch: its length is 0")
    return x[0]


class Ordered(keras.utils.PyDataset):
    """A `PyDataset` whose batches of each epoch are a function of (seed, epoch).

    Keras would shuffle it with Python's global random numbers, and start it from the beginning in a resumed run.
    """

    def __init__(
        self, source: keras.utils.PyDataset, start: Start, steps_per_epoch: int, shuffle: bool, seed: int
    ) -> None:
        super().__init__(
            workers=source.workers,
            use_multiprocessing=source.use_multiprocessing,
            max_queue_size=source.max_queue_size,
        )
        self.source = source
        self.start = start
        self.steps_per_epoch = steps_per_epoch
        self.shuffle = shuffle
        self.seed = seed
        self._epochs = -1
        self._behind = 0  # batches that were used already

    def __len__(self) -> int:
        return self.steps_per_epoch

    def on_epoch_begin(self) -> None:
        self._count()
        self.source.on_epoch_begin()

    def on_epoch_end(self) -> None:  # Keras calls it once before the first epoch as well
        self._epochs += 1
        self._count()  # before the next epoch's workers start
        self.source.on_epoch_end()

    def _count(self) -> None:
        self._behind = self.start.batches() + max(self._epochs, 0) * self.steps_per_epoch

    def __getitem__(self, index: int) -> Any:
        number, count = index + self._behind, self.source.num_batches
        if count is None:
            return self.source[number]
        once, place = divmod(number, count)
        if self.shuffle:
            place = int(np.random.default_rng([self.seed, once]).permutation(count)[place])
        return self.source[place]


def _generator_feed(batches: Iterator[Any], check: Callable[[Any], None], steps_per_epoch: int | None) -> Feed:
    first = inputs.first_of(batches)
    check(first)

    def opened(start: Start) -> Iterator[Any]:
        yield from _as_tuples(itertools.islice(itertools.chain([first], batches), start.batches(), None))

    return Feed(opened, None, steps_per_epoch)


def evaluation_data(
    x: Any, y: Any, shape: tuple[int, ...], batch_size: int | None, steps: int | None, classes: int = 0
) -> Any:
    """Checked images for Keras' `evaluate`, in their own order; for `Batches`, one epoch.

    Args:
        x: what `fit` takes, or a pair (images, labels), as validation_data may be.
        y: labels of an array.
        shape: shape of one image.
        batch_size, steps: arguments of `evaluate`.
        classes: number of classes of a conditional model; 0: labels are ignored.

    Raises:
        ValueError: for anything that cannot be right: see `kgan.training.inputs`.
    """
    if _is_pair(x, shape):
        inputs.check_no_weights(**{"sample weights in validation_data": x[2] if len(x) == 3 else None})
        x, y = x[:2]
    x = inputs.as_array(x)
    if isinstance(x, Batches):
        x = x.dataset().take(len(x))
    inputs.check_source(x, "evaluate")
    inputs.check_sizes(batch_size=batch_size, steps=steps)
    inputs.check_labels(y, len(x) if inputs.is_array(x) else None)

    def check(batch: Any) -> None:
        inputs.check_first_batch(batch, shape, classes=classes)

    if inputs.is_array(x):
        inputs.check_images(x, shape)
        return _slices(x, inputs.checked_labels(y, len(x), classes), batch_size or 32)
    if isinstance(x, tf.data.Dataset):
        if x.cardinality() == tf.data.INFINITE_CARDINALITY and not steps:
            raise Mistake("the dataset is endless: say with steps, or validation_steps, how much of it to take")
        check(inputs.first_of(x.take(1)))
        return x
    if isinstance(x, keras.utils.PyDataset):
        check(_first_batch_of(x))
        return x
    first = inputs.first_of(x)
    check(first)
    return _as_tuples(itertools.chain([first], x)) if isinstance(x, Iterator) else _from_iterable(x, shape, classes)


def _is_pair(x: Any, shape: tuple[int, ...]) -> bool:
    """Whether `x` is (images, labels), as a tuple or as a list, and not a list of images or of batches."""
    if not isinstance(x, (tuple, list)) or len(x) not in (2, 3) or not inputs.is_array(x[0]):
        return False
    if isinstance(x, tuple):
        return True
    return tuple(x[0].shape[1:]) == shape and tuple(getattr(x[1], "shape", ())[1:]) != shape
