"""Every door of Keras: the table of docs/keras.md, row by row."""

import copy
import functools
import inspect
import json
import pickle
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import kgan
from kgan._backend import keras, tf

PAGE = Path(__file__).parents[1] / "docs" / "keras.md"
CELLS = [line.strip("|\n").split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines() if line[:2] == "| "]
ROWS = {cells[0].strip(): (cells[1].strip(), cells[2].strip()) for cells in CELLS[2:]}
VECTORS = np.random.default_rng(0).normal(size=(96, 2)).astype("float32")  # 3 batches of 32
STEPS = 3
REFUSED = {
    "`compile(optimizer=…)`": lambda gan: gan.compile(optimizer="adam"),
    "`compile(metrics=…)`": lambda gan: gan.compile(metrics=["accuracy"]),
    "`compile(loss_weights=…)`": lambda gan: gan.compile(loss_weights=[1, 2]),
    "`class_weight`": lambda gan: fit(gan, y=np.zeros(96), class_weight={0: 1.0}),
    "`sample_weight`": lambda gan: fit(gan, sample_weight=np.ones(96)),
    "weights in a dataset": lambda gan: fit(gan, sliced((VECTORS, np.zeros(96), np.ones(96)))),
    "`fit` without `compile`": lambda gan: kgan.GAN(gan.generator, gan.discriminator).fit(VECTORS, verbose=0),
    "`EarlyStopping` without `mode`": lambda gan: fit(gan, callbacks=[keras.callbacks.EarlyStopping("g_loss")]),
    "a `monitor` of `loss` or `val_loss`": lambda gan: fit(gan, callbacks=[keras.callbacks.ReduceLROnPlateau()]),
    "`TerminateOnNaN`": lambda gan: fit(gan, callbacks=[keras.callbacks.TerminateOnNaN()]),
    "`predict(images)`": lambda gan: gan.predict(VECTORS),
    "`train_on_batch` of what cannot be right": lambda gan: gan.train_on_batch(VECTORS[:32, :1]),
    "`save` as `.h5`": lambda gan: gan.save("model.h5"),
    "`PyDataset` with `use_multiprocessing`": lambda gan: fit(gan, keras.utils.PyDataset(use_multiprocessing=True)),
    "networks that are not built": lambda gan: kgan.GAN(keras.Sequential([keras.layers.Dense(2)]), gan.discriminator),
    "`trainable` changed after `compile`": lambda gan: fit(unfrozen_too_late()),
}
WORKS = {}  # the rows that a function tests: the function


def works(*rows):
    """Register the test of these rows."""
    return functools.partial(WORKS.setdefault, rows)


def new_gan(**compiled):
    """A dense GAN on vectors of 2."""
    model = kgan.GAN(
        kgan.networks.dense_generator((2,), latent_dim=4, hidden_units=8, activation="linear", seed=1),
        kgan.networks.dense_discriminator((2,), hidden_units=8, seed=2),
    )
    model.compile(**compiled)
    return model


def eager_gan(**compiled):
    """Not traced, which takes longer than a few steps."""
    return new_gan(run_eagerly=True, **compiled)


def unfrozen_too_late():
    model = new_gan()
    model.discriminator.trainable = False
    model.compile()
    model.discriminator.trainable = True
    return model


def fit(model, x=VECTORS, **arguments):
    arguments = {"verbose": 0, "epochs": 2, **({"batch_size": 32} if isinstance(x, np.ndarray) else {}), **arguments}
    return model.fit(x, **arguments)


def sliced(x):
    return tf.data.Dataset.from_tensor_slices(x).batch(32)


def rates(model):
    return [float(optimizer.learning_rate) for optimizer in (model.d_optimizer, model.g_optimizer)]


def same(model, weights, within=0):
    """Whether a model has these weights, step included."""
    pairs = zip(model.get_weights(), weights, strict=True)
    return all(np.allclose(one, other, rtol=0, atol=within) for one, other in pairs)


def learns(model):
    """Whether an epoch changes its weights."""
    before = [np.array(variable) for variable in model.trainable_variables]
    fit(model, epochs=1)
    return not all(np.array_equal(a, b) for a, b in zip(before, model.trainable_variables, strict=True))


@pytest.fixture
def another(models_used_again):
    """A function that lends GANs, all alike, whose training step is traced already."""
    return functools.partial(models_used_again.lend, new_gan)


@pytest.fixture(scope="module")
def after(_models_used_again):
    """The weights of such a GAN after 0 to 4 epochs."""
    model, weights = _models_used_again.lend(new_gan), []
    keep = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: weights.append(model.get_weights()))
    fit(model, epochs=4, callbacks=[keep])
    weights.append(model.get_weights())
    _models_used_again.take_back()
    return weights


# Optimizers and learning rates


@works("`LearningRateScheduler`", "`CSVLogger`", "`LambdaCallback`", "`callbacks` in a `CallbackList`", "`verbose=1`")
def _(gan):
    losses = []
    keep = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: losses.append(logs["d_loss"]))
    halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    callbacks = [halve, keep, keras.callbacks.CSVLogger("log.csv")]
    history = fit(gan, verbose=1, callbacks=keras.callbacks.CallbackList(callbacks, add_history=True, model=gan))
    assert rates(gan) == pytest.approx([5e-5, 5e-5])
    assert "learning_rate" in "".join(history.history)
    assert np.isfinite(losses).tolist() == [True] * 2 * STEPS
    header, *lines = Path("log.csv").read_text().splitlines()
    assert header.startswith("epoch,d_fake,d_loss,d_real,g_loss")
    assert len(lines) == len(history.history["d_loss"]) == 2


@works("`ReduceLROnPlateau`")
def _(gan):
    plateau = keras.callbacks.ReduceLROnPlateau(monitor="d_loss", mode="max", factor=0.1, patience=1, min_delta=9)
    fit(gan, epochs=3, callbacks=[plateau])
    assert rates(gan) == pytest.approx([2e-6, 2e-6])


@works("`LearningRateSchedule` objects")
def _():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([2], [1e-3, 0.0])
    model = eager_gan(**{f"{network}_optimizer": keras.optimizers.SGD(schedule) for network in "dg"})
    assert learns(model)
    assert rates(model) == [0.0, 0.0]
    assert not learns(model)


@works("`use_ema` of an optimizer", "`SwapEMAWeights`")
def _(after):
    optimizers = [keras.optimizers.Adam(2e-4, 0.5, use_ema=True, ema_momentum=0.5) for _ in range(2)]
    model, swapped = (eager_gan(g_optimizer=optimizer) for optimizer in optimizers)
    fit(model)
    fit(swapped, callbacks=[keras.callbacks.SwapEMAWeights(swap_on_epoch=True)])
    for average, weight in zip(model.g_optimizer._model_variables_moving_average, model.generator.weights, strict=True):
        np.testing.assert_array_equal(weight, average)
    assert not same(model, after[2], within=1e-5)
    assert same(swapped, model.get_weights(), within=1e-6)  # Keras swaps by adding and subtracting


@works("`model.optimizer`")
def _(gan):
    fit(gan)
    assert gan.optimizer.optimizers == [gan.d_optimizer, gan.g_optimizer]
    assert int(gan.optimizer.iterations) == 2 * STEPS
    names = {name: settings["name"] for name, settings in gan.optimizer.get_config().items()}
    assert names == {"discriminator": "discriminator", "generator": "generator"}
    assert float(gan.optimizer.learning_rate) == pytest.approx(2e-4)
    gan.d_optimizer.learning_rate = 1e-3
    assert rates(gan) == pytest.approx([1e-3, 2e-4])


@works("`compile` again between two `fit`s")
def _():
    model = eager_gan()
    assert learns(model)
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0))
    assert not learns(model)
    assert model.step.numpy() == 2 * STEPS


# Arguments of fit


@works("`validation_split`", "`validation_data`", "`validation_steps`, `validation_batch_size`", "`evaluate`")
def _(gan):
    history = fit(gan, validation_split=1 / 3)
    assert gan.step.numpy() == 2 * 2
    assert len(history.history["val_d_loss"]) == 2
    losses = fit(gan, validation_data=VECTORS[:40], validation_freq=2).history["val_g_loss"]
    named = gan.evaluate(VECTORS[:40], verbose=0, return_dict=True)
    assert losses == pytest.approx([named["g_loss"]])
    assert gan.metrics_names == ["d_loss", "g_loss", "d_real", "d_fake"]
    assert gan.evaluate(VECTORS[:40], verbose=0) == pytest.approx([named[name] for name in gan.metrics_names])
    seen, counter = [], keras.callbacks.LambdaCallback()
    counter.on_test_batch_end = lambda batch, logs=None: seen.append(batch)
    fit(gan, epochs=1, validation_data=VECTORS, validation_steps=2, validation_batch_size=8, callbacks=[counter])
    assert seen == [0, 1]
    assert gan.step.numpy() == 2 * 2 + 3 * STEPS


@works("labels `y`", "`initial_epoch`", "`disable_traceback_filtering`")
def _(gan):
    keras.config.disable_traceback_filtering()
    try:
        history = fit(gan, y=np.zeros(96), initial_epoch=1, epochs=3)
    finally:
        keras.config.enable_traceback_filtering()
    assert history.epoch == [1, 2]
    assert gan.step.numpy() == 2 * STEPS


@works("`steps_per_epoch` of an array or a dataset")
def _(gan, after):
    fit(gan, steps_per_epoch=2, epochs=3)  # the third epoch goes on where the second ended
    assert same(gan, after[2])
    fit(gan, sliced(VECTORS).repeat(), steps_per_epoch=2, epochs=3)
    assert gan.step.numpy() == 12


@works("`shuffle=False`", "`run_eagerly`", "data that can be read only once")
def _(after):
    seen, gan = [], eager_gan()
    fit(gan)
    assert same(gan, after[2], within=1e-5)
    with pytest.warns(UserWarning, match="the data ended, so training ends with epoch 3"):
        assert fit(gan, iter([VECTORS, VECTORS]), epochs=4).epoch == [0]
    step = type(gan).train_step
    gan.train_step = lambda data: (seen.append(np.asarray(kgan.training.images_of(data))), step(gan, data))[1]
    fit(gan, epochs=1, shuffle=False, batch_size=40)  # 40, 40 and 16
    np.testing.assert_array_equal(np.concatenate(seen), VECTORS)


@works("`fit` twice", "`keras.utils.set_random_seed`", "`fit` in a thread", "two models at once in two threads")
def _(gan, another, after):
    models = [gan, another()]
    for seed in range(2):
        keras.utils.set_random_seed(seed)  # training goes by the model's seed
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(functools.partial(fit, epochs=1), models))
    assert all(same(model, after[2]) for model in models)


# Callbacks


@works("`EarlyStopping` with `mode`", "`stop_training` from a callback")
def _(gan, after):
    def stop_training(batch, logs):
        gan.stop_training = True

    stop = keras.callbacks.EarlyStopping("g_loss", mode="min", min_delta=9, patience=1, restore_best_weights=True)
    history = fit(gan, epochs=5, callbacks=[stop])
    assert len(history.history["g_loss"]) == 2
    assert same(gan, after[1])  # those of the first epoch are back
    fit(gan, epochs=9, callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=stop_training)])
    assert gan.step.numpy() == STEPS + 1


@works("`ModelCheckpoint` of models", "`ModelCheckpoint` of the best", "`load_model` in a fresh process")
def _(gan, after):
    best = keras.callbacks.ModelCheckpoint("best.keras", "val_d_loss", save_best_only=True, mode="max")
    callbacks = [keras.callbacks.ModelCheckpoint("{epoch}.keras"), best]
    history = fit(gan, validation_data=VECTORS, callbacks=callbacks)
    epoch = 1 + int(np.argmax(history.history["val_d_loss"]))
    for name, number in (("2", 2), ("best", epoch)):
        assert same(keras.models.load_model(f"{name}.keras", compile=False), after[number])
    # Keras first, which is harder: the command and `kgan.load_model` have the other order.
    code = "import keras, kgan; print(keras.models.load_model('2.keras').generate(2).tolist())"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    np.testing.assert_allclose(json.loads(result.stdout.splitlines()[-1]), gan.generate(2), atol=1e-6)


@works("`ModelCheckpoint` of weights", "`save_weights`, `load_weights`", "`get_weights`, `set_weights`")
def _(gan, after):
    fit(gan, callbacks=[keras.callbacks.ModelCheckpoint("{epoch}.weights.h5", save_weights_only=True)])
    gan.set_weights(after[0])
    assert same(gan, after[0])
    gan.load_weights("2.weights.h5")
    assert same(gan, after[2])
    gan.save_weights("again.weights.h5")
    other = eager_gan()
    other.load_weights("again.weights.h5")
    assert same(other, after[2])


@works("`BackupAndRestore`")
def _(gan, another, after):
    def interrupt(epoch, logs):
        if epoch == 1:
            raise KeyboardInterrupt

    backup = keras.callbacks.BackupAndRestore("backup")
    with pytest.raises(KeyboardInterrupt):
        fit(gan, epochs=4, callbacks=[backup, keras.callbacks.LambdaCallback(on_epoch_begin=interrupt)])
    resumed = another()
    fit(resumed, epochs=4, callbacks=[keras.callbacks.BackupAndRestore("backup")])
    assert same(resumed, after[4])


@works("`TensorBoard`")
def _(gan):
    pytest.importorskip("tensorboard")
    fit(gan, callbacks=[keras.callbacks.TensorBoard("logs")])
    assert list(Path("logs").rglob("events*"))


# Other ways to call a model


@works("`predict(codes)`", "`predict_on_batch(codes)`")
def _(gan):
    codes = gan.sample_codes(40)
    for given in (codes, sliced(codes)):
        np.testing.assert_allclose(gan.predict(given, verbose=0), gan.generate(40), atol=1e-6)
    np.testing.assert_allclose(gan.predict_on_batch(gan.sample_codes(5)), gan.generate(5), atol=1e-6)


@works("`train_on_batch`", "`test_on_batch`", "`reset_metrics`, `get_metrics_result`")
def _():
    gan, other = eager_gan(), eager_gan()
    for begin in range(0, 96, 32):
        logs = gan.train_on_batch(VECTORS[begin : begin + 32], return_dict=True)
    fit(other, epochs=1, shuffle=False)
    assert same(gan, other.get_weights())
    assert list(logs) == gan.metrics_names
    assert len(gan.train_on_batch(VECTORS[:32])) == 4
    logs = gan.test_on_batch(VECTORS[:32], return_dict=True)
    assert logs == pytest.approx(gan.evaluate(VECTORS[:32], verbose=0, return_dict=True))
    assert gan.step.numpy() == STEPS + 1
    assert gan.get_metrics_result()["d_loss"] > 0
    gan.reset_metrics()
    assert gan.get_metrics_result()["d_loss"] == 0


@works("a training loop of your own")
def _(gan, after):
    for batch in kgan.data.Batches(VECTORS, 32).dataset().take(STEPS):
        gan.train_step(batch)
    assert same(gan, after[1], within=1e-5)


@works("a subclass that overrides `train_step` and `metrics`")
def _(gan):
    class Found(kgan.GAN):
        def __init__(self, *arguments, **keywords):
            super().__init__(*arguments, **keywords)
            self.count_metric = keras.metrics.Sum(name="count")

        def train_step(self, data):
            self.count_metric.update_state(len(kgan.training.images_of(data)))
            return super().train_step(data)

    class Named(Found):
        @property
        def metrics(self):
            return [*super().metrics, self.count_metric]

    for kind in (Found, Named):
        model = kind(gan.generator, gan.discriminator)
        model.compile(run_eagerly=True)
        assert fit(model).history["count"] == [96, 96]


# Saving and looking


@works("`model.export`, `generator.export`")
def _():
    model = new_gan()  # never called
    codes = model.sample_codes(3)
    for number, exported in enumerate((model, model.generator)):
        exported.export(f"served{number}", verbose=False)
        served = tf.saved_model.load(f"served{number}")
        np.testing.assert_allclose(served.serve(codes), model.generate(codes), atol=1e-6)


def loaded(model):
    model.save("model.keras")
    return keras.models.load_model("model.keras")


COPIED = {"`save`, `keras.models.load_model`": loaded, "`copy.deepcopy`": copy.deepcopy}
COPIED["`pickle`"] = lambda model: pickle.loads(pickle.dumps(model))


@works(*COPIED)
def _(gan, after):
    fit(gan)
    for copied in COPIED.values():
        other = copied(gan)
        assert same(other, after[2])
        other.run_eagerly = True
        fit(other, epochs=1)
        assert same(other, after[3], within=1e-5)


LAYERS = "`layers`, `get_layer`, `trainable_variables`, `count_params`"


@works("`summary`", "`to_json`, `model_from_json`", "`keras.models.clone_model`", LAYERS)
def _(gan, after):
    networks, lines = [gan.generator, gan.discriminator], []
    gan.summary(print_fn=lines.append)
    assert all(network in "".join(lines) for network in ("(Sequential)", "generator", "discriminator"))
    assert gan.layers == networks
    assert [gan.get_layer(name) for name in ("generator", "discriminator")] == networks
    assert len(gan.trainable_variables) == sum(len(network.trainable_variables) for network in networks)
    assert gan.count_params() == sum(network.count_params() for network in networks) + 1  # the step
    assert keras.models.model_from_json(gan.to_json()).count_params() == gan.count_params()
    cloned = keras.models.clone_model(gan)
    cloned.compile(run_eagerly=True)
    fit(cloned)
    assert same(gan, after[0])


@works("`plot_model`")
def _(gan):
    pytest.importorskip("pydot")
    keras.utils.plot_model(gan, "model.png")
    assert Path("model.png").stat().st_size


# Networks


@works("subclassed networks that were called once")
def _():
    class Network(keras.Model):
        def __init__(self, units):
            super().__init__()
            self.only = keras.layers.Dense(units)

        def call(self, inputs):
            return self.only(inputs)

    generator, discriminator = Network(2), Network(1)
    generator(np.zeros((1, 4))), discriminator(np.zeros((1, 2)))
    model = kgan.GAN(generator, discriminator)
    model.compile(run_eagerly=True)
    fit(model)
    assert model.step.numpy() == 2 * STEPS


@works("`trainable = False` for a whole network")
def _():
    model = new_gan()
    model.discriminator.trainable = False
    model.compile(run_eagerly=True)
    before = [np.array(weight) for weight in model.discriminator.weights]
    with pytest.warns(UserWarning, match="the discriminator has no trainable weights"):
        fit(model)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.discriminator.weights, strict=True))
    assert model.step.numpy() == 2 * STEPS


# Settings of Keras


@works("`set_image_data_format`")
def _():
    keras.config.set_image_data_format("channels_first")
    model = kgan.DCGAN((8, 8, 1), latent_dim=4, filters=2)
    model.compile(run_eagerly=True)
    fit(model, np.zeros((8, 8, 8, 1), "float32") - 1, batch_size=8, epochs=1)
    assert model.generate(2).shape == (2, 8, 8, 1)


@works("`set_floatx`", "`set_dtype_policy`")
def _():
    for policy in ("float64", "float16", "mixed_bfloat16", "mixed_float16"):
        keras.config.set_floatx(policy if policy.startswith("float") else "float32")
        keras.config.set_dtype_policy(policy)
        model = eager_gan()
        assert np.isfinite(fit(model, VECTORS[:32], epochs=1).history["d_loss"]).all()
        assert np.isfinite(model.evaluate(VECTORS[:32], verbose=0)).all()
        assert np.isfinite(model.generate(3)).all()


@works("`jit_compile`")
def _():
    images, models = np.random.default_rng(0).uniform(-1, 1, (64, 8, 8, 1)).astype("float32"), []
    for compiled in ({"jit_compile": True}, {"run_eagerly": True}):
        models.append(kgan.DCGAN((8, 8, 1), latent_dim=4, filters=2, d_steps=2))  # with batch normalization
        # Not Adam, whose first steps follow the signs of gradients, which rounding turns where they are about 0.
        models[-1].compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01), **compiled)
        fit(models[-1], images)
    assert same(models[0], models[1].get_weights(), within=1e-6)
    assert models[0].step.numpy() == 4


@works("`steps_per_execution`")
def _(gan, after):
    class Traced(kgan.GAN):
        traces = 0

        def train_step(self, data):
            Traced.traces += 1
            return super().train_step(data)

    model = Traced(gan.generator, gan.discriminator)
    model.compile(steps_per_execution=2)
    fit(model)
    assert same(model, after[2])
    traces = Traced.traces
    fit(model)
    assert Traced.traces == traces  # traced once
    fit(model, kgan.data.Batches(VECTORS, 32))
    three = functools.partial(iter, VECTORS.reshape(3, 32, 2))
    fit(model, tf.data.Dataset.from_generator(three, output_signature=tf.TensorSpec((32, 2))))
    assert model.step.numpy() == 8 * STEPS


@works("`tf.distribute`")
def _(after):
    with tf.distribute.OneDeviceStrategy("/cpu:0").scope():
        model = new_gan()
    fit(model)
    assert same(model, after[2])


# The tests


@pytest.mark.parametrize("rows", WORKS, ids=lambda rows: ", ".join(rows).replace("`", ""))
def test_what_works(rows, another, after, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    walk = WORKS[rows]
    given = {"gan": another, "another": lambda: another, "after": lambda: after}
    walk(*(given[name]() for name in inspect.signature(walk).parameters))


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.replace("`", ""))
def test_what_is_refused(row, another, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gan = another()
    with pytest.raises((ValueError, TypeError)) as refused:
        REFUSED[row](gan)
    assert gan.step.numpy() == 0
    assert "\n" not in str(refused.value)
    for named in re.findall("`(.+?)`", ROWS[row][1]):
        assert named in str(refused.value)


def test_every_row_of_the_page_has_a_test():
    verdicts = dict.fromkeys((row for rows in WORKS for row in rows), "works") | dict.fromkeys(REFUSED, "refused")
    assert {row: verdict for row, (verdict, _) in ROWS.items()} == verdicts
