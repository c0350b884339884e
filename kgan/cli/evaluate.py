"""`kgan evaluate`: how good, how varied and how new the images of a run are."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

import kgan
from kgan.cli.console import on_a_terminal, one_sentence, say, table
from kgan.cli.trained import Source, draw
from kgan.units import number, with_spread

if TYPE_CHECKING:
    import numpy as np


def evaluate(
    run: Annotated[Path, typer.Argument(help="Run directory, such as runs/dcgan-digits.")],
    count: Annotated[
        int, typer.Option(min=2, max=10**5, help="Number of samples; at most 2 for every 5 real images.")
    ] = 10_000,
    seeds: Annotated[int, typer.Option(min=1, max=100, help="How many times to measure, each with other codes.")] = 3,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 101, help="Seed of the first samples; it grows by 1 each time.")
    ] = 0,
    features: Annotated[
        str,
        typer.Option(
            metavar="auto|classifier|pixels|inception",
            help="Features to compare images by; auto: a classifier if the data have labels, otherwise pixels.",
        ),
    ] = "auto",
) -> None:
    """Measure how good, varied and new a run's images are; write quality.json and quality.png to its directory."""
    import numpy as np

    with one_sentence():
        source = Source(run)
        model, settings, real = source.model, source.settings, source.labeled()

        def asked(count: int, seed: int) -> np.ndarray:
            """Random classes, each as often as in the data."""
            return real.labels[np.random.default_rng(seed).integers(len(real.labels), size=count)]

        def generate(count: int, seed: int) -> np.ndarray:
            return draw(model, model.sample_codes(count, seed, asked(count, seed) if model.classes else None))

        held_out = kgan.data.held_out(settings["data"], settings["split"], settings["image_size"])
        done = itertools.count()
        with Progress(console=Console(stderr=True), disable=not on_a_terminal(sys.stderr), transient=True) as progress:
            bar = progress.add_task("the real images", total=2 + seeds)
            measured = kgan.quality.evaluate(
                generate,
                real,
                features=features,
                asked=asked if model.classes else None,
                held_out=None if held_out is None else held_out.images,
                count=count,
                seeds=range(seed, seed + seeds),
                progress=lambda step: progress.update(bar, description=step, completed=next(done)),
            )
        report = {**measured.report, "device": kgan.runs.environment()["device"]}
        name = "quality" if run.is_dir() or run.stem == "model" else f"quality-{run.stem}"
        files = source.path(f"{name}.json"), source.path(f"{name}.png")
        kgan.runs.write_json(files[0], report)
        kgan.plots.save(kgan.plots.quality(report, measured.samples, measured.nearest), files[1])
    rows = [
        (name, with_spread(metric), number(metric["baseline"]), kgan.quality.METRICS[name])
        for name, metric in report["metrics"].items()
    ]
    table(("metric", "samples", "real images", "what it says"), rows, ("samples", "real images"))
    for line in (*described(report), *map(str, files)):
        say(line)
    if source.path("report.html").exists():
        from kgan.report import write_own_report

        write_own_report(source.directory)  # the page now has the quality too


def described(report: Mapping[str, Any]) -> list[str]:
    """How the metrics of a report were measured, in sentences."""
    seeds, classes = len(report["seeds"]), report.get("classes")
    over_seeds = f", {seeds} times (± is the standard deviation over them)"
    times = over_seeds if seeds > 1 else " (± of kid is the standard deviation over its subsets)"
    lines = [f"{report['count']:,} samples{times}, by the features of: {report['features']}"]
    if classes and "accuracy" in classes:
        by_class = zip(classes["accuracy"], classes["names"], strict=True)
        accuracy, worst = min(pair for pair in by_class if pair[0] is not None)  # None: it was never asked for
        lines.append(f"worst class: {worst}, right in {accuracy:.1%} of cases")
    if classes and classes["missing"]:
        lines.append(f"missing: {', '.join(classes['missing'])}")
    return [*lines, *(f"note: {note}" for note in report["notes"])]
