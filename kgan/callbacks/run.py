"""What a run directory needs while it trains: `run.json`, and an end between two steps when a signal comes."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kgan import runs
from kgan._backend import keras
from kgan.callbacks.progress import Stopwatch
from kgan.training import Callback, workers


class RunRecord(Callback):
    """Writes `run.json`: what the run is (`content`), how far it is, how it ended.

    `before` is what the file says of a run that is resumed; `parts` are the callbacks of the run by name.
    """

    def __init__(
        self,
        directory: Path,
        content: Mapping[str, Any],
        before: Mapping[str, Any],
        parts: Mapping[str, Callback],
        watch: Stopwatch,
    ) -> None:
        super().__init__()
        self.path = directory / "run.json"
        self.content = content
        self.parts = parts
        self.watch = watch
        self.has_begun = False  # whether training has begun
        self._resumed = list(before.get("resumed", ()))
        self._seconds_before = float(before.get("seconds", 0))
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        """The training time so far, including the time before the run was resumed."""
        return round(self._seconds_before + time.perf_counter() - self._start, 1)

    def on_train_begin(self, logs: Any = None) -> None:
        if step := int(self.model.step.numpy()):
            self._resumed.append(step)
        self.write("running")
        self.has_begun = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.write("running")

    def write(self, status: str) -> None:
        """Write the file; of several workers only the chief does."""
        epochs = self.epoch if self.model else 0
        progress = {"status": status, "epochs": epochs, "seconds": self.seconds, "resumed": self._resumed}
        if doctor := self.parts.get("doctor"):
            progress["findings"] = [finding._asdict() for finding in doctor.findings]
        if quality := self.parts.get("quality"):
            progress["features"] = getattr(quality.features, "name", None)  # chosen when training begins
        if self.watch.predicted:
            progress["predicted"] = self.watch.predicted
        if self.model is None or workers.is_chief(self.model.distribute_strategy):
            runs.write_json(self.path, {**self.content, **progress})

    def try_to_write(self, status: str) -> None:
        with contextlib.suppress(OSError):  # a full disk
            self.write(status)


class Stopped(Exception):
    """A signal came, and the current step is done."""


class Stopper(keras.callbacks.Callback):
    """Raises `Stopped` after the step in which a signal came, to this process or to another worker."""

    signal = 0  # its number; 0: none came

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        strategy = self.model.distribute_strategy
        if workers.count(strategy) > 1:
            self.signal = int(workers.gathered(strategy, [self.signal]).max())
        if self.signal:
            raise Stopped


@contextlib.contextmanager
def stop_between_steps() -> Iterator[Stopper]:
    """A callback that ends training between two steps on Ctrl-C, SIGTERM or SIGHUP; a second signal ends it at once.

    Python's own KeyboardInterrupt can come at any moment, and gets lost when TensorFlow calls Python. In another thread
    than the main one, which never gets signals, everything stays as it is.
    """
    stopper = Stopper()
    if threading.current_thread() is not threading.main_thread():
        yield stopper
        return

    def note(number: int, frame: Any) -> None:
        if stopper.signal:
            raise KeyboardInterrupt
        stopper.signal = number

    wanted = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup ignores it
        wanted.append(signal.SIGHUP)
    before = {number: signal.signal(number, note) for number in wanted}
    try:
        yield stopper
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
