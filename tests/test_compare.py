"""`kgan compare`, and the folders of seeds that it takes."""

import json
import os
import shutil

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner
from written import DENSE, SMALL, eagerly, write_history, write_run

from kgan import networks, runs, speed
from kgan.cli import app, seeds

FILES = {"compare.json", "compare.md", "side-by-side.png", "epochs.gif", "quality.png"}


def content(directory):
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file() and path.name != ".lock"}


def quality(frechet, spread=0.5, features="classifier", count=1000, missing=()):
    metric = {"value": frechet, "spread": spread, "baseline": 2.0}
    classes = {"names": ["0", "1"], "real": [0.5, 0.5], "fake": [0.9, 0.1], "missing": list(missing)}
    plain = {"features": features, "count": count, "seeds": [0, 1, 2], "notes": [], "classes": classes}
    return {**plain, "metrics": {"frechet": metric, "classes": {"value": 9, "spread": None, "baseline": None}}}


@pytest.fixture(scope="module")
def dense(tmp_path_factory):
    """A dense run of 2 epochs."""
    return write_run(tmp_path_factory.mktemp("dense") / "seed-0", "gan-digits", DENSE, epochs=2)


@pytest.fixture(scope="module")
def compared(dense, tmp_path_factory):
    """A convolutional run of 3 epochs and a dense one of two seeds and 2 epochs, with quality, compared."""
    place = tmp_path_factory.mktemp("compared")
    convolutional = write_run(place / "convolutional")
    runs.write_json(convolutional / "quality.json", quality(10.0, missing=["7"]))
    write_history(convolutional, 3, frechet=["", 30.5, 12.5])
    for seed, distance in enumerate((40.0, 44.0)):
        run = shutil.copytree(dense, place / "dense" / f"seed-{seed}")
        runs.write_json(run / "quality.json", quality(distance))
    before = content(place)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speed, "ROUNDS", 1)
        patch.setattr(speed, "SECONDS", 0.001)
        folders = (convolutional, place / "dense", "--out", place / "out")
        result = CliRunner().invoke(app, ["compare", *map(str, folders)])
    assert result.exit_code == 0, result.output
    after = {path: data for path, data in content(place).items() if place / "out" not in path.parents}
    assert after == before  # models are trained to be measured: copies of them
    return place, result


@pytest.fixture(autouse=True)
def _without_timing(monkeypatch):
    """What only the tests of `compared` look at, which is made before."""
    monkeypatch.setattr(speed, "milliseconds_a_step", lambda models, sizes: [1.0] * len(models))
    monkeypatch.setattr(speed, "images_a_second", lambda models, batch: [1.0] * len(models))


def cells(text, heading):
    """What a row of the table on a terminal, or in Markdown, says."""
    row = next(line for line in text.splitlines() if line.startswith((heading, f"| {heading} |")))
    return [cell.strip() for cell in row.strip("| ").removeprefix(heading).replace("|", "  ").split("  ") if cell]


def test_compare_leaves_its_files_and_counts_parameters_and_multiply_adds(compared):
    place, result = compared
    assert {path.name for path in (place / "out").iterdir()} == FILES
    assert {line.split("/")[-1] for line in result.stdout.splitlines() if line.startswith(str(place))} == FILES
    entries = json.loads((place / "out" / "compare.json").read_text())["runs"]
    assert [run["title"] for run in entries] == ["convolutional", "dense (2 seeds)"]
    # 100 → 8 → 256 and 256 → 8 → 1, with biases
    assert entries[1]["parameters"] == {"generator": 808 + 8 * 256 + 256, "discriminator": 256 * 8 + 8 + 8 + 1}
    assert entries[1]["multiply_adds"] == {"generator": 800 + 2048, "discriminator": 2048 + 8}
    model = runs.load_model(place / "convolutional")
    for name, network in (("generator", model.generator), ("discriminator", model.discriminator)):
        assert entries[0]["parameters"][name] == network.count_params()
        assert entries[0]["multiply_adds"][name] == networks.multiply_adds(network)
    for text in (result.stdout, (place / "out" / "compare.md").read_text()):
        convolutional = f"{entries[0]['multiply_adds']['discriminator']:,}"
        assert cells(text, "discriminator: multiply-adds an image") == [convolutional, "2,056"]


def test_compare_measures_speed_and_names_the_machine(compared):
    place, result = compared
    written = json.loads((place / "out" / "compare.json").read_text())
    assert [run["batch_size"] for run in written["runs"]] == [16, 256]
    for run in written["runs"]:
        assert min(run["milliseconds_a_step"], *run["images_a_second"].values()) > 0
        assert set(run["images_a_second"]) == {"1", "64"}
    device = runs.environment()["device"]
    assert written["environment"]["device"] == device
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
    half = frames[0].width // 2
    left, right = (0, 22, half - 8, frames[0].height), (half + 8, 22, *frames[0].size)
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
    """And runs of any name are compared: what looks like markup or a cell, the same name twice, bytes, a line break."""
    place, _ = compared
    names = "[cats]", "a|b/run", "b/run", os.fsdecode(b"\xff"), "of two\nlines"
    for name in names:
        shutil.copytree(place / "convolutional" if name == "[cats]" else place / "dense" / "seed-0", tmp_path / name)
    runs.write_json(tmp_path / "a|b/run" / "quality.json", quality(40.0, features="pixels", count=500))
    record = runs.read_json(tmp_path / "a|b/run" / "run.json")
    record["settings"] |= {"data": "mnist", "batch_size": 128}
    record |= {"status": "interrupted", "environment": {"device": "Tesla T4"}}
    runs.write_json(tmp_path / "a|b/run" / "run.json", record)
    os.utime(tmp_path / "a|b/run" / "quality.json", (0, 0))
    result = kgan_command("compare", *names)
    assert result.exit_code == 0, result.output
    for sentence in (
        "Minibatches of different size (16; 128; 256): ",
        "Trained on different machines (CPU, 2 cores; Tesla T4): ",
        "Quality is measured by different features (classifier; pixels): its metrics do not compare.",
        "Quality is measured on different numbers of samples (1,000; 500): ",
        "Trained on different data (digits; mnist): ",
        "The quality of a|b/run is older than its model: kgan evaluate 'a|b/run'",
    ):
        assert sentence in result.stdout
    assert "[cats]" in result.stdout
    assert cells(result.stdout, "epochs trained")[:2] == ["3", "2 of 2: interrupted"]
    markdown = (tmp_path / "compare" / "compare.md").read_text()
    assert "| [cats] | a\\|b/run | b/run | \\udcff | of two lines |" in markdown


def test_a_conditional_run_has_images_of_the_same_size(compared, kgan_command, tmp_path):
    """Its discriminator takes classes as well."""
    place, _ = compared
    write_run(tmp_path / "conditional", changes={**SMALL, "conditional": True}, classes="0123456789")
    result = kgan_command("compare", "conditional", place / "convolutional")
    assert result.exit_code == 0, result.output
    assert cells(result.stdout, "images") == ["16 × 16 × 1", "16 × 16 × 1"]
    assert "Images of different size" not in result.stdout


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
def test_mistakes_get_one_sentence(arguments, sentence, dense, kgan_command, tmp_path):
    odd = ("one", "two", "no-model", "no-json", "odd-json", "odd-quality", "odd-seeds/seed-0", "odd-seeds/seed-1")
    for name in odd:
        shutil.copytree(dense, tmp_path / name)
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


def test_seeds_are_ordinary_runs_and_end_with_a_table(kgan_command, tmp_path):
    small = [f"--set={name}={value}" for name, value in DENSE.items()]
    with eagerly():
        result = kgan_command("train", "gan-digits", *small, "--epochs", 1, "--seeds", 2, "--out", "dense")
    assert result.exit_code == 0, result.output
    assert {path.name for path in (tmp_path / "dense").iterdir()} == {"seed-0", "seed-1"}
    first, second = (runs.load_model(f"dense/seed-{seed}").generate(4) for seed in (0, 1))
    assert (first != second).any()
    assert runs.read_json(tmp_path / "dense" / "seed-1" / "run.json")["settings"]["seed"] == 1
    last = [runs.read_history(f"dense/seed-{seed}/history.csv")["d_loss"][-1] for seed in (0, 1)]
    spread = abs(last[0] - last[1]) / 2**0.5
    expected = [f"{sum(last) / 2:.3f} ± {spread:.3f}", *(f"{value:.3f}" for value in last)]
    assert cells(result.stdout, "d_loss") == expected
    assert "over 2 seeds" in result.stdout


@pytest.fixture
def train_each(dense):
    """`seeds.train_each` with a stand-in for training, which writes a run; seed 0 diverges. It returns the calls."""
    calls = []

    def train(**options):
        calls.append(options)
        directory = options["resume"] or shutil.copytree(dense, options["out"])
        write_history(directory, 2, frechet=[40 + options["seed"], ""])
        if options["seed"] == 0:
            raise typer.Exit(1)

    def run(**options):
        given = dict.fromkeys(("recipe", "resume", "out", "seed", "changes", "epochs")) | options
        seeds.train_each(train, 2, **given)

    return run, calls


def test_seeds_are_resumed_and_new_ones_are_like_the_first(train_each, dense, tmp_path, capsys):
    """The table has the last distance that was measured, though not in the last epoch."""
    directory, (run, calls) = tmp_path / "seeds", train_each
    shutil.copytree(dense, directory / "seed-3")
    run(resume=directory, epochs=9)
    resumed, new = calls
    assert resumed == {**resumed, "resume": directory / "seed-3", "out": None, "seed": 3, "changes": None}
    assert new == {**new, "resume": None, "out": directory / "seed-4", "seed": 4, "recipe": "gan-digits"}
    settings = runs.read_json(dense / "run.json")["settings"]
    assert new["changes"] == [f"{name}={settings[name]}" for name in settings if name not in ("epochs", "seed")]
    assert cells(capsys.readouterr().out, "frechet") == ["43.500 ± 0.707", "43.000", "44.000"]


def test_a_seed_that_diverges_does_not_keep_the_others_from_being_trained(train_each, tmp_path, capsys):
    run, calls = train_each
    with pytest.raises(typer.Exit) as end:
        run(recipe="gan-digits", out=tmp_path / "both")
    assert end.value.exit_code == 1
    assert [call["seed"] for call in calls] == [0, 1]
    output = capsys.readouterr()
    assert output.err.endswith("kgan: not trained to the end: seed 0\n")
    assert "metrics of the last epoch" not in output.out  # of one seed there is no spread


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
def test_mistakes_with_seeds_get_one_sentence(arguments, sentence, dense, kgan_command, tmp_path):
    shutil.copytree(dense, tmp_path / "seeds" / "seed-0")
    before = content(tmp_path)
    result = kgan_command("train", "--seeds", 2, *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"kgan: {sentence}")
    assert content(tmp_path) == before


def test_folders_of_seeds_are_found_in_order(tmp_path):
    for name in ("seed-10/run.json", "seed-2/run.json", "seed-x/run.json", "other/run.json", "seed-3/else.json"):
        runs.write_json(tmp_path / name, {})
    assert list(seeds.directories(tmp_path)) == [2, 10]
    assert seeds.directories(tmp_path / "nowhere") == {}
