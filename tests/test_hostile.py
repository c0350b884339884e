"""Files from strangers: refused in one sentence, with nothing executed and nothing written."""

import json
import os
import pickle
import shutil
import zipfile
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner
from written import eagerly

import kgan
from kgan import callbacks, runs
from kgan._backend import keras
from kgan.cli import app

SMALL = {"batch_size": 256, "image_size": 8, "filters": 2, "latent_dim": 4}
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
OFTEN = settings(
    max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), phases=set(Phase) - {Phase.shrink}
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The directory of a small run, and what is in its files."""
    directory = tmp_path_factory.mktemp("runs") / "run"
    with eagerly():
        kgan.train("dcgan-digits", epochs=2, out=directory, verbose=0, **SMALL)
    return directory, contents(directory)


def contents(directory):
    return {path: path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}


def restore(files, directory):
    shutil.rmtree(directory)
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


class Resumed(BaseException):
    """Instead of training."""


def resume(directory):
    """Resume with one more epoch: the step it resumes from, or None where it is refused as it should be."""

    def instead_of_training(model, *arguments, **keywords):
        raise Resumed(int(model.step))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.Model, "fit", instead_of_training)  # all that comes before is done
        try:
            result = CliRunner().invoke(app, ["train", "--resume", str(directory), "--epochs", "3"])
        except Resumed as resumed:
            return resumed.args[0]
    assert isinstance(result.exception, (SystemExit, type(None))), result.exception
    assert result.exit_code == 2, result.output
    sentences = [line for line in result.output.splitlines() if line.startswith("kgan: ")]
    assert len(sentences) == 1
    assert "Traceback" not in result.output
    return None


# run.json and the checkpoints, changed at random


def change_an_entry(data, *places):
    place = data.draw(st.sampled_from([place for place in places if place]))
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(ANY_JSON)


def change_the_record(data, directory, files):
    record = json.loads((directory / "run.json").read_text())
    change_an_entry(data, record, record["settings"])
    (directory / "run.json").write_text(json.dumps(record))


def damage_files(data, directory, files):
    names = st.sampled_from([path for path in files if path.suffix in (".json", ".npz")])
    for path in data.draw(st.lists(names, min_size=1, max_size=3, unique=True)):
        content = bytearray(files[path])
        begin = data.draw(st.integers(0, len(content)))
        content[begin : begin + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=40))
        path.write_bytes(content)


def change_the_state(data, directory, files):
    saved = runs.read_checkpoint(directory / "checkpoint")
    callbacks_of_run = saved.state["callbacks"]
    change_an_entry(data, saved.state, callbacks_of_run, *callbacks_of_run.values(), saved.state["run"])
    runs.write_checkpoint(directory / "checkpoint", 3, saved.arrays, saved.state)


@pytest.mark.parametrize(
    ("harm", "resumed_at"),
    [(change_the_record, {14}), (damage_files, {7, 14}), (change_the_state, {14})],  # 7: from the checkpoint before
)
@OFTEN
@given(data=st.data())
def test_a_harmed_run_is_refused_or_resumed_as_it_was(harm, resumed_at, data, run):
    directory, files = run
    try:
        harm(data, directory, files)
        before = contents(directory)
        assert resume(directory) in resumed_at | {None}
        changed = {path.name for path, content in contents(directory).items() if content != before.get(path)}
        assert changed <= {"run.json"} or harm is not change_the_record
    finally:
        restore(files, directory)


# Paths that lead elsewhere


CHANGES = [{"recipe": "../../elsewhere"}, {"recipe": ["dcgan-digits"]}, {"settings": None}]
CHANGES += [
    {"settings": change}
    for change in ({"data": "../../../etc/passwd"}, {"filters": 10**30}, {"latent_dim": -4}, {"__class__": "x"})
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_hostile_run_json(change, run, tmp_path):
    directory = shutil.copytree(run[0], tmp_path / "run")
    record = json.loads((directory / "run.json").read_text())
    (directory / "run.json").write_text(json.dumps({**record, **change}))
    before = contents(tmp_path)
    assert resume(directory) is None
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["samples", "checkpoint", "progress.gif", "run.json", "model.keras"])
def test_links_that_lead_out_of_a_run_are_not_followed(name, run, tmp_path):
    directory, elsewhere = shutil.copytree(run[0], tmp_path / "run"), tmp_path / "elsewhere"
    shutil.move(directory / name, elsewhere)
    (directory / name).symlink_to(elsewhere)
    before = contents(tmp_path)
    assert resume(directory) is None
    assert contents(tmp_path) == before


def test_half_written_files_that_are_links_are_not_written_through(tmp_path):
    (tmp_path / "precious").write_text("precious")
    (tmp_path / f".part-{os.getpid()}-a.json").symlink_to(tmp_path / "precious")
    runs.write_json(tmp_path / "a.json", {})
    (tmp_path / f".part-{os.getpid()}-a.gif").symlink_to(tmp_path / "precious")
    kgan.plots.GIF(tmp_path / "a.gif").append(kgan.plots.image_grid(np.zeros((1, 8, 8, 1))))
    assert (tmp_path / "precious").read_text() == "precious"
    assert not (tmp_path / "a.json").is_symlink()


def test_a_checkpoint_is_a_plain_file(run, tmp_path):
    directory = shutil.copytree(run[0] / "checkpoint", tmp_path / "checkpoint")
    for path in directory.glob("*.npz"):
        path.unlink()
        path.symlink_to("/dev/zero")
    with pytest.raises(ValueError, match="is not a plain file"):
        runs.read_checkpoint(directory)


# Code


class Bomb:
    def __reduce__(self):
        return os.system, (f"touch {Path.cwd() / 'exploded'}",)


@pytest.fixture
def _watch_for_explosions(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    assert not (tmp_path / "exploded").exists()


@pytest.mark.usefixtures("_watch_for_explosions")
def test_pickles_are_not_opened(tmp_path, digits):
    payload = np.empty(1, object)
    payload[0] = Bomb()
    np.save("images.npy", payload, allow_pickle=True)
    with pytest.raises(ValueError, match=r"images\.npy is not an array of images"):
        kgan.data.load("images.npy")
    Path("model.keras").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match="is not a model that can be loaded"):
        runs.load_model("model.keras")
    np.savez("checkpoint.npz", payload=payload)
    for number in (1, 2):
        directory = Path("checkpoint")
        runs.write_checkpoint(directory, number, {}, {})
        shutil.copy("checkpoint.npz", directory / f"checkpoint-00000{number}.npz")
    with pytest.raises(ValueError, match=r"no checkpoint in checkpoint can be used: .*allow_pickle"):
        runs.read_checkpoint("checkpoint")


@pytest.mark.usefixtures("_watch_for_explosions")
def test_lambda_layers_are_not_run():
    command = f"__import__('os').system('touch {Path.cwd() / 'exploded'}')"
    evil = keras.layers.Lambda(eval(f"lambda codes: (codes, {command})[0]"), output_shape=(4,))
    inputs = keras.Input((4,))
    networks = kgan.networks.dense_generator((2,), 4, 8), kgan.networks.dense_discriminator((2,), 8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "system", lambda command: 0)  # building it runs it once
        model = kgan.GAN(keras.Model(inputs, networks[0](evil(inputs))), networks[1])
        model.compile()
        model.save("model.keras")
    with pytest.raises(ValueError, match=r"is not a model that can be loaded: .*[Ll]ambda"):
        runs.load_model("model.keras")


def with_config(source, target, change):
    """A copy of a model with another config.json."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for file in old.infolist():
            content = old.read(file)
            if file.filename == "config.json":
                config = json.loads(content)
                change(config["config"])
                content = json.dumps(config)
            new.writestr(file.filename, content)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"filters": -3}, "filters"),
        ({"filters": 4096}, r"it describes networks of [\d,]+ weights, more than it holds"),
        ({"latent_dim": 10**12}, "latent_dim is 1000000000000: it must be from 1 to 4096"),
        ({"latent_dim": 0}, "latent_dim"),
        ({"image_shape": [8, 8, -1]}, "."),
        ({"image_shape": [2**30, 2**30, 1]}, "."),
        ({"image_shape": "8, 8, 1"}, "."),
        ({"kernel_size": -1}, "kernel_size"),
        ({"seed": "x"}, "."),
        ({"prior": "cauchy"}, "prior is 'cauchy'"),
    ],
)
def test_a_hostile_model_config(change, reason, run, tmp_path):
    target = tmp_path / "model.keras"
    with_config(run[0] / "model.keras", target, lambda config: config.update(change))
    with pytest.raises(ValueError, match=f"is not a model that can be loaded: .*{reason}") if reason else nullcontext():
        runs.load_model(target)


def test_the_example_of_a_checkpoint_in_use_is_not_hostile(run):
    """What all of these tests lean on: the same directory, unchanged, is resumed."""
    assert resume(run[0]) == 14
    assert callbacks.FORMAT == 4


def test_a_refused_model_leaves_nothing_behind_for_the_next_training(tmp_path, digits):
    """In Keras, variables that are built and not initialized wait for the next scope that ends."""
    small = kgan.DCGAN((16, 16, 1), latent_dim=4, filters=2)
    small.compile(run_eagerly=True)
    small.save(tmp_path / "good.keras")
    with_config(tmp_path / "good.keras", tmp_path / "bad.keras", lambda config: config.update(filters=4096))
    with pytest.raises(ValueError, match="more than it holds"):
        kgan.load_model(tmp_path / "bad.keras")
    small.fit(digits[:32], batch_size=32, verbose=0)
