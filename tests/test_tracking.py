"""What an experiment tracker gets of a run."""

import numpy as np
import pytest

from kgan import callbacks


class Kept:
    """A tracker that keeps what it is told."""

    Image = staticmethod(np.asarray)

    def __init__(self):
        self.calls = []

    def init(self, **settings):
        self.calls.append(("init", settings))

    def log(self, content, step):
        self.calls.append((step, {name: getattr(value, "shape", value) for name, value in content.items()}))

    def finish(self):
        self.calls.append(("finish", None))


@pytest.fixture
def model(digits_gan):
    return digits_gan(run_eagerly=True)


@pytest.fixture
def images(digits):
    return digits[:32]


def test_a_tracker_gets_metrics_each_epoch_and_grids_when_asked(model, images):
    kept = Kept()
    tracker = callbacks.Tracker(kept, every=2, rows=2, columns=3, project="gans")
    history = model.fit(images, batch_size=16, epochs=3, verbose=0, callbacks=[tracker]).history
    assert kept.calls[0] == ("init", {"project": "gans"})
    assert kept.calls[-1] == ("finish", None)
    logged = kept.calls[1:-1]
    assert [step for step, _ in logged] == [1, 2, 3, 3]  # the last epoch has a grid whatever `every` says
    assert [("samples" in content) for _, content in logged] == [False, True, False, True]
    for (_, content), d_loss in zip(logged, history["d_loss"], strict=False):
        assert content["d_loss"] == d_loss


def test_a_tracker_is_finished_when_training_fails(model, images):
    kept = Kept()
    model.d_optimizer.learning_rate = 1e30
    with pytest.raises(FloatingPointError):
        model.fit(images, epochs=9, verbose=0, callbacks=[callbacks.Tracker(kept), callbacks.StopOnNaN()])
    assert kept.calls[-1] == ("finish", None)


def test_what_is_no_tracker_is_refused():
    with pytest.raises(TypeError, match="which has no init: it needs init, log, finish"):
        callbacks.Tracker(3)


def test_tensorboard_shows_curves_and_pictures(model, images, tmp_path):
    pytest.importorskip("tensorboard", reason="pip install tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    tracker = callbacks.Tracker(callbacks.TensorBoard(tmp_path / "logs"), rows=2, columns=2)
    history = model.fit(images, batch_size=16, epochs=2, verbose=0, callbacks=[tracker]).history
    found = EventAccumulator(str(tmp_path / "logs"))
    found.Reload()
    curve = [float(make_ndarray(event.tensor_proto)) for event in found.Tensors("d_loss")]
    assert curve == pytest.approx(history["d_loss"])
    assert [event.step for event in found.Tensors("samples")] == [1, 2]
    width, height, png = make_ndarray(found.Tensors("samples")[0].tensor_proto)[:3]
    drawn = tracker.draw().size
    assert (int(width), int(height)) == drawn
    assert png.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("paper", "kgan: log is paper: choose one of tensorboard, wandb, trackio"),
        ("trackio", "kgan: trackio is not installed: pip install trackio"),
    ],
)
def test_a_tracker_that_is_not_there_is_named(name, sentence, kgan_command, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = kgan_command("train", "gan-digits", "--log", name)
    assert result.exit_code == 2
    assert result.output.strip() == sentence
    assert not (tmp_path / "runs").exists()
