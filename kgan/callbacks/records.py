"""The table of a run, and the guard against NaN."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from kgan import runs
from kgan.callbacks.base import check_finite, checked_file
from kgan.training import Callback, workers


class HistoryCSV(Callback):
    """Writes a CSV with a line for each epoch: its number, the metrics, and its seconds (without what a crash lost).

    Example:
        >>> history = model.fit(images, epochs=2, verbose=0, callbacks=[HistoryCSV("history.csv")])
    """

    is_for_chief = True

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self.path = checked_file(path, ".csv")

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        if self.epoch:  # the file may have an epoch that came after the checkpoint
            self._write()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._write()

    def _write(self) -> None:
        with runs.replacing(self.path, durable=False) as path, path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(self.model.recorder.columns))
            writer.writeheader()
            writer.writerows(self.model.recorder.rows)


class StopOnNaN(Callback):
    """Ends training soon after a loss is NaN or infinite, or if a weight is, at the end of an epoch.

    `fit` raises FloatingPointError, which names it, the epoch and the step. Each look waits for the GPU, so losses are
    looked at every 20 steps; with several workers only after an epoch, so that all end together.

    Example:
        >>> history = model.fit(images, epochs=2, verbose=0, callbacks=[StopOnNaN()])
    """

    every = 20  # steps

    def next_iteration(self, step: int) -> int | None:
        if workers.count(self.model.distribute_strategy) > 1:
            return None
        every = max(self.every, self.model.steps_per_execution)  # without dividing an execution
        return step - step % every + every

    def on_iteration_end(self, step: int) -> None:
        self._check(self.model.get_metrics_result(), self.epoch + 1)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._check(logs or {}, self.epoch)
        for weight in self.model.weights:  # a moving average can be NaN while no loss is
            check_finite(weight, weight.numpy(), self._moment(self.epoch))

    def _check(self, metrics: dict[str, float], epoch: int) -> None:
        bad = {name: float(value) for name, value in metrics.items() if not math.isfinite(value)}
        if bad:
            name = min(bad, key=lambda name: "loss" not in name)
            raise FloatingPointError(f"{name} is {bad[name]} {self._moment(epoch)}")

    def _moment(self, epoch: int) -> str:
        return f"in epoch {epoch}, step {self.model.step.numpy()}"
