"""The plan of `kgan train`: a new run, or one that is resumed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from kgan import recipes
from kgan.cli.meeting import meet
from kgan.cli.workers import Workers
from kgan.errors import Mistake


class Plan(NamedTuple):
    """What to train, and how."""

    recipe: recipes.Recipe
    settings: dict[str, Any]
    directory: Path
    record: dict[str, Any]  # the content of its run.json; empty for a new run
    devices: int = 1  # number of devices that share each minibatch
    workers: Workers = Workers()  # machines that share each minibatch

    @property
    def is_done(self) -> bool:
        """Whether there is nothing left to train."""
        return self.record.get("status") == "finished" and self.record.get("epochs") == self.settings["epochs"]

    def recorded(self, name: str, kind: type) -> Any:
        """The value of a name in run.json, or an empty value if it is of another type."""
        from kgan import runs

        return runs.value_of(self.record, name, kind)


def plan_new(name: str, given: Mapping[str, Any], out: Path | None) -> Plan:
    """The plan of a new run.

    Args:
        name: name of the recipe.
        given: settings that replace those of the recipe.
        out: the run directory; default: runs/NAME.
    """
    if name not in recipes.RECIPES and Path(name).is_dir():
        from kgan import runs

        command = runs.command("train", "modern-folder", "--data", name)
        raise Mistake(f"{name} is a folder, not a recipe: {command}")
    recipe = recipes.get(name)
    return Plan(recipe, recipes.resolve(recipe, given), out or Path("runs") / name, {})


def plan_resumed(directory: Path, name: str | None, given: Mapping[str, Any], out: Path | None) -> Plan:
    """The plan of the run in a directory, which must be locked.

    Args:
        directory: the run directory.
        name: if given, it must be the name of the run's recipe.
        given: settings. Only the epochs, and how often checkpoints are written, may differ from those of the run.
        out: if given, it must be the run directory.
    """
    from kgan import runs

    runs.remove_partial_files(directory)
    path = directory / "run.json"
    record = runs.read_json(path)
    if not isinstance(record.get("recipe"), str) or not isinstance(record.get("settings"), dict):
        raise Mistake(f"{path} names no recipe, or no settings: the run cannot be resumed")
    try:
        recipe = recipes.get(record["recipe"])
        planned = recipes.resolve(recipe, record["settings"])
    except ValueError as error:
        raise Mistake(f"{path} cannot be resumed: {error}") from None
    if out and out.resolve() != directory.resolve():
        raise Mistake(f"--out is {out}: a run that is resumed stays in {directory}")
    if name not in (None, recipe.name):
        raise Mistake(f"the recipe is {name}, but that of {directory} is {recipe.name}: only --epochs may change")
    settings = with_absolute_data(recipes.resolve(recipe, {**planned, **given}))
    for setting, value in planned.items():
        may_change = setting in ("epochs", "checkpoint_every", "checkpoint_minutes")
        if settings[setting] != value and not may_change:
            raise Mistake(
                f"{setting} is {settings[setting]}, but in {directory} it is {value}: only --epochs may change"
            )
    if settings["epochs"] != planned["epochs"] and settings["learning_rate_schedule"] != "constant":
        raise Mistake(
            f"epochs is {settings['epochs']}, but the learning rates of the run in {directory} fall over its "
            f"{planned['epochs']} epochs ({settings['learning_rate_schedule']}): it cannot be made longer or shorter"
        )
    trained = any((directory / name).exists() for name in ("history.csv", "model.keras"))
    if trained and runs.next_number(directory / "checkpoint") == 1:
        raise Mistake(f"{directory} cannot be resumed: there is no checkpoint in it. Nothing was changed")
    plan = Plan(recipe, settings, directory, record)
    if plan.recorded("epochs", int) > settings["epochs"]:
        raise Mistake(f"epochs is {settings['epochs']}, but the run in {directory} has {record['epochs']} already")
    return plan


def plan_together(workers: Workers, request: Mapping[str, Any], plan: Plan | None) -> Plan:
    """The plan of several workers: the chief's plan, after all of them have connected with the same request.

    Args:
        request: what this worker was asked to train.
        plan: the chief's plan; None for the other workers.

    Raises:
        ValueError, TimeoutError: see `kgan.cli.meeting.meet`; also if the precision is "auto".
    """
    if plan and plan.settings["precision"] == "auto":
        raise Mistake("precision is auto, which each worker would decide by itself: choose float32 or bfloat16")
    answer = None
    if plan:
        answer = {"recipe": plan.recipe.name, "settings": plan.settings, "record": plan.record}
        answer["directory"] = str(plan.directory)
    agreed = meet(workers, request, answer)
    recipe = recipes.get(agreed["recipe"])
    settings = recipes.resolve(recipe, agreed["settings"])
    return Plan(recipe, settings, Path(agreed["directory"]), agreed["record"], workers=workers)


def with_absolute_data(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings with the absolute path of a data file or folder, to resume a run from any working directory."""
    from kgan.data import is_array_file, is_folder

    is_path = is_array_file(settings["data"]) or is_folder(settings["data"])
    return {**settings, "data": str(Path(settings["data"]).expanduser().absolute())} if is_path else settings
