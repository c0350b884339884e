import csv
import time
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageSequence

import kgan
from kgan import callbacks, plots
from kgan._backend import keras, tf


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


def fit(model, digits, epochs, *each):
    return model.fit(digits, batch_size=32, epochs=epochs, verbose=0, callbacks=list(each))


# SampleGrid


WISHED = (
    ({}, [1, 2, 3, 4, 5]),
    ({"every": 2}, [2, 4, 5]),
    ({"every": 5}, [5]),
    ({"every": 50}, [5]),
    ({"epochs": (1, 4, 50)}, [1, 4]),
    ({"epochs": ()}, []),
    ({"epochs": 3}, [3]),
)


def test_sample_grids_of_wished_epochs(digits_gan, digits, tmp_path):
    each = [
        callbacks.SampleGrid(tmp_path / str(number), rows=2, columns=2, **arguments)
        for number, (arguments, _) in enumerate(WISHED)
    ]
    fit(digits_gan(), digits, 5, *each)
    for number, (arguments, expected) in enumerate(WISHED):
        names = sorted(path.name for path in (tmp_path / str(number)).glob("*"))
        assert names == [f"epoch-{n:04}.png" for n in expected], arguments


def test_the_last_epoch_is_drawn_whatever_every_says(digits_gan, digits, tmp_path):
    """Also where `fit` is called again, and where training is stopped before the epochs are over."""
    model, callback = digits_gan(), callbacks.SampleGrid(tmp_path, every=5, rows=2, columns=2, seed=9)

    class Stops(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 3

    fit(model, digits, 3, callback)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-0003.png"]
    expected = np.asarray(plots.image_grid(model.generate(4, seed=9), 2))
    np.testing.assert_array_equal(grid(tmp_path / "epoch-0003.png"), expected)
    fit(model, digits, 9, callback, Stops())  # epochs 4 to 7
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"epoch-{n:04}.png" for n in (3, 5, 7)]


def test_sample_grids_of_wished_iterations(digits_gan, digits, tmp_path):
    """4 steps an epoch: executed 4 together they would step over iterations 3 and 6."""
    callback = callbacks.SampleGrid(tmp_path, epochs=(), iterations=(3, 4, 6, 100), rows=2, columns=2)
    fit(digits_gan(steps_per_execution=4), digits, 2, callback)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"iteration-{n:06}.png" for n in (3, 4, 6)]
    straight = digits_gan()
    straight.fit(digits, batch_size=32, steps_per_epoch=3, epochs=1, verbose=0)
    expected = plots.image_grid(straight.generate(4), columns=2)
    difference = np.int32(grid(tmp_path / "iteration-000003.png")) - np.asarray(expected)
    assert np.abs(difference).max() <= 1


# EpochGIF


def test_gif_has_the_first_and_the_last_epoch_always(digits_gan, digits, tmp_path):
    shown = {1: [1, 2, 3, 4, 5, 6, 7], 3: [1, 3, 6, 7], 100: [1, 7]}
    each = [callbacks.EpochGIF(tmp_path / f"{every}.gif", every=every, rows=8) for every in shown]
    fit(digits_gan(), digits, 7, callbacks.SampleGrid(tmp_path / "samples"), *each)
    for every, epochs in shown.items():
        frames = gif_frames(tmp_path / f"{every}.gif")
        assert [duration for _, duration in frames] == [150] * (len(epochs) - 1) + [2500]
        for (frame, _), epoch in zip(frames, epochs, strict=True):
            sample = Image.open(tmp_path / "samples" / f"epoch-{epoch:04}.png")
            expected = np.asarray(plots.captioned(sample, f"epoch {epoch}"))  # the number is on the frame
            assert np.abs(np.int32(frame) - expected).max() <= 19  # half of a step of 8 grays


class Hooked(callbacks.Samples):
    """Has hooks of its own, as LivePlot has; it keeps the samples of the others up to date as well."""

    def on_epoch_begin(self, epoch, logs=None):
        pass


def test_samples_of_an_epoch_are_generated_once_and_new_in_the_next(digits_gan, digits, tmp_path, monkeypatch):
    model, counts = digits_gan(), []
    generate = model.generate
    monkeypatch.setattr(model, "generate", lambda codes: counts.append(len(codes)) or generate(codes))
    first = Hooked(rows=1, columns=1)
    fit(model, digits, 2, first, *everything(tmp_path), callbacks.SampleGrid(tmp_path / "large", rows=3, columns=3))
    assert counts == [9, 9]
    np.testing.assert_array_equal(  # the first four of the nine, and as they are generated alone
        grid(tmp_path / "samples" / "epoch-0002.png"), np.asarray(plots.image_grid(generate(4), 2))
    )
    alone = digits_gan()
    fit(alone, digits, 2)
    for weight, expected in zip(model.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)  # what they draw does not change training


def test_curves_are_passed_over_where_epochs_are_short(digits_gan, digits, tmp_path, monkeypatch):
    """But never the end, in which the first epoch is as well."""
    drawn = []
    curves = callbacks.LossCurves(tmp_path / "losses.png")
    monkeypatch.setattr(curves, "_save", lambda: drawn.append(curves.epoch) or time.sleep(0.5))
    fit(digits_gan(), digits, 5, curves)  # in 17 s it may be drawn once: in no epoch after the first
    assert drawn == [1, 5]


# All of them


def everything(directory):
    return (
        callbacks.SampleGrid(directory / "samples", rows=2, columns=2),
        callbacks.EpochGIF(directory / "progress.gif", rows=2, columns=2),
        callbacks.ChosenEpochs(directory / "epochs.png", (1, 2, 100), rows=2, columns=2),
        callbacks.LossCurves(directory / "losses.png"),
        callbacks.HistoryCSV(directory / "history.csv"),
    )


def test_interrupted_training_has_its_pictures(models_used_again, digits_gan, digits, tmp_path):
    fit(digits_gan(), digits, 2, *everything(tmp_path / "whole"))
    rows, files = state_of(tmp_path / "whole")
    assert len(files) == 2 + 3
    for error in (KeyboardInterrupt(), RuntimeError("a bug")):
        models_used_again.take_back()
        with pytest.raises(type(error)):
            fit(digits_gan(), digits, 9, *everything(tmp_path / type(error).__name__), Fails(3, error))
        assert state_of(tmp_path / type(error).__name__) == (rows, files)
    assert not list(tmp_path.rglob("*part*"))


def test_epochs_count_on_through_several_fits(digits_gan, digits, tmp_path):
    model, each = digits_gan(), everything(tmp_path)
    for epochs in (2, 3):
        fit(model, digits, epochs, *each)
    assert len(list(tmp_path.glob("samples/epoch-*.png"))) == 5
    assert len(gif_frames(tmp_path / "progress.gif")) == 5
    with (tmp_path / "history.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == list("12345")


def test_epochs_start_where_keras_is_told_to(digits_gan, digits, tmp_path):
    callback = callbacks.SampleGrid(tmp_path, rows=2, columns=2)
    digits_gan().fit(digits, batch_size=32, initial_epoch=5, epochs=7, verbose=0, callbacks=[callback])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch-0006.png", "epoch-0007.png"]


def test_losses_without_probabilities_are_drawn_as_such(digits_gan, digits, tmp_path, monkeypatch):
    said, draw = [], plots.loss_curves
    monkeypatch.setattr(plots, "loss_curves", lambda *all, **how: said.append(how) or draw(*all, **how))
    fit(digits_gan(loss="hinge", run_eagerly=True), digits, 1, callbacks.LossCurves(tmp_path / "losses.png"))
    assert said == [{"has_probabilities": False}]


def state_of(directory):
    """Every file that `everything` writes, without seconds."""
    with (directory / "history.csv").open() as file:
        rows = [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]
    files = [path for path in directory.rglob("*") if path.is_file() and path.name != "history.csv"]
    return rows, {str(path.relative_to(directory)): path.read_bytes() for path in files}


def test_with_another_model_they_begin_anew(models_used_again, digits_gan, digits, tmp_path):
    """As in a notebook, where the cell of the model is run again and that of the callbacks is not."""
    first, second = digits_gan(), digits_gan()
    each = everything(tmp_path / "again")
    fit(first, digits, 3, *each)
    for path in (tmp_path / "again" / "samples").iterdir():
        path.unlink()  # of the first: epoch-0003.png would stay
    fit(second, digits, 2, *each)
    assert [callback.epoch for callback in each] == [2] * 5
    models_used_again.take_back()
    fit(digits_gan(), digits, 2, *everything(tmp_path / "alone"))
    assert state_of(tmp_path / "again") == state_of(tmp_path / "alone")


def test_a_gif_never_holds_frames_of_two_sizes(digits_gan, digits, tmp_path):
    """Of another model, or of another grid when a run is resumed."""
    path, large = tmp_path / "a.gif", kgan.DCGAN((32, 32, 1), latent_dim=4, filters=2)
    large.compile(run_eagerly=True)
    gif = callbacks.EpochGIF(path, rows=2, columns=2)
    fit(digits_gan(), digits, 3, gif)
    fit(large, digits.repeat(2, 1).repeat(2, 2), 2, gif)
    large_frame = plots.captioned(plots.image_grid(large.generate(4), 2), "epoch 2")
    assert [frame.shape for frame, _ in gif_frames(path)] == [np.asarray(large_frame).shape] * 2
    for epochs, columns in ((1, 2), (3, 5)):
        model, gif = digits_gan(), callbacks.EpochGIF(path, rows=2, columns=columns)
        fit(model, digits, epochs, gif, callbacks.Checkpoint(tmp_path / "checkpoint", resume=True))
    frames, expected = gif_frames(path), plots.captioned(plots.image_grid(model.generate(10), 5), "epoch 3")
    assert [frame.shape for frame, _ in frames] == [np.asarray(expected).shape] * 2
    assert np.abs(np.int32(frames[-1][0]) - np.asarray(expected)).max() <= 19


def test_history_holds_what_keras_says(digits_gan, digits, tmp_path):
    history = fit(digits_gan(), digits, 2, callbacks.HistoryCSV(tmp_path / "history.csv")).history
    with (tmp_path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    for key in ("d_loss", "g_loss", "d_real", "d_fake"):
        assert [float(row[key]) for row in rows] == history[key]
    assert all(float(row["seconds"]) > 0 for row in rows)


def test_chosen_epochs_stand_beside_each_other(digits_gan, digits, tmp_path):
    chosen = callbacks.ChosenEpochs(tmp_path / "epochs.png", epochs=(1, 2), rows=2, columns=2)
    fit(digits_gan(), digits, 4, callbacks.SampleGrid(tmp_path / "samples", rows=2, columns=2), chosen)
    pictures = [Image.open(tmp_path / "samples" / f"epoch-{epoch:04}.png") for epoch in (1, 2, 4)]
    expected = plots.side_by_side(pictures, ["epoch 1", "epoch 2", "epoch 4"])
    np.testing.assert_array_equal(grid(tmp_path / "epochs.png"), np.asarray(expected))


@pytest.mark.parametrize("how", [lambda callback: callback, lambda callback: [[callback]]], ids=["alone", "nested"])
def test_every_way_to_give_a_callback(how, digits_gan, digits, tmp_path):
    callback = callbacks.SampleGrid(tmp_path, epochs=(), iterations=3, rows=1, columns=1)
    digits_gan().fit(digits, batch_size=32, verbose=0, callbacks=how(callback))
    assert [path.name for path in tmp_path.iterdir()] == ["iteration-000003.png"]


@pytest.mark.parametrize(("every", "step"), [(1, 5), (20, 8)])
@pytest.mark.parametrize("network", ["discriminator", "generator"])
def test_a_loss_that_is_nan_ends_training(network, every, step, digits_gan, digits, monkeypatch):
    """Where it looks after each step; and usually, at the end of the epoch."""
    monkeypatch.setattr(callbacks.StopOnNaN, "every", every)
    model = digits_gan(run_eagerly=True)  # in a graph, LeakyReLU may make 0 of NaN
    bias = getattr(model, network).trainable_weights[0]
    with pytest.raises(FloatingPointError, match=rf"_loss is nan in epoch 2, step {step}$"):
        fit(model, digits, 4, callbacks.StopOnNaN(), Plants(bias))


def test_looking_for_nan_divides_no_execution():
    model = SimpleNamespace(steps_per_execution=1, distribute_strategy=tf.distribute.get_strategy())
    guard = callbacks.StopOnNaN()
    guard._model = model
    assert [guard.next_iteration(step) for step in (0, 19, 20)] == [20, 20, 40]
    model.steps_per_execution = 50
    assert [guard.next_iteration(step) for step in (0, 50)] == [50, 100]


@pytest.mark.parametrize(
    ("callback", "moment"), [(callbacks.StopOnNaN(), "in epoch 2, step 8"), (callbacks.Callback(), "after step 8")]
)
def test_a_moving_average_that_is_nan_ends_training_though_no_loss_is(callback, moment, small_dcgan, digits, tmp_path):
    """And is not saved, whoever notices."""
    model, checkpoint = small_dcgan(), callbacks.Checkpoint(tmp_path)
    average = next(weight for weight in model.discriminator.weights if "moving_variance" in weight.path)
    with pytest.raises(FloatingPointError, match=f"moving_variance is not finite {moment}"):
        fit(model, digits, 4, callback, checkpoint, Plants(average))
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
        (lambda: callbacks.SampleGrid("x", every=0), "every is 0: it must be 1 or more"),
        (lambda: callbacks.Checkpoint("x", every=0), "every is 0: it must be 1 or more"),
        (lambda: callbacks.SampleGrid("x", epochs=[0, 1]), r"epochs is \[0, 1\]: it must be 1 or more"),
        (lambda: callbacks.SampleGrid("x", iterations=[-1]), "iterations is .*: it must be 1 or more"),
        (lambda: callbacks.EpochGIF("x.gif", rows=0), "rows is 0: it must be 1 or more"),
        (lambda: callbacks.EpochGIF("x.gif", hold=0), "hold is 0: it must be from 1 to 655350, in milliseconds"),
        (lambda: callbacks.EpochGIF("x.gif", milliseconds=900_000), "milliseconds is 900000: it must be from 1 to"),
        (lambda: callbacks.ChosenEpochs("x.png", (0,)), "epochs is .*: it must be 1 or more"),
    ],
)
def test_they_refuse_numbers_out_of_range(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# What cannot be right is refused when they are made, or before the first step


PICTURES = [callbacks.ChosenEpochs, callbacks.LossCurves, callbacks.CodeCurves, callbacks.CodeColumns]
SUFFIXES = [(callbacks.EpochGIF, ".gif"), (callbacks.HistoryCSV, ".csv"), *((each, ".png") for each in PICTURES)]


@pytest.mark.parametrize(("callback", "suffix"), SUFFIXES)
def test_a_file_of_another_kind_is_refused(callback, suffix, tmp_path):
    for name in ("x.mp4", "x", f"x{suffix}.txt", suffix):
        with pytest.raises(ValueError, match=f"path is .*{name}: the file must end in {suffix}"):
            callback(tmp_path / name)
    (tmp_path / f"directory{suffix}").mkdir()
    for directory in (tmp_path, tmp_path / f"directory{suffix}"):
        with pytest.raises(ValueError, match=f"{directory} is a directory: name a file that ends in {suffix}"):
            callback(directory)
    for path in (f"x{suffix}", tmp_path / f"x{suffix.upper()}"):
        callback(path)
    assert [path.name for path in tmp_path.iterdir()] == [f"directory{suffix}"]


@pytest.mark.parametrize("callback", [callbacks.SampleGrid, callbacks.Checkpoint])
def test_a_file_in_place_of_a_directory_is_refused(callback, tmp_path):
    (tmp_path / "samples").touch()
    with pytest.raises(ValueError, match="samples is a file: name a directory"):
        callback(tmp_path / "samples")


@pytest.mark.parametrize("shape", [(2,), (8, 8, 2), (8, 8, 4)], ids=str)
def test_what_is_no_picture_is_refused_before_the_first_step(shape, tmp_path):
    model = kgan.GAN(kgan.networks.dense_generator(shape, 4, 8), kgan.networks.dense_discriminator(shape, 8))
    model.compile()
    for callback in (
        callbacks.SampleGrid(tmp_path / "samples"),
        callbacks.EpochGIF(tmp_path / "a.gif"),
        callbacks.ChosenEpochs(tmp_path / "a.png"),
    ):
        with pytest.raises(ValueError, match=f"{type(callback).__name__} draws images of 1 or 3 channels") as error:
            model.fit(np.zeros((32, *shape), "float32") - 1, batch_size=8, verbose=0, callbacks=[callback])
        assert f"this model makes {shape}" in str(error.value)
    assert int(model.step) == 0
    assert not list(tmp_path.iterdir())
