"""`fit`: from its arguments to the last step."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kgan._backend import keras, tf
from kgan.errors import Mistake
from kgan.layers import ReferenceBatch
from kgan.training import inputs, workers
from kgan.training.callback import Callback, Described, FitArguments, ResumePoint
from kgan.training.datasets import Feed, Start, evaluation_data, feed
from kgan.training.steps import Steps, steps_of

if TYPE_CHECKING:
    from kgan.training.model import AdversarialModel


def fit(
    model: AdversarialModel,
    x: Any = None,
    y: Any = None,
    batch_size: int | None = None,
    epochs: int = 1,
    verbose: int | str = "auto",
    callbacks: Any = None,
    validation_split: float = 0.0,
    validation_data: Any = None,
    shuffle: bool = True,
    class_weight: Any = None,
    sample_weight: Any = None,
    initial_epoch: int = 0,
    steps_per_epoch: int | None = None,
    validation_steps: int | None = None,
    validation_batch_size: int | None = None,
    **keywords: Any,
) -> keras.callbacks.History:
    """Check everything, resume what is to be resumed, and let Keras' loop train.

    Args:
        model: compiled.
        x, …: see `kgan.GAN.fit`.
        **keywords: Keras' own.

    Raises:
        ValueError: before the first step, for arguments, data, networks or callbacks that cannot be right.
    """
    model._assert_compile_called("fit")
    inputs.check_no_weights(class_weight=class_weight, sample_weight=sample_weight)
    model.check_trainable()
    x = inputs.as_array(x)
    inputs.check_labels(y, len(x) if inputs.is_array(x) else None)
    if validation_split and validation_data is None:
        x, y, validation_data = _split(x, y, validation_split)
    data = feed(
        x,
        model.data_shape,
        y=y,
        d_steps=model.d_steps,
        classes=model.classes,
        batch_size=batch_size,
        steps_per_epoch=steps_per_epoch,
        shuffle=shuffle,
        seed=model.seed,
        steps_per_execution=model.steps_per_execution,
    )
    if validation_data is not None:
        workers.check_evaluation(model.distribute_strategy, model.steps_per_execution)
        if isinstance(validation_data, Iterator) and not validation_steps:
            raise Mistake(
                "validation_data is a generator, which is used up after the first epoch: pass an array "
                "or a dataset, or say with validation_steps how many batches each epoch takes"
            )
        validation_data = evaluation_data(
            validation_data,
            None,
            model.data_shape,
            validation_batch_size or data.batch_size,
            validation_steps,
            model.classes,
        )
    choose_references(model, x)

    strategy = model.distribute_strategy
    every = keras.tree.flatten(getattr(callbacks, "callbacks", callbacks) or [])
    absent = [each for each in every if getattr(each, "is_for_chief", False) and not workers.is_chief(strategy)]
    every = [each for each in every if each not in absent]
    if workers.count(strategy) > 1:
        every = [workers.AverageStatistics(), *every]
    every = [model.recorder, *every]
    arguments = FitArguments(Described(x, y), every, epochs, data.batch_size, data.steps_per_epoch, shuffle)
    _check_callbacks(model, every)
    listeners = [each for each in every if isinstance(each, Callback)]
    for listener in listeners:
        listener.set_model(model)
        listener.before_fit(arguments)
    if verbose == "auto" and any(listener.shows_progress for listener in listeners):
        verbose = 0
    with _resumed(listeners, arguments) as point, contextlib.ExitStack() as after:
        for listener in reversed(listeners):
            after.callback(listener.after_fit)
        steps = Steps(model, every, point.steps if point else 0, absent)
        every = [*every, *([point.history] if point else []), steps]
        initial_epoch = (point and point.epochs) or initial_epoch
        try:
            with steps_of(model, steps):
                history = keras.Model.fit(
                    model,
                    workers.shared(strategy, data.open(_start(model, point, data, initial_epoch, every))),
                    epochs=epochs,
                    verbose=verbose,
                    callbacks=every,
                    validation_data=validation_data,
                    shuffle=False,
                    initial_epoch=initial_epoch,
                    steps_per_epoch=None if data.ends else data.steps_per_epoch,
                    validation_steps=validation_steps,
                    **keywords,
                )
        except tf.errors.InvalidArgumentError as error:
            for sentence in (inputs.NOT_DIVISIBLE.format(model.d_steps), inputs.TOO_SMALL):
                if sentence in str(error):
                    raise Mistake(sentence) from None
            raise
    model.optimizer.finalize()
    return history


def _check_callbacks(model: AdversarialModel, callbacks: Sequence[Any]) -> None:
    """Raise ValueError if one of Keras' own callbacks would wait for a metric that a GAN lacks, or fail later."""
    names = [metric.name for metric in model.metrics]
    for callback in callbacks:
        kind = type(callback).__name__
        if isinstance(callback, keras.callbacks.TerminateOnNaN) and "loss" not in names:
            raise Mistake(f"{kind} looks at loss, which a GAN does not have: use kgan.callbacks.StopOnNaN()")
        watches = not isinstance(callback, keras.callbacks.ModelCheckpoint) or callback.save_best_only
        monitor = getattr(callback, "monitor", None) if watches else None
        if monitor in ("loss", "val_loss") and "loss" not in names:
            raise Mistake(
                f"{kind} monitors {monitor}, which a GAN does not have: pass monitor= one of {', '.join(names)}, "
                "or such a name after val_"
            )
        if isinstance(callback, keras.callbacks.EarlyStopping) and callback.mode == "auto":
            raise Mistake(f"{kind} cannot tell whether {monitor} should fall or rise: pass mode='min' or mode='max'")


@contextlib.contextmanager
def _resumed(listeners: Sequence[Callback], arguments: FitArguments) -> Iterator[ResumePoint | None]:
    """The point to resume from, if a callback resumes the run."""
    with contextlib.ExitStack() as stack:
        resuming = [each for each in listeners if type(each).resume is not Callback.resume]
        if len(resuming) > 1:
            raise Mistake("there are several checkpoints among the callbacks: a run has one")
        points = [stack.enter_context(each.resume(arguments)) for each in resuming]
        yield points[0] if points else None


def _start(
    model: AdversarialModel, point: ResumePoint | None, data: Feed, initial_epoch: int, callbacks: Sequence[Any]
) -> Start:
    done = point.steps if point else 0  # they pass again, untrained

    def batches() -> int:
        if point:
            return point.epochs_since_data_start * (data.steps_per_epoch or 0)
        # Keras' BackupAndRestore says here how many epochs are finished.
        restored = (model._initial_epoch or initial_epoch) - initial_epoch
        return restored * (data.steps_per_epoch or 0)

    is_late = any(isinstance(each, keras.callbacks.BackupAndRestore) for each in callbacks)
    return Start(lambda: int(model.step.numpy()) - done, batches, is_late, model.distribute_strategy)


def _split(images: Any, labels: Any, part: float) -> tuple[Any, Any, Any]:
    """The first images to train on, the last to validate with, as Keras documents validation_split."""
    if not inputs.is_array(images):
        raise Mistake("validation_split takes an array: of a dataset give the part to validate with as validation_data")
    if not 0 < part < 1:
        raise Mistake(f"validation_split is {part}: it lies between 0 and 1")
    count = int(len(images) * (1 - part))
    if not 0 < count < len(images):
        raise Mistake(f"validation_split is {part}: of {len(images)} images that leaves none to train or validate with")
    if labels is None:
        return images[:count], None, images[count:]
    return images[:count], labels[:count], (images[count:], labels[count:])


def choose_references(model: AdversarialModel, x: Any) -> None:
    """Choose, once, the batch of real images or codes that reference and virtual batch normalization use."""
    for layer in _references(model.discriminator):
        layer.adapt(_some_images(x, layer.size, model.seed))
    for layer in _references(model.generator):
        never = np.iinfo(np.int64).max  # the number of a step that training never reaches
        layer.adapt(model.sample_codes(layer.size, seed=(model.seed, never)))


def _references(network: keras.Model) -> Iterator[ReferenceBatch]:
    """The reference batches of a network that are not chosen yet."""
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _references(layer)
        elif isinstance(layer, ReferenceBatch) and not layer.chosen.numpy():
            yield layer


def _some_images(x: Any, count: int, seed: int) -> np.ndarray:
    """Real images for a reference batch: random ones of an array, the first ones of other data."""
    images = x if inputs.is_array(x) else getattr(x, "images", None)
    if images is not None and len(images) >= count:
        rows = np.sort(np.random.default_rng(seed).choice(len(images), count, replace=False))
        chosen = np.asarray(tf.gather(images, rows) if isinstance(images, tf.Tensor) else images[rows])
        # `fit` takes whole numbers in arrays as they are; `Batches` maps them to [-1, 1].
        return np.float32(chosen / 127.5 - 1) if chosen.dtype == np.uint8 and images is not x else np.float32(chosen)
    found: list[np.ndarray] = []
    if images is None and isinstance(x, (tf.data.Dataset, keras.utils.PyDataset)):
        for batch in x if isinstance(x, tf.data.Dataset) else (x[i] for i in range(x.num_batches or 0)):
            found.append(np.asarray(inputs.images_of(batch), np.float32))
            if sum(map(len, found)) >= count:
                return np.concatenate(found)[:count]
    raise Mistake(f"reference and virtual batch normalization need {count} images to go by, in an array or a dataset")
