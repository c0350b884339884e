"""`kgan train` as a command: its files and lines, real processes and signals, mistakes, resuming."""

import csv
import os
import shutil
import signal
import subprocess
import sys

import imageio.v3 as iio
import numpy as np
import pytest
from conftest import SMALL, SMALL_SETTINGS, small_settings

import kgan
from kgan import recipes, runs, session

KGAN_TRAIN = [sys.executable, "-m", "kgan", "train"]
DENSE = ["gan-digits", *SMALL_SETTINGS[:4], "--set", "hidden_units=8"]
PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}


def test_train_leaves_its_files(trained):
    run, _ = trained
    files = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file() and path.name != ".lock"}
    checkpoints = {f"checkpoint/checkpoint-00000{n}.npz" for n in (3, 4)}
    pictures = {f"samples/epoch-{epoch:04}.png" for epoch in (1, 2, 3)}
    others = {"run.json", "history.csv", "progress.gif", "losses.png", "epochs.png", "model.keras", "report.html"}
    assert files == pictures | checkpoints | others
    with (run / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert set(rows[0]) == {"epoch", "d_loss", "g_loss", "d_real", "d_fake", "seconds"}
    assert iio.improps(run / "progress.gif", plugin="pillow").n_images == 3
    record = runs.read_json(run / "run.json")
    assert record["settings"] == {**recipes.resolve(recipes.get("dcgan-digits"), {}), "epochs": 3, **small_settings}
    assert record["recipe"] == "dcgan-digits"
    assert record["images"] == [1797, 16, 16, 1]
    assert (record["status"], record["epochs"]) == ("finished", 3)
    assert record["seconds"] > 0
    assert record["environment"]["kgan"] == kgan.__version__
    assert record["environment"]["device"]


def test_train_prints_plain_lines_into_a_pipe(trained):
    _, (stdout, stderr) = trained
    lines = stdout.splitlines()
    assert lines[0].startswith("dcgan-digits: 1,797 images of 16 × 16 × 1 from digits, on ")
    assert [line.split("  ")[0] for line in lines[1:4]] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert all("d_loss" in line and "g_loss" in line for line in lines[1:4])
    assert lines[-3:] == [
        "GIF: runs/dcgan-digits/progress.gif",
        "report: runs/dcgan-digits/report.html",
        "see how good it is: kgan evaluate runs/dcgan-digits",
    ]
    assert len(lines) == 8
    assert stderr == ""  # no chatter


def test_train_is_the_same_as_by_fit(trained):
    recipe = recipes.get("dcgan-digits")
    by_fit = recipes.build(recipe, recipes.resolve(recipe, small_settings), (16, 16, 1))
    by_fit.fit(kgan.data.load("digits", image_size=16), batch_size=256, epochs=3, verbose=0)
    np.testing.assert_allclose(by_fit.generate(4), runs.load_model(trained[0]).generate(4), atol=1e-4)


def test_batch_size_is_that_of_one_minibatch():
    _, settings, _ = session.new_run("gan-digits", {"d_steps": 3, "batch_size": 256}, None)
    batches = session.make_batches(settings, session.load_images(settings)[0])
    assert (batches.batch_size, session.steps_of_epoch(settings, batches)) == (3 * 256, 1797 // (3 * 256))


# Real processes


@pytest.mark.slow
def test_a_resumed_run_shows_one_live_line_on_a_terminal(trained, tmp_path):
    pty = pytest.importorskip("pty")
    run = shutil.copytree(trained[0], tmp_path / "run")
    ours, theirs = pty.openpty()
    command = [*KGAN_TRAIN, "--resume", run, "--epochs", "5", *SMALL, "--out", run]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        written = b""
        try:
            while chunk := os.read(ours, 4096):
                written += chunk
        except OSError:  # Linux' way to say that the terminal is closed
            pass
    assert process.returncode == 0
    text = written.decode()
    for shown in ("resumed after 3 epochs, at step 21", "epoch 4/5", "d_loss"):
        assert shown in text
    still_there = [line for line in text.split("\n") if "\x1b" not in line]
    assert not any("d_loss" in line for line in still_there)
    record = runs.read_json(run / "run.json")
    assert (record["resumed"], record["status"], record["epochs"]) == ([21], "finished", 5)


def test_a_signal_from_outside_ends_training_and_nobody_else_trains_there(kgan_command, tmp_path):
    process = subprocess.Popen([*KGAN_TRAIN, "--epochs", "5000", *DENSE], cwd=tmp_path, **PIPES)
    next(line for line in process.stdout if line.startswith("epoch    2/5000"))
    meanwhile = kgan_command("train", "--resume", "runs/gan-digits")
    elsewhere = kgan_command("train", *DENSE)
    process.send_signal(signal.SIGTERM)
    assert (meanwhile.exit_code, elsewhere.exit_code) == (2, 2)
    assert meanwhile.output.startswith("kgan: another run is training in runs/gan-digits now")
    assert "holds a run that is not finished" in elsewhere.output
    rest, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (128 + signal.SIGTERM, "")
    assert rest.endswith("resume with: kgan train --resume runs/gan-digits\n")
    again = kgan_command("train", "--resume", "runs/gan-digits", "--seed", 9)
    assert "seed is 9, but in " in again.output  # nobody trains there any more


def test_a_run_killed_before_its_first_checkpoint_tells_how_to_resume_it(kgan_command, tmp_path):
    """And then starts over."""
    changes = {"epochs": 1, "image_size": 16, "batch_size": 256, "hidden_units": 8}
    settings = recipes.resolve(recipes.get("gan-digits"), changes)
    runs.write_json(tmp_path / "a run/run.json", {"recipe": "gan-digits", "settings": settings, "status": "running"})
    result = kgan_command("sample", "a run")
    assert result.exit_code == 2
    assert "has no model: resume it with `kgan train --resume 'a run'`" in result.output
    result = kgan_command("train", *DENSE, "--out", "a run")
    assert result.exit_code == 2
    assert "holds a run that is not finished: resume it with `kgan train --resume 'a run'`" in result.output
    result = kgan_command("train", "--resume", "a run")
    assert result.exit_code == 0, result.output
    assert "resumed after" not in result.output
    assert "epoch 1/1" in result.output


@pytest.mark.parametrize("bytes_left", [100, pytest.param(20_000, marks=pytest.mark.slow)])
def test_a_full_disk_ends_training_with_a_sentence(bytes_left, trained, tmp_path):
    """By a limit on the size of files: in the first, nothing can be written; in the second, no whole checkpoint."""
    resource = pytest.importorskip("resource")
    run = shutil.copytree(trained[0], tmp_path / "run")
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, bytes_left))  # noqa: E731
    command = [*KGAN_TRAIN, "--resume", "run", "--epochs", "6"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, preexec_fn=limit)
    assert result.returncode in (1, 2)
    assert "File too large" in result.stderr
    assert result.stderr.startswith("kgan: ")
    assert result.stderr.count("\n") == 1
    assert runs.read_checkpoint(run / "checkpoint").state["epochs"] == 3
    assert not list(run.rglob(".part-*"))


def test_another_backend_gets_one_sentence(tmp_path):
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    result = subprocess.run(KGAN_TRAIN, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr.startswith("kgan: kgan trains on TensorFlow, but KERAS_BACKEND is 'jax'")
    assert result.stderr.count("\n") == 1


# Mistakes: one sentence, exit code 2, nothing written


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["dcgan-minst"], "unknown recipe 'dcgan-minst': choose one of modern-digits, modern-mnist, modern-folder, "),
        (["--set", "filters"], "--set filters: write it as name=value"),
        (["--set", "filters=many"], "filters is 'many': it must be a whole number"),
        (["--precision", "float16"], "precision is 'float16': choose one of float32, bfloat16, auto"),
        (["--batch-size", "900", "--set", "d_steps=2"], "a batch of 1800 cannot be drawn from 1797 images"),
        (["--set", "image_size=30"], "images of 30 × 30 cannot be made by doubling: take 8 or a multiple of 4"),
        (["--data", "nowhere.npy"], "No such file or directory: 'nowhere.npy'"),
        (["--worker", "1"], "--worker is 1: name all of them with --workers HOST:PORT,HOST:PORT"),
    ],
)
def test_mistakes_get_one_sentence(arguments, sentence, kgan_command, tmp_path):
    for command in ("train", "plan") if "--worker" not in arguments else ("train",):
        result = kgan_command(command, *arguments)
        assert result.exit_code == 2
        assert sentence in result.output
        assert result.output.startswith("kgan: ")
        assert result.output.count("\n") == 1
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [["train", "--epochs", "many"], ["train", "--nosuch"], ["nosuch"]])
def test_mistakes_in_the_command_itself(arguments, kgan_command):
    result = kgan_command(*arguments)
    assert result.exit_code == 2
    assert "Error: " in result.output
    assert "Traceback" not in result.output


# Directories


def refused(run, kgan_command, *arguments):
    """The sentence of a refusal that leaves the run directory as it is."""
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    result = kgan_command("train", *arguments)
    assert result.exit_code == 2
    assert result.output.count("\n") == 1
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before
    return result.output.removeprefix("kgan: ")


def test_a_run_is_not_overwritten(trained, kgan_command):
    run, _ = trained
    sentence = refused(run, kgan_command, "--out", run)
    assert "already holds a run" in sentence
    assert "name another with --out" in sentence


def test_a_run_that_is_finished_is_not_trained(trained, kgan_command):
    run, _ = trained
    result = kgan_command("train", "--resume", run)
    assert (result.exit_code, result.output) == (0, f"{run} has all its 3 epochs: --epochs trains it further\n")


def test_a_run_whose_learning_rates_fell_is_not_trained_further(trained, kgan_command, tmp_path):
    run = shutil.copytree(trained[0], tmp_path / "run")
    record = runs.read_json(run / "run.json")
    record["settings"]["learning_rate_schedule"] = "cosine"
    runs.write_json(run / "run.json", record)
    sentence = refused(run, kgan_command, "--resume", run, "--epochs", 5)
    assert "fall over its 3 epochs (cosine): it cannot be made longer or shorter" in sentence


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["gan-digits"], "the recipe is gan-digits, but that of "),
        (["--data", "mnist"], "data is mnist, but in "),
        (["--set", "filters=5"], "filters is 5, but in "),
        (["--epochs", "2"], "epochs is 2, but the run in "),
        (["--out", "elsewhere"], "--out is elsewhere: a run that is resumed stays in "),
    ],
)
def test_another_run_is_not_resumed(options, sentence, trained, kgan_command):
    run, _ = trained
    assert refused(run, kgan_command, "--resume", run, *options).startswith(sentence)


def test_a_run_whose_checkpoints_are_gone_is_not_trained_anew(trained, kgan_command, tmp_path):
    run = shutil.copytree(trained[0], tmp_path / "run")
    shutil.rmtree(run / "checkpoint")
    sentence = refused(run, kgan_command, "--resume", run, "--epochs", 5)
    assert "cannot be resumed: there is no checkpoint in it. Nothing was changed" in sentence


def test_what_is_no_run_is_not_resumed(kgan_command, tmp_path):
    result = kgan_command("train", "--resume", "nowhere")
    assert (result.exit_code, result.output) == (2, "kgan: there is no run in nowhere: it has no run.json\n")
    assert not list(tmp_path.iterdir())


# The recipes themselves


def class_counts(images, classifier):
    """How many images the classifier takes for each class, of those it is sure of."""
    probabilities = classifier.predict_proba(images.reshape(len(images), -1))
    sure = probabilities.max(axis=1) > 0.8
    return np.bincount(probabilities[sure].argmax(axis=1), minlength=10)


def classifier_of(images, labels):
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier((128,), random_state=0, max_iter=60).fit(images.reshape(len(images), -1), labels)


@pytest.mark.slow
def test_the_default_recipe_draws_digits_of_all_classes(tmp_path):
    from sklearn.datasets import load_digits

    subprocess.run(KGAN_TRAIN, cwd=tmp_path, check=True)
    counts = class_counts(
        runs.load_model(tmp_path / "runs" / recipes.DEFAULT).generate(1000),
        classifier_of(kgan.data.load("digits"), load_digits().target),
    )
    assert counts.sum() > 600, counts
    assert counts.min() >= 10, counts


@pytest.mark.slow
@pytest.mark.data
def test_the_recipe_of_mnist_draws_digits_of_most_classes_after_an_epoch(mnist_dir, tmp_path):
    subprocess.run([*KGAN_TRAIN, "dcgan-mnist", "--epochs", "1"], cwd=tmp_path, check=True)
    real = kgan.data.load_labeled("mnist", split="train[:10000]")
    classifier = classifier_of(kgan.data.from_uint8(real.images), real.labels)
    counts = class_counts(runs.load_model(tmp_path / "runs" / "dcgan-mnist").generate(1000), classifier)
    assert (counts >= 10).sum() >= 7, counts
