"""What people bring from tutorials: layers, losses, subclasses and callbacks that were written without kgan."""

import copy
import csv
import warnings

import numpy as np
import pytest
from PIL import Image, ImageSequence

import kgan
from kgan._backend import keras, tf

layers = keras.layers
RATE = 0.1


def dense(inputs, outputs, *middle, **keywords):
    return keras.Sequential(
        [keras.Input((inputs,)), *middle, layers.Dense(outputs, kernel_initializer="ones", **keywords)]
    )


def gan(discriminator=None, generator=None, loss="non_saturating", run_eagerly=True, **arguments):
    model = kgan.GAN(generator or dense(4, 2), discriminator or dense(2, 1), **arguments)
    model.compile(keras.optimizers.SGD(RATE), keras.optimizers.SGD(RATE), loss=loss, run_eagerly=run_eagerly)
    return model


def changes(model, vectors):
    """How one step changes the kernels of both networks."""
    networks = model.discriminator, model.generator
    before = [network.get_weights()[0] for network in networks]
    model.fit(vectors[:32], batch_size=32, verbose=0)
    return [network.get_weights()[0] - kernel for network, kernel in zip(networks, before, strict=True)]


def test_regularizers_of_kernels_are_in_the_losses_of_both_networks(vectors):
    regularized = {"kernel_regularizer": keras.regularizers.L2(0.5)}
    plain = changes(gan(), vectors)
    discriminator = changes(gan(dense(2, 1, **regularized)), vectors)[0]
    generator = changes(gan(generator=dense(4, 2, **regularized)), vectors)[1]
    np.testing.assert_allclose(discriminator - plain[0], -RATE * 1.0, atol=1e-6)  # d(0.5 w²)/dw of ones, once
    np.testing.assert_allclose(generator - plain[1], -RATE * 1.0, atol=1e-6)


def test_activity_regularizers_are_means_over_both_passes_of_the_discriminator(vectors):
    regularized = dense(2, 1, activity_regularizer=keras.regularizers.L1(3.0))
    model, plain = gan(regularized, prior="uniform", run_eagerly=False), gan(prior="uniform")
    fakes = plain.draw_fakes(32, 0).images.numpy()  # kernels are ones: the logit of an image is its sum
    both = [np.mean(np.sign(images.sum(axis=1, keepdims=True)) * images, axis=0) for images in (vectors[:32], fakes)]
    own, expected = changes(model, vectors)[0], changes(plain, vectors)[0]
    np.testing.assert_allclose((own - expected)[:, 0], -RATE * 3.0 * np.mean(both, axis=0), atol=1e-5)


def test_constraints_hold(vectors):
    model = gan(dense(2, 1, kernel_constraint=keras.constraints.MaxNorm(0.05)))
    model.fit(vectors, batch_size=32, verbose=0)
    assert np.linalg.norm(model.discriminator.get_weights()[0]) <= 0.0501


def test_a_loss_of_one_value_for_each_image_is_averaged(vectors):
    pair = tuple(
        lambda real, fake, term=term: tf.nn.softplus(-real) + tf.nn.softplus(fake) if term else tf.nn.softplus(-fake)
        for term in (True, False)
    )
    for own, named in zip(changes(gan(loss=pair), vectors), changes(gan(), vectors), strict=True):
        np.testing.assert_allclose(own, named, atol=1e-6)


@pytest.mark.parametrize("end", [layers.Dense(1, "sigmoid"), layers.Activation("sigmoid"), keras.ops.sigmoid])
def test_a_discriminator_that_ends_in_a_sigmoid_is_warned_of(end):
    vector = keras.Input((1,))
    discriminator = keras.Model(vector, end(vector))
    with pytest.warns(UserWarning, match="ends in a sigmoid, but the loss non_saturating takes logits"):
        gan(discriminator, dense(4, 1))
    with warnings.catch_warnings():  # a loss of one's own may well take probabilities
        warnings.simplefilter("error")
        gan(discriminator, dense(4, 1), loss=(lambda real, fake: fake - real, lambda real, fake: -fake))


class Wasserstein(kgan.GAN):
    """A `compile` and a `train_step` of its own, as on keras.io: two metrics, no step counted."""

    def compile(self, d_optimizer, g_optimizer, loss_fn):
        super().compile()
        self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn

    def train_step(self, data):
        with tf.GradientTape(persistent=True) as tape:
            fakes = self.generator(tf.random.normal((tf.shape(data)[0], self.latent_dim)), training=True)
            g_loss = self.loss_fn(self.discriminator(fakes, training=True))
            d_loss = self.loss_fn(self.discriminator(data, training=True)) - g_loss
        for network, loss, optimizer in (
            (self.discriminator, d_loss, self.d_optimizer),
            (self.generator, g_loss, self.g_optimizer),
        ):
            weights = network.trainable_weights
            optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return {"d_loss": d_loss, "g_loss": g_loss}


def test_callbacks_work_with_a_train_step_of_ones_own(tmp_path):
    images = np.random.default_rng(0).uniform(-1, 1, (48, 8, 8, 1)).astype("float32")
    model = Wasserstein(
        kgan.networks.dense_generator((8, 8, 1), latent_dim=4, hidden_units=16),
        kgan.networks.dense_discriminator((8, 8, 1), hidden_units=8),
    )
    model.compile(keras.optimizers.Adam(0.02), keras.optimizers.Adam(0.02), lambda logits: -tf.reduce_mean(logits))
    callbacks = [
        kgan.callbacks.EpochGIF(tmp_path / "p.gif", rows=2, columns=2),
        kgan.callbacks.LossCurves(tmp_path / "l.png"),
        kgan.callbacks.HistoryCSV(tmp_path / "h.csv"),
        kgan.callbacks.SampleGrid(tmp_path / "s", iterations=(2, 5), rows=2, columns=2),
        kgan.callbacks.Checkpoint(tmp_path / "c"),
        kgan.callbacks.Doctor(images, say=None),
    ]
    model.fit(images, batch_size=16, epochs=3, verbose=0, callbacks=callbacks)
    assert model.step.numpy() == 9
    with Image.open(tmp_path / "p.gif") as gif:
        frames = [np.asarray(frame.convert("L"), float)[24:] for frame in ImageSequence.Iterator(gif)]  # no caption
    assert sorted(path.name for path in (tmp_path / "s").glob("iteration*")) == [
        "iteration-000002.png",
        "iteration-000005.png",
    ]
    assert (tmp_path / "l.png").exists()
    assert len(frames) == 3
    assert np.abs(frames[0] - frames[-1]).max() > 1
    with open(tmp_path / "h.csv") as file:
        rows = list(csv.DictReader(file))
    assert [set(row) >= {"d_loss", "g_loss"} for row in rows] == [True] * 3

    model.save(tmp_path / "m.keras")
    with pytest.warns(UserWarning, match="loaded without its optimizers"):
        loaded = keras.saving.load_model(tmp_path / "m.keras", custom_objects={"Wasserstein": Wasserstein})
    np.testing.assert_array_equal(loaded.generate(2), model.generate(2))


def test_optimizers_and_networks_replaced_after_compile_are_those_that_train(vectors):
    model = gan(run_eagerly=False)
    model.fit(vectors, batch_size=32, verbose=0)
    model.generate(1)
    model.d_optimizer, model.g_optimizer = keras.optimizers.SGD(0.0), keras.optimizers.Adam(0.1)
    before = model.discriminator.get_weights()
    model.fit(vectors, batch_size=32, verbose=0)
    assert all((old == new).all() for old, new in zip(before, model.discriminator.get_weights(), strict=True))
    assert model.g_optimizer.iterations.numpy() == len(vectors) // 32

    model.generator = dense(4, 2, layers.Dense(3))
    codes = model.sample_codes(2)
    np.testing.assert_allclose(model.generate(codes), model.generator(codes), atol=1e-6)
    with pytest.raises(
        kgan.errors.Mistake, match="the generator, or what is trainable in it, was changed since compile"
    ):
        model.fit(vectors, batch_size=32, verbose=0)


def lora(model):
    model.generator.layers[-1].enable_lora(1)
    model.generator.layers[-1].lora_kernel_b.assign(np.ones((1, 2)))


@pytest.mark.parametrize("change", [lora, lambda model: model.quantize("int8")])
def test_networks_quantized_or_with_lora_draw_as_they_are_and_load(change, tmp_path):
    model = gan()
    codes = model.sample_codes(64)
    before = model.generate(codes)
    change(model)
    now = model.generate(codes)
    np.testing.assert_allclose(now, model.generator(codes, training=False), atol=1e-6)
    assert np.abs(now - before).max() > 0
    model.save(tmp_path / "m.keras")
    np.testing.assert_allclose(kgan.load_model(tmp_path / "m.keras").generate(codes), now, atol=1e-5)


def test_what_a_file_could_not_load_is_refused_when_it_is_saved(tmp_path):
    model = kgan.DCGAN((8, 8, 1), filters=4)
    with pytest.raises(kgan.errors.Mistake, match="quantize kgan"):
        model.quantize("int8")
    model.generator.quantize("int8")
    with pytest.raises(kgan.errors.Mistake, match="save kgan"):
        model.save(tmp_path / "m.keras")
    assert not list(tmp_path.iterdir())


def saved(model):
    model.save("model.keras")
    return kgan.load_model("model.keras")


class ThreeOptimizers(kgan.GAN):
    """A model whose step keeps a third optimizer, as for an encoder or a balance of the losses."""

    def compile(self, build=True):
        super().compile()
        self.balance = self.add_weight(name="balance", shape=())
        self.balance_optimizer = keras.optimizers.Adam(0.1)
        if build:
            self.balance_optimizer.build([self.balance])

    def train_step(self, data):
        logs = super().train_step(data)
        self.balance_optimizer.apply([tf.ones(())], [self.balance])
        return logs


def test_a_checkpoint_keeps_optimizers_of_a_subclass(vectors, tmp_path):
    whole, first, second = (ThreeOptimizers(dense(4, 2), dense(2, 1)) for _ in range(3))
    for model in (whole, first, second):
        model.compile()
        model.balance.assign(0.0)
    whole.fit(vectors, batch_size=32, epochs=3, verbose=0)
    first.fit(vectors, batch_size=32, epochs=2, verbose=0, callbacks=[kgan.callbacks.Checkpoint(tmp_path / "c")])
    resumed = kgan.callbacks.Checkpoint(tmp_path / "c", resume=True)
    second.fit(vectors, batch_size=32, epochs=3, verbose=0, callbacks=[resumed])
    for own, expected in zip(second.training_state, whole.training_state, strict=True):
        np.testing.assert_array_equal(own, expected)
    second.compile(build=False)
    with pytest.raises(kgan.errors.Mistake, match="balance_optimizer is not built"):
        second.fit(vectors, batch_size=32, verbose=0, callbacks=[kgan.callbacks.Checkpoint(tmp_path / "d")])


def test_the_learning_rate_of_both_optimizers_can_be_set_in_a_callback(vectors):
    def lower(epoch, logs):
        model.optimizer.learning_rate = 0.5 ** (epoch + 1)

    model = gan()
    model.fit(vectors, batch_size=32, epochs=2, verbose=0, callbacks=[keras.callbacks.LambdaCallback(lower)])
    assert [float(optimizer.learning_rate) for optimizer in (model.d_optimizer, model.g_optimizer)] == [0.25, 0.25]


@pytest.mark.parametrize("copied", [saved, keras.models.clone_model, copy.deepcopy])
def test_frozen_layers_of_a_dcgan_stay_frozen(copied, digits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = kgan.DCGAN((16, 16, 1), latent_dim=4, filters=4, ema=0.9)
    model.generator.layers[0].trainable = model.discriminator.layers[-1].trainable = False
    model.compile(run_eagerly=True)
    model.fit(digits[:32], batch_size=32, verbose=0)
    other = copied(model)
    assert [len(network.trainable_weights) for network in (other.generator, other.discriminator)] == [
        len(network.trainable_weights) for network in (model.generator, model.discriminator)
    ]
    if other.compiled:
        assert len(other.optimizer.variables) == len(model.optimizer.variables)


@pytest.mark.parametrize("copied", [saved, copy.deepcopy])
def test_a_layer_adapted_to_data_draws_in_a_copy_as_in_the_model(copied, vectors, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scale = layers.Normalization(invert=True)
    scale.adapt(50 + 10 * vectors)
    model = gan(generator=keras.Sequential([keras.Input((4,)), layers.Dense(2), scale]))
    codes = model.sample_codes(5)
    expected = model.generator(codes)
    np.testing.assert_allclose(model.generate(codes), expected, rtol=1e-5)
    np.testing.assert_allclose(copied(model).generate(codes), expected, rtol=1e-5)


class PowerCut(keras.callbacks.Callback):
    def __init__(self, after):
        super().__init__()
        self.left = after

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


@pytest.mark.parametrize("after", [3, 5, 6])  # at the end of an epoch of 3 steps, in the middle of the next, at its end
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: tf.data.Dataset.from_tensor_slices(x).batch(32)])
def test_backup_and_restore_in_the_middle_of_an_epoch_is_exact(vectors, tmp_path, after, wrap):
    data = wrap(vectors)
    size = {} if isinstance(data, tf.data.Dataset) else {"batch_size": 32}
    whole, first, second = gan(), gan(), gan()
    whole.fit(data, epochs=3, verbose=0, **size)
    backup, again = (keras.callbacks.BackupAndRestore(tmp_path / "b", save_freq=2) for _ in range(2))
    with pytest.raises(KeyboardInterrupt):
        first.fit(data, epochs=3, verbose=0, callbacks=[backup, PowerCut(after)], **size)
    second.fit(data, epochs=3, verbose=0, callbacks=[again], **size)
    assert second.step.numpy() == whole.step.numpy() == 9
    for own, expected in zip(second.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(own, expected)
