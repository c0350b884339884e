"""`kgan.train`, the door for Python, and how a run ends, from Python and on the command line."""

import os
import shlex
import shutil
import signal

import imageio.v3 as iio
import numpy as np
import pytest
from conftest import SMALL, SMALL_SETTINGS, small_settings
from typer.testing import CliRunner

import kgan
from kgan import forecast, recipes, runs, session
from kgan._backend import keras, tf
from kgan.callbacks import progress
from kgan.cli import app
from kgan.errors import Mistake

DENSE = ["gan-digits", *SMALL_SETTINGS[:4], "--set", "hidden_units=8"]


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


def test_callbacks_of_ones_own_are_called_after_those_of_the_run(here, monkeypatch):
    """And a run that might have been faster, on a GPU, says so, and when it will end."""
    monkeypatch.setattr(runs, "unused_gpu", lambda: "NVIDIA T4")
    monkeypatch.setattr(progress, "SOON", 0.0)
    seen = []

    class Mine(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append((here / "run" / "samples" / f"epoch-{epoch + 1:04}.png").exists())

    often = {"sample_every": 1, "checkpoint_every": 1, "quality_every": 0}
    with pytest.warns(UserWarning, match="TensorFlow does not use this machine's NVIDIA T4: pip install"):
        run = kgan.train("gan-digits", epochs=5, out="run", verbose=0, callbacks=[Mine()], hidden_units=8, **often)
    assert seen == [True] * 5
    assert set(run.record["predicted"]) == {"seconds", "end"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
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


def test_a_signal_ends_training_and_leaves_what_was_trained(at_step, kgan_command, two_epochs):
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        pytest.skip("this signal is ignored here, as it is under nohup")
    at_step(10, lambda model: os.kill(os.getpid(), signal.SIGHUP))
    result = kgan_command("train", *SMALL, "--out", "run")
    assert result.exit_code == 128 + signal.SIGHUP
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


def test_ctrl_c_in_python_is_a_keyboard_interrupt_with_the_run(at_step, here):
    at_step(3, lambda model: os.kill(os.getpid(), signal.SIGINT))
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt) as interrupted:
        kgan.train("dcgan-digits", out="run", verbose=0, **small_settings)
    assert interrupted.value.run.record["status"] == "interrupted"
    assert signal.getsignal(signal.SIGINT) is before


def test_training_that_diverges_is_stopped_and_not_saved(kgan_command, tmp_path):
    result = kgan_command("train", *DENSE, "--set", "d_learning_rate=1e38", "--set", "loss=minimax")
    assert result.exit_code == 1
    assert "_loss is nan in epoch 1" in result.output or "_loss is inf in epoch 1" in result.output
    *_, hint, last = result.output.splitlines()
    assert last.endswith("no model is saved")
    _, command = hint.split("try smaller learning rates: kgan ")
    result = kgan_command(*shlex.split(command), "--epochs", 1)  # half of too much is too much
    assert result.exit_code == 1, result.output
    run, smaller = tmp_path / "runs" / "gan-digits", tmp_path / "runs" / "gan-digits-half-the-learning-rates"
    assert (runs.read_json(smaller / "run.json")["settings"])["d_learning_rate"] == 5e37
    assert "_loss is " in runs.read_json(run / "run.json")["status"]
    assert not (run / "model.keras").exists()
    assert runs.read_checkpoint(run / "checkpoint").state["epochs"] == 0


def test_the_last_good_checkpoint_is_kept_when_a_loss_is_nan(two_epochs, kgan_command, monkeypatch):
    """Planted in step 17, which is of the third epoch."""
    build = recipes.build

    def with_a_bug(*arguments):
        model = build(*arguments)
        loss = model.generator_loss
        model.generator_loss = lambda *logits: loss(*logits) * tf.where(model.step == 16, float("nan"), 1.0)
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
    at_step(1, lambda model: np.zeros(2) + np.zeros(3))
    result = kgan_command("train", *DENSE, "--set", "steps_per_execution=1", "--out", "run")
    assert isinstance(result.exception, ValueError)  # a bug, which `main` reports as one
    assert runs.read_json("run/run.json")["status"].startswith("ended by ValueError: operands could not be broadcast")


# The end in advance


def test_predictions_are_those_of_the_clock(monkeypatch, digits_gan, digits):
    """A made-up clock: a step takes 1 s, the first one 10 s, and what is done between epochs 3 s."""
    now, lines = [0.0], []

    class Clock(keras.callbacks.Callback):
        first = True

        def on_train_batch_end(self, batch, logs=None):
            now[0] += 10 if self.first else 1
            self.first = False

        def on_epoch_end(self, epoch, logs=None):
            now[0] += 3

    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    watch = progress.ProgressLine(epochs=10, steps_per_epoch=4, say=lines.append)
    digits_gan().fit(digits, batch_size=32, epochs=10, verbose=0, callbacks=[Clock(), watch])
    assert (watch.step, watch.between) == (1.0, 3.0)
    assert watch.predicted["seconds"] == 10 * (4 + 3) + 9
    assert now[0] == watch.predicted["seconds"]
    (line,) = (line for line in lines if line.startswith("about "))
    assert line.startswith("about 79 s in all, until ")


def test_plan_says_what_a_run_takes(kgan_command, tmp_path, monkeypatch):
    monkeypatch.setattr(forecast, "SECONDS", 0.5)
    result = kgan_command("plan", "--epochs", 5, *SMALL)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[1].startswith("discriminator  741 weights, ")
    for line, beginning in zip(lines[2:], ("a step ", "an epoch ", "the run ", "disk ", "memory "), strict=True):
        assert line.startswith(beginning)
    assert ": 7 steps, and " in result.stdout
    assert " for 5 epochs, until " in result.stdout
    assert not list(tmp_path.iterdir())


def test_a_forecast_is_that_of_the_run(two_epochs, here, monkeypatch):
    monkeypatch.setattr(forecast, "SECONDS", 0.5)
    found = forecast.forecast("dcgan-digits", epochs=2, **small_settings)
    assert found.seconds == pytest.approx(found.start + 2 * (7 * found.step + found.between))
    assert min(found.step, found.between) > 0
    there = sum(path.stat().st_size for path in two_epochs.directory.rglob("*.*"))
    assert found.disk / 2 < there < found.disk * 2
    assert not list(here.iterdir())


@pytest.mark.parametrize(("times", "chosen"), [([2.0, 1.0], "bfloat16"), ([1.0, 2.0], "float32")])
def test_auto_takes_the_faster_precision(times, chosen, monkeypatch):
    monkeypatch.setattr(kgan.speed, "milliseconds_a_step", lambda *_, rounds: times)
    recipe, settings, _ = session.new_run("gan-digits", {"precision": "auto", "hidden_units": 8}, None)
    real, _ = session.load_images(settings)
    batches = session.make_batches(settings, real)
    model, settings = session.build(recipe, settings, real, batches, tf.distribute.get_strategy())
    assert settings["precision"] == model.generator.layers[0].compute_dtype == chosen


def test_help_names_every_option(kgan_command):
    text = CliRunner().invoke(app, ["train", "--help"], env={"COLUMNS": "200"}).stdout
    for option in ("--data", "--epochs", "--resume", "--devices", "--workers", "--log", "--set", "--seeds"):
        assert option in text
