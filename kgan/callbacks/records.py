"""The table of a run, and the guard against NaN."""

from __future__ import annotations

import csv
import math
import time
from pathlib import Path
from typing import Any

from kgan import runs
from kgan.callbacks.base import check_finite, checked_file
from kgan.training import Callback, workers


class HistoryCSV(Callback):
    """Writes a line for each epoch: its number, the metrics, and its seconds (without those that a crash lost).

    Args:
        path: path of the file.

    Example:
        >>> history = model.fit(images, epochs=2, verbose=0, callbacks=[HistoryCSV("history.csv")])
    """

    is_for_chief = True

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self.path = checked_file(path, ".csv")
        self._rows: list[dict[str, Any]] = []
        self._began: float | None = None
        self._elapsed = 0.0  # seconds of an epoch that another process began

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._began = time.perf_counter() - self._elapsed
        self._elapsed = 0.0

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        super().on_epoch_end(epoch, logs)
        seconds = round(time.perf_counter() - self._began, 3)
        self._began = time.perf_counter()
        metrics = {name: float(value) for name, value in (logs or {}).items()}
        self._rows.append({"epoch": self.epoch, **metrics, "seconds": seconds})
        self._write()

    def _write(self) -> None:
        with (
            runs.replacing(self.path, durable=False) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, fieldnames=list(dict.fromkeys(key for row in self._rows for key in row)))
            writer.writeheader()
            writer.writerows(self._rows)

    def get_state(self) -> dict[str, Any]:
        elapsed = 0.0 if self._began is None else time.perf_counter() - self._began
        return {**super().get_state(), "rows": self._rows, "elapsed": elapsed}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self._rows, self._elapsed = state["rows"], state["elapsed"]
        if self._rows:  # the file may have an epoch that came after the checkpoint
            self._write()


class StopOnNaN(Callback):
    """Ends training as soon as a loss is NaN or infinite, or if a weight is, at the end of an epoch.

    Keras' TerminateOnNaN reads only `loss`, which a GAN does not have.

    Raises:
        FloatingPointError: from `fit`, naming the loss or the weight, the epoch and the step.

    Example:
        >>> history = model.fit(images, epochs=2, verbose=0, callbacks=[StopOnNaN()])
    """

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        bad = {name: float(value) for name, value in (logs or {}).items() if not math.isfinite(value)}
        if not workers.any_of(self.model.distribute_strategy, bool(bad)):
            return
        name, value = min(
            bad.items(), key=lambda item: "loss" not in item[0], default=("a loss of another worker", "NaN")
        )
        raise FloatingPointError(f"{name} is {value} {self._moment()}")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        for weight in self.model.weights:  # a moving average can be NaN while no loss is
            check_finite(weight, weight.numpy(), self._moment())
        super().on_epoch_end(epoch, logs)

    def _moment(self) -> str:
        return f"in epoch {self.epoch + 1}, step {self.model.step.numpy()}"
