"""What is around a run: the user's settings, variables, folders, numbers and memory."""

import re
import shutil
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from PIL import Image
from written import eagerly

import kgan
from kgan import cli
from kgan._backend import keras, tf
from kgan.errors import Mistake

SMALL_FOLDER = {"image_size": 8, "hidden_units": 8, "batch_size": 4, "doctor": False, "verbose": 0}


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """A folder of images in a home directory, which is the working directory; runs of 2 steps, not worth a trace."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    for number in range(8):
        pixels = np.random.default_rng(number).integers(0, 256, (12, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{number}.png")
    with eagerly():
        yield tmp_path / "pictures"


def python(code, **environment):
    """The output of a process of its own."""
    command = [sys.executable, "-c", textwrap.dedent(code)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout


# matplotlib refuses the first where its package is not installed, and the second when it is used.
@pytest.mark.parametrize("backend", ["ipympl", "module://of_another_jupyter.backend"])
def test_charts_need_neither_latex_nor_the_backend_of_another_jupyter(backend, tmp_path):
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\n")
    code = """
        import os
        import kgan.plots
        history = {"d_loss": [1.3, 1.2], "g_loss": [0.7, 0.8], "d_real": [0.6, 0.6], "d_fake": [0.4, 0.4]}
        kgan.plots.loss_curves(history).savefig("losses.png")
        kgan.plots.dashboard(kgan.plots.image_grid([[[[0.0]]]]), history)
        import matplotlib
        print(os.path.getsize("losses.png") > 1000, matplotlib.rcParams["text.usetex"], os.environ["MPLBACKEND"])
    """
    found = python(
        f"import os; os.chdir({str(tmp_path)!r})\n" + textwrap.dedent(code),
        PATH="",
        HOME=str(tmp_path),
        MPLBACKEND=backend,
        MATPLOTLIBRC=str(tmp_path),
        PYTHONPATH=":".join(sys.path),
    )
    assert found.split() == ["True", "True", backend]


def test_a_tilde_is_the_home_directory_in_every_path(pictures, monkeypatch):
    home = pictures.parent
    monkeypatch.setenv("KGAN_CACHE", "~/cache")
    run = kgan.train("gan-digits", data="~/pictures", out="~/runs/a", epochs=1, **SMALL_FOLDER)
    assert run.directory == home / "runs/a"
    assert kgan.train(resume="~/runs/a", epochs=2, verbose=0).record["epochs"] == 2
    assert kgan.load_model("~/runs/a").generate(1).shape == (1, 8, 8, 3)
    assert {"cache", "runs"} <= {path.name for path in home.iterdir()}
    assert not list(home.glob("**/~*"))


def test_a_tilde_that_the_shell_leaves_alone_is_one_too(pictures):
    home = str(pictures.parent)
    words = {"--out=~/runs/a": f"--out={home}/runs/a", "~/pictures": f"{home}/pictures", "a=b~": "a=b~", "~": home}
    assert [*map(cli._with_home, words)] == [*words.values()]


def test_the_same_images_elsewhere_resume_a_run_and_others_do_not(pictures):
    run = kgan.train("gan-digits", data=pictures, out="run", epochs=1, **SMALL_FOLDER)
    elsewhere = shutil.move(pictures, pictures.parent / "elsewhere")
    with pytest.raises(Mistake, match=r"the images of run are no longer in .*pictures: say with --data where they are"):
        kgan.train(resume="run", epochs=2, verbose=0)
    resumed = kgan.train(resume="run", data=elsewhere, epochs=2, verbose=0)
    assert (resumed.record["epochs"], resumed.settings["data"]) == (2, str(elsewhere))
    Image.new("RGB", (12, 12), "red").save(elsewhere / "0.png")
    before = run.record
    with pytest.raises(Mistake, match="the images differ from those of the checkpoint"):
        kgan.train(resume="run", epochs=3, verbose=0)
    assert run.record == before


def test_other_labels_do_not_resume_a_run(tmp_path):
    def fit(labels, epochs):
        model = kgan.GAN(
            kgan.networks.dense_generator((8, 8, 1), latent_dim=4, hidden_units=8, classes=2, seed=1),
            kgan.networks.dense_discriminator((8, 8, 1), hidden_units=8, classes=2, seed=2),
            classes=2,
        )
        model.compile(run_eagerly=True)
        checkpoint = kgan.callbacks.Checkpoint(tmp_path, resume=True)
        model.fit(images, labels, batch_size=8, epochs=epochs, verbose=0, callbacks=[checkpoint])

    images, labels = np.zeros((16, 8, 8, 1), np.float32), np.arange(16) % 2
    fit(labels, 1)
    with pytest.raises(Mistake, match="the labels differ from those of the checkpoint"):
        fit(1 - labels, 2)
    fit(list(labels), 2)


def test_numbers_of_numpy_are_numbers(tmp_path):
    images = np.zeros((16, 8, 8, 1), np.float32)
    for number, epochs in ((np.int64, 1), (int, 2)):  # the second run resumes the first
        sizes = {name: number(4) for name in ("latent_dim", "filters", "kernel_size")}
        model = kgan.DCGAN(np.array([8, 8, 1]), **sizes, seed=number(7))
        model.compile(keras.optimizers.Adam(np.float64(0.01)), keras.optimizers.Adam(0.01), run_eagerly=True)
        parts = [
            kgan.callbacks.EpochGIF(tmp_path / "p.gif", rows=number(2), columns=number(2), every=number(1)),
            kgan.callbacks.SampleGrid(tmp_path / "s", epochs=number(2), iterations=tf.constant([1, 3])),
            kgan.callbacks.Checkpoint(tmp_path / "c", every=number(1), resume=True),
        ]
        counts = {"batch_size": number(8), "steps_per_epoch": number(2), "epochs": number(epochs)}
        model.fit(images, verbose=0, callbacks=parts, **counts)
    assert model.step.numpy() == 4
    pictures = sorted(path.stem for path in (tmp_path / "s").iterdir())
    assert pictures == ["epoch-0002", "iteration-000001", "iteration-000003"]
    model.save(tmp_path / "m.keras")
    np.testing.assert_array_equal(kgan.load_model(tmp_path / "m.keras").generate(2), model.generate(2))
    with pytest.raises(Mistake, match=r"filters is 4\.5: it must be a whole number"):
        kgan.DCGAN((8, 8, 1), filters=4.5)


@pytest.mark.parametrize("label", [1, np.int64(1), np.float32(1), [1], (1 for _ in range(1)), "tensor"])
def test_labels_of_any_form_are_drawn(label):
    model = kgan.DCGAN((8, 8, 1), latent_dim=4, filters=4, classes=3)
    label = tf.constant(1) if isinstance(label, str) else label
    np.testing.assert_array_equal(model.generate(labels=label, seed=2), model.generate(labels=np.array([1]), seed=2))
    np.testing.assert_array_equal(model.generate(3, labels=2), model.generate(3, labels=[2, 2, 2]))  # one for all


class Greedy(keras.callbacks.Callback):
    """Asks for more memory than any machine has."""

    def __init__(self, ask):
        super().__init__()
        self.ask = ask

    def on_train_batch_begin(self, batch, logs=None):
        self.ask()


@pytest.mark.slow
def test_too_little_memory_is_told_with_a_batch_size_that_fits(pictures):
    start = {"recipe": "gan-digits", "data": pictures, "out": "run", "epochs": 1, **SMALL_FOLDER}
    for ask, options in ((lambda: tf.fill([2**50], 1.0), start), (lambda: np.ones(2**50), {"resume": "run"})):
        with pytest.raises(MemoryError) as told:
            kgan.train(**options, callbacks=[Greedy(ask)])
        sentence = r"there is not enough memory for minibatches of 4 images, but 2 fit: kgan train gan-digits .*"
        rest = r"--set batch_size=2 .*; on a larger machine, resume with: kgan train --resume run"
        assert re.match(sentence + rest, str(told.value))
        assert kgan.Run("run").record["status"] == "ended: out of memory"
    assert kgan.train(resume="run", verbose=0).record["status"] == "finished"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says here how much memory is used, and limits it")
def test_a_process_with_too_little_memory_for_the_networks_says_so(tmp_path):
    """The memory is really limited, once TensorFlow has started all that it needs: before, it would crash."""
    found = python(
        f"""
        import os, resource
        os.chdir({str(tmp_path)!r})
        import kgan
        more = dict(image_size=64, batch_size=512, epochs=1, doctor=False, verbose=0)
        kgan.train("gan-digits", hidden_units=8, out="warm", **more)
        used = int(open("/proc/self/statm").read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (used + 100 * 2**20, -1))
        try:
            kgan.train("gan-digits", hidden_units=4096, out="run", **more)
        except MemoryError as error:
            print(error, os.path.exists("run"))
        """,
        PATH="",
        PYTHONPATH=":".join(sys.path),
        KGAN_CACHE=str(tmp_path / "cache"),
        HOME=str(tmp_path),
    )
    assert found == "there is not enough memory for networks of this size: make them smaller False\n"
