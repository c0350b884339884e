"""Several machines: who they are, how they train as one, and end when one of them is lost.

Each worker is a real process, here on one machine.
"""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

import kgan
from kgan import placement, runs
from kgan.placement import Workers, tf_config, workers


def addresses(count=2):
    """Addresses with free ports."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [f"127.0.0.1:{held_port.getsockname()[1]}" for held_port in sockets]


# Who they are


BC = ("b:1", "c:1")
TWO = '"worker": ["b:1", "c:1"]'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Workers()),
        (tf_config("a:1, b:2", 1), Workers(("a:1", "b:2"), 1)),
        ('{"cluster": {"chief": ["a:1"], %s}, "task": {"type": "worker", "index": 1}}', Workers(("a:1", *BC), 2)),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker"}}', Workers()),
        ('{"cluster": {"master": ["a:1"]}, "task": {"type": "worker"}}', Workers()),
    ],
)
def test_workers_are_those_of_the_options_or_of_tf_config(text, expected, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text.replace("%s", TWO))
    assert workers() == expected


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("a:1,b:2", None), "--workers needs --worker as well"),
        (("a:1", 0), "--workers names one worker, a:1"),
        (("a:1,a:1", 0), "--workers names a:1 twice"),
        (("a:1,b:2", 2), "this is worker 2, but --workers names 2: they are counted from 0"),
        (("a:1,b", 0), "the address of a worker is b: write it as HOST:PORT"),
        (("a:1,b:99999", 0), "the address of a worker is b:99999"),
    ],
)
def test_workers_that_cannot_be(options, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        tf_config(*options)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"cluster": 3}',
        f'{{"cluster": {{"ps": ["a:1"], {TWO}}}}}',
        f'{{"cluster": {{{TWO}}}, "task": {{"type": "evaluator"}}}}',
        f'{{"cluster": {{{TWO}}}}}',
    ],
)
def test_a_tf_config_that_cannot_be(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ValueError, match="TF_CONFIG"):
        workers()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--devices", "2"], "devices is 2, but workers take all their devices"),
        (["--seeds", "2"], "with several workers train each seed by itself"),
        (["--precision", "auto"], "precision is auto, which each worker"),
    ],
)
def test_options_that_do_not_go_with_workers(arguments, sentence, kgan_command, tmp_path, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", tf_config("a:1,b:2", 0))  # and is set back
    monkeypatch.setattr(placement, "_connected", lambda: pytest.fail("it connects"))
    monkeypatch.setattr(placement, "_compare", lambda *_, **__: None)
    monkeypatch.setattr(placement, "telling_refusals", contextlib.nullcontext)
    result = kgan_command("train", "gan-digits", *arguments)
    assert result.exit_code == 2
    assert sentence in " ".join(result.output.split())
    assert not list(tmp_path.iterdir())


# How they train


SMALL = ["--set", "image_size=16", "--set", "latent_dim=8", "--batch-size", "128", "--set", "quality_every=0"]
DENSE = ["gan-digits", *SMALL, "--set", "hidden_units=16", "--set", "checkpoint_every=1"]
CONVOLUTIONAL = [*SMALL, "--set", "filters=4", "--set", "norm=synchronized", "--epochs", "2"]


@contextlib.contextmanager
def started(tmp_path, *arguments, second=()):
    """Two `kgan train`, and the files that their output goes to; `second`: more arguments of the second."""
    names, logs = ",".join(addresses()), [tmp_path / "worker-0.txt", tmp_path / "worker-1.txt"]
    with contextlib.ExitStack() as held:
        processes = []
        for number, log in enumerate(logs):
            out = held.enter_context(log.open("w"))
            command = [sys.executable, "-m", "kgan", "train", *arguments]
            command += ["--workers", names, "--worker", str(number), *(second if number else ())]
            processes.append(subprocess.Popen(command, stdout=out, stderr=out))
        try:
            yield processes, logs
        finally:
            for process in processes:
                process.kill()
                process.wait()


def trained(tmp_path, *arguments, second=()):
    """What two workers say in the end, and their exit codes."""
    with started(tmp_path, *arguments, second=second) as (processes, logs):
        codes = [process.wait(timeout=240) for process in processes]
        return codes, [log.read_text() for log in logs]


def weights(run):
    return kgan.load_model(run).get_weights()


def alone(out, *arguments):
    """What one process ends with."""
    command = [sys.executable, "-m", "kgan", "train", *arguments, *([] if "--resume" in arguments else ["--out", out])]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-3000:]
    return weights(out)


def largest(one, other):
    """The largest difference of two models' weights."""
    return max(np.abs(a - b).max() for a, b in zip(one, other, strict=True))


def difference(one, other):
    """Root of the mean square: Adam makes whole steps of gradients near 0, whose sign can be one of rounding."""
    return np.sqrt(np.mean(np.concatenate([(a - b).ravel() for a, b in zip(one, other, strict=True)]) ** 2))


@pytest.mark.slow
def test_two_workers_train_as_one_process_and_resume_each_others_runs(tmp_path):
    straight = alone(tmp_path / "straight", *DENSE, "--epochs", "6")
    run = tmp_path / "run"
    codes, texts = trained(tmp_path, *DENSE, "--epochs", "4", "--out", run)
    assert codes == [0, 0], texts
    assert {path.name for path in run.iterdir()} == {path.name for path in (tmp_path / "straight").iterdir()}
    assert runs.read_json(run / "run.json")["workers"] == 2
    alone(run, "--resume", run, "--epochs", "5")
    codes, texts = trained(tmp_path, "--resume", run, "--epochs", "6")
    assert codes == [0, 0], texts
    assert largest(weights(run), straight) < 1e-5
    assert len((run / "history.csv").read_text().splitlines()) == 7


@pytest.mark.slow
@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        (["--set", "hidden_units=8"], "worker 1 differs from worker 0 in its settings: start all of them alike"),
        (["--resume", "elsewhere"], "worker 1 cannot train, as it says itself"),
    ],
)
def test_workers_that_differ_say_so_and_write_nothing(second, sentence, tmp_path):
    codes, texts = trained(tmp_path, *DENSE, "--out", tmp_path / "run", second=second)
    assert codes == [2, 2], texts
    assert texts[0].splitlines()[-1] == f"kgan: {sentence}"
    assert texts[1].startswith("kgan: ")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["codegan-digits", "modern-digits"])
def test_recipes_train_as_in_one_process(recipe, tmp_path):
    codes, texts = trained(tmp_path, recipe, *CONVOLUTIONAL, "--out", tmp_path / "shared")
    assert codes == [0, 0], texts
    assert difference(weights(tmp_path / "shared"), alone(tmp_path / "alone", recipe, *CONVOLUTIONAL)) < 1e-4


PROGRAM = """
import json, os, sys
names, number, out = sys.argv[1].split(","), int(sys.argv[2]), sys.argv[3]
os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": names}, "task": {"type": "worker", "index": number}})
import numpy as np
import kgan
from kgan import callbacks, data
import tensorflow as tf

with tf.distribute.MultiWorkerMirroredStrategy().scope():
    model = kgan.DCGAN((16, 16, 1), filters=4, latent_dim=8, ema=0.9, augment=["translation"], classes=10)
    model.compile(loss="relativistic")
real = data.load_labeled("digits", image_size=16)
each = [
    callbacks.StopOnNaN(),
    callbacks.Quality(real, every=1, features="pixels", keep_best=f"{out}/best.keras"),
    callbacks.HistoryCSV(f"{out}/history.csv"),
    callbacks.EpochGIF(f"{out}/progress.gif"),
    callbacks.Doctor(real.images),
    callbacks.Checkpoint(f"{out}/checkpoint", minutes=0.001),
]
images = data.from_uint8(real.images[:300])
dataset = tf.data.Dataset.from_tensor_slices((images, real.labels[:300])).batch(64)  # the last batch has 44
held_out = images[:64], real.labels[:64]
history = model.fit(dataset, epochs=2, callbacks=each, verbose=0, validation_data=held_out).history
model.steps_per_execution = 4
grids = callbacks.SampleGrid(f"{out}/samples", iterations=[13, 14])  # for which only the chief has to stop
model.fit(data.Batches(real.images, 64, labels=real.labels), epochs=1, callbacks=[grids], verbose=0)
try:
    model.evaluate(*held_out, verbose=0)
except ValueError as error:
    assert "steps_per_execution is 4" in str(error), error
model.save(f"{out}/model.keras")
np.savez(f"{out}/weights-{number}.npz", *model.get_weights())
print(json.dumps(history))
"""


@pytest.mark.slow
def test_a_script_with_every_callback_has_equal_weights_at_both_workers(tmp_path):
    names = ",".join(addresses())
    commands = [[sys.executable, "-c", PROGRAM, names, str(number), tmp_path] for number in range(2)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **streams) for command in commands]
    ends = [process.communicate(timeout=240) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], ends
    one, other = (dict(np.load(tmp_path / f"weights-{number}.npz")) for number in range(2))
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert len(one) > 20
    assert all(np.array_equal(*pair) for pair in zip(weights(tmp_path / "model.keras"), one.values(), strict=True))
    histories = [json.loads(out.splitlines()[-1]) for out, _ in ends]
    assert histories[0] == histories[1]
    assert {"frechet", "d_loss", "val_d_loss"} <= set(histories[0])
    assert {path.name for path in (tmp_path / "samples").iterdir()} >= {"iteration-000013.png", "iteration-000014.png"}


# How they end


def wait_for(log, text):
    for _ in range(600):
        if text in log.read_text():
            return
        time.sleep(0.1)
    raise AssertionError(log.read_text())


@pytest.mark.slow
@pytest.mark.parametrize(("how", "number"), [("SIGKILL", 0), ("SIGKILL", 1), ("SIGTERM", 1), ("SIGSTOP", 1)])
def test_when_a_worker_is_lost_the_others_end_and_the_run_is_resumed(how, number, tmp_path):
    run = tmp_path / "run"
    with started(tmp_path, *DENSE, "--epochs", "1000", "--out", run) as (processes, logs):
        wait_for(logs[0], "epoch    2/1000")
        lost, other = processes[number], processes[1 - number]
        os.kill(lost.pid, getattr(signal, how))
        code, text = other.wait(timeout=60), logs[1 - number].read_text()
        assert f"kgan train --resume {run}" in text.splitlines()[-1]
        if how == "SIGTERM":
            assert (code, lost.wait(timeout=60)) == (143, 143)
            assert "interrupted after" in text
        else:
            assert code == 1
            assert f"kgan: a worker was lost, so worker {1 - number} of 2 ends; " in text
            assert "Traceback" not in text
        if how == "SIGSTOP":
            os.kill(lost.pid, signal.SIGCONT)
            assert lost.wait(timeout=60) == 1
    epochs = runs.read_json(run / "run.json")["epochs"]
    assert epochs >= 2
    alone(run, "--resume", run, "--epochs", str(epochs + 1))
    assert runs.read_json(run / "run.json")["status"] == "finished"
