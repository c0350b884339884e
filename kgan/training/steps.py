"""How training steps are executed: as many at a time as the model says, but never past one that a callback awaits."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from kgan._backend import keras, tf
from kgan.training import inputs
from kgan.training.callback import Callback

if TYPE_CHECKING:
    from kgan.training.model import AdversarialModel

Logs = dict[str, tf.Tensor]


def executor(model: AdversarialModel) -> Callable[[Any, int], Logs]:
    """A function of an iterator and a number of steps; it trains this many steps. It is compiled once for all.

    It differs from Keras' own in two ways: it takes any number of steps, and a step happens only if there is a batch.
    """
    strategy = model.distribute_strategy

    def step(data: Any) -> Logs:
        # Tied to the data: otherwise the parts of a step that do not depend on the batch, such as the step counter or
        # the generator's batch statistics, would run once more when the data have ended.
        batch = [each for each in tf.nest.flatten(data, expand_composites=True) if tf.is_tensor(each)]
        # So that the step counter does not change either if a batch is refused.
        checks = inputs.batch_checks(inputs.images_of(data), model.d_steps)
        with tf.control_dependencies([*batch, *checks]):
            return model.train_step(data)

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


class Steps(keras.callbacks.Callback):
    """The steps of one `fit`: what Keras' loop calls in place of its own train function.

    Args:
        model: the model that is trained.
        callbacks: the callbacks of this `fit`.
        done: steps of the first epoch that were trained before the run was resumed. Their batches are fetched but not
            trained on, so Keras' loop, its progress bar and all callbacks see a whole epoch and count correctly.
        absent: callbacks that only another worker calls. Executions also end at the steps that these await, since all
            workers must train the same number of steps at a time.
    """

    def __init__(
        self, model: AdversarialModel, callbacks: Sequence[Any], done: int = 0, absent: Sequence[Any] = ()
    ) -> None:
        super().__init__()
        self.trained = model
        self.listeners = [each for each in callbacks if isinstance(each, Callback)]
        self.absent = [each for each in absent if isinstance(each, Callback)]
        self.done = done
        self._in_epoch = 0  # steps
        self._step = 0  # of the model

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._in_epoch = 0
        self._step = int(self.trained.step.numpy())

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
                logs = self.trained.execute(iterator, count)
            except (tf.errors.OutOfRangeError, StopIteration):  # the second if steps run eagerly
                trained = int(self.trained.step.numpy()) - self._step
                if not trained and logs is None:
                    raise
                self._advance(trained)  # the data ended within the execution
                break
            self._advance(count)
            left -= count
        return self.trained.get_metrics_result() if logs is None else logs

    def _awaited(self) -> list[int]:
        """The steps that callbacks wait for."""
        each = (listener.next_iteration(self._step) for listener in (*self.listeners, *self.absent))
        return [step for step in each if step is not None and step > self._step]

    def _advance(self, count: int) -> None:
        before, self._step = self._step, self._step + count
        self._in_epoch += count
        for listener in self.listeners:
            if listener.next_iteration(before) == self._step:
                listener.on_iteration_end(self._step)


@contextlib.contextmanager
def steps_of(model: AdversarialModel, steps: Steps) -> Iterator[None]:
    """Within the block, Keras' loop trains with these steps."""
    before, model.steps = model.steps, steps
    try:
        yield
    finally:
        model.steps = before
