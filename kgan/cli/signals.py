"""Ctrl-C, SIGTERM and SIGHUP while a model trains."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from typing import Any

from kgan._backend import keras
from kgan.training import workers


class Stopped(Exception):
    """A signal came, and the current step is done."""


class Stopper(keras.callbacks.Callback):
    """Raises `Stopped` after the step in which a signal came, to this process or to another worker."""

    signal: int | None = None

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        strategy = self.model.distribute_strategy
        if workers.any_of(strategy, bool(self.signal)):
            self.signal = max(workers.gathered(strategy, self.signal or 0))
            raise Stopped


@contextlib.contextmanager
def stop_between_steps() -> Iterator[Stopper]:
    """A callback that ends training between two steps on Ctrl-C, SIGTERM or SIGHUP; a second signal ends it at once.

    Python's own KeyboardInterrupt can come at any moment, and gets lost when TensorFlow calls Python.
    """

    def note(number: int, frame: Any) -> None:
        if stopper.signal:
            raise KeyboardInterrupt
        stopper.signal = number

    stopper = Stopper()
    wanted = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup ignores it
        wanted.append(signal.SIGHUP)
    before = {number: signal.signal(number, note) for number in wanted}
    try:
        yield stopper
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
