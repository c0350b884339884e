"""`kgan.train`, the door for Python, and how a run ends, from Python and on the command line."""

import json
import os
import shlex
import shutil
import signal

import imageio.v3 as iio
import numpy as np
import pytest
from conftest import SMALL, small_settings
from typer.testing import CliRunner

import kgan
from kgan import recipes, runs, session  # noqa: F401
from kgan._backend import keras, tf
from kgan.callbacks import progress
from kgan.cli import app
from kgan.errors import Mistake

SLOW = pytest.mark.slow


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def two_epochs(tmp_path_factory):
    """A small run of two epochs."""
    out = tmp_path_factory.mktemp("two_epochs") / "run"
    return kgan.train("dcgan-digits", epochs=2, out=out, verbose=0, **small_settings)


# From Python


def test_python_trains_what_the_command_trains(trained, two_epochs, here, capsys):
    run = kgan.train("dcgan-digits", resume=shutil.copytree(two_epochs.directory, here / "run"), epochs=3, verbose=0)
    assert capsys.readouterr() == ("", "")
    np.testing.assert_array_equal(run.model.generate(4), runs.load_model(trained[0]).generate(4))
    assert {path.name for path in run.directory.iterdir()} == {path.name for path in trained[0].iterdir()}


def test_a_run_is_opened(two_epochs):
    run = kgan.Run.load(two_epochs.directory)
    assert (run.settings["filters"], run.record["recipe"]) == (4, "dcgan-digits")
    assert run.history["epoch"] == [1, 2]
    assert len(run.history["d_loss"]) == 2
    np.testing.assert_array_equal(run.model.generate(3), two_epochs.model.generate(3))
    np.testing.assert_array_equal(run.sample(16, seed=2), kgan.plots.image_grid(run.model.generate(16, seed=2)))
    assert "data:image/gif;base64,R0lGOD" in run._repr_html_()
    with pytest.raises(FileNotFoundError, match=r"there is no run in nowhere"):
        kgan.Run.load("nowhere")


def test_callbacks_of_ones_own_are_called_after_those_of_the_run(here):
    seen = []

    class Mine(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append((epoch, (here / "run" / "samples" / f"epoch-{epoch + 1:04}.png").exists()))

    kgan.train("gan-digits", epochs=2, out="run", verbose=0, callbacks=[Mine()], sample_every=1, hidden_units=8)
    assert seen == [(0, True), (1, True)]


def test_it_prints_a_line_for_each_epoch(two_epochs, here, capsys):
    run = shutil.copytree(two_epochs.directory, here / "run")
    kgan.train(resume=run, epochs=3)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("dcgan-digits: 1,797 images of 16 × 16 × 1 from digits, on ")
    assert lines[1] == "resumed after 2 epochs, at step 14"
    assert lines[2].startswith("epoch 3/3  d_loss ")
    assert lines[3].startswith("finished after 3 epochs and ")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"recipe": "dcgan-minst"}, "unknown recipe 'dcgan-minst'"),
        ({"filtres": 3}, "has no setting 'filtres': did you mean filters"),
        ({"filters": 0}, "filters is 0: it must be from 1 to 4096"),
        ({"data": np.zeros((4, 8, 8, 1))}, "data is a ndarray: name a data set, a folder or a file"),
        ({"log": "mlflow"}, "log is mlflow: choose one of tensorboard, wandb, trackio"),
        ({"doctor": False, "stop_when_sick": True}, "stop_when_sick needs the doctor"),
        ({"devices": 3}, "batch_size is 16, which 3 devices cannot share equally"),
        ({"conditional": True, "data": "images.npy"}, "conditional is true, but "),
    ],
)
def test_mistakes_get_one_sentence_and_leave_nothing(arguments, sentence, here):
    np.save("images.npy", np.zeros((20, 28, 28, 1), np.uint8))
    with pytest.raises(Mistake, match=sentence):
        kgan.train(**arguments, verbose=0)
    assert not (here / "runs").exists()


def test_lists_are_settings_too(here):
    settings = kgan.session.as_settings(chosen_epochs=(1, 2), augment=["translation"], penalty=(), seed=None)
    assert settings == {"chosen_epochs": "1,2", "augment": "translation", "penalty": "none"}


# How a run ends: each time by the command, in this process


@pytest.fixture
def at_step(monkeypatch):
    """Let an action on the model happen in a step of the next run, once."""

    def plant(step, action):
        original, left = kgan.session.run_callbacks, [action]

        class Planted(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                if left and int(self.model.step) == step:
                    left.pop()(self.model)

        more = lambda *arguments: {"planted": Planted(), **original(*arguments)}  # noqa: E731
        monkeypatch.setattr(kgan.session, "run_callbacks", more)

    return plant


@pytest.mark.parametrize(
    "number", [signal.SIGINT, *(pytest.param(other, marks=SLOW) for other in (signal.SIGTERM, signal.SIGHUP))]
)
def test_a_signal_ends_training_and_leaves_what_was_trained(number, at_step, kgan_command, two_epochs):
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("this signal is ignored here, as SIGHUP is under nohup")
    at_step(10, lambda model: os.kill(os.getpid(), number))
    result = kgan_command("train", *SMALL, "--out", "run")
    assert result.exit_code == 128 + number
    assert "interrupted after 1 epochs and " in result.output
    assert result.output.endswith("resume with: kgan train --resume run\n")
    assert runs.read_json("run/run.json")["status"] == "interrupted"
    assert int(runs.load_model("run").step) == 10
    saved = runs.read_checkpoint("run/checkpoint").state
    assert (saved["epochs"], saved["steps"]) == (1, 3)
    result = kgan_command("train", "--resume", "run", "--epochs", 2)
    assert "resumed after 1 epochs, at step 10" in result.output
    np.testing.assert_array_equal(runs.load_model("run").generate(4), two_epochs.model.generate(4))
    assert iio.improps("run/progress.gif", plugin="pillow").n_images == 2


def test_a_second_ctrl_c_leaves_at_once_and_the_checkpoint_is_good(at_step, kgan_command):
    at_step(16, lambda model: [os.kill(os.getpid(), signal.SIGINT) for _ in range(2)])
    result = kgan_command("train", *SMALL, "--out", "run")
    assert result.exit_code == 130
    assert result.output.endswith("interrupted at once; resume with: kgan train --resume run\n")
    assert runs.read_json("run/run.json")["status"] == "interrupted"
    assert runs.read_checkpoint("run/checkpoint").state["epochs"] == 2
    assert kgan_command("train", "--resume", "run", "--epochs", 3).exit_code == 0


def test_ctrl_c_in_python_is_a_keyboard_interrupt_with_the_run(at_step, here):
    at_step(3, lambda model: os.kill(os.getpid(), signal.SIGINT))
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt) as interrupted:
        kgan.train("dcgan-digits", out="run", verbose=0, **small_settings)
    assert interrupted.value.run.record["status"] == "interrupted"
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("network", ["d", pytest.param("g", marks=SLOW)])
def test_training_that_diverges_is_stopped_and_not_saved(network, kgan_command, tmp_path):
    result = kgan_command("train", *SMALL, "--set", f"{network}_learning_rate=1e38", "--set", "loss=minimax")
    assert result.exit_code == 1
    assert "_loss is nan in epoch 1" in result.output or "_loss is inf in epoch 1" in result.output
    *_, hint, last = result.output.splitlines()
    assert last.endswith("no model is saved")
    _, command = hint.split("try smaller learning rates: kgan ")
    result = kgan_command(*shlex.split(command), "--epochs", 1)  # half of too much is too much
    assert result.exit_code == 1, result.output
    assert (tmp_path / "runs" / "dcgan-digits-half-the-learning-rates" / "run.json").exists()
    assert "_loss is " in json.loads((tmp_path / "runs" / "dcgan-digits" / "run.json").read_text())["status"]
    assert not (tmp_path / "runs" / "dcgan-digits" / "model.keras").exists()
    assert runs.read_checkpoint(tmp_path / "runs" / "dcgan-digits" / "checkpoint").state["epochs"] == 0


@pytest.mark.parametrize(("network", "value"), [("discriminator", "nan"), pytest.param("generator", "inf", marks=SLOW)])
def test_the_last_good_checkpoint_is_kept_when_a_loss_is_nan(network, value, two_epochs, kgan_command, monkeypatch):
    """Planted in step 17, which is of the third epoch."""
    build = recipes.build

    def with_a_bug(*arguments):
        model = build(*arguments)
        loss = getattr(model, f"{network}_loss")
        bug = lambda *logits: loss(*logits) * tf.where(model.step == 16, float(value), 1.0)  # noqa: E731
        setattr(model, f"{network}_loss", bug)
        return model

    monkeypatch.setattr(recipes, "build", with_a_bug)
    result = kgan_command("train", *SMALL, "--out", "run")
    assert result.exit_code == 1
    assert "_loss is " in result.output.splitlines()[-1]  # the other network's follows in the next step
    assert " in epoch 3, step " in result.output.splitlines()[-1]
    assert result.output.endswith("what was drawn before is in run, model and checkpoint are of epoch 2, before that\n")
    assert "_loss is " in runs.read_json("run/run.json")["status"]
    np.testing.assert_array_equal(runs.load_model("run").generate(4), two_epochs.model.generate(4))
    assert runs.read_checkpoint("run/checkpoint").state["epochs"] == 2


def test_a_stop_while_a_weight_is_nan_ends_with_a_sentence(at_step, kgan_command):
    def spoil_and_stop(model):
        average = next(weight for weight in model.weights if "moving_mean" in weight.path)
        average.assign(average * np.nan)
        os.kill(os.getpid(), signal.SIGINT)

    at_step(9, spoil_and_stop)
    result = kgan_command("train", *SMALL, "--out", "run")
    assert result.exit_code == 1
    assert "moving_mean is not finite after step 9" in result.output
    assert int(runs.load_model("run").step) == 7


def test_an_error_within_training_is_written_down(at_step, kgan_command):
    at_step(9, lambda model: np.zeros(2) + np.zeros(3))
    result = kgan_command("train", *SMALL, "--out", "run")
    assert isinstance(result.exception, ValueError)  # a bug, which `main` reports as one
    assert runs.read_json("run/run.json")["status"].startswith("ended by ValueError: operands could not be broadcast")


# The end in advance


def test_the_end_is_predicted_from_the_first_epochs(kgan_command, monkeypatch):
    monkeypatch.setattr(progress, "SOON", 0.0)
    result = kgan_command("train", "--epochs", 6, *SMALL, "--out", "run")
    assert result.exit_code == 0, result.output
    line = next(line for line in result.output.splitlines() if line.startswith("about "))
    assert " in all, until " in line
    assert set(runs.read_json("run/run.json")["predicted"]) == {"seconds", "end"}


def test_predictions_are_those_of_the_clock(monkeypatch, small_dcgan, digits):
    """A made-up clock: a step takes 1 s, the first one 10 s, and what is done between epochs 3 s."""
    now = [0.0]

    class Clock(keras.callbacks.Callback):
        first = True

        def on_train_batch_end(self, batch, logs=None):
            now[0] += 10 if self.first else 1
            self.first = False

        def on_epoch_end(self, epoch, logs=None):
            now[0] += 3

    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    watch = progress.Stopwatch(epochs=10, steps_per_epoch=4)
    small_dcgan().fit(digits, batch_size=32, epochs=10, verbose=0, callbacks=[Clock(), watch])
    assert (watch.step, watch.between) == (1.0, 3.0)
    assert watch.predicted["seconds"] == 10 * (4 + 3) + 9
    assert now[0] == watch.predicted["seconds"]


def test_plan_says_what_a_run_takes(kgan_command, tmp_path):
    result = kgan_command("plan", "--epochs", 5, *SMALL)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[1].startswith("discriminator  741 weights, ")
    for line, beginning in zip(lines[2:], ("a step ", "an epoch ", "the run ", "disk ", "memory "), strict=True):
        assert line.startswith(beginning)
    assert ": 7 steps, and " in result.stdout
    assert " for 5 epochs, until " in result.stdout
    assert not list(tmp_path.iterdir())


def test_a_forecast_is_that_of_the_run(two_epochs, here):
    found = kgan.forecast.forecast("dcgan-digits", epochs=2, **small_settings)
    assert found.seconds == pytest.approx(found.start + 2 * (7 * found.step + found.between))
    assert min(found.step, found.between) > 0
    there = sum(path.stat().st_size for path in two_epochs.directory.rglob("*.*"))
    assert found.disk / 2 < there < found.disk * 2
    assert not list(here.iterdir())


@pytest.mark.parametrize(("float32", "bfloat16", "chosen"), [(2.0, 1.0, "bfloat16"), (1.0, 2.0, "float32")])
def test_auto_takes_the_faster_precision(float32, bfloat16, chosen, here, monkeypatch):
    monkeypatch.setattr(kgan.speed, "milliseconds_a_step", lambda *_, rounds: [float32, bfloat16])
    run = kgan.train("gan-digits", epochs=1, precision="auto", out="run", hidden_units=8, verbose=0)
    assert run.settings["precision"] == chosen
    assert runs.load_model("run").generator.layers[0].compute_dtype == chosen


def test_a_gpu_that_is_not_used_gives_a_warning(monkeypatch, here):
    monkeypatch.setattr(runs, "unused_gpu", lambda: "NVIDIA T4")
    with pytest.warns(UserWarning, match="TensorFlow does not use this machine's NVIDIA T4: pip install"):
        kgan.train("gan-digits", epochs=1, hidden_units=8, verbose=0)


def test_help_names_every_option(kgan_command):
    text = CliRunner().invoke(app, ["train", "--help"], env={"COLUMNS": "200"}).stdout
    for option in ("--data", "--epochs", "--resume", "--devices", "--workers", "--log", "--set", "--seeds"):
        assert option in text
