"""`kill -9` at any moment, real processes: the run that is resumed is the run that was never killed."""

import random
import subprocess
import sys
import time

import numpy as np
import pytest

from kgan import runs

pytestmark = pytest.mark.slow

EPOCHS, KILLS = 40, 5
# 7 steps an epoch on 16 × 16 digits, and a checkpoint before nearly every one of them
OPTIONS = ["--epochs", str(EPOCHS), "--batch-size", "256"]
for setting in ("image_size=16", "filters=4", "latent_dim=8", "checkpoint_minutes=0.0003"):
    OPTIONS += ["--set", setting]

# `kgan`, but it kills itself with signal 9 in the middle of something, the so-manieth time that it comes there.
SUICIDAL = """
import os, signal, sys, threading, time
import numpy as np
from kgan import callbacks, plots, runs
from kgan.cli import main

where, left = sys.argv.pop(1), int(sys.argv.pop(1))

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def half_written(path, *rest, **arrays):
    savez(path, *rest, **arrays)
    os.truncate(path, path.stat().st_size // 2)
    die()

def within_a_step(*_, **__):
    threading.Thread(target=lambda: (time.sleep(0.002), die())).start()

savez, replace = np.savez, os.replace
owner, name, deadly = {
    "weights": (np, "savez", half_written),
    "flush": (os, "fsync", die),
    "rename": (os, "replace", die),
    "renamed": (os, "replace", lambda *paths: (replace(*paths), die())),
    "clean-up": (runs, "keep_checkpoints", die),
    "gif": (plots.GIF, "_write", die),
    "step": (callbacks.Checkpoint, "on_train_batch_begin", within_a_step),
}[where]
alive = getattr(owner, name)

def counting(*arguments, **keywords):
    global left
    left -= 1
    if left == 0:
        deadly(*arguments, **keywords)
    return alive(*arguments, **keywords)

setattr(owner, name, counting)
main()
"""
MOMENTS = {"weights": 30, "flush": 120, "rename": 60, "renamed": 60, "clean-up": 30, "gif": 5, "step": 35}


def train(directory, *arguments, program=("-m", "kgan")):
    command = [sys.executable, *program, "train", *arguments]
    return subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    directory = tmp_path_factory.mktemp("straight")
    process = train(directory, *OPTIONS, "--out", "run")
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    return directory / "run"


def everything(run):
    """All that a run leaves, but for clock times."""
    history = runs.read_history(run / "history.csv")
    del history["seconds"]
    pictures = {str(path.relative_to(run)): path.read_bytes() for path in [*run.rglob("*.png"), *run.rglob("*.gif")]}
    return runs.read_checkpoint(run / "checkpoint"), history, pictures


@pytest.mark.parametrize("chain", range(4))
def test_a_run_that_is_killed_ends_as_if_it_had_not_been(chain, straight, tmp_path):
    chance = random.Random(chain)
    places = (sorted(MOMENTS) * 3)[4 * chain :][: KILLS - 1]  # each of them twice or more
    run, moments = tmp_path / "run", []
    for number in range(KILLS):
        arguments = ["--resume", "run"] if number else [*OPTIONS, "--out", "run"]
        if number < KILLS - 1:
            place, count = places[number], 1 + chance.randrange(MOMENTS[places[number]])
            process = train(tmp_path, *arguments, program=("-c", SUICIDAL, place, str(count)))
            _, errors = process.communicate(timeout=120)
            moments.append(f"{place}, time {count}")
        else:  # from outside, whatever it is doing
            process = train(tmp_path, *arguments)
            next(line for line in process.stdout if line.startswith("epoch"))
            moments.append(f"{(seconds := chance.uniform(0, 4)):.3f} s after an epoch")
            time.sleep(seconds)
            process.kill()
            _, errors = process.communicate()
        assert process.returncode == -9, (moments, errors)
        assert runs.read_json(run / "run.json")["status"] == "running", moments
        saved = runs.read_checkpoint(run / "checkpoint")
        assert saved is None or saved.state["epochs"] < EPOCHS, moments
        moments[-1] += f" ({saved and saved.state['epochs'] * 7 + saved.state['steps']} steps saved)"
    process = train(tmp_path, "--resume", "run")
    _, errors = process.communicate()
    assert (process.returncode, errors) == (0, ""), moments
    print(*moments, sep="; ")

    resumed, history, pictures = everything(run)
    expected, expected_history, expected_pictures = everything(straight)
    assert resumed.arrays.keys() == expected.arrays.keys()
    for name, value in expected.arrays.items():  # weights, both optimizers, step, metrics, the GIF's bytes
        np.testing.assert_array_equal(resumed.arrays[name], value, err_msg=f"{name} after {moments}")
    for name in ("epochs", "steps", "run"):
        assert resumed.state[name] == expected.state[name], moments
    assert history == expected_history, moments
    assert history["epoch"] == list(range(1, EPOCHS + 1))
    assert pictures == expected_pictures, moments
    images = runs.load_model(straight).generate(8)
    np.testing.assert_array_equal(runs.load_model(run).generate(8), images)
    assert not list(run.rglob(".part-*"))
