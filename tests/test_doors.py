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
ROWS = [
    [cell.strip() for cell in line.strip("|\n").split(" | ")]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith(("| feature", "| ---"))
]
DOORS = {  # what walks through each of them; those that are refused first
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
}

VECTORS = np.random.default_rng(0).normal(size=(96, 2)).astype("float32")  # 3 batches of 32
STEPS = 3


def door(name):
    """Register what walks through the door of this name."""
    return functools.partial(DOORS.setdefault, name)


def new_gan(d_steps=1, **compiled):
    """A dense GAN on vectors of 2."""
    model = kgan.GAN(
        kgan.networks.dense_generator((2,), latent_dim=4, hidden_units=8, activation="linear", seed=1),
        kgan.networks.dense_discriminator((2,), hidden_units=8, seed=2),
        d_steps=d_steps,
    )
    model.compile(**compiled)
    return model


def fit(model, x=VECTORS, **arguments):
    arguments = {"verbose": 0, "epochs": 2, **({"batch_size": 32} if isinstance(x, np.ndarray) else {}), **arguments}
    return model.fit(x, **arguments)


def sliced(x):
    return tf.data.Dataset.from_tensor_slices(x).batch(32)


def rates(model):
    return [float(optimizer.learning_rate) for optimizer in (model.d_optimizer, model.g_optimizer)]


def same(model, other, within=0):
    """Whether two models have equal weights, step included."""
    pairs = zip(model.get_weights(), other.get_weights(), strict=True)
    return all(np.allclose(one, its, rtol=0, atol=within) for one, its in pairs)


def copies(variables):
    return [np.array(variable) for variable in variables]


@pytest.fixture
def another(models_used_again):
    """A function that lends GANs, all alike, whose training step is traced already."""
    return functools.partial(models_used_again.lend, new_gan)


@pytest.mark.parametrize("row", ROWS, ids=[row[0].replace("`", "") for row in ROWS])
def test_door(row, another, tmp_path, monkeypatch):
    name, verdict, text = row
    monkeypatch.chdir(tmp_path)
    gan, walk = another(), DOORS[name]
    arguments = (gan, another) if "another" in inspect.signature(walk).parameters else (gan,)
    if verdict == "works":
        walk(*arguments)
        return
    assert verdict == "refused"
    with pytest.raises((ValueError, TypeError)) as refused:
        walk(*arguments)
    message = str(refused.value)
    assert gan.step.numpy() == 0
    assert "\n" not in message
    for named in re.findall("`(.+?)`", text):
        assert named in message


def test_every_door_is_on_the_page():
    assert sorted(row[0] for row in ROWS) == sorted(DOORS)


# Optimizers and learning rates


@door("`LearningRateScheduler`")
def _(gan):
    history = fit(gan, callbacks=[keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)])
    assert rates(gan) == pytest.approx([5e-5, 5e-5])
    assert "learning_rate" in "".join(history.history)


@door("`ReduceLROnPlateau`")
def _(gan):
    plateau = keras.callbacks.ReduceLROnPlateau(monitor="d_loss", mode="max", factor=0.1, patience=1, min_delta=9)
    fit(gan, epochs=3, callbacks=[plateau])
    assert rates(gan) == pytest.approx([2e-6, 2e-6])


@door("`LearningRateSchedule` objects")
def _(_gan):
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([3], [1e-3, 0.0])
    model = new_gan(**{f"{n}_optimizer": keras.optimizers.SGD(schedule) for n in "dg"}, run_eagerly=True)
    fit(model, epochs=2)
    before = copies(model.trainable_variables)
    fit(model, epochs=1)  # at a rate of 0
    assert all(np.array_equal(a, b) for a, b in zip(before, model.trainable_variables, strict=True))
    assert rates(model) == [0.0, 0.0]


@door("`use_ema` of an optimizer")
def _(_gan, another):
    model = new_gan(g_optimizer=keras.optimizers.Adam(2e-4, 0.5, use_ema=True, ema_momentum=0.5), run_eagerly=True)
    plain = another()
    fit(model)
    fit(plain)
    averages = model.g_optimizer._model_variables_moving_average
    networks = model.generator.trainable_weights, plain.generator.trainable_weights
    for weight, last, average in zip(*networks, averages, strict=True):
        np.testing.assert_array_equal(weight, average)
        assert not np.array_equal(weight, last)


@door("`SwapEMAWeights`")
def _(_gan):
    optimizers = [keras.optimizers.Adam(2e-4, 0.5, use_ema=True, ema_momentum=0.5) for _ in range(2)]
    model, averaged = (new_gan(g_optimizer=optimizer, run_eagerly=True) for optimizer in optimizers)
    fit(model, callbacks=[keras.callbacks.SwapEMAWeights(swap_on_epoch=True)])
    fit(averaged)
    for swapped, weight in zip(model.generator.weights, averaged.generator.weights, strict=True):
        np.testing.assert_allclose(swapped, weight, atol=1e-6)  # Keras swaps by adding and subtracting


@door("`model.optimizer`")
def _(gan):
    fit(gan)
    assert gan.optimizer.optimizers == [gan.d_optimizer, gan.g_optimizer]
    assert int(gan.optimizer.iterations) == 2 * STEPS
    gan.d_optimizer.learning_rate = 1e-3
    assert rates(gan) == pytest.approx([1e-3, 2e-4])
    gan.d_optimizer.learning_rate = 2e-4


@door("`compile` again between two `fit`s")
def _(_gan):
    model = new_gan(run_eagerly=True)
    fit(model)
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0))
    before = copies(model.trainable_variables)
    fit(model)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.trainable_variables, strict=True))
    assert model.step.numpy() == 4 * STEPS


# Arguments of fit


@door("`validation_split`")
def _(gan):
    history = fit(gan, validation_split=1 / 3)
    assert gan.step.numpy() == 2 * 2
    assert len(history.history["val_d_loss"]) == 2


@door("`validation_data`")
def _(gan):
    losses = fit(gan, validation_data=VECTORS[:40], validation_freq=2).history["val_g_loss"]
    assert losses == pytest.approx([gan.evaluate(VECTORS[:40], verbose=0, return_dict=True)["g_loss"]])


@door("`validation_steps`, `validation_batch_size`")
def _(gan):
    seen, counter = [], keras.callbacks.LambdaCallback()
    counter.on_test_batch_end = lambda batch, logs=None: seen.append(batch)
    fit(gan, epochs=1, validation_data=VECTORS, validation_steps=2, validation_batch_size=8, callbacks=[counter])
    assert seen == [0, 1]


@door("labels `y`")
def _(gan):
    fit(gan, y=np.zeros(96))
    assert gan.step.numpy() == 2 * STEPS


@door("`initial_epoch`")
def _(gan):
    history = fit(gan, initial_epoch=1, epochs=3)
    assert history.epoch == [1, 2]
    assert gan.step.numpy() == 2 * STEPS


@door("`steps_per_epoch` of an array or a dataset")
def _(gan):
    fit(gan, steps_per_epoch=2, epochs=3)  # the third epoch goes on where the second ended
    assert gan.step.numpy() == 6
    fit(gan, sliced(VECTORS).repeat(), steps_per_epoch=2, epochs=3)
    assert gan.step.numpy() == 12


@door("`shuffle=False`")
def _(_gan):
    seen = []
    gan = new_gan(run_eagerly=True)
    step = type(gan).train_step
    gan.train_step = lambda data: (seen.append(np.asarray(kgan.training.images_of(data))), step(gan, data))[1]
    fit(gan, epochs=1, shuffle=False, batch_size=40)  # 40, 40 and 16
    np.testing.assert_array_equal(np.concatenate(seen), VECTORS)


@door("`verbose=1`")
def _(gan):
    fit(gan, verbose=1)
    fit(gan, verbose=2)
    assert gan.step.numpy() == 4 * STEPS


@door("`callbacks` in a `CallbackList`")
def _(gan):
    epochs = []
    inside = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: epochs.append(epoch))
    history = fit(gan, callbacks=keras.callbacks.CallbackList([inside], add_history=True, model=gan))
    assert epochs == [0, 1]
    assert len(history.history["d_loss"]) == 2


@door("`fit` twice")
def _(gan, another):
    fit(gan, epochs=1)
    fit(gan, epochs=1)
    other = another()
    fit(other, epochs=2)
    assert same(gan, other)


# Callbacks


@door("`EarlyStopping` with `mode`")
def _(gan):
    stop = keras.callbacks.EarlyStopping("g_loss", mode="min", min_delta=9, patience=1, restore_best_weights=True)
    history = fit(gan, epochs=5, callbacks=[stop])
    assert len(history.history["g_loss"]) == 2
    assert gan.step.numpy() == STEPS  # those of the first epoch are back


@door("`ModelCheckpoint` of models")
def _(gan):
    fit(gan, callbacks=[keras.callbacks.ModelCheckpoint("{epoch}.keras")])
    assert same(keras.models.load_model("2.keras"), gan)


@door("`ModelCheckpoint` of weights")
def _(gan, another):
    fit(gan, callbacks=[keras.callbacks.ModelCheckpoint("{epoch}.weights.h5", save_weights_only=True)])
    other = another()
    other.load_weights("2.weights.h5")
    assert same(other, gan)


@door("`ModelCheckpoint` of the best")
def _(gan):
    best = keras.callbacks.ModelCheckpoint("best.keras", "val_d_loss", save_best_only=True, mode="max")
    history = fit(gan, validation_data=VECTORS, callbacks=[best])
    steps = STEPS * (1 + int(np.argmax(history.history["val_d_loss"])))
    assert keras.models.load_model("best.keras").step.numpy() == steps


@door("`BackupAndRestore`")
def _(gan, another):
    def interrupt(epoch, logs):
        if epoch == 1:
            raise KeyboardInterrupt

    backup = keras.callbacks.BackupAndRestore("backup")
    with pytest.raises(KeyboardInterrupt):
        fit(gan, epochs=4, callbacks=[backup, keras.callbacks.LambdaCallback(on_epoch_begin=interrupt)])
    resumed, whole = another(), another()
    fit(resumed, epochs=4, callbacks=[keras.callbacks.BackupAndRestore("backup")])
    fit(whole, epochs=4)
    assert same(resumed, whole)


@door("`TensorBoard`")
def _(gan):
    pytest.importorskip("tensorboard")
    fit(gan, callbacks=[keras.callbacks.TensorBoard("logs")])
    assert list(Path("logs").rglob("events*"))


@door("`CSVLogger`")
def _(gan):
    fit(gan, callbacks=[keras.callbacks.CSVLogger("log.csv")])
    lines = Path("log.csv").read_text().splitlines()
    assert lines[0].startswith("epoch,d_fake,d_loss,d_real,g_loss")
    assert len(lines) == 3


@door("`LambdaCallback`")
def _(gan):
    losses = []
    batch_end = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: losses.append(logs["d_loss"]))
    fit(gan, callbacks=[batch_end])
    assert np.isfinite(losses).tolist() == [True] * 2 * STEPS


@door("`stop_training` from a callback")
def _(gan):
    def stop(batch, logs):
        gan.stop_training = True

    fit(gan, epochs=9, callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=stop)])
    assert gan.step.numpy() == 1


# Other ways to call a model


@door("`evaluate`")
def _(gan):
    named = gan.evaluate(VECTORS, verbose=0, return_dict=True)
    assert gan.metrics_names == ["d_loss", "g_loss", "d_real", "d_fake"]
    assert gan.evaluate(VECTORS, verbose=0) == pytest.approx([named[name] for name in gan.metrics_names])
    assert gan.step.numpy() == 0


@door("`predict(codes)`")
def _(gan):
    codes = gan.sample_codes(40)
    for given in (codes, sliced(codes)):
        np.testing.assert_allclose(gan.predict(given, verbose=0), gan.generate(40), atol=1e-6)


@door("`predict_on_batch(codes)`")
def _(gan):
    np.testing.assert_allclose(gan.predict_on_batch(gan.sample_codes(5)), gan.generate(5), atol=1e-6)


@door("`train_on_batch`")
def _(gan, another):
    other = another()
    for begin in range(0, 96, 32):
        logs = gan.train_on_batch(VECTORS[begin : begin + 32], return_dict=True)
    fit(other, epochs=1, shuffle=False)
    assert same(gan, other)
    assert list(logs) == gan.metrics_names
    assert len(gan.train_on_batch(VECTORS[:32])) == 4


@door("`test_on_batch`")
def _(gan):
    logs = gan.test_on_batch(VECTORS[:32], return_dict=True)
    assert logs == pytest.approx(gan.evaluate(VECTORS[:32], verbose=0, return_dict=True))
    assert gan.step.numpy() == 0


@door("`reset_metrics`, `get_metrics_result`")
def _(gan):
    fit(gan)
    assert gan.get_metrics_result()["d_loss"] > 0
    gan.reset_metrics()
    assert gan.get_metrics_result()["d_loss"] == 0


@door("a training loop of your own")
def _(gan, another):
    for batch in kgan.data.Batches(VECTORS, 32).dataset().take(STEPS):
        gan.train_step(batch)
    other = another()
    fit(other, epochs=1)
    assert same(gan, other, within=1e-5)


@door("a subclass that overrides `train_step` and `metrics`")
def _(_gan, another):
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

    gan = another()
    for kind in (Found, Named):
        model = kind(gan.generator, gan.discriminator)
        model.compile(run_eagerly=True)
        assert fit(model).history["count"] == [96, 96]


# Saving and looking


@door("`model.export`, `generator.export`")
def _(_gan):
    model = new_gan()  # never called
    codes = model.sample_codes(3)
    for number, each in enumerate((model, model.generator)):
        each.export(f"served{number}", verbose=False)
        served = tf.saved_model.load(f"served{number}")
        np.testing.assert_allclose(served.serve(codes), model.generate(codes), atol=1e-6)


@door("`save`, `keras.models.load_model`")
def _(gan):
    fit(gan)
    gan.save("model.keras")
    loaded = keras.models.load_model("model.keras")
    fit(gan, epochs=1)
    fit(loaded, epochs=1)
    assert same(gan, loaded)


@door("`load_model` in a fresh process")
def _(gan):
    gan.save("model.keras")
    # Keras first, which is harder: the command and `kgan.load_model` have the other order.
    code = "import keras, kgan; print(keras.models.load_model('model.keras').generate(2).tolist())"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    np.testing.assert_allclose(json.loads(result.stdout.splitlines()[-1]), gan.generate(2), atol=1e-6)


@door("`save_weights`, `load_weights`")
def _(gan, another):
    fit(gan)
    gan.save_weights("model.weights.h5")
    other = another()
    other.load_weights("model.weights.h5")
    assert same(gan, other)


@door("`to_json`, `model_from_json`")
def _(gan):
    other = keras.models.model_from_json(gan.to_json())
    assert other.count_params() == gan.count_params()


@door("`get_weights`, `set_weights`")
def _(gan, another):
    other = another()
    fit(gan)
    other.set_weights(gan.get_weights())
    assert same(gan, other)


@door("`summary`")
def _(gan):
    lines = []
    gan.summary(print_fn=lines.append)
    assert all(network in "".join(lines) for network in ("(Sequential)", "generator", "discriminator"))


@door("`plot_model`")
def _(gan):
    pytest.importorskip("pydot")
    keras.utils.plot_model(gan, "model.png")
    assert Path("model.png").stat().st_size


for name, copied in (("copy.deepcopy", copy.deepcopy), ("pickle", lambda model: pickle.loads(pickle.dumps(model)))):

    @door(f"`{name}`")
    def _(gan, copied=copied):
        fit(gan)
        other = copied(gan)
        assert same(other, gan)
        other.run_eagerly = True  # tracing takes longer
        fit(other)
        fit(gan)
        assert same(other, gan, within=1e-5)


@door("`keras.models.clone_model`")
def _(gan):
    cloned = keras.models.clone_model(gan)
    cloned.compile(run_eagerly=True)
    fit(cloned)
    assert gan.step.numpy() == 0


@door("`layers`, `get_layer`, `trainable_variables`, `count_params`")
def _(gan):
    networks = [gan.generator, gan.discriminator]
    assert gan.layers == networks
    assert [gan.get_layer(name) for name in ("generator", "discriminator")] == networks
    assert len(gan.trainable_variables) == sum(len(network.trainable_variables) for network in networks)
    assert gan.count_params() == sum(network.count_params() for network in networks) + 1  # the step


# Networks


@door("subclassed networks that were called once")
def _(_gan):
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


@door("`trainable = False` for a whole network")
def _(_gan):
    model = new_gan()
    model.discriminator.trainable = False
    model.compile(run_eagerly=True)
    before = copies(model.discriminator.weights)
    with pytest.warns(UserWarning, match="the discriminator has no trainable weights"):
        fit(model)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.discriminator.weights, strict=True))
    assert model.step.numpy() == 2 * STEPS


@door("`trainable` changed after `compile`")
def _(gan):
    gan.discriminator.trainable = False
    gan.compile()
    gan.discriminator.trainable = True
    fit(gan)


# Settings of Keras


@door("`set_image_data_format`")
def _(_gan):
    keras.config.set_image_data_format("channels_first")
    try:
        model = kgan.DCGAN((8, 8, 1), latent_dim=4, filters=2)
        model.compile(run_eagerly=True)
        fit(model, np.zeros((8, 8, 8, 1), "float32") - 1, batch_size=8, epochs=1)
        assert model.generate(2).shape == (2, 8, 8, 1)
    finally:
        keras.config.set_image_data_format("channels_last")


def check_policy(name):
    """Train, evaluate and generate with a policy."""
    keras.config.set_dtype_policy(name)
    model = new_gan()
    assert np.isfinite(fit(model).history["d_loss"]).all()
    assert np.isfinite(model.evaluate(VECTORS, verbose=0)).all()
    assert np.isfinite(model.generate(3)).all()


@door("`set_floatx`")
def _(_gan):
    try:
        for floatx in ("float64", "float16"):
            keras.config.set_floatx(floatx)
            check_policy(floatx)
    finally:
        keras.config.set_floatx("float32")


@door("`set_dtype_policy`")
def _(_gan):
    for policy in ("mixed_bfloat16", "mixed_float16"):
        check_policy(policy)


@door("`keras.utils.set_random_seed`")
def _(gan, another):
    other = another()
    keras.utils.set_random_seed(1)
    fit(gan)
    keras.utils.set_random_seed(2)
    fit(other)
    assert same(gan, other)  # training goes by the model's seed


@door("`disable_traceback_filtering`")
def _(gan):
    keras.config.disable_traceback_filtering()
    try:
        fit(gan, validation_data=VECTORS)
    finally:
        keras.config.enable_traceback_filtering()


@door("`fit` in a thread")
def _(gan):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(fit, gan).result()
    assert gan.step.numpy() == 2 * STEPS


@door("two models at once in two threads")
def _(gan, another):
    models = [gan, another()]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(fit, models))
    alone = another()
    fit(alone)
    assert all(same(model, alone) for model in models)


@door("`run_eagerly`")
def _(gan):
    eager = new_gan(run_eagerly=True)
    fit(eager)
    fit(gan)
    assert same(gan, eager, within=1e-5)


@door("`jit_compile`")
def _(_gan):
    images, models = np.random.default_rng(0).uniform(-1, 1, (64, 8, 8, 1)).astype("float32"), []
    for is_compiled in (True, False):
        models.append(kgan.DCGAN((8, 8, 1), latent_dim=4, filters=4, d_steps=2))  # with batch normalization
        # Not Adam, whose first steps follow the signs of gradients, which rounding turns where they are about 0.
        models[-1].compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01), jit_compile=is_compiled)
        fit(models[-1], images)
    assert same(*models, within=1e-6)
    assert models[0].step.numpy() == 4


@door("`steps_per_execution`")
def _(gan, another):
    class Traced(kgan.GAN):
        traces = 0

        def train_step(self, data):
            Traced.traces += 1
            return super().train_step(data)

    networks = another()
    model = Traced(networks.generator, networks.discriminator)
    model.compile(steps_per_execution=2)
    fit(model)
    fit(gan)
    assert same(model, gan)
    assert model.step.numpy() == 2 * STEPS
    traces = Traced.traces
    fit(model)
    assert Traced.traces == traces  # traced once
    fit(model, kgan.data.Batches(VECTORS, 32))
    three = functools.partial(iter, VECTORS.reshape(3, 32, 2))
    fit(model, tf.data.Dataset.from_generator(three, output_signature=tf.TensorSpec((32, 2))))
    assert model.step.numpy() == 8 * STEPS


@door("`tf.distribute`")
def _(_gan):
    with tf.distribute.OneDeviceStrategy("/cpu:0").scope():
        model = new_gan()
    fit(model)
    assert model.step.numpy() == 2 * STEPS
