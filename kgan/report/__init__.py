"""An HTML page about a run, which needs no network: this module collects the data for `page.html`, a Jinja template.

Everything that is read from the files of a run is escaped, and the page forbids the browser to load anything.
"""

from __future__ import annotations

import base64
import contextlib
import io
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from PIL import Image

from kgan import plots, quality, recipes, runs
from kgan._matplotlib import matplotlib
from kgan.losses import WITHOUT_PROBABILITIES
from kgan.units import number, with_spread

ROOM = 3_500_000  # characters for the grids of all runs
SIDE = 800  # pixels of a picture, at most


def report(directories: Sequence[str | Path]) -> str:
    """The page of one run, or of several with a common epoch slider, as HTML; the runs may still be training."""
    paths = [Path(directory) for directory in directories]
    for path in paths:
        runs.check_is_run(path)
    shown = [_run(path, name, ROOM // len(paths)) for path, name in zip(paths, runs.short_names(paths), strict=True)]
    epochs = sorted({epoch for run in shown for epoch, _ in run["frames"]})
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    page = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    data = {"epochs": epochs, "runs": [{name: run[name] for name in ("name", "frames", "places")} for run in shown]}
    return page.get_template("page.html").render(runs=shown, epochs=epochs, compared=_compared(shown), data=data)


def write_report(directories: Sequence[str | Path], path: str | Path) -> None:
    """Write the page of `report` to a file, atomically."""
    text = report(directories)
    with runs.replacing(path, durable=False) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_own_report(directory: Path) -> None:
    """Write the page of a run into its directory. What goes wrong is a warning: the run itself is whole."""
    page = directory / "report.html"
    try:
        write_report([directory], page)
    except Exception as error:  # for example because kgan did not write a file of the run
        warnings.warn(f"{page} is not written: {error}", stacklevel=2)


def last_measured(history: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """The last value of each metric in a history; some are measured only in some epochs, and NaN in the others."""
    return {name: values[-1] for name, values in _measured(history).items()}


def pictures_by_epoch(directory: Path) -> dict[int, Path]:
    """The grids of samples in a run directory, by epoch; only plain files, no links."""
    found = {path: re.fullmatch(r"epoch-(\d+)", path.stem) for path in (directory / "samples").glob("epoch-*.png")}
    plain = {int(name[1]): path for path, name in found.items() if name and path.is_file() and not path.is_symlink()}
    return dict(sorted(plain.items()))


def _measured(history: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
    """The measured values of each metric that has any."""
    columns = {name: column for name, column in history.items() if name not in ("epoch", "seconds")}
    measured = {name: [value for value in column if not math.isnan(value)] for name, column in columns.items()}
    return {name: values for name, values in measured.items() if values}


def _run(directory: Path, name: str, room: int) -> dict[str, Any]:
    """All that the page shows of a run."""
    record, history_file = runs.read_json(directory / "run.json"), directory / "history.csv"
    history = runs.read_history(history_file) if history_file.exists() else {}
    used, measured = runs.value_of(record, "settings", dict), _quality(directory / "quality.json")
    recipe = recipes.RECIPES.get(str(record.get("recipe")))
    chart, places = _chart(history, str(used.get("loss")))
    return {
        "name": name,
        "record": record,
        "command": runs.command("evaluate", directory),
        "frames": _frames(pictures_by_epoch(directory), room),
        "chart": chart,
        "places": places,
        "history": history,
        "rows": list(zip(*history.values(), strict=True)),
        "status": str(record.get("status") or "begun"),
        "epochs": runs.value_of(record, "epochs", int),
        "seconds": runs.value_of(record, "seconds", float),
        "findings": [found for found in runs.value_of(record, "findings", list) if isinstance(found, dict)],
        "environment": runs.value_of(record, "environment", dict),
        "quality": measured,
        "claims": _claims(recipe.claims if recipe else {}, measured["metrics"], history),
        "pictures": _pictures(directory),
        "settings": _settings(used, recipe.settings if recipe else {}),
        "used": used,
    }


def _quality(path: Path) -> dict[str, Any]:
    """What is shown of a `quality.json`: metrics, their values as text, and classes; nothing of a file of others."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        report = runs.read_json(path)
        metrics = [
            (_words(name), with_spread(metric), number(metric.get("baseline")), quality.METRICS.get(name, ""))
            for name, metric in report["metrics"].items()
        ]
        classes = report.get("classes") or {"names": [], "real": [], "fake": []}
        return {
            "metrics": metrics,
            "caption": f"{report['count']:,} samples; features: {report['features']}",
            "classes": list(zip(classes["names"], classes["real"], classes["fake"], strict=True)),
            "largest": max([*classes["real"], *classes["fake"], 1e-9]),
        }
    return {"metrics": []}


def _frames(pictures: Mapping[int, Path], room: int) -> list[tuple[int, str]]:
    """Epochs and their grids as data URLs; an evenly spaced part of them if all do not fit."""
    frames = [(epoch, source) for epoch, path in pictures.items() if (source := _address(path))]
    while len(frames) > 1 and sum(len(source) for _, source in frames) > room:
        frames = frames[-1::-2][::-1]  # every second one, and the last
    return frames


def _address(path: Path) -> str:
    """A picture as a data URL for an `<img>`; empty for a file that is not a picture."""
    try:
        with Image.open(io.BytesIO(runs.read_file(path))) as image:
            picture = image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return ""
    picture.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    buffer = io.BytesIO()
    picture.save(buffer, "webp", quality=80)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def _chart(history: Mapping[str, Sequence[float]], loss: str) -> tuple[str, dict[int, float]]:
    """The curves as SVG in the page's own colors, and the horizontal position of each epoch, from 0 to 1."""
    shown = {"epoch", "d_loss", "g_loss", "d_real", "d_fake"}
    if not shown <= set(history) or not all(map(math.isfinite, history["epoch"])):
        return "", {}
    epochs = [int(epoch) for epoch in history["epoch"]]
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "kgan", "legend.framealpha": 0}):
        figure = plots.loss_curves(history, epochs, has_probabilities=loss not in WITHOUT_PROBABILITIES)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
        figure.draw_without_rendering()
        axis, width = figure.axes[0], figure.bbox.width
        places = {epoch: axis.transData.transform((epoch, 0))[0] / width for epoch in epochs}
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace("#000000", "currentColor")
    # The page sets its width and describes it.
    head = re.compile(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', re.DOTALL)
    return head.sub(r'<svg viewBox="\1" aria-hidden="true">', svg, count=1), places


def _words(name: str) -> str:
    return name.replace("_", " ")


def _claims(
    claims: Mapping[str, str], metrics: Sequence[tuple[str, ...]], history: Mapping[str, Sequence[float]]
) -> list[tuple[str, str]]:
    """Each claim of the paper, and the values of this run that belong to it."""
    columns = _measured(history).items()
    shown = {_words(name): f"{values[0]:.3g} at first, {values[-1]:.3g} at last" for name, values in columns}
    shown |= {name: f"{value} (real images: {real})" if real else value for name, value, real, _ in metrics}
    return [
        (claim, "; ".join(f"{name} {shown.get(name, 'not measured')}" for name in map(_words, names.split())))
        for claim, names in claims.items()
    ]


def _pictures(directory: Path) -> list[tuple[str, str]]:
    """The other pictures in the run directory, such as interpolations: title and data URL."""
    paths = sorted(path for path in directory.glob("[!.]*.png") if path.name != "losses.png")  # the page draws these
    return [(path.stem.replace("-", " "), source) for path in paths[:12] if (source := _address(path))]


def _settings(used: Mapping[str, Any], usual: Mapping[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Name, value and reason of each setting, and whether it differs from the recipe."""
    rows = []
    for name, value in used.items():
        is_changed = name in usual and usual[name].value != value
        why = "" if name not in usual else f"changed from {usual[name].value}" if is_changed else usual[name].why
        rows.append((name, str(value), why, is_changed))
    return rows


def _compared(shown: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """The metrics of several runs next to each other, and the settings in which they differ."""
    measured = [{name: value for name, value, *_ in run["quality"]["metrics"]} for run in shown]
    last = [{_words(n): f"{value:.3g}" for n, value in last_measured(run["history"]).items()} for run in shown]
    settings = [{name: value for name, value, *_ in run["settings"]} for run in shown]
    rows = []
    for kind in (measured, last, settings) if len(shown) > 1 else ():
        for name in dict.fromkeys(name for one in kind for name in one):
            values = [one.get(name, "") for one in kind]
            if kind is not settings or len(set(values)) > 1:
                rows.append((name, values))
    return rows
