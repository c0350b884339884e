"""The one door for real images: what `fit`, `evaluate` and the others are given becomes checked `RealImages`.

Arrays are checked whole, other data by their first batch.
"""

from __future__ import annotations

import collections
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from kgan._backend import keras, tf
from kgan.checks import whole_numbers
from kgan.data import checks
from kgan.data.batching import Batches, held_weakly, untuned
from kgan.errors import Mistake
from kgan.training import workers
from kgan.training.steps import images_of

# The number of the first batch. It is called when this batch is asked for, since Keras' BackupAndRestore restores a
# model only after `fit` has begun.
FirstBatch = Callable[[], int]


class RealImages(NamedTuple):
    """Checked real images, in the one form in which a model uses them."""

    source: Any  # what was given: an array, `Batches`, a dataset, …
    dataset: Callable[[FirstBatch], tf.data.Dataset]  # the batches from one on
    batch_size: int | None = None  # if kgan makes the batches
    steps_per_epoch: int | None = None  # as given, or as the data say; None: each epoch opens the data again
    images: Any = None  # all of them, if they were given as an array
    labels: np.ndarray | None = None
    batches: Batches | None = None  # of a shuffled array: the batch of each training step is a function of the step
    first: Any = None  # the first batch, of other data
    reader: Iterator[Any] | None = None  # of a dataset, what has read it: if it is lost, a cache may end where it was

    def open(
        self, strategy: tf.distribute.Strategy, first_batch: FirstBatch = lambda: 0
    ) -> tf.data.Dataset | tf.distribute.DistributedDataset:
        """The batches from a number on, as Keras takes them; of several workers each takes its part of every batch."""
        length, steps = _length(self.source), self.steps_per_epoch
        if isinstance(self.source, tf.data.Dataset) and steps and length > 0 and length % steps and first_batch():
            raise Mistake(f"a dataset of {length} batches cannot be resumed in epochs of {steps} steps: repeat() it")
        if workers.count(strategy) == 1:
            return untuned(self.dataset(first_batch))
        replicas = strategy.num_replicas_in_sync
        if self.batches and self.batch_size % replicas == 0:  # each worker reads only its part
            own = replicas // workers.count(strategy)
            part = workers.number(strategy) * own, own, replicas
            return strategy.distribute_datasets_from_function(lambda _: self.batches.dataset(first_batch, part))
        if self.images is None and not isinstance(self.source, tf.data.Dataset):
            raise Mistake(
                f"several workers cannot share a {type(self.source).__name__}: give an array, kgan.data.Batches or a "
                "tf.data dataset"
            )
        options = tf.data.Options()
        # Shared by batches: if files were shared, each worker would have a data order of its own.
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
        return untuned(self.dataset(first_batch)).with_options(options)

    def description(self) -> dict[str, Any]:
        """What must not change when a run is resumed, as flat JSON: the content of arrays, the shapes of other data."""
        if self.images is None:
            kind = "Dataset" if isinstance(self.source, tf.data.Dataset) else type(self.source).__name__
            shapes = [list(np.shape(part)) for part in keras.tree.flatten(self.first)]
            return {"images.kind": kind, "images.batches": _length(self.source), "images.batch": shapes}
        found = {"images.seed": self.batches.seed} if self.batches else {}
        for name, values in (("images", self.images), ("labels", self.labels)):
            if values is not None:
                found |= {f"{name}.shape": list(values.shape), f"{name}.dtype": values.dtype.name}
                found[f"{name}.sha256"] = checks.sha256(values)
        return found

    def reference(self, count: int, seed: int) -> np.ndarray:
        """Real images for a reference batch: random ones of an array, the first ones of a dataset."""
        if self.images is not None and len(self.images) >= count:
            images, rows = self.images, np.sort(np.random.default_rng(seed).choice(len(self.images), count, False))
            chosen = np.asarray(tf.gather(images, rows) if isinstance(images, tf.Tensor) else images[rows])
            return np.float32(chosen / 127.5 - 1) if chosen.dtype == np.uint8 else np.float32(chosen)
        once: Iterable[Any] = ()
        if isinstance(self.source, tf.data.Dataset):
            once = itertools.chain([self.first], self.reader)
        elif isinstance(self.source, keras.utils.PyDataset):
            once = map(self.source.__getitem__, range(_length(self.source) or 0))
        found = []
        for batch in once:
            found.append(np.asarray(images_of(batch), np.float32))
            if sum(map(len, found)) >= count:
                return np.concatenate(found)[:count]
        raise Mistake(
            f"reference and virtual batch normalization need {count} images to go by, in an array or a dataset"
        )


def real_images(
    x: Any,
    y: Any,
    model: keras.Model,
    to: str = "fit",
    *,
    batch_size: int | None = None,
    steps: int | None = None,
    shuffle: bool = False,
) -> RealImages:
    """Check real images and prepare them for a method: fit, evaluate, validate (within `fit`), …_on_batch."""
    shape, classes, is_evaluated = model.data_shape, model.classes, to in ("evaluate", "validate", "test_on_batch")
    d_steps = 1 if is_evaluated else model.d_steps
    if to in ("evaluate", "validate") and _is_pair(x, shape):
        checks.check_no_weights(**{"sample weights in validation_data": x[2] if len(x) == 3 else None})
        x, y = x[:2]
    x = checks.as_array(x)
    if not isinstance(x, Batches):
        checks.check_source(x, to)
    if is_evaluated and model.steps_per_execution > 1 and workers.count(model.distribute_strategy) > 1:  # Keras fails
        raise Mistake(
            f"steps_per_execution is {model.steps_per_execution}: several workers validate and evaluate only with 1"
        )
    numbers = {"batch_size": batch_size, "steps" if is_evaluated else "steps_per_epoch": steps}
    batch_size, steps = whole_numbers(**numbers)
    if checks.is_array(x):
        batch_size = len(x) if to.endswith("on_batch") else batch_size or 32
        return _array(x, y, model, d_steps, batch_size, None if is_evaluated else steps, shuffle)
    if to.endswith("on_batch"):
        raise Mistake(f"{to} was given a {type(x).__name__}: pass one batch, an array of images")
    if y is not None:
        raise Mistake("y goes with an array: a dataset brings its labels, if it has any, itself")
    if batch_size is not None and not is_evaluated:
        raise Mistake(f"batch_size is {batch_size}, but the data come in batches of their own: leave it out")
    first, reader = _first(x)
    checks.check_batch(first, shape, d_steps, classes)
    if isinstance(x, Batches):
        checks.checked_labels(x.labels, len(x.images), classes)  # of all batches
        dataset = (lambda _: x.dataset().take(len(x))) if is_evaluated else x.dataset
        return RealImages(x, dataset, x.batch_size, steps or len(x), x.images, x.labels, batches=x)
    length = _length(x)
    if not steps and (length == tf.data.INFINITE_CARDINALITY or (isinstance(x, keras.utils.PyDataset) and not length)):
        how = "with steps, or validation_steps, how much of it to take"
        raise Mistake(
            f"the dataset is endless: say {how if is_evaluated else 'with steps_per_epoch how long an epoch is'}"
        )
    if isinstance(x, tf.data.Dataset):
        images, typed = images_of(x.element_spec), x
        if d_steps > 1 and images.shape.rank and images.shape[0] is None:
            raise Mistake(
                f"with d_steps={d_steps} every batch must hold a multiple of {d_steps} images, and the dataset's last "
                "one may not: batch with drop_remainder=True"
            )
        if images.dtype != tf.float32 or not images.shape[1:].is_fully_defined():
            typed = x.map(_typed(shape))
        dataset = (lambda _: typed) if is_evaluated or not steps else functools.partial(_continued, typed)
    elif isinstance(x, keras.utils.PyDataset):
        epoch, total = (length, length) if is_evaluated else (steps or length, None)
        steps = steps if is_evaluated else epoch

        def batches(begin: int) -> Iterator[Any]:
            return itertools.islice(_read_ahead(x, _places(length, model.seed, shuffle, begin), epoch), total)

        dataset = functools.partial(_generated, batches, shape, classes, total)
    else:
        passes = itertools.repeat(x) if steps and not is_evaluated else [x]
        if isinstance(x, Iterator):
            if to == "validate" and not steps:
                raise Mistake(
                    "validation_data is a generator, which is used up after the first epoch: pass an array or a "
                    "dataset, or say with validation_steps how many batches each epoch takes"
                )
            passes = [itertools.chain([first], x)]  # all epochs share it

        def batches(begin: int) -> Iterator[Any]:
            return itertools.islice(itertools.chain.from_iterable(passes), begin, None)

        dataset = functools.partial(_generated, batches, shape, classes, None)
    return RealImages(x, dataset, steps_per_epoch=steps, first=first, reader=reader)


def split_for_validation(images: Any, labels: Any, part: float) -> tuple[Any, Any, Any]:
    """The first images to train on, their labels, and the last images to validate with: Keras' validation_split."""
    if not checks.is_array(images):
        raise Mistake("validation_split takes an array: of a dataset give the part to validate with as validation_data")
    if not 0 < part < 1:
        raise Mistake(f"validation_split is {part}: it lies between 0 and 1")
    count = int(len(images) * (1 - part))
    if not 0 < count < len(images):
        raise Mistake(f"validation_split is {part}: of {len(images)} images that leaves none to train or validate with")
    if labels is None:
        return images[:count], None, images[count:]
    labels = checks.label_array(labels)
    return images[:count], labels[:count], (images[count:], labels[count:])


# How each kind of data becomes a dataset


def _array(
    x: Any, y: Any, model: keras.Model, d_steps: int, batch_size: int, steps: int | None, shuffle: bool
) -> RealImages:
    checks.warn_of_0_to_1(*checks.check_images(x, model.data_shape))
    labels = checks.checked_labels(y, len(x), model.classes)
    checks.check_divisible(batch_size, d_steps)
    if x.dtype == np.uint8:  # the values are kept; `Batches` would map uint8 to [-1, 1]
        x = np.float32(x)
    if shuffle:
        batches = Batches(x, batch_size, model.seed, labels)
        return RealImages(x, batches.dataset, batch_size, steps or len(batches), x, labels, batches)
    checks.check_divisible(len(x) % batch_size, d_steps)
    images = np.asarray(x, np.float32)
    slices = tf.data.Dataset.from_tensor_slices(images if labels is None else (images, labels)).batch(batch_size)
    dataset = functools.partial(_continued, slices) if steps else lambda _: slices
    return RealImages(x, dataset, batch_size, steps, x, labels)


def _typed(shape: tuple[int, ...]) -> Callable:
    """A function for `map` that gives images their type and the shape that TensorFlow lacks if Python decoded them."""

    @tf.autograph.experimental.do_not_convert
    def typed(images: tf.Tensor, *labels: Any) -> Any:
        images = tf.cast(tf.ensure_shape(images, (None, *shape)), tf.float32)
        return (images, *labels) if labels else images

    return typed


def _continued(dataset: tf.data.Dataset, first_batch: FirstBatch) -> tf.data.Dataset:
    """The dataset, repeated, from a batch on: each epoch begins where the last one ended."""
    endless = dataset if dataset.cardinality() == tf.data.INFINITE_CARDINALITY else dataset.repeat()

    def number() -> np.int64:
        return np.int64(first_batch())

    @tf.autograph.experimental.do_not_convert
    def rest(_: tf.Tensor) -> tf.data.Dataset:
        return endless.skip(tf.ensure_shape(tf.numpy_function(held_weakly(number), [], tf.int64), ()))

    return tf.data.Dataset.from_tensors(0).flat_map(rest)


def _generated(
    batches: Callable[[int], Iterable[Any]],
    shape: tuple[int, ...],
    classes: int,
    length: int | None,
    first_batch: FirstBatch,
) -> tf.data.Dataset:
    """A dataset of batches that Python yields from a number on: float32 images and, for a conditional model, labels."""
    signature: Any = tf.TensorSpec((None, *shape), tf.float32)
    if classes:
        signature = signature, tf.TensorSpec((None,), tf.int64)

    def converted() -> Iterator[Any]:
        for batch in batches(first_batch()):
            images = np.asarray(batch[0] if isinstance(batch, (tuple, list)) else batch, np.float32)
            yield (images, np.asarray(batch[1], np.int64).reshape(-1)) if classes else images

    dataset = tf.data.Dataset.from_generator(held_weakly(converted), output_signature=signature)
    dataset.converted = converted  # so that the dataset holds it, and with it all that are made of this dataset
    return dataset.apply(tf.data.experimental.assert_cardinality(length)) if length else dataset


def _places(count: int | None, seed: int, shuffle: bool, begin: int) -> Iterator[int]:
    """The places of the batches of a `PyDataset` from a number on, without end: a function of (seed, pass)."""
    if count is None:
        yield from itertools.count(begin)
    first, begin = divmod(begin, count)
    for number in itertools.count(first):
        order = np.random.default_rng([seed, number]).permutation(count) if shuffle else np.arange(count)
        yield from order[begin:].tolist()
        begin = 0


def _read_ahead(source: keras.utils.PyDataset, places: Iterator[int], steps: int | None) -> Iterator[Any]:
    """The batches at these places, in epochs of so many steps; `workers` of them are read ahead."""
    while True:
        source.on_epoch_begin()
        with ThreadPoolExecutor(max(1, source.workers)) as pool:
            ahead: collections.deque = collections.deque()
            for place in itertools.islice(places, steps):
                ahead.append(pool.submit(source.__getitem__, place))
                if len(ahead) > source.workers:
                    yield ahead.popleft().result()
            last = [batch.result() for batch in ahead]
        source.on_epoch_end()  # all is read, and the last step may end the training
        yield from last


def _is_pair(x: Any, shape: tuple[int, ...]) -> bool:
    """Whether `x` is (images, labels), as a tuple or as a list, and not a list of images or of batches."""
    if isinstance(x, tuple):
        return len(x) in (2, 3)
    if not isinstance(x, list) or len(x) not in (2, 3) or not checks.is_array(x[0]):
        return False
    return tuple(x[0].shape[1:]) == shape and tuple(getattr(x[1], "shape", ())[1:]) != shape


def _length(x: Any) -> int | None:
    """How many batches there are; None if the data do not say."""
    if isinstance(x, tf.data.Dataset):
        return int(x.cardinality())
    return x.num_batches if isinstance(x, keras.utils.PyDataset) else len(x) if hasattr(x, "__len__") else None


def _first(x: Any) -> tuple[Any, Iterator[Any] | None]:
    """The first batch, and of a dataset the iterator that has read it; a mistake if there is none."""
    if isinstance(x, keras.utils.PyDataset):
        if x.num_batches == 0:
            raise Mistake("the dataset gives no batch: its length is 0")
        return x[0], None
    reader, batches = None, x.dataset().take(1) if isinstance(x, Batches) else x
    if isinstance(x, tf.data.Dataset):
        reader = batches = iter(untuned(x))
    for batch in batches:
        return batch, reader
    raise Mistake(
        "the dataset gives no batch: has it fewer images than a batch holds (drop_remainder), or does a filter "
        "let none through?"
    )
