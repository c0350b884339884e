import gc
import weakref

import numpy as np
import pytest

import kgan
from kgan import latent
from kgan._backend import keras, tf


def largest_difference(first, second):
    pairs = zip(first, second, strict=True)
    return max(float(np.abs(np.float64(a) - np.float64(b)).max()) for a, b in pairs)


def everything(model):
    """All weights of a model and of both its optimizers."""
    return [*model.get_weights(), *(variable.numpy() for variable in model.optimizer.variables)]


def sliced(x):
    return tf.data.Dataset.from_tensor_slices(x).batch(32)


# Algorithm 1


def test_three_discriminator_steps_and_one_of_the_generator_by_hand(vector_gan, vectors):
    model = vector_gan(d_steps=3, seed=5)
    rate = 0.1
    model.compile(keras.optimizers.SGD(rate), keras.optimizers.SGD(rate), loss="minimax")
    by_hand = vector_gan()
    generator, discriminator = by_hand.generator, by_hand.discriminator

    model.fit(vectors, batch_size=96, epochs=1, verbose=0)

    # The formulas of Algorithm 1 as printed, with logarithms of probabilities.
    order = next(iter(kgan.data.batches(vectors, 96, seed=5)))
    for k, x in enumerate(order[k::3] for k in range(3)):
        z = latent.sample_codes(32, 4, seed=(5, 0, 0, k))
        with tf.GradientTape() as tape:
            d_real, d_fake = tf.sigmoid(discriminator(x)), tf.sigmoid(discriminator(generator(z)))
            value = tf.reduce_mean(tf.math.log(d_real)) + tf.reduce_mean(tf.math.log(1 - d_fake))
        weights = discriminator.trainable_weights
        for weight, gradient in zip(weights, tape.gradient(value, weights), strict=True):
            weight.assign_add(rate * gradient)  # ascends
    z = latent.sample_codes(32, 4, seed=(5, 0, 0, 3))
    with tf.GradientTape() as tape:
        value = tf.reduce_mean(tf.math.log(1 - tf.sigmoid(discriminator(generator(z)))))
    weights = generator.trainable_weights
    for weight, gradient in zip(weights, tape.gradient(value, weights), strict=True):
        weight.assign_sub(rate * gradient)  # descends

    assert largest_difference(model.discriminator.get_weights(), discriminator.get_weights()) < 1e-6
    assert largest_difference(model.generator.get_weights(), generator.get_weights()) < 1e-6
    assert largest_difference(model.generator.get_weights(), vector_gan().generator.get_weights()) > 1e-4


@pytest.mark.parametrize("run_eagerly", [True, False])
def test_simultaneous_gradients_are_of_the_same_weights_by_hand(vector_gan, vectors, run_eagerly):
    model, by_hand, rate = vector_gan(seed=5), vector_gan(), 0.1
    optimizers = keras.optimizers.SGD(rate), keras.optimizers.SGD(rate)
    model.compile(*optimizers, loss="minimax", simultaneous=True, run_eagerly=run_eagerly)
    model.fit(vectors, batch_size=96, epochs=1, verbose=0)

    networks = by_hand.discriminator, by_hand.generator
    x = next(iter(kgan.data.batches(vectors, 96, seed=5)))
    with tf.GradientTape(persistent=True) as tape:
        d_fake = tf.sigmoid(by_hand.discriminator(by_hand.generator(latent.sample_codes(96, 4, seed=(5, 0, 0, 0)))))
        g_loss = tf.reduce_mean(tf.math.log(1 - d_fake))
        d_loss = -tf.reduce_mean(tf.math.log(tf.sigmoid(by_hand.discriminator(x)))) - g_loss
    gradients = [
        tape.gradient(loss, network.trainable_weights) for loss, network in zip((d_loss, g_loss), networks, strict=True)
    ]
    for network, changes in zip(networks, gradients, strict=True):
        for weight, gradient in zip(network.trainable_weights, changes, strict=True):
            weight.assign_sub(rate * gradient)

    assert largest_difference(model.discriminator.get_weights(), by_hand.discriminator.get_weights()) < 1e-6
    assert largest_difference(model.generator.get_weights(), by_hand.generator.get_weights()) < 1e-6
    assert int(model.step.numpy()) == 1


def test_simultaneous_is_one_step_of_each_network(vector_gan):
    with pytest.raises(ValueError, match="simultaneous is one step of each network, but d_steps is 2: leave one out"):
        vector_gan(d_steps=2).compile(simultaneous=True)


def test_each_step_leaves_the_other_network_alone(small_dcgan, digits):
    model = small_dcgan()
    fakes = model.draw_fakes(32, draw=0)
    generator, discriminator = model.generator.get_weights(), model.discriminator.get_weights()

    model.discriminator_step(digits[:32], fakes)
    assert largest_difference(model.generator.get_weights(), generator) == 0
    assert largest_difference(model.discriminator.get_weights(), discriminator) > 0

    discriminator = model.discriminator.get_weights()  # moving averages of BatchNormalization among them
    model.generator_step(digits[:32], fakes)
    assert largest_difference(model.discriminator.get_weights(), discriminator) == 0
    assert largest_difference(model.generator.get_weights(), generator) > 0


def test_dropout_is_on_in_training(vectors):
    half_silent = keras.layers.Dropout(0.5, seed=0)
    discriminator = keras.Sequential(
        [keras.Input((2,)), half_silent, keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")]
    )
    model = kgan.GAN(kgan.networks.dense_generator((2,), 4, 8), discriminator)
    model.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    model.fit(np.ones_like(vectors), batch_size=96, epochs=1, verbose=0)
    all_on = tf.sigmoid(discriminator(np.ones((1, 2), "float32"), training=False))
    assert abs(float(model.d_real_metric.result()) - float(all_on[0, 0])) > 1e-3


def test_reusing_fakes_trains_the_generator_on_them(vector_gan, vectors):
    model, by_hand = vector_gan(reuse_fakes=True), vector_gan()
    for gan in (model, by_hand):
        gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), run_eagerly=True)
    model.fit(vectors, batch_size=96, epochs=1, verbose=0)

    batch = next(iter(kgan.data.batches(vectors, 96)))
    by_hand.discriminator_step(batch, by_hand.draw_fakes(96, draw=0))
    by_hand.generator_step(batch, by_hand.draw_fakes(96, draw=0))  # the same codes
    assert largest_difference(model.get_weights()[1:], by_hand.get_weights()[1:]) < 1e-6


def test_gradients_follow_the_chosen_loss(vector_gan, vectors):
    def first_generator_update(loss):
        model = vector_gan()
        model.compile(keras.optimizers.SGD(1.0), keras.optimizers.SGD(1.0), loss=loss)
        before = model.generator.get_weights()
        model.generator_step(vectors[:64], model.draw_fakes(64, draw=0))
        return [old - new for old, new in zip(before, model.generator.get_weights(), strict=True)]

    def twice(real_logits, fake_logits):
        return 2 * kgan.losses.non_saturating(real_logits, fake_logits)

    own = kgan.losses.discriminator_loss, twice
    plain, doubled = (first_generator_update(loss) for loss in ("non_saturating", own))
    for update, double in zip(plain, doubled, strict=True):
        np.testing.assert_allclose(2 * update, double, rtol=1e-4, atol=1e-6)


# Metrics


def test_metrics_of_an_epoch_are_means_over_all_its_examples(vector_gan):
    """With a learning rate of 0 nothing moves, so the epoch's figures can be worked out afterwards."""
    x = np.random.default_rng(1).normal(size=(80, 2)).astype("float32")
    model = vector_gan(seed=3)
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0))
    logs = model.fit(sliced(x), epochs=2, verbose=0).history  # 32, 32 and 16

    def probabilities(images):
        return 1 / (1 + np.exp(-model.discriminator.predict(images, verbose=0)))

    sizes = (32, 32, 16)
    shown = [model(latent.sample_codes(size, 4, seed=(3, step + 3, 0, 0))) for step, size in enumerate(sizes)]
    own = [model(latent.sample_codes(size, 4, seed=(3, step + 3, 0, 1))) for step, size in enumerate(sizes)]
    d_real, d_fake, own_fake = (probabilities(np.concatenate(images)) for images in ([x], shown, own))
    assert logs["d_real"][1] == pytest.approx(d_real.mean(), rel=1e-5)
    assert logs["d_fake"][1] == pytest.approx(d_fake.mean(), rel=1e-5)
    assert logs["d_loss"][1] == pytest.approx(-np.log(d_real).mean() - np.log(1 - d_fake).mean(), rel=1e-5)
    assert logs["g_loss"][1] == pytest.approx(-np.log(own_fake).mean(), rel=1e-5)
    assert list(logs) == ["d_fake", "d_loss", "d_real", "g_loss"]


# Saving


def test_a_gan_with_networks_and_losses_of_ones_own_is_saved_whole(vector_gan, vectors, tmp_path):
    model = vector_gan(d_steps=2, prior="uniform", seed=7)
    own = own_discriminator_loss, own_generator_loss
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "rmsprop", loss=own, run_eagerly=True)
    model.fit(vectors, batch_size=32, epochs=1, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = kgan.runs.load_model(tmp_path / "model.keras")
    assert (loaded.d_steps, loaded.reuse_fakes, loaded.prior, loaded.seed) == (2, False, "uniform", 7)
    assert (type(loaded.d_optimizer).__name__, type(loaded.g_optimizer).__name__) == ("SGD", "RMSprop")
    assert (loaded.discriminator_loss, loaded.generator_loss) == own
    for each in (model, loaded):
        each.fit(vectors, batch_size=32, epochs=1, verbose=0)
    assert largest_difference(everything(model), everything(loaded)) == 0


@keras.saving.register_keras_serializable("test_gan")
def own_discriminator_loss(real_logits, fake_logits):
    return tf.reduce_mean(fake_logits) - tf.reduce_mean(real_logits)


@keras.saving.register_keras_serializable("test_gan")
def own_generator_loss(real_logits, fake_logits):
    return -tf.reduce_mean(fake_logits)


# Every way to run


def test_half_precision_with_a_scaled_loss(small_dcgan, digits, tmp_path):
    keras.config.set_dtype_policy("mixed_float16")
    model = small_dcgan()
    history = model.fit(digits, batch_size=32, epochs=1, verbose=0).history
    assert history["d_loss"][0] == pytest.approx(2 * np.log(2), abs=0.2)
    assert model.generate(2).dtype == "float32"
    assert type(model.d_optimizer).__name__ == "LossScaleOptimizer"
    model.save(tmp_path / "model.keras")
    keras.config.set_dtype_policy("float32")  # as in another process
    loaded = kgan.runs.load_model(tmp_path / "model.keras")
    assert keras.config.dtype_policy().name == "float32"
    assert largest_difference(everything(model), everything(loaded)) == 0
    pairs = zip(loaded.generator.layers, model.generator.layers, strict=True)
    assert all(one.dtype_policy.name == other.dtype_policy.name for one, other in pairs)
    np.testing.assert_array_equal(loaded.generate(4), model.generate(4))


def test_labels_are_left_aside(models_used_again, digits_gan, digits):
    labels = np.arange(len(digits))
    labeled = kgan.data.batches(digits, 32).map(lambda images: (images, labels[:32]))
    trained = []
    for data, arguments in (
        ([digits], {"batch_size": 32}),
        ([digits, labels], {"batch_size": 32}),
        ([kgan.data.batches(digits, 32)], {"steps_per_epoch": 4}),
        ([labeled], {"steps_per_epoch": 4}),
    ):
        model = digits_gan(run_eagerly=True)
        model.fit(*data, **arguments, epochs=1, verbose=0)
        trained.append(everything(model))
        models_used_again.take_back()
    for weights in trained[1:]:
        assert largest_difference(weights, trained[0]) == 0


def test_whole_numbers_are_not_taken_for_pixels(models_used_again, digits, digits_gan):
    """Only kgan.data maps uint8 to [-1, 1]; what `fit` is given is trained on as it is."""
    binary = np.uint8(digits > 0)
    trained = []
    for images in (binary, np.float32(binary)):
        model = digits_gan(run_eagerly=True)
        with pytest.warns(UserWarning, match="images range from 0 to 1, and kgan expects"):
            model.fit(images, batch_size=32, verbose=0)
        trained.append(everything(model))
        models_used_again.take_back()
    assert largest_difference(*trained) == 0


@pytest.mark.parametrize("kind", ["array", "on disk", "in its own order", "labels", "generator", "resumed by Keras"])
def test_a_model_that_nobody_holds_is_freed(kind, vector_gan, vectors, tmp_path):
    """TensorFlow keeps each function of `tf.numpy_function`, and with it all that this refers to."""
    np.save(tmp_path / "vectors.npy", vectors)
    data, arguments = {
        "array": (vectors, {"batch_size": 32}),
        "on disk": (np.load(tmp_path / "vectors.npy", mmap_mode="r"), {"batch_size": 32}),
        "in its own order": (vectors, {"batch_size": 32, "shuffle": False, "steps_per_epoch": 2}),
        "labels": (sliced((vectors, np.zeros(96))), {}),
        "generator": ((vectors[i : i + 32] for i in (0, 32, 64)), {"validation_data": vectors[:32]}),
        "resumed by Keras": (
            sliced(vectors),
            {"steps_per_epoch": 2, "callbacks": [keras.callbacks.BackupAndRestore(tmp_path / "backup")]},
        ),
    }[kind]
    model = vector_gan()
    model.compile(run_eagerly=True)
    model.fit(data, verbose=0, **arguments)
    reference = weakref.ref(model)
    del model, data, arguments
    gc.collect()
    assert reference() is None


# Bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"d_steps": 0}, "d_steps is 0"),
        ({"d_steps": "2"}, "d_steps is '2': it must be a whole number"),
        ({"seed": 1.5}, "seed is 1.5: it must be a whole number"),
        ({"seed": -1}, "seed is -1: it must be from 0 to 2147483647"),
        ({"prior": "cauchy"}, "prior is 'cauchy': choose one of normal, uniform"),
        ({"generator": kgan.networks.dense_generator((3,), 4, 8)}, r"makes images of shape \(3,\)"),
        ({"generator": kgan.networks.dense_discriminator((2, 2))}, r"codes are \(batch, latent_dim\)"),
        ({"discriminator": kgan.networks.dense_generator((2,), 2, 8)}, r"it is logits, \(batch, 1\)"),
    ],
)
def test_a_gan_refuses(arguments, message):
    generator, discriminator = kgan.networks.dense_generator((2,), 4, 8), kgan.networks.dense_discriminator((2,), 8)
    with pytest.raises(kgan.errors.Mistake, match=message):
        kgan.GAN(**{"generator": generator, "discriminator": discriminator, **arguments})


def test_an_optimizer_of_another_network_is_refused(vector_gan):
    optimizers = [keras.optimizers.Adam(), keras.optimizers.Adam()]
    model = vector_gan()
    with pytest.raises(ValueError, match="one object"):
        model.compile(optimizers[0], optimizers[0])
    model.compile(*optimizers)
    model.compile(*optimizers)
    with pytest.raises(ValueError, match="the optimizer of the discriminator was built for other weights: make a new"):
        vector_gan().compile(*optimizers)


# Variants


def test_penalties_are_not_evaluated(vector_gan, vectors):
    model = vector_gan()
    model.compile(penalties=["r1"], run_eagerly=True)
    assert "d_penalty" in model.fit(vectors, batch_size=32, verbose=0).history
    evaluated = model.evaluate(vectors, None, 32, 0, return_dict=True)
    assert set(evaluated) == {"d_loss", "g_loss", "d_real", "d_fake"}


def halved(images, random):
    return images / 2


@pytest.mark.parametrize(
    "augment",
    ["instance_noise", halved, [("instance_noise", 0.2)], iter([("instance_noise", 0.2), halved])],
    ids=["name", "function", "pair", "iterator"],
)
def test_augmentations_are_saved_however_they_are_given(augment, vector_gan, tmp_path):
    keras.saving.register_keras_serializable("test_gan")(halved)
    model = vector_gan(augment=augment)
    model.save(tmp_path / "model.keras")
    loaded = kgan.runs.load_model(tmp_path / "model.keras")
    assert loaded.augmentations == model.augmentations != []
    assert not loaded.compiled
    np.testing.assert_array_equal(loaded.generate(4), model.generate(4))


def test_eager_steps_executed_together_count_when_the_data_end(vector_gan, vectors):
    third = kgan.callbacks.Callback()
    third.next_iteration, called = lambda step: 3 if step < 3 else None, []
    third.on_iteration_end = called.append
    model = vector_gan()
    model.compile(run_eagerly=True, steps_per_execution=2)
    three = vectors.reshape(3, 32, 2)
    unknown = tf.data.Dataset.from_generator(lambda: iter(three), output_signature=tf.TensorSpec((None, 2)))
    model.fit(unknown, verbose=0, callbacks=[third])
    assert (int(model.step), called) == (3, [3])


# Generating


def test_generate_by_count_and_by_codes(small_dcgan):
    model = small_dcgan()
    images = model.generate(5, seed=3)
    assert images.shape == (5, 16, 16, 1)
    assert images.dtype == np.float32
    codes = latent.sample_codes(5, 8, seed=3)
    np.testing.assert_array_equal(model.generate(codes), images)
    np.testing.assert_allclose(model.generate(codes.numpy(), batch_size=2), images, atol=1e-6)
    np.testing.assert_array_equal(model(codes), images)
    np.testing.assert_array_equal(model.score(list(images)), model.score(images))
    assert np.abs(model.generate(5, seed=4) - images).max() > 0


IMAGES = np.zeros((2, 16, 16, 1))


@pytest.mark.parametrize(
    ("method", "x", "arguments", "message"),
    [
        ("generate", 0, {}, "images is 0: it must be 1 or more"),
        ("generate", -1, {}, "-1"),
        ("generate", np.ones((2, 5)), {}, r"\(2, 5\)"),
        ("generate", 3, {"batch_size": 0}, "batch_size is 0: it must be 1 or more"),
        ("score", IMAGES, {"batch_size": 0}, "batch_size is 0: it must be 1 or more"),
        ("score", IMAGES[:0], {}, "there are no images"),
        ("score", IMAGES[0], {}, r"this is one image, of shape \(16, 16, 1\)"),
        ("score", np.uint8(IMAGES + 200), {}, "images range from 200 to 200: scale them"),
    ],
)
def test_generate_and_score_refuse(method, x, arguments, message, digits_gan):
    with pytest.raises(ValueError, match=message):
        getattr(digits_gan(), method)(x, **arguments)


# Wider domains than images


@pytest.mark.slow
def test_eight_gaussians_on_a_ring_are_all_found():
    """The classic test for mode collapse, on vectors."""
    angles = np.arange(8) * np.pi / 4
    centres = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    generator = np.random.default_rng(0)
    points = np.float32(centres.repeat(512, axis=0) + generator.normal(scale=0.05, size=(4096, 2)))
    model = kgan.GAN(
        kgan.networks.dense_generator((2,), latent_dim=8, hidden_units=128, activation="linear", seed=0),
        kgan.networks.dense_discriminator((2,), hidden_units=128, seed=1),
    )
    model.compile(*(keras.optimizers.Adam(1e-3, beta_1=0.5) for _ in range(2)), steps_per_execution=16)
    model.fit(points, batch_size=256, epochs=150, verbose=0)
    distances = np.linalg.norm(model.generate(2000)[:, None] - centres, axis=2)
    near = distances.min(axis=1) < 0.25  # five standard deviations
    found = np.bincount(distances.argmin(axis=1)[near], minlength=8)
    assert near.mean() > 0.7
    assert (found > 2000 / 8 / 4).all(), found
