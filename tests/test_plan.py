"""`kgan plan`, the predicted end of a run, and its precision."""

import datetime
import json
import re
from pathlib import Path

import numpy as np
import pytest
from conftest import SMALL

from kgan import data, recipes, runs
from kgan._backend import keras
from kgan.cli import trial
from kgan.cli.plan import plan_new
from kgan.cli.prepare import prepare
from kgan.units import duration


def prepared(tmp_path, **changes):
    small = {"image_size": 16, "filters": 4, "latent_dim": 8, "batch_size": 256, **changes}
    return prepare(plan_new("dcgan-digits", small, tmp_path / "run"))


def test_a_forecast_leaves_the_model_and_the_directory_as_they_were(tmp_path):
    ready = prepared(tmp_path)
    before = [variable.numpy() for variable in ready.model.training_state]
    found = trial.forecast(ready)
    for variable, value in zip(ready.model.training_state, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    assert not list(tmp_path.iterdir())
    assert (found.steps_per_epoch, int(ready.model.step.numpy())) == (7, 0)
    assert min(found.step, found.between_epochs) > 0
    assert found.seconds(10) == pytest.approx(found.start + 10 * (7 * found.step + found.between_epochs))


def test_disk_is_that_of_the_run(tmp_path, kgan_command):
    ready = prepared(tmp_path, epochs=3)
    expected = trial.forecast(ready).disk(3, ready.plan.settings)
    kgan_command("train", "--epochs", 3, *SMALL, "--out", "run")
    there = sum(path.stat().st_size for path in Path("run").rglob("*.*"))
    assert expected / 2 < there < expected * 2


def test_plan_says_what_a_run_takes(kgan_command, tmp_path):
    result = kgan_command("plan", "--epochs", 5, *SMALL)
    assert result.exit_code == 0, result.output
    lines = dict(line.split(maxsplit=1) for line in result.stdout.splitlines()[1:3])
    assert lines["discriminator"].startswith("741 weights, ")
    for beginning in ("a step ", "an epoch ", "the run ", "disk ", "precision "):
        assert any(line.startswith(beginning) for line in result.stdout.splitlines()), beginning
    assert ": 7 steps, and " in result.stdout
    assert " for 5 epochs, until " in result.stdout
    assert not list(tmp_path.iterdir())


def test_plan_ends_with_one_sentence_for_a_mistake(kgan_command):
    result = kgan_command("plan", "gan-digits", "--batch-size", 5000)
    assert result.exit_code == 2
    assert result.stderr.startswith("kgan: a batch of 5000 cannot be drawn from 1797 images")


def test_train_writes_down_when_it_will_end(kgan_command, monkeypatch, tmp_path):
    monkeypatch.setattr("kgan.cli.train.WORTH_A_TRIAL", 0.0)
    result = kgan_command("train", "--epochs", 2, *SMALL, "--out", "run")
    assert result.exit_code == 0, result.output
    assert re.search(r", on .*: [\d.]+ s, until \d\d:\d\d$", result.stdout.splitlines()[0])
    predicted = json.loads((tmp_path / "run" / "run.json").read_text())["predicted"]
    assert predicted["seconds"] > 0
    assert datetime.datetime.fromisoformat(predicted["end"]).tzinfo
    without = kgan_command("train", "--epochs", 2, *SMALL, "--out", "other")
    assert without.exit_code == 0
    first, second = (runs.load_model(name).generate(4) for name in ("run", "other"))
    np.testing.assert_array_equal(first, second)


def test_precision_is_that_of_the_layers_and_of_them_alone():
    recipe = recipes.get("dcgan-digits")
    settings = recipes.resolve(recipe, {"image_size": 16, "filters": 4, "precision": "bfloat16"})
    model = recipes.build(recipe, settings, (16, 16, 1))
    assert {layer.compute_dtype for layer in model.generator.layers[:-1]} == {"bfloat16"}
    assert {weight.dtype for weight in model.trainable_weights} == {"float32"}
    assert model.generate(2).dtype == np.float32
    assert keras.config.dtype_policy().name == "float32"
    history = model.fit(data.load("digits", image_size=16)[:256], batch_size=64, epochs=2, verbose=0)
    assert np.isfinite(history.history["d_loss"]).all()


@pytest.mark.parametrize(("float32", "bfloat16", "chosen"), [(2.0, 1.0, "bfloat16"), (1.0, 2.0, "float32")])
def test_auto_takes_what_is_faster(float32, bfloat16, chosen, kgan_command, monkeypatch):
    monkeypatch.setattr(trial, "milliseconds_by_precision", lambda *_: {"float32": float32, "bfloat16": bfloat16})
    result = kgan_command("train", "--epochs", 1, *SMALL, "--precision", "auto", "--out", "run")
    assert result.exit_code == 0, result.output
    assert runs.read_json("run/run.json")["settings"]["precision"] == chosen
    assert runs.load_model("run").generator.layers[0].compute_dtype == chosen


def test_an_unknown_precision_is_refused(kgan_command):
    result = kgan_command("train", "--precision", "float16")
    assert result.exit_code == 2
    assert result.stderr.strip() == "kgan: precision is float16: it must be one of float32, bfloat16, auto"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0123, "0.012 s"), (42, "42 s"), (90, "1.5 min"), (1440, "24 min"), (9000, "2.5 h"), (2.5 * 86_400, "2.5 days")],
)
def test_durations_have_two_digits(seconds, text):
    assert duration(seconds) == text
