"""An HTML page about a run, which needs no network: pictures by epoch, curves, quality, findings, settings.

The page is `page.html`, a Jinja template; this module collects its data. Everything that is read from the files of a
run is escaped, and the page forbids the browser to load anything.
"""

from __future__ import annotations

import base64
import functools
import io
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kgan import plots, quality, recipes, runs
from kgan.errors import Mistake

ROOM = 3_500_000  # characters for the grids of all runs
SIDE = 800  # pixels of a picture, at most
LEFT_OUT = ("losses.png",)  # the page draws these curves itself


class Frame(NamedTuple):
    """A grid of samples.

    Attributes:
        epoch: the epoch after which it was drawn.
        source: the picture itself, as a data URL for an `<img>`.
    """

    epoch: int
    source: str


def report(directories: Sequence[str | Path]) -> str:
    """The page of one run, or of several runs with a common epoch slider, as HTML.

    Args:
        directories: run directories; the runs may still be training.

    Raises:
        FileNotFoundError: if there is no run in a directory.
        ValueError: if its files are not as kgan writes them, or no run is named.

    Example:
        >>> page = report(["runs/dcgan-digits"])
    """
    import jinja2

    if not directories:
        raise Mistake("no run is named: a report is of one or more")
    paths = [Path(each) for each in directories]
    for path in paths:
        runs.check_is_run(path)
    each = [_run(path, name, ROOM // len(paths)) for path, name in zip(paths, runs.short_names(paths), strict=True)]
    epochs = sorted({frame.epoch for run in each for frame in run["frames"]})
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    data = {"epochs": epochs, "runs": [{name: run[name] for name in ("name", "frames", "places")} for run in each]}
    return environment.get_template("page.html").render(runs=each, epochs=epochs, compared=_compared(each), data=data)


def write_report(directories: Sequence[str | Path], path: str | Path) -> None:
    """Write the page of `report` to a file, atomically."""
    text = report(directories)
    with runs.replacing(path, durable=False) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def _run(directory: Path, name: str, room: int) -> dict[str, Any]:
    """All that the page shows of a run."""
    record = runs.read_json(directory / "run.json")
    history = {}
    if (directory / "history.csv").exists():
        history = runs.read_history(directory / "history.csv")
    measured = {}
    if (directory / "quality.json").exists():
        measured = runs.read_json(directory / "quality.json")
    chart, places = _chart(history)
    used = runs.value_of(record, "settings", dict)
    return {
        "name": name,
        "record": record,
        "command": runs.command("evaluate", directory),
        "frames": _frames(directory / "samples", room),
        "chart": chart,
        "places": places,
        "history": history,
        "rows": list(zip(*history.values(), strict=True)),
        "status": _status(record),
        "findings": [
            f"Epoch {each.get('epoch')}: {each.get('sentence')}. {each.get('suggestion')}"
            for each in runs.value_of(record, "findings", list)
            if isinstance(each, dict)
        ],
        "environment": runs.value_of(record, "environment", dict),
        "quality": measured,
        "metrics": _metrics(measured),
        "count": f"{runs.value_of(measured, 'count', int):,}",
        "classes": _classes(measured),
        "claims": _claims(record, measured, history),
        "pictures": _pictures(directory),
        "settings": _settings(record),
        "seed": used.get("seed"),
        "data": used.get("data"),
    }


def _status(record: Mapping[str, Any]) -> str:
    """How the run ended, or how far it is."""
    epochs, seconds = (_number(record.get(name)) or 0 for name in ("epochs", "seconds"))
    status = str(record.get("status") or "begun")
    plural = "" if epochs == 1 else "s"
    return f"{status[0].upper()}{status[1:]}, {epochs:,.0f} epoch{plural}, {seconds:,.0f} seconds"


def _number(value: Any) -> float | None:
    """A finite number, or None for any other value."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None


def _frames(folder: Path, room: int) -> list[Frame]:
    """The grids by epoch; an evenly spaced part of them if all do not fit."""
    found = {int(match[1]): path for path in folder.glob("epoch-*.png") if (match := re.search(r"-(\d+)$", path.stem))}
    epochs = sorted(found)
    address = functools.cache(lambda epoch, fidelity: _address(found[epoch], fidelity))  # the loop needs them again
    while epochs:
        for fidelity in (85, 60):
            frames = [Frame(epoch, source) for epoch in epochs if (source := address(epoch, fidelity))]
            if sum(len(frame.source) for frame in frames) <= room or len(epochs) == 1:
                return frames
        epochs = epochs[-1::-2][::-1]  # every second one, and the last
    return []


def _address(path: Path, fidelity: int) -> str:
    """A picture as a data URL for an `<img>`; empty for a file that is not a picture."""
    from PIL import Image

    try:
        content = runs.read_file(path)  # no devices, links or endless files
        with Image.open(io.BytesIO(content)) as image:
            picture = image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return ""
    picture.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    buffer = io.BytesIO()
    picture.save(buffer, "webp", quality=fidelity)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def _chart(history: Mapping[str, Sequence[float]]) -> tuple[str, dict[int, float]]:
    """The curves as SVG in the page's own colors, and the horizontal position of each epoch, from 0 to 1."""
    import matplotlib

    epochs = [int(epoch) for epoch in history.get("epoch", []) if math.isfinite(epoch)]
    is_whole = len(epochs) == len(history.get("epoch", []))
    if not epochs or not is_whole or not {"d_loss", "g_loss", "d_real", "d_fake"} <= set(history):
        return "", {}
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "kgan", "legend.framealpha": 0}):
        figure = plots.loss_curves(history, epochs)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
        figure.draw_without_rendering()
        axis = figure.axes[0]
        width = figure.bbox.width
        places = {epoch: axis.transData.transform((epoch, 0))[0] / width for epoch in epochs}
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace("#000000", "currentColor")
    # The page sets its width and describes it.
    head = re.compile(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', re.DOTALL)
    return head.sub(r'<svg viewBox="\1" aria-hidden="true">', svg, count=1), places


def _metrics(measured: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Name, value, value for real images (the baseline), and meaning of each metric."""
    rows = []
    for name, metric in runs.value_of(measured, "metrics", dict).items():
        value, spread, real = (
            _number(metric.get(key)) if isinstance(metric, dict) else None for key in ("value", "spread", "baseline")
        )
        if value is not None:
            written = f"{value:.3g}" + (f" ± {spread:.2g}" if spread else "")
            meaning = quality.METRICS.get(name, "")
            rows.append((name.replace("_", " "), written, "" if real is None else f"{real:.3g}", meaning))
    return rows


def _claims(
    record: Mapping[str, Any], measured: Mapping[str, Any], history: Mapping[str, Sequence[float]]
) -> list[tuple[str, str]]:
    """Each claim of the paper, and the values of this run that belong to it."""
    recipe = str(record.get("recipe"))
    claims = recipes.get(recipe).claims if recipe in recipes.RECIPES else {}
    shown = {name: f"{value} (real images: {real})" if real else value for name, value, real, _ in _metrics(measured)}
    for name, column in history.items():
        known = [value for value in column if math.isfinite(value)]
        if known:
            shown.setdefault(name.replace("_", " "), f"{known[0]:.3g} at first, {known[-1]:.3g} at last")

    def here(name: str) -> str:
        return f"{name} {shown.get(name, 'not measured')}"

    return [
        (claim, "; ".join(here(name.replace("_", " ")) for name in names.split())) for claim, names in claims.items()
    ]


def _classes(measured: Mapping[str, Any]) -> list[dict[str, Any]]:
    """For each class, its frequencies among real and fake images, and the lengths of their bars in percent."""
    classes = runs.value_of(measured, "classes", dict)
    names, real, fake = (runs.value_of(classes, key, list) for key in ("names", "real", "fake"))
    shares = [(_number(r), _number(f)) for r, f in zip(real, fake, strict=False)]
    if not shares or not len(names) == len(real) == len(fake) or any(None in pair for pair in shares):
        return []
    largest = max(max(pair) for pair in shares) or 1
    return [
        {"name": name, "real": r, "fake": f, "real_bar": 100 * r / largest, "fake_bar": 100 * f / largest}
        for name, (r, f) in zip(names, shares, strict=True)
    ]


def _pictures(directory: Path) -> list[tuple[str, str]]:
    """The other pictures in the run directory, such as interpolations: title and data URL."""
    paths = sorted(path for path in directory.glob("[!.]*.png") if path.name not in LEFT_OUT)
    return [(path.stem.replace("-", " "), source) for path in paths[:12] if (source := _address(path, 80))]


def _settings(record: Mapping[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Name, value and reason of each setting, and whether it differs from the recipe."""
    settings = runs.value_of(record, "settings", dict)
    recipe = str(record.get("recipe"))
    known = recipes.get(recipe).settings if recipe in recipes.RECIPES else {}
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
