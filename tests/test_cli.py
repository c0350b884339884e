import csv
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time

import imageio.v3 as iio
import numpy as np
import pytest
from conftest import SMALL
from typer.testing import CliRunner

import kgan
from kgan import recipes, runs
from kgan._backend import keras, tf
from kgan.cli import app
from kgan.recipes import times
from kgan.units import duration

# kgan train


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


def test_train_writes_down_how(trained):
    run, _ = trained
    record = json.loads((run / "run.json").read_text())
    recipe = recipes.get("dcgan-digits")
    changes = {"epochs": 3, "batch_size": 256, "image_size": 16, "filters": 4, "latent_dim": 8}
    assert record["settings"] == {**recipes.resolve(recipe, {}), **changes}
    assert record["recipe"] == "dcgan-digits"
    assert record["images"] == [1797, 16, 16, 1]
    assert (record["status"], record["epochs"]) == ("finished", 3)
    assert record["seconds"] > 0
    assert record["environment"]["kgan"] == kgan.__version__
    assert record["environment"]["device"]


def test_train_prints_plain_lines_into_a_pipe(trained):
    _, result = trained
    lines = result.stdout.splitlines()
    assert lines[0].startswith("dcgan-digits: 1,797 images of 16 × 16 × 1 from digits, on ")
    assert [line.split("  ")[0] for line in lines[1:4]] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert all("d_loss" in line and "g_loss" in line for line in lines[1:4])
    assert lines[-3:] == [
        "GIF: runs/dcgan-digits/progress.gif",
        "report: runs/dcgan-digits/report.html",
        "see how good it is: kgan evaluate runs/dcgan-digits",
    ]
    assert len(lines) == 8
    assert result.stderr == ""  # no chatter


def test_train_is_the_same_again_and_as_from_python(trained, kgan_command):
    run, _ = trained
    result = kgan_command("train", "--epochs", 3, *SMALL, "--out", "again")
    assert result.exit_code == 0, result.output
    recipe = recipes.get("dcgan-digits")
    settings = recipes.resolve(recipe, {"image_size": 16, "filters": 4, "latent_dim": 8})
    from_python = recipes.build(recipe, settings, (16, 16, 1))
    from_python.fit(kgan.data.load("digits", image_size=16), batch_size=256, epochs=3, verbose=0)
    expected = runs.load_model(run).generate(4)
    np.testing.assert_array_equal(runs.load_model("again").generate(4), expected)
    np.testing.assert_allclose(from_python.generate(4), expected, atol=1e-4)


def test_batch_size_is_that_of_one_minibatch(kgan_command):
    result = kgan_command("train", "gan-digits", "--epochs", 1, "--batch-size", 256, "--set", "d_steps=3")
    assert result.exit_code == 0, result.output
    assert int(runs.load_model("runs/gan-digits").step) == 1797 // (3 * 256)


def test_train_shows_one_live_line_on_a_terminal(tmp_path):
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "kgan", "train", "--epochs", "2", *SMALL]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(
        command, cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        written = b""
        try:
            while chunk := os.read(ours, 4096):
                written += chunk
        except OSError:  # Linux' way to say that the terminal is closed
            pass
    assert process.returncode == 0
    text = written.decode()
    assert "epoch 1/2" in text
    assert "d_loss" in text
    still_there = [line for line in text.split("\n") if "\x1b" not in line]
    assert not any("d_loss" in line for line in still_there)


def started(directory, *arguments, until, **keywords):
    """A `kgan train` in a process of its own that has just printed a line beginning with `until`."""
    command = [sys.executable, "-m", "kgan", "train", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, cwd=directory, **pipes, **keywords)
    for line in process.stdout:
        if line.startswith(until):
            break
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_training_and_leaves_what_was_trained(number, kgan_command, tmp_path):
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("this signal is ignored here, as SIGHUP is under nohup")
    process = started(tmp_path, "--epochs", "5000", *SMALL, until="epoch    2/5000")
    meanwhile = kgan_command("train", "--resume", "runs/dcgan-digits")
    process.send_signal(number)
    assert meanwhile.exit_code == 2
    assert meanwhile.output.startswith("kgan: another run is training in runs/dcgan-digits now")
    rest, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert errors == ""
    assert "interrupted after" in rest
    assert rest.endswith("resume with: kgan train --resume runs/dcgan-digits\n")
    run = tmp_path / "runs" / "dcgan-digits"
    assert json.loads((run / "run.json").read_text())["status"] == "interrupted"
    step = int(runs.load_model(run).step)
    assert step >= 14
    saved = runs.read_checkpoint(run / "checkpoint").state
    assert saved["epochs"] * 7 + saved["steps"] == step
    with (run / "history.csv").open() as file:
        epochs = len(list(csv.DictReader(file)))
    assert epochs == saved["epochs"] >= 2
    assert iio.improps(run / "progress.gif", plugin="pillow").n_images == epochs
    assert len(list(run.glob("samples/*.png"))) == epochs
    again = kgan_command("train", "--resume", run, "--seed", 9)
    assert "seed is 9, but in " in again.output  # nobody trains there any more


# `kgan`, with Ctrl-C pressed twice in step 16, which is of the third epoch: sent from outside, two signals may be one.
INTERRUPTED_TWICE = """
import os, signal
from kgan import callbacks
from kgan.cli import main, train

train.WORTH_A_TRIAL = float("inf")  # a trial has a step 16 too

def twice(callback, batch, logs=None):
    if int(callback.model.step) == 16:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)

callbacks.HistoryCSV.on_train_batch_end = twice
main()
"""


def test_a_second_ctrl_c_leaves_at_once_and_the_checkpoint_is_good(tmp_path, kgan_command):
    command = [sys.executable, "-c", INTERRUPTED_TWICE, "train", "--epochs", "5000", *SMALL]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert result.returncode == 130
    assert "Traceback" not in result.stderr
    assert result.stdout.endswith("interrupted at once; resume with: kgan train --resume runs/dcgan-digits\n")
    run = tmp_path / "runs" / "dcgan-digits"
    assert json.loads((run / "run.json").read_text())["status"] == "interrupted"
    assert runs.read_checkpoint(run / "checkpoint").state["epochs"] == 2
    result = kgan_command("train", "--resume", run, "--epochs", 3)
    assert result.exit_code == 0, result.output


def test_a_reader_that_goes_away_does_not_end_training(tmp_path):
    command = f"{sys.executable} -m kgan train --epochs 3 {' '.join(SMALL)} | head -1"
    subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, timeout=120)
    record = tmp_path / "runs" / "dcgan-digits" / "run.json"
    for _ in range(100):  # the shell may come back before kgan does
        if json.loads(record.read_text())["status"] != "running":
            break
        time.sleep(0.2)
    assert json.loads(record.read_text())["status"] == "finished"


@pytest.mark.parametrize("network", ["d", "g"])
def test_training_that_diverges_is_stopped_and_not_saved(network, kgan_command, tmp_path):
    result = kgan_command("train", *SMALL, "--set", f"{network}_learning_rate=1e38", "--set", "loss=minimax")
    assert result.exit_code == 1
    assert "_loss is nan in epoch 1, step " in result.output or "_loss is inf in epoch 1, step " in result.output
    *_, hint, last = result.output.splitlines()
    assert last.endswith("no model is saved")
    _, command = hint.split("try smaller learning rates: kgan ")
    result = kgan_command(*shlex.split(command), "--epochs", 1)  # half of too much is too much
    assert result.exit_code == 1, result.output
    assert (tmp_path / "runs" / "dcgan-digits-half-the-learning-rates" / "run.json").exists()
    assert "_loss is " in json.loads((tmp_path / "runs" / "dcgan-digits" / "run.json").read_text())["status"]
    assert not (tmp_path / "runs" / "dcgan-digits" / "model.keras").exists()
    assert runs.read_checkpoint(tmp_path / "runs" / "dcgan-digits" / "checkpoint").state["epochs"] == 0


@pytest.fixture(scope="module")
def two_epochs(tmp_path_factory):
    """The directory of a small run of two epochs."""
    directory = tmp_path_factory.mktemp("two_epochs") / "run"
    result = CliRunner().invoke(app, ["train", *SMALL, "--epochs", "2", "--out", str(directory)])
    assert result.exit_code == 0, result.output
    return directory


@pytest.mark.parametrize(("network", "value"), [("discriminator", "nan"), ("generator", "inf")])
def test_the_last_good_checkpoint_is_kept_when_a_loss_is_nan(
    network, value, two_epochs, kgan_command, tmp_path, monkeypatch
):
    """Planted in step 17, which is of the third epoch."""
    build = recipes.build

    def with_a_bug(*arguments):
        model = build(*arguments)
        loss = getattr(model, f"{network}_loss")
        bug = lambda *logits: loss(*logits) * tf.where(model.step == 16, float(value), 1.0)  # noqa: E731
        setattr(model, f"{network}_loss", bug)
        return model

    monkeypatch.setattr(recipes, "build", with_a_bug)
    result = kgan_command("train", *SMALL)
    run, name = tmp_path / "runs" / "dcgan-digits", f"{network[0]}_loss"
    assert result.exit_code == 1
    assert f"kgan: {name} is {value} in epoch 3, step 17; what was drawn before is in " in result.output
    assert result.output.endswith("model and checkpoint are of epoch 2, before that\n")
    assert json.loads((run / "run.json").read_text())["status"] == f"{name} is {value} in epoch 3, step 17"
    np.testing.assert_array_equal(runs.load_model(run).generate(4), runs.load_model(two_epochs).generate(4))
    assert runs.read_checkpoint(run / "checkpoint").state["epochs"] == 2


def test_a_stop_while_a_weight_is_nan_ends_with_a_sentence(kgan_command, tmp_path, monkeypatch):
    class Stops(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.step) == 9:
                average = next(each for each in self.model.weights if "moving_mean" in each.path)
                average.assign(average * np.nan)
                os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(kgan.callbacks, "HistoryCSV", lambda path: Stops())
    result = kgan_command("train", *SMALL)
    assert result.exit_code == 1
    assert "moving_mean is not finite after step 9" in result.output
    assert int(runs.load_model(tmp_path / "runs" / "dcgan-digits").step) == 7


def test_a_gpu_that_is_not_used_gives_a_warning(kgan_command, monkeypatch):
    monkeypatch.setattr(runs, "unused_gpu", lambda: "NVIDIA T4")
    result = kgan_command("train", "--epochs", 1, *SMALL)
    assert (
        "warning: TensorFlow does not use this machine's NVIDIA T4: pip install 'tensorflow[and-cuda]'" in result.output
    )


# Mistakes: one sentence, exit code 2, nothing written


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["dcgan-minst"],
            "unknown recipe 'dcgan-minst': choose one of modern-digits, modern-mnist, modern-folder, dcgan-digits, "
            "gan-digits, codegan-digits",
        ),
        (["--set", "filtres=3"], "has no setting 'filtres': did you mean filters?"),
        (["--set", "filters"], "--set filters: write it as name=value"),
        (["--set", "filters=many"], "filters is 'many': it must be a whole number"),
        (["--set", "latent_dim=-4"], "latent_dim is -4: it must be from 1 to 4096"),
        (["--epochs", "0"], "epochs is 0: it must be 1 or more"),
        (["--epochs", "-3"], "epochs is -3: it must be 1 or more"),
        (["--seed", "99999999999"], "seed is 99999999999: it must be from 0 to 2147483647"),
        (["--batch-size", "1798"], "a batch of 1798 cannot be drawn from 1797 images: choose a smaller batch_size"),
        (["--batch-size", "900", "--set", "d_steps=2"], "a batch of 1800 cannot be drawn from 1797 images"),
        (["--set", "image_size=30"], "images of 30 × 30 cannot be made by doubling: take 8 or a multiple of 4"),
        (["--data", "mnits"], "unknown data set 'mnits': did you mean mnist"),
        (["--data", "nowhere.npy"], "No such file or directory: 'nowhere.npy'"),
    ],
)
def test_mistakes_get_one_sentence(arguments, sentence, kgan_command, tmp_path):
    result = kgan_command("train", *arguments)
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


def test_a_run_is_not_overwritten(trained, kgan_command):
    run, _ = trained
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    result = kgan_command("train", "--out", run)
    assert result.exit_code == 2
    assert "already holds a run" in result.output
    assert "name another with --out" in result.output
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_a_run_is_resumed(trained, kgan_command, tmp_path):
    run = shutil.copytree(trained[0], tmp_path / "run")
    result = kgan_command("train", "--resume", run)
    assert (result.exit_code, result.output) == (0, f"{run} has all its 3 epochs: --epochs trains it further\n")
    result = kgan_command("train", "--resume", run, "--epochs", 5, *SMALL, "--out", run)
    assert result.exit_code == 0, result.output
    assert "resumed after 3 epochs, at step 21\nepoch 4/5" in result.output
    result = kgan_command("train", "--epochs", 5, *SMALL, "--out", "straight")
    np.testing.assert_array_equal(runs.load_model(run).generate(4), runs.load_model("straight").generate(4))
    record, straight = (json.loads((tmp_path / name / "run.json").read_text()) for name in ("run", "straight"))
    for name in ("settings", "status", "epochs"):
        assert record[name] == straight[name]
    assert (record["resumed"], straight["resumed"]) == ([21], [])


def test_a_run_whose_learning_rates_fell_is_not_trained_further(trained, kgan_command, tmp_path):
    run = shutil.copytree(trained[0], tmp_path / "run")
    record = json.loads((run / "run.json").read_text())
    record["settings"]["learning_rate_schedule"] = "cosine"
    (run / "run.json").write_text(json.dumps(record))
    result = kgan_command("train", "--resume", run, "--epochs", 5)
    assert result.exit_code == 2
    assert "fall over its 3 epochs (cosine): it cannot be made longer or shorter" in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["gan-digits"], "the recipe is gan-digits, but that of "),
        (["--batch-size", "128"], "batch_size is 128, but in "),
        (["--data", "mnist"], "data is mnist, but in "),
        (["--set", "image_size=28"], "image_size is 28, but in "),
        (["--set", "filters=5"], "filters is 5, but in "),
        (["--seed", "1"], "seed is 1, but in "),
        (["--epochs", "2"], "epochs is 2, but the run in "),
        (["--out", "elsewhere"], "--out is elsewhere: a run that is resumed stays in "),
    ],
)
def test_another_run_is_not_resumed(options, sentence, trained, kgan_command):
    run, _ = trained
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    result = kgan_command("train", "--resume", run, *options)
    assert result.exit_code == 2
    assert result.output.startswith(f"kgan: {sentence}")
    assert result.output.count("\n") == 1
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_a_run_whose_checkpoints_are_gone_is_not_trained_anew(trained, kgan_command, tmp_path):
    run = shutil.copytree(trained[0], tmp_path / "run")
    shutil.rmtree(run / "checkpoint")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    result = kgan_command("train", "--resume", run, "--epochs", 5)
    assert result.exit_code == 2
    assert "run cannot be resumed: there is no checkpoint in it. Nothing was changed" in result.output
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_what_is_no_run_is_not_resumed(kgan_command, tmp_path):
    result = kgan_command("train", "--resume", "nowhere")
    assert (result.exit_code, result.output) == (2, "kgan: there is no run in nowhere: it has no run.json\n")
    assert not list(tmp_path.iterdir())


def test_an_unfinished_run_tells_how_to_resume_it(kgan_command, tmp_path):
    """Killed before its first checkpoint it starts over."""
    process = started(tmp_path, "--epochs", "2", *SMALL, "--out", "a run", until="dcgan-digits: ")
    while not (tmp_path / "a run" / "run.json").exists():
        time.sleep(0.01)
    process.kill()
    process.communicate()
    result = kgan_command("sample", "a run")
    assert result.exit_code == 2
    assert "has no model: resume it with `kgan train --resume 'a run'`" in result.output
    result = kgan_command("train", "--epochs", 2, *SMALL, "--out", "a run")
    assert result.exit_code == 2
    assert "holds a run that is not finished: resume it with `kgan train --resume 'a run'`" in result.output
    result = kgan_command("train", "--resume", "a run")
    assert result.exit_code == 0, result.output
    assert "resumed after" not in result.output
    assert "epoch 1/2" in result.output


def test_of_two_runs_in_a_directory_one_is_refused(tmp_path):
    command = [sys.executable, "-m", "kgan", "train", "--epochs", "3", *SMALL, "--out", "run"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(command, cwd=tmp_path, **pipes) for _ in range(2)]
    outputs = [process.communicate(timeout=120) for process in both]
    assert sorted(process.returncode for process in both) == [0, 2]
    refused = next(errors for process, (_, errors) in zip(both, outputs, strict=True) if process.returncode)
    assert "another run is training in run" in refused or "holds a run" in refused
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "finished"


@pytest.mark.parametrize("bytes_left", [100, pytest.param(20_000, marks=pytest.mark.slow)])
def test_a_full_disk_ends_training_with_a_sentence(bytes_left, trained, kgan_command, tmp_path):
    """By a limit on the size of files: in the first, nothing can be written; in the second, no whole checkpoint."""
    resource = pytest.importorskip("resource")
    run = shutil.copytree(trained[0], tmp_path / "run")
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, bytes_left))  # noqa: E731
    command = [sys.executable, "-m", "kgan", "train", "--resume", "run", "--epochs", "6"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, preexec_fn=limit)
    assert result.returncode in (1, 2)
    assert "File too large" in result.stderr
    assert result.stderr.startswith("kgan: ")
    assert result.stderr.count("\n") == 1
    assert runs.read_checkpoint(run / "checkpoint").state["epochs"] == 3
    assert not list(run.rglob(".part-*"))
    assert kgan_command("train", "--resume", "run", "--epochs", 4).exit_code == 0


def test_another_backend_gets_one_sentence(tmp_path):
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    command = [sys.executable, "-m", "kgan", "train"]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr.startswith("kgan: kgan trains on TensorFlow, but KERAS_BACKEND is 'jax'")
    assert result.stderr.count("\n") == 1


# kgan recipes


def test_recipes_are_listed_with_whole_names(kgan_command):
    result = kgan_command("recipes")
    assert result.exit_code == 0
    for recipe in recipes.RECIPES.values():
        line = next(line for line in result.stdout.splitlines() if line.startswith(recipe.name))
        assert recipe.paper in line
        assert str(recipe["epochs"]) in line
        assert str(recipe["data"]) in line
        assert f" {duration(times.SECONDS[recipe.name])} " in line
    assert result.stdout.splitlines()[-1].startswith(f"time: of all epochs, on {times.MACHINE}")


def test_recipes_name_shows_every_setting_with_its_reason(kgan_command):
    result = kgan_command("recipes", "gan-mnist")
    recipe = recipes.get("gan-mnist")
    for name, setting in recipe.settings.items():
        line = next(line for line in result.stdout.splitlines() if line.startswith(f"{name} "))
        assert str(setting.value) in line
        assert setting.why in line
    assert kgan_command("recipes", "nosuch").exit_code == 2


def test_recipes_name_draws_the_networks(kgan_command):
    lines = [line.split() for line in kgan_command("recipes", "dcgan-cats").stdout.splitlines()]
    # generator: 100 · 8192 + 4 · 128, the last convolution 25 · 16 · 3 + 3; discriminator: 25 · 3 · 16 + 16
    for row in (
        "dense · reshape · batch norm · leaky ReLU 0.2 8 × 8 × 128 819,712",
        "upsampling × 2 and 5 × 5 convolution, stride 1 · tanh 128 × 128 × 3 1,203",
        "5 × 5 convolution, stride 2 · leaky ReLU 0.2 64 × 64 × 16 1,216",
    ):
        assert row.split() in lines
    assert [line for line in lines if len(line) == 1][-2:] == [["1,090,163"], ["279,105"]]


def test_help_and_version(kgan_command):
    assert kgan_command("--version").stdout == f"kgan {kgan.__version__}\n"
    for command in ([], ["train"], ["sample"], ["interpolate"], ["traverse"], ["compare"], ["recipes"]):
        result = kgan_command(*command, "--help")
        assert result.exit_code == 0
        assert "--help" in result.stdout


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

    command = [sys.executable, "-m", "kgan", "train"]
    subprocess.run(command, cwd=tmp_path, check=True)
    counts = class_counts(
        runs.load_model(tmp_path / "runs" / recipes.DEFAULT).generate(1000),
        classifier_of(kgan.data.load("digits"), load_digits().target),
    )
    assert counts.sum() > 600, counts
    assert counts.min() >= 10, counts


@pytest.mark.slow
@pytest.mark.data
def test_the_recipe_of_mnist_draws_digits_of_most_classes_after_an_epoch(mnist_dir, tmp_path):
    import tensorflow_datasets as tfds

    command = [sys.executable, "-m", "kgan", "train", "dcgan-mnist", "--epochs", "1"]
    subprocess.run(command, cwd=tmp_path, check=True)
    labels = [int(example["label"]) for example in tfds.as_numpy(tfds.load("mnist", split="train[:10000]"))]
    classifier = classifier_of(kgan.data.load("mnist", split="train[:10000]"), labels)
    counts = class_counts(runs.load_model(tmp_path / "runs" / "dcgan-mnist").generate(1000), classifier)
    assert (counts >= 10).sum() >= 7, counts
