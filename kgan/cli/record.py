"""Write `run.json` while a run trains: what the run is, its progress, and how it ended."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kgan import runs
from kgan.cli.console import warn
from kgan.cli.plan import Plan, with_absolute_data

if TYPE_CHECKING:
    from kgan.callbacks import Checkpoint, Doctor, Quality
    from kgan.gan import GAN


class RunRecord:
    """Writes `run.json`.

    Args:
        plan: the run.
        facts: facts about the images and the machine.
        checkpoint: the callback that counts the finished epochs.
        doctors: the callbacks that hold the findings.
    """

    def __init__(self, plan: Plan, facts: Mapping[str, Any], checkpoint: Checkpoint, doctors: Sequence[Doctor]) -> None:
        recipe = plan.recipe
        self.path = plan.directory / "run.json" if plan.workers.is_chief else None
        self.content = {"recipe": recipe.name, "paper": recipe.paper, "model": recipe.model}
        self.content |= {"settings": with_absolute_data(plan.settings), **facts}
        self.checkpoint = checkpoint
        self.doctors = doctors
        self.resumed = [step for step in plan.recorded("resumed", list) if isinstance(step, int)]
        self.has_begun = False  # whether training has begun
        self._seconds_before = plan.recorded("seconds", float)
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        """The training time so far, including the time before the run was resumed."""
        return round(self._seconds_before + time.perf_counter() - self._start, 1)

    def begin(self, model: GAN, quality: Sequence[Quality]) -> None:
        """Call it when training begins: now the features of the quality callbacks and the first step are known."""
        if step := int(model.step.numpy()):
            self.resumed.append(step)
        for callback in quality:
            self.content["features"] = callback.features.name
            if callback.features.note:
                warn(callback.features.note)
        self.write("running")
        self.has_begun = True

    def write(self, status: str) -> None:
        if self.path is None:  # this worker is not the chief
            return
        progress = {"status": status, "epochs": self.checkpoint.epoch, "seconds": self.seconds}
        findings = [finding._asdict() for doctor in self.doctors for finding in doctor.findings]
        runs.write_json(self.path, {**self.content, **progress, "resumed": self.resumed, "findings": findings})
