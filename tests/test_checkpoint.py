"""Checkpoints: what is resumed is what was never interrupted, and a good one is always left."""

import contextlib
import functools
import shutil
import sys

import numpy as np
import pytest

import kgan
from kgan import callbacks, runs
from kgan._backend import keras, tf
from kgan.data import Batches

STEPS = 4  # of an epoch: 128 digits in batches of 32


class Fails(keras.callbacks.Callback):
    """Raises after a step of the run."""

    def __init__(self, step, error=KeyboardInterrupt):
        super().__init__()
        self.step, self.error = step, error

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.step) == self.step:
            raise self.error


@pytest.fixture
def digits_gan(models_used_again, new_digits_gan):
    """Lent in this module alone: a model that has seen batches of several sizes has another graph, and other digits."""
    return functools.partial(models_used_again.lend, new_digits_gan, name="exact")


@pytest.fixture(scope="module")
def straight(new_digits_gan, digits):
    """A model after 3 epochs without a stop."""
    model = new_digits_gan()
    fit(model, digits, 3)
    return model


@pytest.fixture(scope="module")
def stopped(new_digits_gan, digits, tmp_path_factory):
    """The directory of that run, stopped in its last epoch, with the checkpoints of the first two."""
    directory = tmp_path_factory.mktemp("stopped")
    with contextlib.suppress(KeyboardInterrupt):
        fit(new_digits_gan(), digits, 3, callbacks.Checkpoint(directory), Fails(10))
    return directory


@pytest.fixture
def checkpoints(stopped, tmp_path):
    """A copy of it, to be damaged."""
    return shutil.copytree(stopped, tmp_path / "checkpoint")


def all_callbacks(directory, **checkpoint):
    return [
        callbacks.HistoryCSV(directory / "history.csv"),
        callbacks.SampleGrid(directory / "samples", every=2, iterations=(3, 10), rows=2, columns=2),
        callbacks.EpochGIF(directory / "progress.gif", every=2, rows=2, columns=2),
        callbacks.ChosenEpochs(directory / "epochs.png", epochs=(1, 3), rows=2, columns=2),
        callbacks.LossCurves(directory / "losses.png"),
        callbacks.Checkpoint(directory / "checkpoint", **checkpoint),
    ]


def fit(model, images, epochs, *each, **arguments):
    return model.fit(images, batch_size=32, epochs=epochs, verbose=0, callbacks=list(each), **arguments)


def state_of(model):
    return [variable.numpy() for variable in model.training_state]


def assert_same_state(model, expected):
    """Exactly that of another model, or what `state_of` said of it."""
    expected = expected if isinstance(expected, list) else state_of(expected)
    for value, same in zip(state_of(model), expected, strict=True):
        np.testing.assert_array_equal(value, same)


def contents(directory):
    return {path: path.read_bytes() for path in directory.iterdir()}


def history_of(directory):
    history = runs.read_history(directory / "history.csv")
    del history["seconds"]
    return history


def files_of(directory):
    pictures = [*directory.rglob("*.png"), *directory.rglob("*.gif")]
    return {str(path.relative_to(directory)): path.read_bytes() for path in pictures}


# Exact


def test_a_resumed_run_is_the_run_that_was_never_stopped(models_used_again, digits_gan, digits, tmp_path):
    """In the middle of epochs and at their ends; files and history included."""
    straight, interrupted = tmp_path / "straight", tmp_path / "interrupted"
    model = digits_gan()
    expected, state = fit(model, digits, 3, *all_callbacks(straight)), state_of(model)
    for stop in (1, 4, 10):
        models_used_again.take_back()
        with contextlib.suppress(KeyboardInterrupt):
            fit(digits_gan(), digits, 3, *all_callbacks(interrupted, resume=True, minutes=1e-9), Fails(stop))
    models_used_again.take_back()
    resumed = digits_gan()
    history = fit(resumed, digits, 3, *all_callbacks(interrupted, resume=True))
    assert_same_state(resumed, state)
    assert history.history == expected.history
    assert history.epoch == expected.epoch
    assert history_of(interrupted) == history_of(straight)
    assert files_of(interrupted) == files_of(straight)


def assert_exact(new, models_used_again, data, directory, stops, **arguments):
    """A run that is stopped after these steps of the run, and resumed, is in the end the run that was not stopped."""
    model = new()
    model.fit(data, verbose=0, **arguments)
    state = state_of(model)
    for stop in (*stops, None):
        models_used_again.take_back()
        resumed, checkpoint = new(), callbacks.Checkpoint(directory, minutes=1e-9, resume=True)
        with contextlib.suppress(KeyboardInterrupt):
            resumed.fit(data, verbose=0, callbacks=[checkpoint, Fails(stop)], **arguments)
    assert_same_state(resumed, state)


@pytest.mark.parametrize(
    ("make", "policy", "arguments"),
    [
        ("digits_gan", "bfloat16", {"dropout": True, "d_steps": 2, "prior": "uniform", "reuse_fakes": True}),
        ("digits_gan", "mixed_float16", {"steps_per_execution": 2}),
        ("small_dcgan", "mixed_bfloat16", {}),
    ],
    ids=str,
)
def test_it_is_exact_with_every_kind_of_model(make, policy, arguments, models_used_again, request, digits, tmp_path):
    keras.config.set_dtype_policy(policy)
    new = functools.partial(request.getfixturevalue(make), **arguments)
    assert_exact(new, models_used_again, digits, tmp_path, stops=[6], batch_size=32, epochs=2)


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("Batches", {"steps_per_epoch": 3}),
        ("repeated", {"steps_per_epoch": 3}),
        ("finite", {}),
        ("finite", {"steps_per_epoch": 2}),
        ("PyDataset", {"steps_per_epoch": 3}),
        ("unshuffled", {"shuffle": False, "batch_size": 32, "steps_per_epoch": 2}),
    ],
    ids=str,
)
def test_it_is_exact_with_every_kind_of_data(kind, arguments, models_used_again, digits_gan, digits, tmp_path):
    class Pictures(keras.utils.PyDataset):
        def __len__(self):
            return STEPS

        def __getitem__(self, index):
            return digits[32 * index : 32 * index + 32]

    in_order = tf.data.Dataset.from_tensor_slices(digits).batch(32)
    data = {"Batches": Batches(digits, 32, seed=5), "PyDataset": Pictures(), "unshuffled": digits}
    data |= {"finite": in_order, "repeated": in_order.repeat()}
    assert_exact(digits_gan, models_used_again, data[kind], tmp_path, stops=[5], epochs=3, **arguments)


def test_the_batches_of_later_steps_come_without_those_before(digits):
    read = []

    class Watched:
        """An array of a kind that TensorFlow does not know, such as one on disk."""

        shape, dtype = digits.shape, digits.dtype

        def __len__(self):
            return len(digits)

        def __getitem__(self, rows):
            read.append(rows)
            return digits[rows]

    expected = list(Batches(digits, 32, seed=3).dataset().take(7).as_numpy_iterator())
    later = Batches(Watched(), 32, seed=3).dataset(5).take(2)
    np.testing.assert_array_equal(list(later.as_numpy_iterator()), expected[5:])
    order = np.concatenate([Batches(digits, 32, seed=3).order(epoch) for epoch in (0, 1, 2, 3)])
    assert not {np.sort(rows).tobytes() for rows in order[:5]} & {rows.tobytes() for rows in read}
    assert {np.sort(rows).tobytes() for rows in order[5:7]} <= {rows.tobytes() for rows in read}


# Counting


def test_more_epochs_go_on(models_used_again, straight, digits_gan, digits, tmp_path):
    """With other objects, as in another process, and with the same; and no more than are asked for."""
    for process in ((1,), (1, 1, 2), (3,)):
        models_used_again.take_back()
        resumed, checkpoint = digits_gan(), callbacks.Checkpoint(tmp_path, resume=True)
        for epochs in process:
            history = fit(resumed, digits, epochs, checkpoint)
            assert history.epoch == list(range(epochs))
    assert_same_state(resumed, straight)
    assert history.history == straight.history.history
    models_used_again.take_back()
    with pytest.raises(ValueError, match="epochs is 2, but the run has 3 already"):
        fit(digits_gan(), digits, 2, callbacks.Checkpoint(tmp_path, resume=True))


def test_without_resume_fit_adds_its_epochs(digits_gan, digits, tmp_path):
    model, checkpoint = digits_gan(), callbacks.Checkpoint(tmp_path)
    fit(model, digits, 2, checkpoint)
    model.g_optimizer.learning_rate = 1e-5  # what is changed by hand between them stays changed
    fit(model, digits, 1, checkpoint)
    assert runs.read_checkpoint(tmp_path).state["epochs"] == 3
    resumed = digits_gan()
    fit(resumed, digits, 3, callbacks.Checkpoint(tmp_path, resume=True))
    assert_same_state(resumed, model)


@pytest.mark.parametrize(("stop", "every", "saves"), [(7, 5, False), (6, 1, True)])
def test_an_interrupted_fit_is_resumed_by_the_same_objects(stop, every, saves, straight, digits_gan, digits, tmp_path):
    """As in a notebook: from the last checkpoint, or one saved by hand."""
    model, checkpoint = digits_gan(), callbacks.Checkpoint(tmp_path, every=every, resume=True)
    with contextlib.suppress(KeyboardInterrupt):
        fit(model, digits, 3, checkpoint, Fails(stop))
    if saves:
        checkpoint.save()
    fit(model, digits, 3, checkpoint)
    assert_same_state(model, straight)


def test_a_learning_rate_that_a_callback_changes_is_kept(digits_gan, digits, tmp_path):
    class Halves(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.g_optimizer.learning_rate = 1e-4

    straight, model, checkpoint = digits_gan(), digits_gan(), callbacks.Checkpoint(tmp_path, resume=True)
    fit(straight, digits, 3, Halves())
    with contextlib.suppress(KeyboardInterrupt):
        fit(model, digits, 3, checkpoint, Halves(), Fails(10))
    fit(model, digits, 3, checkpoint, Halves())
    assert_same_state(model, straight)


def test_restoring_a_model_by_hand(stopped, digits_gan, digits):
    with pytest.raises(ValueError, match="there is no model to restore"):
        callbacks.Checkpoint(stopped).restore()
    model = digits_gan()
    assert callbacks.Checkpoint(stopped).restore(model)
    assert int(model.step) == 8
    assert not callbacks.Checkpoint(stopped / "nowhere").restore(model)


@pytest.mark.parametrize(("every", "minutes", "expected"), [(1, None, 3), (2, None, 2), (9, None, 1), (9, 1e-9, 10)])
def test_how_often(every, minutes, expected, digits_gan, digits, tmp_path, monkeypatch):
    """3 epochs of 4 steps: at the end in any case; where a minute is short, before every step but an epoch's first."""
    numbers = []
    write = runs.write_checkpoint
    monkeypatch.setattr(runs, "write_checkpoint", lambda *all: (numbers.append(all[1]), write(*all)))
    fit(digits_gan(), digits, 3, callbacks.Checkpoint(tmp_path, every=every, minutes=minutes))
    assert len(numbers) == expected
    assert len(list(tmp_path.glob("*.npz"))) == min(2, len(numbers))


def test_callbacks_that_are_new_to_the_run_know_its_history(digits_gan, digits, tmp_path):
    fit(digits_gan(), digits, 2, callbacks.Checkpoint(tmp_path / "c", resume=True))
    others = all_callbacks(tmp_path / "new")[:-1]
    fit(digits_gan(), digits, 3, *others, callbacks.Checkpoint(tmp_path / "c", resume=True))
    assert history_of(tmp_path / "new")["epoch"] == [1, 2, 3]
    assert [path.name for path in (tmp_path / "new" / "samples").glob("epoch*")] == ["epoch-0003.png"]


# Refused: what is not the same run


@pytest.mark.parametrize(
    ("model", "data", "batch_size", "named"),
    [
        ({"hidden_units": 9}, {}, 32, r"layers\.\d+\.units is 9, but in the checkpoint 8"),
        ({"seed": 1}, {}, 32, "seed is 1, but in the checkpoint 0"),
        ({"d_steps": 2}, {}, 32, "d_steps is 2, but in the checkpoint 1"),
        ({"loss": "minimax"}, {}, 32, "loss is minimax, but in the checkpoint non_saturating"),
        ({}, {}, 32, "g_optimizer.learning_rate is 0.001, but in the checkpoint 0.0002"),
        ({}, {}, 64, "batch_size is 64, but in the checkpoint 32"),
        ({"size": 8}, {"size": 8}, 32, r"images.shape is \[128, 8, 8, 1\], but in the checkpoint \[128, 16, 16, 1\]"),
        ({}, {"count": 96}, 32, r"images.shape is \[96, 16, 16, 1\], but in the checkpoint \[128, 16, 16, 1\]"),
        ({}, {"negative": True}, 32, "the images differ from those of the checkpoint"),
    ],
)
def test_another_run_is_refused(model, data, batch_size, named, checkpoints, new_digits_gan, digits):
    before = contents(checkpoints)
    step = 16 // data.get("size", 16)
    images = digits[: data.get("count", 128), ::step, ::step] * (-1 if data.get("negative") else 1)
    other, checkpoint = new_digits_gan(**model), callbacks.Checkpoint(checkpoints, resume=True)
    if not model and not data and batch_size == 32:
        other.compile(g_optimizer=kgan.optimizers.Adam(1e-3, beta_1=0.5))
    untouched = state_of(other)
    with pytest.raises(ValueError, match=f"checkpoint 2 in .* cannot be resumed: .*{named}.*: only epochs may"):
        other.fit(images, batch_size=batch_size, epochs=4, verbose=0, callbacks=[checkpoint])
    assert contents(checkpoints) == before
    assert_same_state(other, untouched)


def test_another_model_is_refused_by_the_same_checkpoint(digits_gan, digits, tmp_path):
    """As in a notebook, where the cell of the model is changed and run again."""
    checkpoint = callbacks.Checkpoint(tmp_path, resume=True)
    fit(digits_gan(), digits, 1, checkpoint)
    with pytest.raises(ValueError, match="seed is 1, but in the checkpoint 0"):
        fit(digits_gan(seed=1), digits, 2, checkpoint)
    model = digits_gan()
    fit(model, digits, 2, checkpoint)
    assert int(model.step) == 8
    with pytest.raises(ValueError, match="the images differ"):
        fit(model, -digits, 3, checkpoint)


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (lambda digits: Batches(digits, 32, seed=6), "images.seed is 6, but in the checkpoint 0"),
        (lambda digits: tf.data.Dataset.from_tensor_slices(digits).batch(32), "images.kind is Dataset"),
    ],
)
def test_another_data_set_is_refused(other, named, digits_gan, digits, tmp_path):
    common = {"steps_per_epoch": 2, "verbose": 0}
    digits_gan().fit(Batches(digits, 32), epochs=1, callbacks=[callbacks.Checkpoint(tmp_path)], **common)
    checkpoint = callbacks.Checkpoint(tmp_path, resume=True)
    with pytest.raises(ValueError, match=named):
        digits_gan().fit(other(digits), epochs=2, callbacks=[checkpoint], **common)


def test_fewer_epochs_than_were_begun_are_refused_and_nothing_is_changed(digits_gan, digits, tmp_path):
    with contextlib.suppress(KeyboardInterrupt):
        fit(digits_gan(), digits, 3, *all_callbacks(tmp_path, minutes=1e-9), Fails(7))
    before = files_of(tmp_path)
    with pytest.raises(ValueError, match="epochs is 1, but the run is in epoch 2 already"):
        fit(digits_gan(), digits, 1, *all_callbacks(tmp_path, resume=True))
    assert files_of(tmp_path) == before


def test_a_data_set_that_does_not_fit_its_epochs_is_refused(digits_gan, digits, tmp_path):
    data = tf.data.Dataset.from_tensor_slices(digits).batch(32)
    common = {"steps_per_epoch": 3, "verbose": 0}
    digits_gan().fit(data, callbacks=[callbacks.Checkpoint(tmp_path, resume=True)], **common)
    model = digits_gan()
    with pytest.raises(ValueError, match="a dataset of 4 batches cannot be resumed in epochs of 3 steps: repeat"):
        model.fit(data, epochs=2, callbacks=[callbacks.Checkpoint(tmp_path, resume=True)], **common)
    assert int(model.step) == 3


def test_a_directory_with_checkpoints_is_not_overwritten(checkpoints, digits_gan, digits, tmp_path):
    before = contents(checkpoints)
    with pytest.raises(FileExistsError, match="holds checkpoints: continue from them with resume=True"):
        fit(digits_gan(), digits, 1, callbacks.Checkpoint(checkpoints))
    with pytest.raises(ValueError, match="there are several checkpoints among the callbacks"):
        fit(digits_gan(), digits, 1, callbacks.Checkpoint(tmp_path / "new"), callbacks.Checkpoint(checkpoints))
    assert contents(checkpoints) == before


def test_versions_that_differ_are_told(checkpoints, digits_gan, digits, monkeypatch):
    monkeypatch.setattr(callbacks.checkpoint, "_versions", lambda: {"keras": "9.9"})
    with pytest.warns(UserWarning, match=f"bit for bit: it was made with keras {keras.__version__}"):
        fit(digits_gan(), digits, 3, callbacks.Checkpoint(checkpoints, resume=True))


def test_a_checkpoint_of_an_older_kgan_is_refused(checkpoints, digits_gan, digits):
    for number in (1, 2):
        saved = runs.read_checkpoint(checkpoints)
        runs.write_checkpoint(checkpoints, number, saved.arrays, {**saved.state, "format": 3})
    before = contents(checkpoints)
    with pytest.raises(ValueError, match="its format is 3, that of another version of kgan, not 4"):
        fit(digits_gan(), digits, 4, callbacks.Checkpoint(checkpoints, resume=True))
    assert contents(checkpoints) == before


# Damaged


def flipped(place, content):
    """A bit in any array, or in the state: they come one after the other in the file."""
    position = int(len(content) * place)
    return content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]


DAMAGES = [lambda content: content[:-100], *(functools.partial(flipped, place) for place in (0.1, 0.3, 0.5, 0.7, 0.9))]


def test_the_checkpoint_before_a_damaged_one_is_used(checkpoints, straight, digits_gan, digits):
    (checkpoints / "checkpoint-000002.npz").write_bytes(b"")
    resumed, checkpoint = digits_gan(), callbacks.Checkpoint(checkpoints, resume=True)
    with pytest.warns(UserWarning, match="damaged: checkpoint-000002 .*the checkpoint before is used"):
        fit(resumed, digits, 3, checkpoint)
    assert_same_state(resumed, straight)
    assert sorted(path.name for path in checkpoints.glob("*.npz")) == [f"checkpoint-{n:06}.npz" for n in (4, 5)]


def test_where_all_are_damaged_nothing_is_touched(checkpoints, digits_gan, digits):
    for damage, path in zip(DAMAGES, checkpoints.glob("*.npz"), strict=False):
        path.write_bytes(damage(path.read_bytes()))
    before = contents(checkpoints)
    with pytest.raises(ValueError, match=r"no checkpoint in .* can be used: .*\. Nothing was changed"):
        fit(digits_gan(), digits, 3, callbacks.Checkpoint(checkpoints, resume=True))
    assert contents(checkpoints) == before


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damage_is_found(damage, checkpoints):
    path = checkpoints / "checkpoint-000002.npz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.warns(UserWarning, match="damaged"):
        assert runs.read_checkpoint(checkpoints).number == 1


# Interrupted while it is written


class Interruption(Exception):
    pass


def system_calls(save, fails_at):
    """What `save` asks of the system, call by call; raises at one of these calls."""
    calls = []

    def profile(frame, event, function):
        if event == "c_call" and function.__name__ in ("open", "write", "flush", "fsync", "replace", "unlink"):
            calls.append(function.__name__)
            if len(calls) == fails_at:
                raise Interruption(calls)

    sys.setprofile(profile)
    try:
        save()
    finally:
        sys.setprofile(None)
    return calls


def test_a_save_that_is_interrupted_anywhere_leaves_a_good_checkpoint(stopped, tmp_path):
    saved, finished, number = runs.read_checkpoint(stopped), False, 0
    while not finished:
        number += 1
        directory = shutil.copytree(stopped, tmp_path / str(number))

        def save(directory=directory):
            runs.write_checkpoint(directory, 3, saved.arrays, {"epochs": 3})
            runs.keep_checkpoints(directory, (2, 3))

        try:
            calls, finished = system_calls(save, fails_at=number), True
        except Interruption as interruption:
            (calls,) = interruption.args
            assert not list(directory.glob(".part-*")) or calls[-1] == "unlink"
        found = runs.read_checkpoint(directory)
        assert found.state["epochs"] in (2, 3), calls[-1]
        for name, value in saved.arrays.items():
            np.testing.assert_array_equal(found.arrays[name], value)
    assert found.number == 3
    assert sorted(path.name for path in directory.iterdir()) == [".lock", *(f"checkpoint-{n:06}.npz" for n in (2, 3))]
    assert set(calls) == {"open", "write", "flush", "fsync", "replace", "unlink"}
    assert number > 30
