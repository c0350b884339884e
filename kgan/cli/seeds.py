"""`kgan train --seeds N`: train a recipe with several seeds, and show how much the results vary."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

import kgan
from kgan import recipes
from kgan.cli.console import exit_with, one_sentence, say, table
from kgan.errors import Mistake


def train_each(train: Callable[..., None], count: int, **options: Any) -> None:
    """Call `train` with its options for `count` seeds, one after the other, each in its own folder: OUT/seed-0, ….

    Partly trained seeds are resumed, finished seeds stay as they are, and new seeds use the settings of existing ones.
    If a seed diverges, the others are still trained, and the exit code is 1.
    """
    resume, out, seed = options["resume"], options["out"], options["seed"]
    with one_sentence():
        if resume and out and out.resolve() != resume.resolve():
            raise Mistake(f"--out is {out}: seeds that are resumed stay in {resume}")
        directory = resume or out or Path("runs") / (options["recipe"] or recipes.DEFAULT)
        kgan.runs.check_free(directory)
        existing = directories(directory)
        if resume and not existing:
            raise FileNotFoundError(f"there are no seeds in {resume}: it has no folder such as seed-0 with a run in it")
        new_options = _like(next(iter(existing.values())), options) if existing else options
    first = min(existing, default=0) if seed is None else seed
    failed = []
    for number in range(first, first + count):
        where = directory / f"seed-{number}"
        say(f"seed {number}")
        try:
            if number in existing:
                train(**options | {"resume": where, "out": None, "seed": number})
            else:
                train(**new_options | {"resume": None, "out": where, "seed": number})
        except typer.Exit as end:
            if end.exit_code != 1:  # a mistake, or a signal
                raise
            failed.append(number)
    _show_spread({number: run for number, run in directories(directory).items() if number not in failed})
    if failed:
        raise exit_with(f"not trained to the end: seed {', '.join(map(str, failed))}", 1)


def _like(run: Path, options: dict[str, Any]) -> dict[str, Any]:
    """The options that train another seed with the settings of `run`, except for options that the user gave."""
    record = kgan.runs.read_json(run / "run.json")
    settings = record.get("settings")
    if not isinstance(record.get("recipe"), str) or not isinstance(settings, dict):
        raise Mistake(f"{run / 'run.json'} names no recipe, or no settings: no further seeds can be trained")
    given = {name for name, value in options.items() if value is not None}
    changes = [f"{name}={value}" for name, value in settings.items() if name not in given | {"seed"}]
    return {**options, "recipe": options["recipe"] or record["recipe"], "changes": changes + (options["changes"] or [])}


def _show_spread(trained: Mapping[int, Path]) -> None:
    """Print a table of the last metrics: a row for each metric, a column for each seed."""
    from kgan.report import last_measured

    if len(trained) < 2:
        return
    with one_sentence():
        files = {number: run / "history.csv" for number, run in trained.items()}  # no file before the first epoch
        last = {number: last_measured(kgan.runs.read_history(file)) for number, file in files.items() if file.exists()}
    rows = []
    for name in dict.fromkeys(name for metrics in last.values() for name in metrics):
        overall = over_seeds([metrics[name] for metrics in last.values() if name in metrics])
        mean = f"{overall['value']:.3f}" + ("" if overall["spread"] is None else f" ± {overall['spread']:.3f}")
        rows.append([name, mean, *(f"{metrics[name]:.3f}" if name in metrics else "" for metrics in last.values())])
    headings = ["", "mean", *(f"seed {number}" for number in last)]
    say("")
    say(f"metrics of the last epoch over {len(trained)} seeds; ± is their standard deviation")
    table(headings, rows, right_aligned=headings[1:])


def directories(directory: Path) -> dict[int, Path]:
    """The runs of a folder of seeds, by seed, in order; empty if it is not a folder of seeds."""
    names = {path: re.fullmatch(r"seed-(\d{1,10})", path.name) for path in directory.glob("seed-*")}
    found = {int(name[1]): path for path, name in names.items() if name and (path / "run.json").exists()}
    return dict(sorted(found.items()))


def over_seeds(values: Sequence[float]) -> dict[str, float | None]:
    """The mean, and the standard deviation of the sample: None for a single value."""
    spread = None
    if len(values) > 1:
        spread = statistics.stdev(values) if all(map(math.isfinite, values)) else math.nan
    return {"value": statistics.mean(values), "spread": spread}
