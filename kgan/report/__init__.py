"""A run as one page, which needs no network: pictures by epoch, curves, quality, findings, settings.

The page is `page.html`, a Jinja template; what goes into it is gathered here. Everything that was read from the files
of a run is escaped, and the page forbids the browser to load anything.
"""

from __future__ import annotations

import base64
import io
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kgan import plots, quality, recipes, runs

ROOM = 3_500_000  # characters for the grids of all runs
SIDE = 800  # pixels of a picture, at most
LEFT_OUT = ("losses.png",)  # drawn anew


class Frame(NamedTuple):
    """A grid of samples.

    Attributes:
        epoch: after which.
        source: the picture itself, as the address of an `<img>`.
    """

    epoch: int
    source: str


def report(directories: Sequence[str | Path]) -> str:
    """The page of a run, or of several in step, as HTML.

    Args:
        directories: of runs, which may still be training.

    Raises:
        FileNotFoundError: where there is no run.
        ValueError: where its files are not those that kgan wrote, or no run is named.

    Example:
        >>> page = report(["runs/dcgan-digits"])
    """
    import jinja2

    if not directories:
        raise ValueError("no run is named: a report is of one or more")
    paths = [Path(each) for each in directories]
    for path in paths:
        runs.check_is_run(path)
    names = [path.resolve().name for path in paths]
    names = [name if names.count(name) == 1 else str(path) for path, name in zip(paths, names, strict=True)]
    each = [_run(path, name, ROOM // len(paths)) for path, name in zip(paths, names, strict=True)]
    epochs = sorted({frame.epoch for run in each for frame in run["frames"]})
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    data = {"epochs": epochs, "runs": [{name: run[name] for name in ("name", "frames", "places")} for run in each]}
    return environment.get_template("page.html").render(runs=each, epochs=epochs, compared=_compared(each), data=data)


def write_report(directories: Sequence[str | Path], path: str | Path) -> None:
    """Write the page of `report` into a file, whole or not at all."""
    text = report(directories)
    with runs.replacing(path, durable=False) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def _run(directory: Path, name: str, room: int) -> dict[str, Any]:
    """All that the page says of a run."""
    record = quality.current_names(runs.read_json(directory / "run.json"))
    history = {}
    if (directory / "history.csv").exists():
        history = quality.current_names(runs.read_history(directory / "history.csv"))
    measured = {}
    if (directory / "quality.json").exists():
        measured = quality.current_names(runs.read_json(directory / "quality.json"))
    chart, places = _chart(history) if history.get("d_loss") else ("", {})
    return {
        "name": name,
        "record": record,
        "command": runs.command("evaluate", directory),
        "frames": _frames(directory / "samples", room),
        "chart": chart,
        "places": places,
        "history": history,
        "rows": list(zip(*history.values(), strict=True)),
        "findings": [
            f"Epoch {each.get('epoch')}: {each.get('sentence')}. {each.get('suggestion')}"
            for each in _part(record, "findings", list)
            if isinstance(each, dict)
        ],
        "environment": _part(record, "environment", dict),
        "quality": measured,
        "metrics": _metrics(measured),
        "count": f"{_part(measured, 'count', int):,}",
        "classes": _classes(measured),
        "pictures": _pictures(directory),
        "settings": _settings(record),
        "seed": _part(record, "settings", dict).get("seed"),
    }


def _part(content: Mapping[str, Any], name: str, kind: type) -> Any:
    """What a file says under a name, or an empty value where it says anything of another kind."""
    value = content.get(name)
    return value if isinstance(value, kind) else kind()


def _frames(folder: Path, room: int) -> list[Frame]:
    """The grids by epoch, evenly fewer of them where all would not fit."""
    found = {int(match[1]): path for path in folder.glob("epoch-*.png") if (match := re.search(r"-(\d+)$", path.stem))}
    epochs = sorted(found)
    while epochs:
        for fidelity in (85, 60):
            frames = []
            for epoch in epochs:
                frames.append(Frame(epoch, _address(found[epoch], fidelity)))
                if sum(len(frame.source) for frame in frames) > room and len(epochs) > 1:
                    break
            else:
                return frames
        epochs = epochs[-1::-2][::-1]  # every second one, and the last
    return []


def _address(path: Path, fidelity: int) -> str:
    """A picture as the address of an `<img>`."""
    from PIL import Image

    runs.read_file(path, at_most=2**26)  # no device, no link, nothing without end
    with Image.open(path) as image:
        picture = image.convert("RGB")
    picture.thumbnail((SIDE, SIDE), Image.Resampling.NEAREST if max(picture.size) < 2 * SIDE else Image.Resampling.BOX)
    buffer = io.BytesIO()
    picture.save(buffer, "webp", quality=fidelity)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def _chart(history: Mapping[str, Sequence[float]]) -> tuple[str, dict[int, float]]:
    """The curves as SVG in the page's own colors, and where in its width each epoch is, from 0 to 1."""
    import matplotlib

    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "kgan", "legend.framealpha": 0}):
        epochs = [int(epoch) for epoch in history["epoch"]]
        figure = plots.loss_curves(history, epochs)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
        figure.draw_without_rendering()
        axis = figure.axes[0]
        width = figure.bbox.width
        places = {epoch: axis.transData.transform((epoch, 0))[0] / width for epoch in epochs}
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace("#000000", "currentColor")
    # The page says how wide it is, and what it shows.
    head = re.compile(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', re.DOTALL)
    return head.sub(r'<svg viewBox="\1" aria-hidden="true">', svg, count=1), places


def _metrics(measured: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Name, value, that of real images, and meaning of each metric."""
    rows = []
    for name, metric in _part(measured, "metrics", dict).items():
        if not isinstance(metric, dict) or not isinstance(metric.get("value"), (int, float)):
            continue
        spread = f" ± {metric['spread']:.2g}" if metric.get("spread") else ""
        baseline = metric.get("baseline")
        real = "" if baseline is None else f"{baseline:.3g}"
        rows.append((name.replace("_", " "), f"{metric['value']:.3g}{spread}", real, quality.METRICS.get(name, "")))
    return rows


def _classes(measured: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Of each class its share among real and among fake images, and how long their bars are, in percent."""
    classes = _part(measured, "classes", dict)
    names, real, fake = (_part(classes, key, list) for key in ("names", "real", "fake"))
    if not real or not len(real) == len(fake) == len(names):
        return []
    largest = max(*real, *fake) or 1
    return [
        {"name": name, "real": r, "fake": f, "real_bar": 100 * r / largest, "fake_bar": 100 * f / largest}
        for name, r, f in zip(names, real, fake, strict=True)
    ]


def _pictures(directory: Path) -> list[tuple[str, str]]:
    """The other pictures in the run directory, such as walks between codes: title and address."""
    paths = sorted(path for path in directory.glob("*.png") if path.name not in LEFT_OUT)
    return [(path.stem.replace("-", " "), _address(path, 80)) for path in paths[:12]]


def _settings(record: Mapping[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Name, value, reason of each setting, and whether it is not that of the recipe."""
    settings = _part(record, "settings", dict)
    known = recipes.get(record["recipe"]).settings if record.get("recipe") in recipes.RECIPES else {}
    rows = []
    for name, value in settings.items():
        usual = known.get(name)
        changed = usual is not None and usual.value != value
        why = f"changed from {usual.value}" if changed else usual.why if usual else ""
        rows.append((name, str(value), why, changed))
    return rows


def _compared(each: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """The metrics of several runs next to each other, and the settings in which they differ."""
    if len(each) < 2:
        return []
    tables = [{name: value for name, value, *_ in run["metrics"]} for run in each]
    last = [
        {
            name.replace("_", " "): f"{column[-1]:.3g}"
            for name, column in run["history"].items()
            if name not in ("epoch", "seconds") and column and math.isfinite(column[-1])
        }
        for run in each
    ]
    settings = [{name: value for name, value, *_ in run["settings"]} for run in each]
    rows = []
    for kind in (tables, last, settings):
        for name in dict.fromkeys(name for one in kind for name in one):
            values = [one.get(name, "") for one in kind]
            if kind is not settings or len(set(values)) > 1:
                rows.append((name, values))
    return rows
