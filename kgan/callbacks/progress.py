"""How far training is, and when it will end: one live line on a terminal, otherwise a plain line for each epoch."""

from __future__ import annotations

import datetime
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from rich.progress import BarColumn, Progress, TimeRemainingColumn

from kgan.training import Callback
from kgan.units import clock, duration

SOON = 20.0  # seconds: a run that ends sooner needs no prediction, and a longer epoch is not waited for


class Stopwatch(Callback):
    """Times the steps, and what is done between epochs. It must be the last callback.

    Args:
        epochs, steps_per_epoch: of the whole run.
        interval: epochs from one picture, checkpoint or measurement to the next: a prediction waits for so many.

    Attributes:
        predicted: seconds of training in this process, and when it will end; empty for a run that ends soon.
    """

    is_for_chief = True

    def __init__(self, epochs: int, steps_per_epoch: int, interval: int = 1) -> None:
        super().__init__()
        self.epochs = epochs
        self.steps_per_epoch = steps_per_epoch
        self.interval = interval
        self.predicted: dict[str, Any] = {}
        self._start = 0.0
        self._begun: list[float] = []  # when each epoch began, after all other callbacks
        self._trained: list[float] = []  # when its last step was done
        self._first_step = 0  # of the model
        self._warm: tuple[int, float] | None = None  # the step that compiled everything, and when it was done

    def on_train_begin(self, logs: Any = None) -> None:
        self._start, self._first_step = time.perf_counter(), int(self.model.step.numpy())

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._begun.append(time.perf_counter())
        whole = self._begun[1:]  # the first epoch has much to do once
        if len(whole) > max(2, self.interval) and whole[-1] - whole[0] > SOON / 10:
            in_turn = (len(whole) - 1) // self.interval * self.interval
            self._predict((self.epochs - self.epoch) * (whole[-1] - whole[-1 - in_turn]) / in_turn)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        done = min(batch + 1, self.steps_per_epoch)  # more, if several steps run together and there is a remainder
        if done == self.steps_per_epoch:
            float(logs["d_loss"])  # a GPU runs asynchronously: wait for it
            self._trained.append(time.perf_counter())
        elif self._warm is None:
            step = int(self.model.step.numpy())  # not `batch`: steps before the point of a resumed run pass untrained
            self._warm = (step, time.perf_counter()) if step > self._first_step else None
        elif not self.predicted and time.perf_counter() - max(self._warm[1], self._begun[-1]) > SOON:  # a long epoch
            step = (time.perf_counter() - self._warm[1]) / (int(self.model.step.numpy()) - self._warm[0])
            left = (self.epochs - self.epoch) * self.steps_per_epoch - done
            self._predict(left * step)

    def _predict(self, left: float) -> None:
        if self.predicted or left < SOON:
            return
        end = datetime.datetime.now().astimezone() + datetime.timedelta(seconds=left)
        seconds = round(time.perf_counter() - self._start + left, 1)
        self.predicted = {"seconds": seconds, "end": end.isoformat(timespec="seconds")}

    @property
    def step(self) -> float:
        """Seconds of a step: the median over the epochs, without the first if there are others."""
        spans = [after - before for before, after in zip(self._begun, self._trained, strict=False)]
        return statistics.median(spans[1:] or spans) / self.steps_per_epoch

    @property
    def between(self) -> float:
        """Mean seconds between epochs, not counting what follows the first one, when much is done once."""
        spans = [after - before for before, after in zip(self._trained[1:], self._begun[2:], strict=False)]
        return statistics.mean(spans) if spans else 0.0


class ProgressLine(Stopwatch):
    """Shows epoch, time left and metrics, and says when training will end. It must be the last callback.

    Args:
        epochs, steps_per_epoch, interval: see `Stopwatch`.
        say: a function that prints a line.

    Example:
        >>> progress = ProgressLine(epochs=2, steps_per_epoch=4, say=lambda line: None)
        >>> history = model.fit(images, batch_size=32, epochs=2, verbose=0, callbacks=[progress])
    """

    def __init__(
        self, epochs: int, steps_per_epoch: int, interval: int = 1, say: Callable[[str], None] = print
    ) -> None:
        super().__init__(epochs, steps_per_epoch, interval)
        self.say = say
        # It asks the stream itself: with FORCE_COLOR, rich takes a pipe for a terminal.
        is_terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        columns = ("{task.description}", BarColumn(bar_width=20), TimeRemainingColumn(), "{task.fields[metrics]}")
        self.live = Progress(*columns, disable=not is_terminal, transient=True)
        self.task = self.live.add_task("", total=epochs * steps_per_epoch, metrics="")

    def on_train_begin(self, logs: Any = None) -> None:
        super().on_train_begin(logs)
        if step := int(self.model.step.numpy()):
            self.say(f"resumed after {self.epoch} epochs, at step {step:,}")
        self._show_epoch()
        self.live.start()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        super().on_train_batch_end(batch, logs)
        if not self.live.disable:
            losses = {name: value for name, value in logs.items() if "loss" in name}  # all metrics need over 80 columns
            completed = self.epoch * self.steps_per_epoch + min(batch + 1, self.steps_per_epoch)
            self.live.update(self.task, completed=completed, metrics=_as_text(losses))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._show_epoch()
        if self.live.disable:
            seconds = time.perf_counter() - self._begun[-1]
            self.say(f"epoch {self.epoch:{len(str(self.epochs))}}/{self.epochs}  {_as_text(logs)}  {seconds:.1f} s")

    def _show_epoch(self) -> None:
        self.live.update(self.task, description=f"epoch {min(self.epoch + 1, self.epochs)}/{self.epochs}")

    def _predict(self, left: float) -> None:
        known = bool(self.predicted)
        super()._predict(left)
        if self.predicted and not known:
            end = datetime.datetime.fromisoformat(self.predicted["end"])
            self.say(f"about {duration(self.predicted['seconds'])} in all, until {clock(end)}")

    def after_fit(self) -> None:
        self.live.stop()


def _as_text(metrics: Any) -> str:
    losses_first = sorted((metrics or {}).items(), key=lambda item: "loss" not in item[0])
    return "  ".join(f"{name} {float(value):.3f}" for name, value in losses_first)
