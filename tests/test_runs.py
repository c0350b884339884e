import contextlib
import json

import pytest

from kgan import runs
from kgan._backend import keras, tf


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "file.txt"
    with runs.replacing(path) as temporary:
        temporary.write_text("first")
        assert not path.exists()
    assert path.read_text() == "first"
    with contextlib.suppress(OSError), runs.replacing(path) as temporary:
        temporary.write_text("sec")
        raise OSError("disk full")
    assert path.read_text() == "first"
    assert [each.name for each in path.parent.iterdir()] == ["file.txt"]


def test_json_is_for_people_too(tmp_path):
    runs.write_json(tmp_path / "run.json", {"images": [28, 28], "of": "28 × 28"})
    text = (tmp_path / "run.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"images": [28, 28], "of": "28 × 28"}
    assert "28 × 28" in text
    assert "\n" in text


def test_a_directory_with_a_run_is_not_free(tmp_path):
    runs.check_free(tmp_path)
    runs.check_free(tmp_path / "nowhere")
    (tmp_path / "notes.txt").touch()
    runs.check_free(tmp_path)
    (tmp_path / "progress.gif").touch()
    with pytest.raises(FileExistsError, match=r"already holds a run \(progress.gif\).*--out"):
        runs.check_free(tmp_path)
    with pytest.raises(FileExistsError, match="is a file"):
        runs.check_free(tmp_path / "notes.txt")


def test_models_load_from_a_run_or_a_file(small_dcgan, tmp_path):
    model = small_dcgan()
    model.save(tmp_path / "model.keras")
    for path in (tmp_path, str(tmp_path), tmp_path / "model.keras"):
        assert (runs.load_model(path).generate(2) == model.generate(2)).all()


def test_models_that_cannot_be_loaded(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no model at"):
        runs.load_model(tmp_path / "nowhere")
    (tmp_path / "model.keras").write_bytes(b"not a model")
    with pytest.raises(ValueError, match="is not a model that can be loaded"):
        runs.load_model(tmp_path)
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="holds a Sequential: kgan loads a GAN, a DCGAN or a CodeGAN"):
        runs.load_model(tmp_path)


def test_the_environment_can_be_written_down():
    environment = json.loads(json.dumps(runs.environment()))
    assert environment["keras"] == keras.__version__
    assert environment["device"].startswith("CPU, ") == (not tf.config.list_physical_devices("GPU"))


@pytest.mark.parametrize(("script", "expected"), [("echo 'NVIDIA T4'", "NVIDIA T4"), ("exit 9", None), ("echo", None)])
def test_a_gpu_that_tensorflow_does_not_use(script, expected, monkeypatch, tmp_path):
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("TensorFlow uses this machine's GPU")
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert runs.unused_gpu() == expected
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert runs.unused_gpu() is None  # hidden on purpose
