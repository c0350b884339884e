import csv

import numpy as np
import pytest
from PIL import Image, ImageSequence

import kgan
from kgan import callbacks, plots
from kgan._backend import keras


def grid(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def gif_frames(path):
    with Image.open(path) as gif:
        return [(np.asarray(frame.convert("L")), frame.info["duration"]) for frame in ImageSequence.Iterator(gif)]


class Fails(keras.callbacks.Callback):
    """Raises in the middle of an epoch."""

    def __init__(self, epoch, error):
        super().__init__()
        self.fails_in, self.error = epoch, error

    def on_train_batch_end(self, batch, logs=None):
        if batch == 1 and self.epoch == self.fails_in:
            raise self.error

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch + 1


def fit(model, digits, epochs, *watchers):
    return model.fit(digits, batch_size=32, epochs=epochs, verbose=0, callbacks=list(watchers))


# SampleGrid


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, [1, 2, 3, 4, 5]),
        ({"every": 2}, [2, 4]),
        ({"epochs": (1, 4, 50)}, [1, 4]),
        ({"epochs": ()}, []),
        ({"epochs": 3}, [3]),
    ],
)
def test_sample_grids_of_wished_epochs(arguments, expected, small_dcgan, digits, tmp_path):
    fit(small_dcgan(), digits, 5, callbacks.SampleGrid(tmp_path / "samples", rows=2, columns=2, **arguments))
    assert sorted(path.name for path in tmp_path.glob("samples/*")) == [f"epoch-{n:04}.png" for n in expected]


def test_sample_grids_show_the_same_codes_each_time(small_dcgan, digits, tmp_path):
    model = small_dcgan()
    fit(model, digits, 2, callbacks.SampleGrid(tmp_path, rows=2, columns=3, seed=9))
    expected = plots.image_grid(model.generate(6, seed=9), columns=3)
    np.testing.assert_array_equal(grid(tmp_path / "epoch-0002.png"), np.asarray(expected))
    assert (grid(tmp_path / "epoch-0001.png") != grid(tmp_path / "epoch-0002.png")).any()


@pytest.mark.parametrize("steps_per_execution", [1, 4])
def test_sample_grids_of_wished_iterations(steps_per_execution, small_dcgan, digits, tmp_path):
    """4 steps an epoch: executed 4 together they would step over iterations 3 and 6."""
    watcher = callbacks.SampleGrid(tmp_path, epochs=(), iterations=(3, 4, 6, 100), rows=2, columns=2)
    fit(small_dcgan(steps_per_execution=steps_per_execution), digits, 2, watcher)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"iteration-{n:06}.png" for n in (3, 4, 6)]
    straight = small_dcgan()
    straight.fit(digits, batch_size=32, steps_per_epoch=3, epochs=1, verbose=0)
    expected = plots.image_grid(straight.generate(4), columns=2)
    difference = np.int32(grid(tmp_path / "iteration-000003.png")) - np.asarray(expected)
    assert np.abs(difference).max() <= 1


# EpochGIF


@pytest.mark.parametrize(("every", "shown"), [(1, [1, 2, 3, 4, 5, 6, 7]), (3, [1, 3, 6, 7]), (100, [1, 7])])
def test_gif_has_the_first_and_the_last_epoch_always(every, shown, small_dcgan, digits, tmp_path):
    model = small_dcgan()
    watchers = callbacks.SampleGrid(tmp_path / "samples"), callbacks.EpochGIF(tmp_path / "a.gif", every=every, rows=8)
    fit(model, digits, 7, *watchers)
    frames = gif_frames(tmp_path / "a.gif")
    assert [duration for _, duration in frames] == [150] * (len(shown) - 1) + [2500]
    for (frame, _), epoch in zip(frames, shown, strict=True):
        sample = Image.open(tmp_path / "samples" / f"epoch-{epoch:04}.png")
        expected = np.asarray(plots.captioned(sample, f"epoch {epoch}"))  # the number is on the frame
        assert np.abs(np.int32(frame) - expected).max() <= 19  # half of a step of 8 greys


def test_gif_in_colour(tmp_path):
    images = np.random.default_rng(0).uniform(-1, 1, (8, 8, 8, 3)).astype("float32")
    model = kgan.DCGAN((8, 8, 3), latent_dim=4, filters=2)
    model.compile()
    model.fit(images, batch_size=4, epochs=2, verbose=0, callbacks=[callbacks.EpochGIF(tmp_path / "a.gif")])
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 2
        gif.seek(1)
        drawn = np.asarray(gif.convert("RGB"), np.int32)
    expected = plots.captioned(plots.image_grid(model.generate(40), 8), "epoch 2")
    assert np.abs(drawn - np.asarray(expected)).mean() < 12  # 256 colours of its own


# All of them


def everything(directory):
    return (
        callbacks.SampleGrid(directory / "samples", rows=2, columns=2),
        callbacks.EpochGIF(directory / "progress.gif", rows=2, columns=2),
        callbacks.ChosenEpochs(directory / "epochs.png", (1, 2, 100), rows=2, columns=2),
        callbacks.LossCurves(directory / "losses.png"),
        callbacks.HistoryCSV(directory / "history.csv"),
    )


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("a bug")], ids=["Ctrl-C", "exception"])
def test_interrupted_training_has_its_pictures(error, small_dcgan, digits, tmp_path):
    with pytest.raises(type(error)):
        fit(small_dcgan(), digits, 9, *everything(tmp_path / "cut"), Fails(4, error))
    fit(small_dcgan(), digits, 3, *everything(tmp_path / "whole"))
    files = [path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*") if path.is_file()]
    assert len(files) == 3 + 4
    for name in files:
        cut, whole = tmp_path / "cut" / name, tmp_path / "whole" / name
        if name.name != "history.csv":  # which holds times
            assert cut.read_bytes() == whole.read_bytes(), name
    assert not list(tmp_path.rglob("*part*"))


def test_epochs_count_on_through_several_fits(small_dcgan, digits, tmp_path):
    model, watchers = small_dcgan(), everything(tmp_path)
    for epochs in (2, 3):
        fit(model, digits, epochs, *watchers)
    assert len(list(tmp_path.glob("samples/epoch-*.png"))) == 5
    assert len(gif_frames(tmp_path / "progress.gif")) == 5
    with (tmp_path / "history.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == list("12345")


def test_epochs_start_where_keras_is_told_to(small_dcgan, digits, tmp_path):
    model = small_dcgan()
    watcher = callbacks.SampleGrid(tmp_path, rows=2, columns=2)
    model.fit(digits, batch_size=32, initial_epoch=5, epochs=7, verbose=0, callbacks=[watcher])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch-0006.png", "epoch-0007.png"]


def test_history_holds_what_keras_says(small_dcgan, digits, tmp_path):
    history = fit(small_dcgan(), digits, 2, callbacks.HistoryCSV(tmp_path / "history.csv")).history
    with (tmp_path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    for key in ("d_loss", "g_loss", "d_real", "d_fake"):
        assert [float(row[key]) for row in rows] == history[key]
    assert all(float(row["seconds"]) > 0 for row in rows)


def test_chosen_epochs_stand_beside_each_other(small_dcgan, digits, tmp_path):
    watchers = (
        callbacks.SampleGrid(tmp_path / "samples", rows=2, columns=2),
        callbacks.ChosenEpochs(tmp_path / "epochs.png", epochs=(1, 2), rows=2, columns=2),
    )
    fit(small_dcgan(), digits, 4, *watchers)
    pictures = [Image.open(tmp_path / "samples" / f"epoch-{epoch:04}.png") for epoch in (1, 2, 4)]
    expected = plots.side_by_side(pictures, ["epoch 1", "epoch 2", "epoch 4"])
    np.testing.assert_array_equal(grid(tmp_path / "epochs.png"), np.asarray(expected))


def test_they_draw_nothing_from_the_model_that_changes_training(small_dcgan, digits, tmp_path):
    watched, alone = small_dcgan(), small_dcgan()
    fit(watched, digits, 2, *everything(tmp_path))
    fit(alone, digits, 2)
    for weight, expected in zip(watched.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)


@pytest.mark.parametrize("how", [lambda watcher: watcher, lambda watcher: [[watcher]]], ids=["alone", "nested"])
def test_every_way_to_give_a_callback(how, small_dcgan, digits, tmp_path):
    watcher = callbacks.SampleGrid(tmp_path, epochs=(), iterations=3, rows=1, columns=1)
    model = small_dcgan(steps_per_execution=4)
    model.fit(digits, batch_size=32, verbose=0, callbacks=how(watcher))
    assert [path.name for path in tmp_path.iterdir()] == ["iteration-000003.png"]


@pytest.mark.parametrize("network", ["discriminator", "generator"])
def test_a_loss_that_is_nan_ends_training(network, small_dcgan, digits):
    model = small_dcgan(run_eagerly=True)
    bias = getattr(model, network).trainable_weights[0]
    with pytest.raises(FloatingPointError, match=r"_loss is nan in epoch 2, step 5"):
        fit(model, digits, 4, callbacks.StopOnNaN(), Plants(bias))


@pytest.mark.parametrize(
    ("watcher", "moment"), [(callbacks.StopOnNaN(), "in epoch 2, step 8"), (callbacks.EpochCounter(), "after step 8")]
)
def test_a_moving_average_that_is_nan_ends_training_though_no_loss_is(watcher, moment, small_dcgan, digits, tmp_path):
    """And is not saved, whoever notices."""
    model, checkpoint = small_dcgan(), callbacks.Checkpoint(tmp_path)
    average = next(each for each in model.discriminator.weights if "moving_variance" in each.path)
    with pytest.raises(FloatingPointError, match=f"moving_variance is not finite {moment}"):
        fit(model, digits, 4, watcher, checkpoint, Plants(average))
    assert checkpoint.restore()
    assert (checkpoint.epoch, int(model.step)) == (1, 4)
    assert np.isfinite(average.numpy()).all()


class Plants(keras.callbacks.Callback):
    """NaN in a weight, as the second epoch begins."""

    def __init__(self, weight):
        super().__init__()
        self.weight = weight

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            self.weight.assign(self.weight * np.nan)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: callbacks.SampleGrid("x", every=0), "every is 0"),
        (lambda: callbacks.SampleGrid("x", epochs=[0, 1]), r"epochs is \[0, 1\]"),
        (lambda: callbacks.SampleGrid("x", iterations=[-1]), "iterations is"),
        (lambda: callbacks.EpochGIF("x.gif", rows=0), "rows is 0"),
        (lambda: callbacks.EpochGIF("x.gif", milliseconds=0), "milliseconds is 0"),
        (lambda: callbacks.ChosenEpochs("x.png", (0,)), "epochs is"),
    ],
)
def test_they_refuse_what_is_below_1(make, message):
    with pytest.raises(ValueError, match=message + ".*: it is counted from 1"):
        make()
