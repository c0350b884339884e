"""What made GANs better since: each piece against numbers worked out by hand, and each within a model that trains."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kgan
from kgan import augment, networks, penalties, recipes
from kgan._backend import keras, tf
from kgan.errors import Mistake


def numbers(*rows):
    """Random numbers that are these."""
    return lambda units, prior: tf.constant(rows, tf.float32)[:, :units]


def drawn(count):
    return lambda units, prior: kgan.latent.sample_codes(count, units, prior, seed=3)


# Penalties


def curved(images):
    """Logits with a gradient that differs from place to place: 2 x₁ x₂, x₁²."""
    return images[:, :1] ** 2 * images[:, 1:]


def test_penalties_are_the_hand_worked_slopes():
    real, fake = tf.constant([[1.0, 2.0], [0.0, 3.0]]), tf.constant([[2.0, 1.0], [1.0, 1.0]])
    assert float(penalties.r1(curved, real, fake)) == pytest.approx((4**2 + 1) / 2 / 2)  # (4, 1) and (0, 0)
    assert float(penalties.r2(curved, real, fake)) == pytest.approx((4**2 + 4**2 + 2**2 + 1) / 2 / 2)
    images = tf.reshape(real, (2, 2, 1, 1))
    assert float(penalties.r1(lambda x: curved(tf.reshape(x, (-1, 2))), images, images)) == pytest.approx(17 / 4)
    # Half way: (1.5, 1.5), where the slope is (4.5, 2.25); and with ε = 1 the real image, where it is (0, 0).
    penalty = penalties.gradient_penalty(curved, real, fake, numbers([0.0], [1.0]))
    assert float(penalty) == pytest.approx(((np.hypot(4.5, 2.25) - 1) ** 2 + 1) / 2, rel=1e-5)


def test_where_logits_are_flat_the_gradient_penalty_has_a_finite_gradient():
    slope = tf.Variable(0.0)
    with tf.GradientTape() as tape:
        penalty = penalties.gradient_penalty(lambda x: slope * x, tf.ones((2, 1)), tf.zeros((2, 1)), drawn(2))
    assert float(penalty) == pytest.approx(1.0, abs=1e-5)
    assert np.isfinite(float(tape.gradient(penalty, slope)))


def test_lazy_penalties_come_in_one_of_so_many_steps_and_count_as_often(vector_gan, vectors):
    histories = {}
    for every in (1, 4):
        model = vector_gan()
        # Rates so small that the networks stay what they are.
        rates = {f"{network}_optimizer": keras.optimizers.SGD(1e-12) for network in "dg"}
        model.compile(
            penalties=[lambda d, real, fake: tf.constant(3.0)], penalty_every=every, run_eagerly=True, **rates
        )
        histories[every] = [model.train_on_batch(vectors[:8], return_dict=True)["d_penalty"] for _ in range(8)]
    assert histories[1] == [3.0] * 8
    assert histories[4] == [12.0, 0.0, 0.0, 0.0] * 2
    with pytest.raises(ValueError, match="penalty_every is 0: it"):
        vector_gan().compile(penalty_every=0)


# Augmentations


def test_a_translation_moves_each_image_by_its_own_whole_pixels():
    images = np.float32(np.random.default_rng(0).normal(size=(3, 8, 6, 2)))
    moved = augment.translation(tf.constant(images), numbers([1.0, 0.0], [-0.6, 1.0], [0.0, -1.0]), 0.5).numpy()
    expected = np.zeros_like(images)
    expected[0, 4:] = images[0, :-4]  # down by half the height
    expected[1, :-2, 3:] = images[1, 2:, :-3]  # up by 2.4, and to the right by half the width
    expected[2, :, :-3] = images[2, :, 3:]
    np.testing.assert_array_equal(moved, expected)


def test_a_cutout_is_a_hole_of_its_size_and_all_else_stays():
    images = np.ones((2, 8, 8, 3), "float32")
    holed = augment.cutout(tf.constant(images), numbers([0.0, 0.0], [-1.0, 1.0]), 0.5).numpy()
    assert np.argwhere(holed[0, :, :, 0] == 0).tolist() == [*map(list, itertools.product(range(2, 6), range(2, 6)))]
    assert np.argwhere(holed[1, :, :, 1] == 0).tolist() == [*map(list, itertools.product(range(2), range(6, 8)))]
    assert set(np.unique(holed)) == {0.0, 1.0}


def test_color_changes_brightness_saturation_and_contrast():
    image = np.float32([[[0.2, 0.4, 0.6], [0.0, 0.0, 0.0]]])[None]  # 1 × 2 pixels
    brighter = augment.color(tf.constant(image), numbers([1.0, 0.0, 0.0])).numpy()
    np.testing.assert_allclose(brighter, image + 0.5, rtol=1e-6)
    gray = augment.color(tf.constant(image), numbers([0.0, -1.0, 0.0])).numpy()
    np.testing.assert_allclose(gray, [[[[0.4] * 3, [0.0] * 3]]], atol=1e-7)
    flatter = augment.color(tf.constant(image), numbers([0.0, 0.0, -1.0])).numpy()
    np.testing.assert_allclose(flatter, 0.2 + (image - 0.2) / 2, rtol=1e-5)


@pytest.mark.parametrize("name", augment.AUGMENTATIONS)
@settings(max_examples=10)
@given(seed=st.integers(0, 1000), height=st.integers(2, 9), width=st.integers(2, 9), channels=st.sampled_from((1, 3)))
def test_at_strength_0_an_augmentation_is_the_identity(name, seed, height, width, channels):
    images = np.float32(np.random.default_rng(seed).uniform(-1, 1, (2, height, width, channels)))
    same = augment.AUGMENTATIONS[name](tf.constant(images), drawn(2), 0.0)
    np.testing.assert_allclose(same, images, atol=1e-6)


@pytest.mark.parametrize("name", augment.AUGMENTATIONS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_gradients_go_through_an_augmentation(name, dtype):
    images = tf.cast(np.random.default_rng(0).uniform(-1, 1, (2, 6, 6, 3)), dtype)
    with tf.GradientTape() as tape:
        tape.watch(images)
        augmented = augment.AUGMENTATIONS[name](images, drawn(2))
        total = tf.reduce_sum(tf.cast(augmented, tf.float32))
    assert augmented.dtype == images.dtype
    gradient = tf.cast(tape.gradient(total, images), tf.float32).numpy()
    assert np.isfinite(gradient).all()
    assert (gradient > 0).mean() > 0.3


# The averaged generator


def test_the_average_is_the_closed_form(vector_gan, vectors):
    model = vector_gan(ema=0.3)
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), run_eagerly=True)
    expected = [weight.numpy() for weight in model.generator.weights]
    for step in range(6):
        model.train_on_batch(vectors[step * 16 : step * 16 + 16])
        decay = min(0.3, (1 + step) / (10 + step))
        assert (decay < 0.3) == (step < 3)
        now = [weight.numpy() for weight in model.generator.weights]
        expected = [decay * before + (1 - decay) * weight for before, weight in zip(expected, now, strict=True)]
    for average, weight, wanted in zip(model.average_generator.weights, now, expected, strict=True):
        np.testing.assert_allclose(average.numpy(), wanted, rtol=1e-5, atol=1e-7)
        assert not np.array_equal(average.numpy(), weight)
    codes = model.sample_codes(5)
    np.testing.assert_array_equal(model.generate(codes), model.average_generator(codes))
    assert not np.array_equal(model.generate(codes), model.generator(codes))


def test_without_an_average_there_is_none(vector_gan):
    model = vector_gan()
    assert model.average_generator is None
    assert model.sampler is model.generator
    assert len(model.variables) == len(model.generator.variables) + len(model.discriminator.variables) + 1
    for decay in (-0.1, 1.0, float("nan")):
        with pytest.raises(Mistake, match=f"ema is {decay}: it"):
            vector_gan(ema=decay)


def test_the_averaged_generator_has_the_statistics_of_its_own_images(small_dcgan, digits):
    """In inference mode it draws as with the statistics of a large batch of codes."""
    model = small_dcgan(ema=0.9)
    model.fit(digits, batch_size=16, epochs=30, verbose=0)  # before, the generator's own moving averages lag as well
    codes = model.sample_codes(512, seed=5)
    by_averages = model.generate(codes)
    model.average_generator.trainable = True  # otherwise Keras takes the moving averages even in training mode
    by_batch = model.average_generator(codes, training=True)
    typical = float(tf.math.reduce_std(by_batch))
    assert np.sqrt(np.mean((by_batch - by_averages) ** 2)) < 0.1 * typical


def test_a_reference_batch_is_the_generators_own(digits):
    model = kgan.DCGAN((16, 16, 1), latent_dim=8, filters=4, norm="virtual", ema=0.9)
    model.compile(run_eagerly=True)
    model.fit(digits[:64], batch_size=32, verbose=0)
    own, average = (
        [weight.numpy() for weight in network.weights if weight.name == "examples"]
        for network in (model.generator, model.average_generator)
    )
    np.testing.assert_array_equal(own, average)
    np.testing.assert_array_equal(own, [model.generator.layers[0].examples.numpy()])


# Packing and spectral normalization


def test_a_packed_discriminator_judges_each_image_by_itself(digits):
    model = kgan.DCGAN((16, 16, 1), latent_dim=8, filters=4, packing=2)
    model.compile(run_eagerly=True)
    model.fit(digits[:64], batch_size=32, verbose=0)
    np.testing.assert_allclose(model.score(digits[:4]), [model.score(each[None])[0] for each in digits[:4]], rtol=1e-4)


def test_spectral_normalization_keeps_every_slope_at_1():
    discriminator = networks.dense_discriminator((6,), hidden_units=32, norm="spectral", seed=0)
    images = np.float32(np.random.default_rng(0).normal(size=(64, 6)))
    for _ in range(30):  # a power iteration each
        discriminator(images, training=True)
    kernels = [layer.layer.kernel.numpy() for layer in discriminator.layers if hasattr(layer, "layer")]
    assert len(kernels) == 2
    for kernel in kernels:
        assert np.linalg.norm(kernel, 2) == pytest.approx(1, rel=1e-3)
    logits = discriminator(images).numpy()[:, 0]
    slopes = np.abs(logits[:, None] - logits) / (np.linalg.norm(images[:, None] - images, axis=-1) + np.eye(64))
    assert slopes.max() <= 1.001


# Settings


def build(**changes):
    recipe = recipes.get("dcgan-digits")
    small = {"image_size": "16", "filters": "4", "latent_dim": "8"}
    return recipes.build(recipe, recipes.resolve(recipe, {**small, **changes}), (16, 16, 1))


def test_every_recipe_has_the_toolbox_and_all_but_the_modern_ones_leave_it_off():
    for recipe in (each for each in recipes.RECIPES.values() if not each.name.startswith("modern-")):
        chosen = recipes.resolve(recipe, {})
        names = ("penalty", "augment", "ema", "packing", "d_norm", "penalty_every", "top_k", "learning_rate_schedule")
        assert [chosen[name] for name in names] == ["none", "none", 0.0, 1, "same", 1, 1.0, "constant"]
        assert not chosen["simultaneous"]


def test_settings_reach_the_model():
    model = build(penalty="r1, r2", penalty_weight="5", penalty_every="4", ema="0.999")
    assert [(term.function, term.weight) for term in model.penalties] == [(penalties.r1, 5.0), (penalties.r2, 5.0)]
    assert (model.penalty_every, model.ema) == (4, 0.999)
    model = build(augment="translation,cutout", d_norm="spectral", packing="2", loss="hinge")
    assert [each.function for each in model.augmentations] == [augment.translation, augment.cutout]
    assert (model.d_norm, model.norm, model.packing) == ("spectral", "batch", 2)
    model = build(top_k="0.5", simultaneous="yes")
    assert (model.generator_loss.args[1], model.simultaneous) == (0.5, True)


@pytest.mark.parametrize("schedule", ["linear", pytest.param("cosine", marks=pytest.mark.slow)])
def test_learning_rates_fall_to_0_by_the_last_step_of_each_network_and_resume_exactly(schedule, digits, tmp_path):
    def new(steps=4):
        recipe = recipes.get("gan-digits")
        changes = {"hidden_units": 4, "learning_rate_schedule": schedule, "d_steps": 2, "d_learning_rate": 4e-4}
        changes["steps_per_execution"] = 1
        return recipes.build(recipe, recipes.resolve(recipe, changes), (16, 16, 1), steps=steps)

    def fit(model, **arguments):
        model.fit(digits[:32], batch_size=16, verbose=0, **arguments)
        return rates(model)

    def rates(model):
        return [float(optimizer.learning_rate) for optimizer in (model.d_optimizer, model.g_optimizer)]

    model, resumed = new(), new()
    assert rates(model) == pytest.approx([4e-4, 2e-4])
    assert fit(model, callbacks=[kgan.callbacks.Checkpoint(tmp_path)]) == pytest.approx([2e-4, 1e-4])
    model.save(tmp_path / "model.keras")
    loaded = kgan.load_model(tmp_path / "model.keras")
    assert fit(model) == fit(loaded) == pytest.approx([0.0, 0.0], abs=1e-10)
    fit(resumed, epochs=2, callbacks=[kgan.callbacks.Checkpoint(tmp_path, resume=True)])
    for other in (loaded, resumed):
        for one, same in zip(model.training_state, other.training_state, strict=True):
            np.testing.assert_array_equal(one, same)
    with pytest.raises(Mistake, match=f"learning_rate_schedule is {schedule}, which needs the number of training"):
        new(steps=0)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"penalty": "r3"}, "penalty is 'r3': choose one of r1, r2, gradient_penalty"),
        ({"augment": "cutout,flip"}, "augment is 'flip': choose one of instance_noise, translation, cutout, color"),
        ({"learning_rate_schedule": "step"}, "learning_rate_schedule is 'step': choose one of constant, linear, cos"),
        ({"loss": "wasserstein"}, "loss is wasserstein, which falls without limit: add penalty=gradient_penalty or "),
        ({"loss": "wasserstein", "penalty": "gradient_penalty", "penalty_weight": "0"}, "loss is was"),
        (
            {"penalty": "gradient_penalty"},
            "penalty is gradient_penalty, which needs single images, but with norm batch",
        ),
        ({"packing": "2", "penalty": "r1"}, "penalties need single images, but with packing the discriminator sees p"),
        ({"packing": "2", "norm": "virtual"}, "packing is 2: with norm 'virtual' the reference batch would be packed"),
    ],
)
def test_settings_that_cannot_be(changes, sentence):
    with pytest.raises(Mistake, match=f"^{re.escape(sentence)}"):
        build(**changes)


def test_a_loss_given_as_its_functions_is_known_as_by_its_name(small_dcgan):
    assert not small_dcgan(loss=kgan.losses.LOSSES["hinge"]).has_probabilities
    assert small_dcgan(loss=tuple(kgan.losses.LOSSES["minimax"])).has_probabilities
    with pytest.raises(ValueError, match="loss relativistic compares each fake with a real image"):
        small_dcgan(loss=kgan.losses.LOSSES["relativistic"], top_k=0.5)


def test_vectors_are_not_moved(vector_gan):
    for name in augment.AUGMENTATIONS.keys() - {"instance_noise"}:
        with pytest.raises(Mistake, match=rf"{name} is for images, \(height, width, channels\): the data have shape"):
            vector_gan(augment=[name])
    with pytest.raises(Mistake, match="RandomFlip is a layer: pass a function, such as lambda images, random: layer"):
        vector_gan(augment=[keras.layers.RandomFlip()])
    assert vector_gan(augment=["instance_noise"]).augmentations


def test_the_doctor_reads_no_probabilities_where_there_are_none(digits_gan, digits):
    model = digits_gan(loss="hinge", run_eagerly=True)
    doctor = kgan.callbacks.Doctor(digits)
    model.fit(digits, batch_size=32, epochs=1, verbose=0, callbacks=[doctor])
    record = doctor.records[-1]
    assert np.isnan([record.d_real, record.d_fake, record.d_fake_eval]).all()
    assert np.isfinite([record.d_loss, record.g_loss, record.gradient_norm]).all()
