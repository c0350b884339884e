"""How training steps are executed: as many at a time as the model says, but never past one that a callback awaits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kgan._backend import keras, tf
from kgan.errors import Mistake
from kgan.training import replicas, workers
from kgan.training.callback import Callback

Logs = dict[str, tf.Tensor]

NOT_DIVISIBLE = "a batch cannot be split into {} equal minibatches (d_steps): batch with drop_remainder=True"
TOO_SMALL = "a batch, such as the last one, leaves a device without images: batch with drop_remainder=True"


class DataEnded(Exception):
    """There was no batch for an epoch: it does not count, and training ends."""


def images_of(data: Any) -> tf.Tensor:
    """The real images of a batch that Keras delivers, without labels."""
    images, _, _ = keras.utils.unpack_x_y_sample_weight(data)
    return images


def labels_of(data: Any, classes: int) -> tf.Tensor | None:
    """The labels of a batch that Keras delivers, as one-hot vectors; None without classes."""
    if not classes:
        return None
    _, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
    return tf.one_hot(tf.reshape(tf.cast(labels, tf.int64), [-1]), classes)  # one_hot does not take every type


def split(real_images: tf.Tensor, d_steps: int) -> list[tf.Tensor]:
    """The minibatches of a batch: every k-th image, so that these are the same when replicas share the batch."""
    if d_steps == 1:
        return [real_images]
    with tf.control_dependencies(_batch_checks(real_images, d_steps)):
        real_images = tf.identity(real_images)
    return [real_images[k::d_steps] for k in range(d_steps)]


def _batch_checks(real_images: tf.Tensor, d_steps: int) -> list[tf.Operation]:
    """Operations that fail if a batch cannot be split into minibatches, or has no image for this replica."""
    count, checks = tf.shape(real_images)[0], []
    if d_steps > 1:
        checks.append(tf.debugging.assert_equal(count % d_steps, 0, NOT_DIVISIBLE.format(d_steps)))
    if replicas.count() > 1:  # the mean over no images is NaN
        checks.append(tf.debugging.assert_positive(count, TOO_SMALL))
    return [check for check in checks if check is not None]  # None: known to hold already


def executor(model: keras.Model) -> Callable[[Any, int], Logs]:
    """A compiled function of an iterator and a number of steps, which trains so many, while there are batches."""
    strategy = model.distribute_strategy

    def step(data: Any) -> Logs:
        # Otherwise what does not depend on the batch, such as the step counter or the generator's batch statistics,
        # would change once more when the data have ended, or when a batch is refused.
        batch = [part for part in tf.nest.flatten(data, expand_composites=True) if tf.is_tensor(part)]
        checks = _batch_checks(images_of(data), model.d_steps)
        with tf.control_dependencies([*batch, *checks]):
            next_step = model.step + 1
            logs = model.train_step(data)
            model.step.assign(next_step)  # callbacks count by it; a `train_step` of the user's own may not
            return logs

    @tf.autograph.experimental.do_not_convert
    def one_step(data: Any) -> Logs:
        outputs = strategy.run(step, args=(data,))
        return tf.nest.map_structure(lambda value: strategy.experimental_local_results(value)[0], outputs)

    if model.run_eagerly:

        def in_turn(iterator: Any, count: int) -> Logs:
            for _ in range(count):
                logs = one_step(next(iterator))
            return logs

        return in_turn

    one_step = tf.function(one_step, reduce_retracing=True, jit_compile=model.jit_compile)

    @tf.function(reduce_retracing=True, autograph=False)
    def single(iterator: Any) -> Logs:
        return one_step(iterator.get_next())

    @tf.function(reduce_retracing=True, autograph=False)
    def several(iterator: Any, count: tf.Tensor) -> Logs:
        logs = one_step(iterator.get_next())
        _, logs = tf.while_loop(
            lambda done, _: done < count,
            lambda done, _: (done + 1, one_step(iterator.get_next())),
            (tf.constant(1), logs),
            parallel_iterations=1,
        )
        return logs

    def execute(iterator: Any, count: int) -> Logs:
        return single(iterator) if count == 1 else several(iterator, tf.constant(count))

    return execute


def made_for(
    variables: Sequence[keras.Variable], before: Callable | None, compiled: Callable[[], Callable]
) -> Callable:
    """The function that was compiled before, if it was for these variables; otherwise a new one, from `compiled`.

    They differ after a network was replaced, quantized or given other layers.
    """
    if before is not None and [*map(id, before.variables)] == [*map(id, variables)]:
        return before
    function = compiled()

    def made(*arguments: Any) -> Any:
        return function(*arguments)

    made.variables = variables
    return made


class Steps(keras.callbacks.Callback):
    """The steps of one `fit`: Keras' loop calls it as `model.train_function`, and as the first of the callbacks.

    `absent` are callbacks that only another worker calls: all workers must train the same number of steps at a time.
    The batches of the `done` steps of an epoch that is resumed are fetched but not trained on, so all callbacks see a
    whole epoch and count correctly.
    """

    def __init__(
        self, model: keras.Model, callbacks: Sequence[Any], absent: Sequence[Any], done: int, initial_epoch: int
    ) -> None:
        super().__init__()
        self.trained = model
        self.initial_epoch = initial_epoch
        self.restored_epochs = 0
        self.execute = model.step_function()
        self.listeners = [callback for callback in callbacks if isinstance(callback, Callback)]
        self.absent = [callback for callback in absent if isinstance(callback, Callback)]
        self.done = done
        self._in_epoch = 0  # steps
        self._first_step = self._step = int(model.step.numpy())
        self._has_begun = False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._in_epoch = 0
        self._step = int(self.trained.step.numpy())
        if not self._has_begun and self._step != self._first_step:  # Keras' BackupAndRestore has restored the model
            self.restored_epochs = epoch - self.initial_epoch
            steps = self.params.get("steps")
            if self.restored_epochs and not steps:
                raise Mistake("BackupAndRestore resumes epochs of a known length only: say it with steps_per_epoch")
            self.done = self._step - self._first_step - self.restored_epochs * (steps or 0)
        self._has_begun = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        workers.average_statistics(self.trained)

    def __call__(self, iterator: Any) -> Logs:
        """Train as many steps as one execution has, or fewer if the epoch ends earlier."""
        wanted, epoch_steps = self.trained.steps_per_execution, self.params.get("steps")
        if epoch_steps:
            wanted = min(wanted, epoch_steps - self._in_epoch)
        passed = min(wanted, self.done)
        for _ in range(passed):
            next(iterator)
        self.done -= passed
        self._in_epoch += passed
        logs, left = None, wanted - passed
        while left > 0:
            count = min([left, *(step - self._step for step in self._awaited())])
            try:
                logs = self.execute(iterator, count)
            except (tf.errors.OutOfRangeError, StopIteration):  # the second if steps run eagerly
                trained = int(self.trained.step.numpy()) - self._step
                if not trained and logs is None:
                    if not self._in_epoch:
                        raise DataEnded from None
                    raise
                self._advance(trained)  # the data ended within the execution
                break
            self._advance(count)
            left -= count
        return self.trained.get_metrics_result() if logs is None else logs

    def _awaited(self) -> list[int]:
        """The steps that callbacks wait for."""
        steps = (listener.next_iteration(self._step) for listener in (*self.listeners, *self.absent))
        return [step for step in steps if step is not None and step > self._step]

    def _advance(self, count: int) -> None:
        before, self._step = self._step, self._step + count
        self._in_epoch += count
        for listener in self.listeners:
            if listener.next_iteration(before) == self._step:
                listener.on_iteration_end(self._step)
