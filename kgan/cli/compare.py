"""`kgan compare`: runs side by side, in numbers and in pictures."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from kgan.cli import seeds, trained
from kgan.cli.console import number, one_sentence, printable, say, sentence, shape_text, table, with_spread
from kgan.errors import Mistake

if TYPE_CHECKING:
    from kgan.gan import GAN

FILES = ("compare.json", "compare.md", "side-by-side.png", "epochs.gif", "quality.png")
SAMPLES = 64
BATCHES = (1, 64)  # codes that go through a generator together


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
    from kgan import runs

    with one_sentence():
        _check_free(out)
        entries = _entries(compared)
        models = [runs.load_model(entry.shown) for entry in entries]  # copies: whatever is done to them, no run changes
        out.mkdir(parents=True, exist_ok=True)
        environment = runs.environment()
        machine = "{device} ({machine}, TensorFlow {tensorflow})".format(**environment)
        say(f"measuring in turns on {machine}")
        samples = _side_by_side(entries, models)
        facts = _facts(entries, models)
        rows, notes = list(_rows(facts)), list(_notes(facts))
        headings = ["", *(each["title"] for each in facts)]
        # Written first: it tells the next comparison that it may write to the folder.
        runs.write_json(out / "compare.json", {"environment": environment, "runs": facts, "notes": notes})
        with runs.replacing(out / "side-by-side.png", durable=False) as temporary:
            samples.save(temporary)
        drawn = ["side-by-side.png", *_quality(entries, out), *_epochs(entries, out)]
        with runs.replacing(out / "compare.md", durable=False) as temporary:
            temporary.write_text(_markdown(machine, headings, rows, notes, drawn), "utf-8", "backslashreplace")
        for name in set(FILES) - {"compare.json", "compare.md", *drawn}:
            (out / name).unlink(missing_ok=True)  # of an earlier comparison
    table(headings, rows, right_aligned=headings[1:])
    for line in (*notes, *(str(out / name) for name in FILES if (out / name).exists())):
        say(line)


# What is compared


class Entry(NamedTuple):
    """A run, or one that was trained from several seeds."""

    name: str
    runs: dict[int, Path]  # by seed
    records: list[dict[str, Any]]  # what each run.json says
    settings: dict[str, Any]  # the settings of the first run
    quality: dict[str, Any]  # see _measured_quality

    @property
    def shown(self) -> Path:
        """The run whose model is measured and whose pictures are shown: the first, not the best."""
        return next(iter(self.runs.values()))

    @property
    def title(self) -> str:
        return f"{self.name} ({len(self.runs)} seeds)" if len(self.runs) > 1 else self.name

    @property
    def caption(self) -> str:
        """The caption of a picture."""
        return f"{self.name}, seed {self.settings['seed']}" if len(self.runs) > 1 else self.name


def _check_free(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise FileExistsError(f"{out} is a file: name a folder with --out")
    if out.is_dir() and any(out.iterdir()) and not (out / "compare.json").is_file():
        raise FileExistsError(f"{out} holds files, and no earlier comparison: name a new or an empty folder with --out")


def _entries(compared: Sequence[Path]) -> list[Entry]:
    from kgan import runs

    if len(compared) < 2:
        raise Mistake(f"only one run is named, {compared[0]}: a comparison takes two or more")
    resolved = [path.resolve() for path in compared]
    for path in compared:
        if resolved.count(path.resolve()) > 1:
            raise Mistake(f"{path} is named twice: a comparison takes different runs")
    names = runs.short_names(compared)
    return [_entry(path, printable(sentence(name))) for path, name in zip(compared, names, strict=True)]


def _entry(path: Path, name: str) -> Entry:
    from kgan import runs

    found = {0: path} if (path / "run.json").exists() else seeds.directories(path)
    if not found:
        raise FileNotFoundError(f"there is no run in {path}: it has no run.json, and no folder such as seed-0 with one")
    records = [runs.read_json(run / "run.json") for run in found.values()]
    settings = [_settings(*each) for each in zip(found.values(), records, strict=True)]
    may_differ = ("seed", "checkpoint_every", "checkpoint_minutes")
    for run, other in zip(found.values(), settings, strict=True):
        for setting, value in settings[0].items():
            if other.get(setting) != value and setting not in may_differ:
                raise Mistake(f"{run} is no other seed of the same run: {setting} is {other.get(setting)}, not {value}")
    return Entry(name, found, records, settings[0], _measured_quality(list(found.values())))


def _settings(run: Path, record: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a run; ValueError if its record lacks anything that the table shows."""
    environment = record.get("environment")
    numbers, words = (record.get("epochs"), record.get("seconds")), [record.get("status")]
    words.append(environment.get("device") if isinstance(environment, dict) else None)
    if not all(isinstance(each, (int, float)) for each in numbers) or not all(isinstance(each, str) for each in words):
        raise Mistake(f"{run / 'run.json'} does not say how the run was trained")
    return trained.settings(run)


# Metrics: those of each entry, as in compare.json


def _facts(entries: Sequence[Entry], models: Sequence[GAN]) -> list[dict[str, Any]]:
    from kgan import networks, speed

    images_a_second = {batch: speed.images_a_second(models, batch) for batch in BATCHES}
    steps = speed.milliseconds_a_step(models, [entry.settings["batch_size"] for entry in entries])
    facts = []
    for i, (entry, model) in enumerate(zip(entries, models, strict=True)):
        both = {"generator": model.generator, "discriminator": model.discriminator}
        facts.append(
            {
                "title": entry.title,
                "runs": [str(run) for run in entry.runs.values()],
                "recipe": entry.records[0]["recipe"],
                "model": type(model).__name__,
                "data": entry.settings["data"],
                "image_shape": list(model.discriminator.input_shape[1:]),
                "parameters": {name: network.count_params() for name, network in both.items()},
                "multiply_adds": {name: networks.multiply_adds(network) for name, network in both.items()},
                "batch_size": entry.settings["batch_size"],
                "milliseconds_a_step": steps[i],
                "images_a_second": {str(batch): measured[i] for batch, measured in images_a_second.items()},
                "epochs": [record["epochs"] for record in entry.records],
                "planned_epochs": entry.settings["epochs"],
                "status": [record["status"] for record in entry.records],
                "seconds": _over_seeds([record["seconds"] for record in entry.records]),
                "curves_by": list(dict.fromkeys(filter(None, (record.get("features") for record in entry.records)))),
                "trained_on": list(dict.fromkeys(record["environment"]["device"] for record in entry.records)),
                **entry.quality,
            }
        )
    return facts


def _over_seeds(values: Sequence[float]) -> dict[str, float | None]:
    return {"value": statistics.mean(values), "spread": seeds.spread(values)}


def _measured_quality(run_directories: Sequence[Path]) -> dict[str, Any]:
    """What `kgan evaluate` measured. The spread of one run is over sample seeds, that of several over the runs."""
    from kgan import runs

    missing = [run for run in run_directories if not (run / "quality.json").exists()]
    if missing:
        return {"quality": None, "to_do": "; ".join(runs.command("evaluate", run) for run in missing)}
    reports = [_checked(run / "quality.json", runs.read_json(run / "quality.json")) for run in run_directories]
    for name in ("features", "count"):
        if len({report[name] for report in reports}) > 1:
            raise Mistake(f"the seeds in {run_directories[0].parent} were evaluated by different {name}")
    quality = {name: reports[0][name] for name in ("features", "count")}
    quality["metrics"] = reports[0]["metrics"]
    if len(reports) > 1:
        quality["metrics"] = {
            name: {
                **_over_seeds([report["metrics"][name]["value"] for report in reports]),
                "baseline": metric["baseline"],
            }
            for name, metric in reports[0]["metrics"].items()
            if all(name in report["metrics"] for report in reports)
        }
    quality["missing"] = sorted({name for report in reports for name in report["missing"]})
    stale = [
        run for run in run_directories if (run / "quality.json").stat().st_mtime < (run / "model.keras").stat().st_mtime
    ]
    return {"quality": quality, "older_than_model": [str(run) for run in stale]}


def _checked(path: Path, report: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a report that are shown; ValueError if one is missing, since kgan does not trust the file."""

    try:
        metrics = {
            name: {part: None if metric.get(part) is None else float(metric[part]) for part in ("spread", "baseline")}
            | {"value": float(metric["value"])}
            for name, metric in report["metrics"].items()
        }
        missing = [str(name) for name in (report.get("classes") or {}).get("missing", [])]
        return {
            "features": str(report["features"]),
            "count": int(report["count"]),
            "metrics": metrics,
            "missing": missing,
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Mistake(f"{path} cannot be read: it is not what kgan evaluate wrote") from None


# The table


def _rows(facts: Sequence[Mapping[str, Any]]) -> Iterator[list[str]]:
    def row(heading: str, text: Callable[[Mapping[str, Any]], str]) -> list[str]:
        return [heading, *map(text, facts)]

    yield row("model", lambda each: each["model"])
    yield row("data", lambda each: each["data"])
    yield row("images", lambda each: shape_text(each["image_shape"]))
    for name in ("generator", "discriminator"):
        yield row(f"{name}: parameters", lambda each, name=name: f"{each['parameters'][name]:,}")
        yield row(f"{name}: multiply-adds an image", lambda each, name=name: f"{each['multiply_adds'][name]:,}")
    yield row("ms a training step", lambda each: number(each["milliseconds_a_step"]))
    yield row("images in a minibatch", lambda each: str(each["batch_size"]))
    for batch in map(str, BATCHES):
        yield row(f"images a second, batch {batch}", lambda each, batch=batch: f"{each['images_a_second'][batch]:,.0f}")
    yield row("epochs trained", _epochs_trained)
    yield row("seconds trained", lambda each: with_spread(each["seconds"]))
    yield row("samples evaluated", lambda each: f"{each['quality']['count']:,}" if each["quality"] else "not evaluated")
    reports = [each["quality"] for each in facts if each["quality"]]
    for name in dict.fromkeys(name for report in reports for name in report["metrics"]):
        yield row(name, lambda each, name=name: _metric(each["quality"], name))
    if reports:
        yield row(
            "classes missing",
            lambda each: (", ".join(each["quality"]["missing"]) or "none") if each["quality"] else "",
        )


def _metric(report: Mapping[str, Any] | None, name: str) -> str:
    if not report or name not in report["metrics"]:
        return ""
    metric = report["metrics"][name]
    baseline = "" if metric["baseline"] is None else f" (baseline {number(metric['baseline'])})"
    return with_spread(metric) + baseline


def _epochs_trained(each: Mapping[str, Any]) -> str:
    fewest, most = min(each["epochs"]), max(each["epochs"])
    epochs = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    unfinished = [status for status in each["status"] if status != "finished"]
    return f"{epochs} of {each['planned_epochs']}: {unfinished[0]}" if unfinished else epochs


def _notes(facts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """How the metrics were measured, and which of them cannot be compared."""
    from kgan import runs

    yield (
        "Speed: medians of turns, the runs one after the other; steps as in training, on random images; images a "
        "second from the generator as a compiled function."
    )
    differs = _differences(facts)
    if images := differs(lambda each: shape_text(each["image_shape"])):
        yield f"Images of different size ({images}): speed and multiply-adds are for the image size of each model."
    if batches := differs(lambda each: str(each["batch_size"])):
        yield f"Minibatches of different size ({batches}): a step is not the same amount of work."
    if devices := differs(lambda each: ", ".join(each["trained_on"])):
        yield f"Trained on different machines ({devices}): seconds trained do not compare."
    evaluated = [each["quality"] for each in facts if each["quality"]]
    if evaluated:
        yield (
            "± is the standard deviation over sample seeds, of runs of several seeds over these; the baseline is what "
            "real images get against other real images."
        )
    differs = _differences(evaluated)
    if features := differs(lambda report: report["features"]):
        yield f"Quality is measured by different features ({features}): its metrics do not compare."
    elif evaluated:
        yield f"Quality by the features of: {evaluated[0]['features']}"
    if curves := _differences([each for each in facts if each["curves_by"]])(lambda each: "; ".join(each["curves_by"])):
        yield f"Fréchet distances while training are by different features ({curves}): their curves do not compare."
    if counts := differs(lambda report: f"{report['count']:,}"):
        yield f"Quality is measured on different numbers of samples ({counts}): Fréchet distances do not compare."
    if data := _differences(facts)(lambda each: each["data"]):
        yield f"Trained on different data ({data}): quality is that of each one's own task, and does not compare."
    for each in facts:
        if each["quality"] is None:
            yield f"{each['title']} is not evaluated: {each['to_do']}"
        elif each["older_than_model"]:
            run = each["older_than_model"][0]
            yield f"The quality of {each['title']} is older than its model: {runs.command('evaluate', run)}"


def _differences(facts: Sequence[Any]) -> Callable[[Callable[[Any], str]], str]:
    """A function that names the values of something if they differ; otherwise its result is empty."""

    def of(value: Callable[[Any], str]) -> str:
        values = dict.fromkeys(map(value, facts))
        return "; ".join(values) if len(values) > 1 else ""

    return of


def _markdown(
    machine: str, headings: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str], drawn: Sequence[str]
) -> str:
    lines = [headings, ["---", *["---:"] * (len(headings) - 1)], *rows]
    table = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    pictures = [f"![{name}]({name})" for name in drawn]
    return "\n".join([f"Measured on {machine}.", "", *table, "", *(f"- {note}" for note in notes), "", *pictures, ""])


# Pictures


def _side_by_side(entries: Sequence[Entry], models: Sequence[GAN]) -> Any:
    """Samples of each model: figure 1 of Ding, Shao and Ren, *Image Generative Models by GANs and DCGANs*."""
    from kgan import plots

    grids = [plots.image_grid(model.generate(SAMPLES, seed=0)) for model in models]
    captions = [f"{entry.caption}, epoch {entry.records[0]['epochs']}" for entry in entries]
    return plots.captioned(plots.side_by_side(grids, captions), f"{SAMPLES} samples each, not cherry-picked")


def _epochs(entries: Sequence[Entry], out: Path) -> list[str]:
    """Write the GIF of all runs in step, if they have pictures of epochs."""
    from kgan import plots, runs

    series = {entry.caption: _pictures(entry.shown / "samples") for entry in entries}
    series = {name: pictures for name, pictures in series.items() if pictures}
    if not series:
        return []
    with runs.replacing(out / "epochs.gif", durable=False) as temporary:
        gif = plots.GIF(temporary)
        for frame in plots.epochs_in_step(series):
            gif.append(frame)
    return ["epochs.gif"]


def _pictures(directory: Path) -> dict[int, Path]:
    """The files epoch-0001.png, … by epoch; only plain files, no links."""
    files = [path for path in directory.glob("epoch-*.png") if path.is_file() and not path.is_symlink()]
    numbers = [path.stem.removeprefix("epoch-") for path in files]
    return {int(number): path for number, path in zip(numbers, files, strict=True) if number.isdecimal()}


def _quality(entries: Sequence[Entry], out: Path) -> list[str]:
    """Write the curves of the Fréchet distance, where it was measured while the runs trained."""
    from kgan import plots, runs

    curves = {}
    for entry in entries:
        files = [run / "history.csv" for run in entry.runs.values()]
        histories = [runs.read_history(file) for file in files if file.exists()]
        measured = [each for each in histories if any(map(math.isfinite, each.get("frechet", ())))]
        if measured:
            curves[entry.title] = measured
    if not curves:
        return []
    with runs.replacing(out / "quality.png", durable=False) as temporary:
        plots.distance_curves(curves).savefig(temporary, dpi=100)
    return ["quality.png"]
