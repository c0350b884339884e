"""The progress of training: one live line on a terminal, otherwise a plain line for each epoch."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from rich.progress import BarColumn, Progress, TimeRemainingColumn

from kgan.callbacks import Callback
from kgan.cli.console import on_a_terminal, say


@contextlib.contextmanager
def progress_line(epochs: int, steps_per_epoch: int) -> Iterator[ProgressLine]:
    """A callback that shows progress while the block lasts."""
    columns = ("{task.description}", BarColumn(bar_width=20), TimeRemainingColumn(), "{task.fields[metrics]}")
    live = Progress(*columns, disable=not on_a_terminal(), transient=True)
    with contextlib.nullcontext() if live.disable else live:
        yield ProgressLine(live, epochs, steps_per_epoch)


class ProgressLine(Callback):
    """Shows epoch, time left and metrics.

    Args:
        live: the line on a terminal; it is disabled if there is no terminal.
        epochs: number of epochs of the whole run, including those before it was resumed.
        steps_per_epoch: number of steps in an epoch.
    """

    is_for_chief = True

    def __init__(self, live: Progress, epochs: int, steps_per_epoch: int) -> None:
        super().__init__()
        self.live = live
        self.epochs = epochs
        self.steps_per_epoch = steps_per_epoch
        self.task = live.add_task(f"epoch 1/{epochs}", total=epochs * steps_per_epoch, metrics="")
        self.epoch_start = 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        if step := int(self.model.step.numpy()):
            say(f"resumed after {self.epoch} epochs, at step {step:,}")

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch_start = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if not self.live.disable:
            losses = {name: value for name, value in logs.items() if "loss" in name}  # all metrics need over 80 columns
            completed = self.epoch * self.steps_per_epoch + min(batch + 1, self.steps_per_epoch)
            self.live.update(self.task, completed=completed, metrics=_as_text(losses))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        super().on_epoch_end(epoch, logs)
        self.live.update(self.task, description=f"epoch {min(self.epoch + 1, self.epochs)}/{self.epochs}")
        if self.live.disable:
            seconds = time.perf_counter() - self.epoch_start
            number = f"{self.epoch:{len(str(self.epochs))}}/{self.epochs}"
            say(f"epoch {number}  {_as_text(logs)}  {seconds:.1f} s")


def _as_text(metrics: Any) -> str:
    losses_first = sorted((metrics or {}).items(), key=lambda item: "loss" not in item[0])
    return "  ".join(f"{name} {float(value):.3f}" for name, value in losses_first)
