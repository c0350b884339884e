"""`kgan compare`: runs side by side, in numbers and in pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import kgan
from kgan.cli import seeds
from kgan.cli.console import one_sentence, printable, say, sentence, table
from kgan.cli.trained import Source
from kgan.errors import Mistake
from kgan.files import replacing
from kgan.units import number, shape_text, with_spread

if TYPE_CHECKING:
    from PIL import Image

    from kgan.gan import GAN
    from kgan.plots.charts import Chart

SAMPLES = 64
BATCHES = (1, 64)  # codes that go through a generator together
MAY_DIFFER = ("seed", "checkpoint_every", "checkpoint_minutes")  # settings of the seeds of a run
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError)  # what a file that kgan did not write leads to

Facts = Mapping[str, Any]  # about a run, as in compare.json


def compare(
    compared: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN", help="Two or more run directories, or folders of seeds that `kgan train --seeds` made."
        ),
    ],
    out: Annotated[Path, typer.Option(help="A folder for the table and the pictures.")] = Path("compare"),
) -> None:
    """Compare runs: their size, their speed (measured in turns), their quality (if it was measured), their pictures."""
    with one_sentence():
        if out.exists() and not out.is_dir():
            raise FileExistsError(f"{out} is a file: name a folder with --out")
        if out.is_dir() and any(out.iterdir()) and not (out / "compare.json").is_file():
            message = f"{out} holds files, and no earlier comparison: name a new or an empty folder with --out"
            raise FileExistsError(message)
        facts = _described(compared)
        models = [kgan.load_model(run["runs"][0]) for run in facts]  # copies: training them changes no run
        out.mkdir(parents=True, exist_ok=True)
        environment = kgan.runs.environment()
        machine = "{device} ({machine}, TensorFlow {tensorflow})".format(**environment)
        say(f"measuring in turns on {machine}")
        samples = _side_by_side(facts, models)  # before training steps change the models
        _measure(facts, models)
        rows, notes = list(_rows(facts)), list(_notes(facts))
        headings = ["", *(run["title"] for run in facts)]
        # Written first: it tells the next comparison that it may write to the folder.
        kgan.runs.write_json(out / "compare.json", {"environment": environment, "runs": facts, "notes": notes})
        pictures = {"side-by-side.png": samples, "quality.png": _distances(facts)}
        drawn = [name for name, picture in pictures.items() if picture]
        for name in ("quality.png", "epochs.gif"):
            (out / name).unlink(missing_ok=True)  # of an earlier comparison
        for name in drawn:
            kgan.plots.save(pictures[name], out / name)
        drawn += _write_epochs(facts, out / "epochs.gif")
        with replacing(out / "compare.md", durable=False) as temporary:
            temporary.write_text(_markdown(machine, [headings, *rows], notes, drawn), "utf-8", "backslashreplace")
    table(headings, rows, right_aligned=headings[1:])
    for line in (*notes, *(str(out / name) for name in ("compare.json", "compare.md", *drawn))):
        say(line)


# What is compared


def _described(compared: Sequence[Path]) -> list[dict[str, Any]]:
    """What the files of each run say, as in compare.json."""
    if len(compared) < 2:
        raise Mistake(f"only one run is named, {compared[0]}: a comparison takes two or more")
    resolved = [path.resolve() for path in compared]
    for path in compared:
        if resolved.count(path.resolve()) > 1:
            raise Mistake(f"{path} is named twice: a comparison takes different runs")
    names = kgan.runs.short_names(compared)
    return [_facts(path, printable(sentence(name))) for path, name in zip(compared, names, strict=True)]


def _facts(path: Path, name: str) -> dict[str, Any]:
    """What the files of a run say, or of one that was trained from several seeds."""
    found = [path] if (path / "run.json").exists() else [*seeds.directories(path).values()]
    if not found:
        raise FileNotFoundError(f"there is no run in {path}: it has no run.json, and no folder such as seed-0 with one")
    sources = [Source(run) for run in found]
    settings, records = [source.settings for source in sources], [source.record for source in sources]
    for run, other in zip(found, settings, strict=True):
        for setting, value in settings[0].items():
            if other.get(setting) != value and setting not in MAY_DIFFER:
                raise Mistake(f"{run} is no other seed of the same run: {setting} is {other.get(setting)}, not {value}")
    quality = _measured_quality(found)
    try:
        return {
            "title": f"{name} ({len(found)} seeds)" if len(found) > 1 else name,
            "runs": [str(run) for run in found],
            "recipe": records[0]["recipe"],
            "data": settings[0]["data"],
            "batch_size": settings[0]["batch_size"],
            "epochs": [int(record["epochs"]) for record in records],
            "planned_epochs": settings[0]["epochs"],
            "status": [str(record["status"]) for record in records],
            "seconds": seeds.over_seeds([float(record["seconds"]) for record in records]),
            "curves_by": sorted({str(record["features"]) for record in records if record.get("features")}),
            "trained_on": sorted({str(record["environment"]["device"]) for record in records}),
            "quality": quality,
        }
    except UNREADABLE:
        raise Mistake(f"{sources[0].path('run.json')} does not say how the run was trained") from None


def _measured_quality(found: Sequence[Path]) -> dict[str, Any] | None:
    """What `kgan evaluate` measured. The spread of one run is over sample seeds, that of several over the runs."""
    files = [run / "quality.json" for run in found]
    if not all(file.exists() for file in files):
        return None
    first, *others = reports = [_read_quality(file) for file in files]
    for name in ("features", "count"):
        if any(report[name] != first[name] for report in others):
            raise Mistake(f"the seeds in {found[0].parent} were evaluated by different {name}")
    metrics = {
        name: metric for name, metric in first["metrics"].items() if all(name in report["metrics"] for report in others)
    }
    if others:
        for name, metric in metrics.items():
            metric |= seeds.over_seeds([report["metrics"][name]["value"] for report in reports])
    missing = sorted({name for report in reports for name in report["missing"]})
    return {**first, "metrics": metrics, "missing": missing}


def _read_quality(path: Path) -> dict[str, Any]:
    """The parts of a quality.json that are shown."""
    report = kgan.runs.read_json(path)
    try:
        metrics = {
            name: {part: None if metric.get(part) is None else float(metric[part]) for part in ("spread", "baseline")}
            | {"value": float(metric["value"])}
            for name, metric in report["metrics"].items()
        }
        missing = [str(name) for name in (report.get("classes") or {}).get("missing", [])]
        shown = {"features": str(report["features"]), "count": int(report["count"])}
        return {**shown, "metrics": metrics, "missing": missing}
    except UNREADABLE:
        raise Mistake(f"{path} cannot be read: it is not what kgan evaluate wrote") from None


def _measure(facts: Sequence[dict[str, Any]], models: Sequence[GAN]) -> None:
    """Add the size and the speed of each model to the facts."""
    drawn = {str(batch): kgan.speed.images_a_second(models, batch) for batch in BATCHES}
    steps = kgan.speed.milliseconds_a_step(models, [run["batch_size"] for run in facts])
    for i, (run, model) in enumerate(zip(facts, models, strict=True)):
        both = {"generator": model.generator, "discriminator": model.discriminator}
        run["model"] = type(model).__name__
        run["image_shape"] = list(model.data_shape)
        run["parameters"] = {name: network.count_params() for name, network in both.items()}
        run["multiply_adds"] = {name: kgan.networks.multiply_adds(network) for name, network in both.items()}
        run["milliseconds_a_step"] = steps[i]
        run["images_a_second"] = {batch: measured[i] for batch, measured in drawn.items()}


# The table


def _rows(facts: Sequence[Facts]) -> Iterator[list[str]]:
    def row(heading: str, text: Callable[[Facts], str]) -> list[str]:
        return [heading, *map(text, facts)]

    yield row("model", lambda run: run["model"])
    yield row("data", lambda run: run["data"])
    yield row("images", lambda run: shape_text(run["image_shape"]))
    for name in ("generator", "discriminator"):
        yield row(f"{name}: parameters", lambda run, name=name: f"{run['parameters'][name]:,}")
        yield row(f"{name}: multiply-adds an image", lambda run, name=name: f"{run['multiply_adds'][name]:,}")
    yield row("ms a training step", lambda run: number(run["milliseconds_a_step"]))
    yield row("images in a minibatch", lambda run: str(run["batch_size"]))
    for batch in map(str, BATCHES):
        yield row(f"images a second, batch {batch}", lambda run, batch=batch: f"{run['images_a_second'][batch]:,.0f}")
    yield row("epochs trained", _epochs_trained)
    yield row("seconds trained", lambda run: with_spread(run["seconds"]))
    yield row("samples evaluated", lambda run: f"{run['quality']['count']:,}" if run["quality"] else "not evaluated")
    evaluated = [run["quality"] for run in facts if run["quality"]]
    for name in dict.fromkeys(name for report in evaluated for name in report["metrics"]):
        yield row(name, lambda run, name=name: _metric((run["quality"] or {"metrics": {}})["metrics"].get(name)))
    if evaluated:
        missing = lambda run: ", ".join(run["quality"]["missing"]) or "none" if run["quality"] else ""  # noqa: E731
        yield row("classes missing", missing)


def _metric(metric: Mapping[str, Any] | None) -> str:
    if metric is None:
        return ""
    return with_spread(metric) + ("" if metric["baseline"] is None else f" (baseline {number(metric['baseline'])})")


def _epochs_trained(run: Facts) -> str:
    epochs = " to ".join(map(str, sorted({min(run["epochs"]), max(run["epochs"])})))
    unfinished = [status for status in run["status"] if status != "finished"]
    return f"{epochs} of {run['planned_epochs']}: {unfinished[0]}" if unfinished else epochs


def _notes(facts: Sequence[Facts]) -> Iterator[str]:
    """How the metrics were measured, and which of them cannot be compared."""
    yield (
        "Speed: medians of turns, the runs one after the other; steps as in training, on random images; images a "
        "second from the generator as a compiled function."
    )
    evaluated = [run["quality"] for run in facts if run["quality"]]
    if evaluated:
        yield (
            "± is the standard deviation over sample seeds, of runs of several seeds over these; the baseline is what "
            "real images get against other real images."
        )
    features = [quality["features"] for quality in evaluated]
    counts = [f"{quality['count']:,}" for quality in evaluated]
    if len(set(features)) == 1:
        yield f"Quality by the features of: {features[0]}"
    shapes, batches = [shape_text(run["image_shape"]) for run in facts], [str(run["batch_size"]) for run in facts]
    devices, curves = ([", ".join(run[name]) for run in facts if run[name]] for name in ("trained_on", "curves_by"))
    data, own_task = [run["data"] for run in facts], "quality is that of each one's own task, and does not compare"
    for what, values, consequence in (
        ("Images of different size", shapes, "speed and multiply-adds are for the image size of each model"),
        ("Minibatches of different size", batches, "a step is not the same amount of work"),
        ("Trained on different machines", devices, "seconds trained do not compare"),
        ("Quality is measured by different features", features, "its metrics do not compare"),
        ("Fréchet distances while training are by different features", curves, "their curves do not compare"),
        ("Quality is measured on different numbers of samples", counts, "Fréchet distances do not compare"),
        ("Trained on different data", data, own_task),
    ):
        if len(set(values)) > 1:
            yield f"{what} ({'; '.join(dict.fromkeys(values))}): {consequence}."
    for run in facts:
        paths = [Path(path) for path in run["runs"]]
        missing = [kgan.runs.command("evaluate", path) for path in paths if not (path / "quality.json").exists()]
        if missing:
            yield f"{run['title']} is not evaluated: {'; '.join(missing)}"
        for path in () if missing else paths:
            quality, model = path / "quality.json", path / "model.keras"
            if model.exists() and quality.stat().st_mtime < model.stat().st_mtime:
                yield f"The quality of {run['title']} is older than its model: {kgan.runs.command('evaluate', path)}"


def _markdown(machine: str, rows: Sequence[Sequence[str]], notes: Sequence[str], drawn: Sequence[str]) -> str:
    lines = [rows[0], ["---", *["---:"] * (len(rows[0]) - 1)], *rows[1:]]
    table = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    pictures = [f"![{name}]({name})" for name in drawn]
    return "\n".join([f"Measured on {machine}.", "", *table, "", *(f"- {note}" for note in notes), "", *pictures, ""])


# Pictures


def _side_by_side(facts: Sequence[Facts], models: Sequence[GAN]) -> Image.Image:
    """Samples of each model: figure 1 of Ding, Shao and Ren, *Image Generative Models by GANs and DCGANs*."""
    grids = [kgan.plots.image_grid(model.generate(SAMPLES, seed=0)) for model in models]
    captions = [f"{run['title']}, epoch {run['epochs'][0]}" for run in facts]
    caption = f"{SAMPLES} samples each, not cherry-picked; of several seeds, the first"
    return kgan.plots.captioned(kgan.plots.side_by_side(grids, captions), caption)


def _write_epochs(facts: Sequence[Facts], path: Path) -> list[str]:
    """Write the GIF of all runs in step, if they have pictures of epochs; return its name."""
    from kgan.report import pictures_by_epoch

    series = {run["title"]: pictures_by_epoch(Path(run["runs"][0])) for run in facts}
    gif = kgan.plots.GIF(path)
    for frame in kgan.plots.epochs_in_step({name: pictures for name, pictures in series.items() if pictures}):
        gif.append(frame)
    return [path.name] if path.exists() else []


def _distances(facts: Sequence[Facts]) -> Chart | None:
    """The Fréchet distances that were measured while the runs trained; None if none were."""
    curves = {}
    for run in facts:
        files = [Path(path) / "history.csv" for path in run["runs"]]
        histories = [kgan.runs.read_history(file) for file in files if file.exists()]
        curves[run["title"]] = [one for one in histories if any(map(math.isfinite, one.get("frechet", ())))]
    curves = {name: measured for name, measured in curves.items() if measured}
    return kgan.plots.distance_curves(curves) if curves else None
