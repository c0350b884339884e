"""`kgan train --log NAME`: the experiment tracker of a run."""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING

from kgan.errors import Mistake

if TYPE_CHECKING:
    from kgan.callbacks import Tracker
    from kgan.cli.plan import Plan

NAMES = ("tensorboard", "wandb", "trackio")


def check_tracker(name: str | None) -> None:
    """Raise ValueError for an unknown tracker, ImportError for one that is not installed."""
    if name and name not in NAMES:
        raise Mistake(f"--log is {name}: choose one of {', '.join(NAMES)}")
    if name and importlib.util.find_spec(name) is None:
        raise ImportError(f"{name} is not installed: pip install {name}")


def tracker(name: str, plan: Plan) -> Tracker:
    """The callback: TensorBoard writes into the run directory, others get the project kgan and the run's settings."""
    from kgan import callbacks

    every = plan.settings["sample_every"]
    if name == "tensorboard":
        return callbacks.Tracker(callbacks.TensorBoard(plan.directory / "tensorboard"), every=every)
    settings = {"project": "kgan", "name": plan.directory.name, "config": plan.settings}
    return callbacks.Tracker(importlib.import_module(name), every=every, **settings)
