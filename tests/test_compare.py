import csv
import json
import os
import shutil

import pytest
from conftest import SMALL
from PIL import Image
from typer.testing import CliRunner

from kgan import networks, recipes, runs, speed
from kgan.cli import app, seeds

DENSE = ["gan-digits", "--batch-size", "256", "--set", "image_size=16", "--set", "hidden_units=8"]
FILES = {"compare.json", "compare.md", "side-by-side.png", "epochs.gif", "quality.png"}


def kgan_(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def content(directory):
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file() and path.name != ".lock"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(speed, "ROUNDS", 1)
    monkeypatch.setattr(speed, "SECONDS", 0.001)


@pytest.fixture(scope="session")
def of_seeds(tmp_path_factory):
    """A folder of two seeds of a small dense run, 2 epochs each, and what training printed."""
    directory = tmp_path_factory.mktemp("of-seeds") / "dense"
    result = kgan_("train", *DENSE, "--epochs", 2, "--seeds", 2, "--out", directory)
    assert result.exit_code == 0, result.output
    return directory, result


def report(frechet, spread=0.5, features="classifier", count=1000, missing=()):
    metric = {"value": frechet, "spread": spread, "baseline": 2.0}
    classes = {"names": ["0", "1"], "real": [0.5, 0.5], "fake": [0.9, 0.1], "missing": list(missing)}
    plain = {"features": features, "count": count, "seeds": [0, 1, 2], "notes": [], "classes": classes}
    return {**plain, "metrics": {"frechet": metric, "classes": {"value": 9, "spread": None, "baseline": None}}}


def with_old_names(report):
    """As kgan 0.1 wrote it before its names changed."""
    metrics = {
        name: {"value": metric["value"], "spread": metric["spread"], "floor": metric["baseline"]}
        for name, metric in report["metrics"].items()
    }
    return {name: value for name, value in report.items() if name != "metrics"} | {"figures": metrics}


def write_distances(run, distances):
    with (run / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row, distance in zip(rows, distances, strict=True):
        row["frechet"] = distance
    with (run / "history.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="session")
def compared(trained, of_seeds, tmp_path_factory):
    """A convolutional run of 3 epochs and a dense one of two seeds and 2 epochs, with quality, compared."""
    place = tmp_path_factory.mktemp("compared")
    convolutional = shutil.copytree(trained[0], place / "convolutional")
    dense = shutil.copytree(of_seeds[0], place / "dense")
    runs.write_json(convolutional / "quality.json", with_old_names(report(10.0, missing=["7"])))
    write_distances(convolutional, ["", "30.5", "12.5"])
    for seed, distance in enumerate((40.0, 44.0)):
        runs.write_json(dense / f"seed-{seed}" / "quality.json", report(distance))
    before = content(place)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speed, "ROUNDS", 1)
        patch.setattr(speed, "SECONDS", 0.001)
        result = kgan_("compare", convolutional, dense, "--out", place / "out")
    assert result.exit_code == 0, result.output
    after = {path: data for path, data in content(place).items() if place / "out" not in path.parents}
    assert after == before  # models are trained to be measured: copies of them
    return place, result


def cells(text, heading):
    """What a row of the table on a terminal, or in Markdown, says."""
    row = next(line for line in text.splitlines() if line.startswith((heading, f"| {heading} |")))
    return [cell.strip() for cell in row.strip("| ").removeprefix(heading).replace("|", "  ").split("  ") if cell]


def test_compare_leaves_its_files_and_no_half_written_ones(compared):
    place, result = compared
    assert {path.name for path in (place / "out").iterdir()} == FILES
    assert {line.split("/")[-1] for line in result.stdout.splitlines() if line.startswith(str(place))} == FILES


def test_compare_counts_parameters_and_multiply_adds(compared):
    place, result = compared
    entries = json.loads((place / "out" / "compare.json").read_text())["runs"]
    assert [each["title"] for each in entries] == ["convolutional", "dense (2 seeds)"]
    # 100 → 8 → 256 and 256 → 8 → 1, with biases
    assert entries[1]["parameters"] == {"generator": 808 + 8 * 256 + 256, "discriminator": 256 * 8 + 8 + 8 + 1}
    assert entries[1]["multiply_adds"] == {"generator": 800 + 2048, "discriminator": 2048 + 8}
    for run, each in zip((place / "convolutional", place / "dense" / "seed-0"), entries, strict=True):
        model = runs.load_model(run)
        for name, network in (("generator", model.generator), ("discriminator", model.discriminator)):
            assert each["parameters"][name] == network.count_params()
            assert each["multiply_adds"][name] == networks.multiply_adds(network)
    for text in (result.stdout, (place / "out" / "compare.md").read_text()):
        assert cells(text, "discriminator: multiply-adds an image") == [
            f"{entries[0]['multiply_adds']['discriminator']:,}",
            "2,056",
        ]


def test_compare_measures_speed_and_names_the_machine(compared):
    place, result = compared
    content = json.loads((place / "out" / "compare.json").read_text())
    for each in content["runs"]:
        assert each["milliseconds_a_step"] > 0
        assert each["batch_size"] == 256
        assert all(each["images_a_second"][batch] > 0 for batch in ("1", "64"))
    device = runs.environment()["device"]
    assert content["environment"]["device"] == device
    assert f"measuring in turns on {device} (" in result.stdout.splitlines()[0]
    assert f"Measured on {device} (" in (place / "out" / "compare.md").read_text()


def test_compare_shows_quality_with_its_spread_and_baseline(compared):
    place, result = compared
    for text in (result.stdout, (place / "out" / "compare.md").read_text()):
        # over the seeds of samples; over those of training: 42, and sqrt(((42 - 40)² + (44 - 42)²) / 1)
        assert cells(text, "frechet") == ["10 ± 0.5 (baseline 2)", "42 ± 2.83 (baseline 2)"]
        assert cells(text, "classes missing") == ["7", "none"]
        assert cells(text, "epochs trained") == ["3", "2"]
        assert "Quality by the features of: classifier\n" in text
    assert cells(result.stdout, "classes") == ["9", "9 ± 0"]


def test_compare_draws_samples_side_by_side_not_cherry_picked(compared):
    from kgan import plots

    place, _ = compared
    with Image.open(place / "out" / "side-by-side.png") as picture:
        for run, left in ((place / "convolutional", 0), (place / "dense" / "seed-0", 402 + 8)):
            grid = plots.image_grid(runs.load_model(run).generate(64, seed=0))
            assert picture.crop((left, 44, left + 402, 44 + 402)).tobytes() == grid.tobytes()


def test_compare_draws_all_runs_in_step(compared):
    """The dense run of 2 epochs holds its last picture while the other has 3."""
    place, _ = compared
    with Image.open(place / "out" / "epochs.gif") as gif:
        frames = []
        for number in range(gif.n_frames):
            gif.seek(number)
            frames.append(gif.convert("L"))
    assert len(frames) == 3
    left, right = (0, 22, 402, 424), (410, 0, 812, 424)
    assert frames[1].crop(left).tobytes() != frames[2].crop(left).tobytes()
    assert frames[0].crop(right).tobytes() != frames[1].crop(right).tobytes()
    assert frames[1].crop(right).tobytes() == frames[2].crop(right).tobytes()


def test_compare_again_overwrites_its_own_files_and_no_others(compared, kgan_command, tmp_path):
    place, _ = compared
    out = shutil.copytree(place / "out", tmp_path / "out")
    (out / "mine.txt").write_text("mine")
    for path in place.glob("dense/seed-*"):
        shutil.copytree(path, tmp_path / path.name, ignore=shutil.ignore_patterns("samples", "quality.json"))
    result = kgan_command("compare", "seed-0", "seed-1", "--out", "out")
    assert result.exit_code == 0, result.output
    # nothing to draw a GIF or curves from: those of the earlier comparison do not stay as if they were of this one
    assert {path.name for path in out.iterdir()} == {"compare.json", "compare.md", "side-by-side.png", "mine.txt"}
    assert cells(result.stdout, "samples evaluated") == ["not evaluated", "not evaluated"]
    assert "seed-1 is not evaluated: kgan evaluate seed-1\n" in result.stdout


def test_compare_says_what_does_not_compare(compared, kgan_command, tmp_path):
    place, _ = compared
    names = {"one": place / "convolutional", "a|b": place / "dense" / "seed-0"}
    for name, run in names.items():
        shutil.copytree(run, tmp_path / name)
    runs.write_json(tmp_path / "a|b" / "quality.json", report(40.0, features="pixels", count=500))
    record = runs.read_json(tmp_path / "a|b" / "run.json")
    record["settings"] |= {"data": "mnist", "batch_size": 128}
    record |= {"status": "interrupted", "environment": {"device": "Tesla T4"}}
    runs.write_json(tmp_path / "a|b" / "run.json", record)
    os.utime(tmp_path / "a|b" / "quality.json", (0, 0))
    result = kgan_command("compare", "one", "a|b")
    assert result.exit_code == 0, result.output
    for sentence in (
        "Minibatches of different size (256; 128): ",
        f"Trained on different machines ({runs.environment()['device']}; Tesla T4): ",
        "Quality is measured by different features (classifier; pixels): its metrics do not compare.",
        "Quality is measured on different numbers of samples (1,000; 500): ",
        "Trained on different data (digits; mnist): ",
        "The quality of a|b is older than its model: kgan evaluate 'a|b'",
    ):
        assert sentence in result.stdout
    assert cells(result.stdout, "epochs trained") == ["3", "2 of 2: interrupted"]
    assert "| a\\|b |" in (tmp_path / "compare" / "compare.md").read_text()


def test_runs_of_any_name_are_compared(of_seeds, kgan_command, tmp_path):
    """Bytes that are no text, a line break, the same name twice, and what looks like markup."""
    names = "a[/b]/run", "b/run", os.fsdecode(b"\xff"), "of two\nlines", "[cats]"
    for name in names:
        shutil.copytree(of_seeds[0] / "seed-0", tmp_path / name)
    result = kgan_command("compare", *names)
    assert result.exit_code == 0, result.output
    assert "| a[/b]/run | b/run | \\udcff | of two lines | [cats] |" in (tmp_path / "compare/compare.md").read_text()
    assert "[cats]" in result.output


# Mistakes: one sentence, exit code 2, nothing written


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["one"], "only one run is named, one: a comparison takes two or more"),
        (["one", "./one"], "one is named twice: a comparison takes different runs"),
        (["one", "nowhere"], "there is no run in nowhere: it has no run.json, and no folder such as seed-0"),
        (["one", "one/model.keras"], "there is no run in one/model.keras: "),
        (["one", "no-model"], "the run in no-model has no model: resume it with `kgan train --resume no-model`"),
        (["one", "no-json"], "no-json/run.json cannot be read: it is not the JSON that kgan wrote"),
        (["one", "odd-json"], "odd-json/run.json does not say how the run was trained"),
        (["one", "odd-quality"], "odd-quality/quality.json cannot be read: it is not what kgan evaluate wrote"),
        (["one", "odd-seeds"], "odd-seeds/seed-1 is no other seed of the same run: batch_size is 8, not 256"),
        (["one", "two", "--out", "file"], "file is a file: name a folder with --out"),
        (["one", "two", "--out", "two"], "two holds files, and no earlier comparison: name a new or an empty folder"),
    ],
)
def test_mistakes_get_one_sentence(arguments, sentence, of_seeds, kgan_command, tmp_path):
    for name in (
        "one",
        "two",
        "no-model",
        "no-json",
        "odd-json",
        "odd-quality",
        "odd-seeds/seed-0",
        "odd-seeds/seed-1",
    ):
        shutil.copytree(of_seeds[0] / "seed-0", tmp_path / name)
    (tmp_path / "no-model" / "model.keras").unlink()
    (tmp_path / "no-json" / "run.json").write_text("{")
    runs.write_json(tmp_path / "odd-json" / "run.json", {"recipe": "gan-digits", "settings": {}, "epochs": "many"})
    runs.write_json(tmp_path / "odd-quality" / "quality.json", {"features": "x", "count": 3, "metrics": {"kid": 3}})
    record = runs.read_json(tmp_path / "one" / "run.json")
    record["settings"]["batch_size"] = 8
    runs.write_json(tmp_path / "odd-seeds" / "seed-1" / "run.json", record)
    (tmp_path / "file").write_text("mine")
    before = content(tmp_path)
    result = kgan_command("compare", *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"kgan: {sentence}")
    assert result.stderr.count("\n") == 1
    assert content(tmp_path) == before
    assert not (tmp_path / "compare").exists()


# kgan train --seeds


def test_seeds_are_ordinary_runs(of_seeds, kgan_command, tmp_path):
    directory, _ = of_seeds
    assert {path.name for path in directory.iterdir()} == {"seed-0", "seed-1"}
    result = kgan_command("train", *DENSE, "--epochs", 2, "--seed", 1, "--out", "alone")
    assert result.exit_code == 0, result.output
    alone, of_two = runs.load_model("alone"), runs.load_model(directory / "seed-1")
    assert (alone.generate(4) == of_two.generate(4)).all()
    assert (alone.generate(4) != runs.load_model(directory / "seed-0").generate(4)).any()
    assert runs.read_json(directory / "seed-1" / "run.json")["settings"]["seed"] == 1


def test_seeds_end_with_a_table_of_means_and_spreads(of_seeds):
    directory, result = of_seeds
    last = [runs.read_history(directory / f"seed-{seed}" / "history.csv")["d_loss"][-1] for seed in (0, 1)]
    spread = abs(last[0] - last[1]) / 2**0.5
    expected = [f"{sum(last) / 2:.3f} ± {spread:.3f}", *(f"{each:.3f}" for each in last)]
    assert cells(result.stdout, "d_loss") == expected
    assert "over 2 seeds" in result.stdout


def test_seeds_are_resumed(of_seeds, kgan_command, tmp_path):
    """The first is done, the second was killed at its beginning, the third is new, with the settings of the first."""
    directory = shutil.copytree(of_seeds[0], tmp_path / "dense")
    record = runs.read_json(directory / "seed-1" / "run.json")
    shutil.rmtree(directory / "seed-1")
    runs.write_json(directory / "seed-1" / "run.json", {**record, "status": "running", "epochs": 0, "seconds": 0.0})
    before = content(directory / "seed-0")
    result = kgan_command("train", "--resume", "dense", "--seeds", 3)
    assert result.exit_code == 0, result.output
    assert content(directory / "seed-0") == before
    assert (runs.load_model("dense/seed-1").generate(4) == runs.load_model(of_seeds[0] / "seed-1").generate(4)).all()
    third = runs.read_json(directory / "seed-2" / "run.json")
    assert third["settings"] == {**record["settings"], "seed": 2}
    before = content(directory)
    again = kgan_command("train", *DENSE, "--epochs", 2, "--seeds", 3, "--out", "dense")
    assert again.exit_code == 0, again.output
    assert content(directory) == before
    assert again.stdout.count("has all its 2 epochs") == 3


def test_a_seed_that_diverges_does_not_keep_the_others_from_being_trained(kgan_command, tmp_path, monkeypatch):
    resolve = recipes.resolve

    def with_a_bad_seed(recipe, changes):
        settings = resolve(recipe, changes)
        return {**settings, "g_learning_rate": 1e38} if settings["seed"] == 0 else settings

    monkeypatch.setattr(recipes, "resolve", with_a_bad_seed)
    result = kgan_command("train", *SMALL, "--epochs", 1, "--set", "loss=minimax", "--seeds", 2, "--out", "both")
    assert result.exit_code == 1
    assert result.stderr.endswith("kgan: not trained to the end: seed 0\n")
    assert runs.read_json(tmp_path / "both" / "seed-1" / "run.json")["status"] == "finished"
    assert "metrics of the last epoch" not in result.stdout  # of one seed there is no spread


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--resume", "nowhere"], "there are no seeds in nowhere: "),
        (["--resume", "seeds", "--out", "elsewhere"], "--out is elsewhere: seeds that are resumed stay in seeds"),
        (["--resume", "seeds", "--batch-size", "128"], "batch_size is 128, but in seeds/seed-0 it is 256"),
        (["--out", "seeds/seed-0"], "seeds/seed-0 already holds a run"),
        (["no-recipe"], "unknown recipe 'no-recipe'"),
    ],
)
def test_mistakes_with_seeds_get_one_sentence(arguments, sentence, of_seeds, kgan_command, tmp_path):
    shutil.copytree(of_seeds[0], tmp_path / "seeds")
    before = content(tmp_path)
    result = kgan_command("train", "--seeds", 2, *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"kgan: {sentence}")
    assert content(tmp_path) == before


def test_folders_of_seeds_are_found_in_order(tmp_path):
    for name in ("seed-10", "seed-2", "seed-x", "other"):
        runs.write_json(tmp_path / name / "run.json", {})
    (tmp_path / "seed-3").mkdir()
    assert list(seeds.directories(tmp_path)) == [2, 10]
    assert seeds.directories(tmp_path / "nowhere") == {}
