import base64
import io
import sys
from types import SimpleNamespace

import nbclient
import nbformat
import numpy as np
import pytest
from PIL import Image

import kgan
from kgan import callbacks, plots
from kgan._backend import keras
from kgan.callbacks import base, live
from kgan.plots import charts, layout


@pytest.fixture
def shown(monkeypatch):
    """A notebook that is none: what it was told to show, and the display that it was told to show it in."""
    messages = []
    display = pytest.importorskip("IPython.display")

    class Handle(display.DisplayHandle):
        def display(self, picture):
            messages.append(("new", self.display_id, picture))

        def update(self, picture):
            messages.append(("again", self.display_id, picture))

    monkeypatch.setattr(display, "DisplayHandle", Handle)
    monkeypatch.setattr("IPython.get_ipython", lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setattr(callbacks.LivePlot, "share", 1e9)  # every epoch is drawn, however short,
    monkeypatch.setattr(callbacks.LivePlot, "patience", 1e9)  # and nothing else, however slow the machine
    return messages


class Says(callbacks.Doctor):
    """A doctor that finds the same every time."""

    def on_epoch_end(self, epoch, logs=None):
        self.findings = [*self.findings, f"epoch {epoch + 1}: a cold"]


@pytest.mark.slow
def test_one_display_of_a_real_kernel_is_updated_in_place():
    """Thirty epochs, one picture, and not a word beside it."""
    source = """
import kgan
images = kgan.data.load("digits", image_size=16)[:128]
model = kgan.DCGAN((16, 16, 1), latent_dim=8, filters=4)
model.compile()
kgan.callbacks.LivePlot.share = kgan.callbacks.LivePlot.patience = 1e9  # every epoch is drawn, and nothing else
history = model.fit(images, epochs=30, callbacks=[kgan.callbacks.LivePlot()])
"""
    figure = "kgan.plots.loss_curves(history.history)"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in (source, figure)])
    messages = []

    class Client(nbclient.NotebookClient):
        def process_message(self, message, *arguments):
            messages.append(message)
            return super().process_message(message, *arguments)

    Client(notebook, kernel_name="python3", timeout=300).execute()
    pictures = [each for each in messages if each["msg_type"] in ("display_data", "update_display_data")]
    assert [each["msg_type"] for each in pictures] == ["display_data"] + ["update_display_data"] * 30
    assert len({each["content"]["transient"]["display_id"] for each in pictures}) == 1
    (output,) = notebook.cells[0].outputs
    assert output.output_type == "display_data"
    assert output.data["image/png"] == pictures[-1]["content"]["data"]["image/png"]
    with Image.open(io.BytesIO(base64.b64decode(output.data["image/png"]))) as picture:
        assert picture.height == charts.DASHBOARD_HEIGHT + layout.CAPTION_HEIGHT
    assert "image/png" in notebook.cells[1].outputs[0].data  # without pyplot


def set_clock(monkeypatch, now):
    for module in (base, live):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))


@pytest.mark.parametrize("name", ["GAN", "CodeGAN"])
def test_every_model_is_shown_from_before_the_first_epoch_to_the_last(name, digits_gan, digits, shown, capfd):
    model = digits_gan() if name == "GAN" else kgan.CodeGAN((16, 16, 1), latent_dim=8, filters=4)
    if name == "CodeGAN":
        model.compile(run_eagerly=True)
    plot = callbacks.LivePlot(rows=2, columns=3, seed=5)
    history = model.fit(digits, batch_size=64, epochs=2, callbacks=[plot]).history
    assert [how for how, _, _ in shown] == ["new", "again", "again"]
    assert capfd.readouterr().out == ""  # no progress bar
    np.testing.assert_array_equal(plot.draw(), plots.image_grid(model.generate(6, seed=5), columns=3))
    assert_curves(shown[-1][2], model, plot, {"epoch": [1, 2], **history})


def test_the_progress_bar_comes_when_it_is_asked_for(digits_gan, digits, shown, capfd):
    digits_gan().fit(digits, verbose=2, callbacks=[callbacks.LivePlot()])
    assert "d_loss" in capfd.readouterr().out


@pytest.mark.parametrize("order", [1, -1])
def test_the_doctor_stands_below_wherever_it_stands_in_the_list(order, digits_gan, digits, shown, monkeypatch):
    notes = []
    monkeypatch.setattr(plots, "dashboard", lambda *_, note, **more: notes.append(note))
    digits_gan().fit(digits, epochs=2, callbacks=[Says(digits, say=None), callbacks.LivePlot()][::order])
    assert notes == ["The doctor finds nothing wrong.", "epoch 1: a cold", "epoch 1: a cold"]  # that found first


def test_a_second_fit_counts_on_in_a_display_of_its_own(digits_gan, digits, shown):
    model, plot = digits_gan(), callbacks.LivePlot()
    histories = [model.fit(digits, epochs=epochs, callbacks=[plot]).history for epochs in (1, 2)]
    assert [how for how, _, _ in shown] == ["new", "again", "new", "again", "again"]
    assert len({display for _, display, _ in shown}) == 2
    assert model.recorder.columns["d_loss"] == histories[0]["d_loss"] + histories[1]["d_loss"]
    assert_curves(shown[-1][2], model, plot, model.recorder.columns)  # of all three epochs


def assert_curves(picture, model, plot, columns):
    expected = plots.dashboard(plot.draw(), columns, columns["epoch"])
    below = np.s_[layout.CAPTION_HEIGHT :]
    np.testing.assert_array_equal(np.asarray(picture)[below], np.asarray(expected)[below])


def test_it_changes_nothing_in_training(models_used_again, digits_gan, digits, shown, monkeypatch):
    monkeypatch.setattr(callbacks.LivePlot, "patience", 0)  # drawn after each step as well
    model = digits_gan()
    model.fit(digits, epochs=2, callbacks=[callbacks.LivePlot()])
    weights = model.get_weights()
    assert len(shown) > 8
    models_used_again.take_back()
    alone = digits_gan()
    alone.fit(digits, epochs=2, verbose=0)
    for weight, expected in zip(weights, alone.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_drawing_takes_no_more_than_its_share(digits_gan, digits, shown, monkeypatch):
    """A clock on which a step takes 1 s and a picture 2: every 20 s of training there is one."""
    now = [0.0]
    set_clock(monkeypatch, now)
    monkeypatch.setattr(callbacks.LivePlot, "share", 0.1)
    monkeypatch.setattr(callbacks.LivePlot, "patience", 5)
    plot, drawn = callbacks.LivePlot(), []

    def picture(caption):
        now[0] += 2
        drawn.append(caption)
        return Image.new("RGB", (8, 8))

    class Clock(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            now[0] += 1

    plot.picture = picture
    digits_gan().fit(digits, epochs=12, callbacks=[Clock(), plot])  # of 4 steps
    assert drawn == [
        "before the first epoch",
        "epoch 6, step 1 of 4",
        "epoch 11, step 2 of 4",
        "epoch 12 of 12",
    ]


def test_how_far_training_is(digits_gan, digits, shown, monkeypatch):
    now, captions = [0.0], []
    set_clock(monkeypatch, now)
    plot = callbacks.LivePlot()
    plot.picture = lambda caption: captions.append(caption) or Image.new("RGB", (8, 8))

    class Clock(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            now[0] += 1.5
            self.model.stop_training = epoch == 2

    digits_gan().fit(digits, epochs=4, callbacks=[Clock(), plot])
    assert captions == [
        "before the first epoch",
        "epoch 1 of 4: 1.5 s each, 4 s to go",
        "epoch 2 of 4: 1.5 s each, 3 s to go",
        "stopped after epoch 3 of 4",
    ]


@pytest.mark.parametrize("without", [True, False], ids=["no IPython", "no notebook"])
def test_one_sentence_outside_a_notebook(without, digits_gan, digits, monkeypatch):
    if without:
        monkeypatch.setitem(sys.modules, "IPython", None)
    model = digits_gan()
    with pytest.raises(RuntimeError, match=r"^LivePlot draws in a notebook, and this is not one: EpochGIF and"):
        model.fit(digits, verbose=0, callbacks=[callbacks.LivePlot()])
    assert int(model.step) == 0
