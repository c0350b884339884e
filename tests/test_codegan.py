"""The CodeGAN: its two objectives by hand, what its weight does, and what it encodes."""

import functools
from unittest import mock

import numpy as np
import pytest

import kgan
from kgan import losses, recipes
from kgan._backend import tf

NOISE = (("instance_noise", 0.1),)


def new_small_codegan(loss="non_saturating", run_eagerly=False, **arguments):
    model = kgan.CodeGAN((16, 16, 1), latent_dim=8, filters=8, **arguments)
    model.compile(loss=loss, run_eagerly=run_eagerly)
    return model


@pytest.fixture
def small_codegan(models_used_again):
    """A function that gives compiled CodeGANs of 8 filters for 16 × 16 × 1 images, all alike and untrained."""
    return functools.partial(models_used_again.lend, new_small_codegan)


def fit(model, images, epochs=1, **arguments):
    return model.fit(images, batch_size=32, epochs=epochs, verbose=0, **arguments).history


def values(variables):
    return {variable.path: variable.numpy() for variable in variables}


def test_with_weight_0_it_trains_exactly_like_the_dcgan(small_codegan, small_dcgan, digits):
    codegan, dcgan = small_codegan(code_weight=0.0, reuse_fakes=True), small_dcgan()
    of_codegan, of_dcgan = fit(codegan, digits[:64], 2), fit(dcgan, digits[:64], 2)
    for network in ("generator", "discriminator"):
        shared = getattr(dcgan, network).weights
        for weight, same in zip(shared, getattr(codegan, network).weights, strict=False):
            np.testing.assert_array_equal(weight, same)
    assert len(codegan.discriminator.weights) == len(dcgan.discriminator.weights) + 2
    assert of_codegan["adversarial_loss"] == of_codegan["d_loss"] == of_dcgan["d_loss"]


def test_with_weight_1_it_regresses_codes_alone(small_codegan, digits):
    """Other real images, or another adversarial loss, change no weight that is trained."""
    trained = []
    for images, loss in ((digits, "minimax"), (-digits, "non_saturating")):
        model = small_codegan(code_weight=1.0, loss=loss, run_eagerly=True)
        history = fit(model, images[:64], 2)
        assert history["d_loss"] == history["code_loss"]
        trained.append([*model.generator.trainable_weights, *model.discriminator.trainable_weights])
    for one, same in zip(*trained, strict=True):
        np.testing.assert_array_equal(one, same)


@pytest.mark.parametrize(
    ("arguments", "compiled"),
    [
        ({"ema": 0.9}, {}),
        ({"norm": "layer"}, {"penalties": [("r1", 1.0)]}),
        ({}, {"top_k": 0.5}),
        ({"augment": NOISE, "stages": 2, "d_steps": 2}, {"loss": "minimax"}),
        ({"dtype": "mixed_bfloat16", "augment": NOISE, "stages": 2}, {"simultaneous": True}),
    ],
    ids=["average", "penalty", "top_k", "d_steps, stages, minimax", "half precision, stages, simultaneous"],
)
def test_it_trains_with_the_toolbox(arguments, compiled, digits):
    model = kgan.CodeGAN((16, 16, 1), latent_dim=8, filters=4, **arguments)
    model.compile(**compiled, run_eagerly=True)
    before = model.get_weights()
    history = fit(model, digits[:32])
    assert all(np.isfinite(value).all() for value in history.values())
    assert any(not np.array_equal(one, other) for one, other in zip(before[1:], model.get_weights()[1:], strict=True))
    assert model.encode(digits[:3]).dtype == np.float32
    assert model.reconstruct(digits[:2]).shape == (2, 16, 16, 1)


def test_its_objectives_by_hand(small_codegan):
    model = small_codegan(code_weight=0.25, code_loss="l1")
    codes = tf.constant([[1.0, 0.0], [0.0, 0.0]])
    real = kgan.gan.DiscriminatorOutput(tf.zeros((2, 1)), tf.zeros((2, 2)))
    fake = kgan.gan.DiscriminatorOutput(tf.zeros((2, 1)), tf.constant([[0.0, 3.0], [0.0, 2.0]]))
    # l_code is (1 + 3 + 0 + 2) / 2 = 3; at logits of 0 the adversarial losses are 2 ln 2 and ln 2.
    assert float(model.discriminator_objective(real, fake, codes)) == pytest.approx(0.75 + 0.75 * 2 * np.log(2))
    assert float(model.generator_objective(real, fake, codes)) == pytest.approx(0.75 + 0.75 * np.log(2))
    assert float(model.code_loss_metric.result()) == 3
    assert float(model.adversarial_loss_metric.result()) == pytest.approx(2 * np.log(2))
    assert float(model.real_loss_metric.result()) == pytest.approx(np.log(2))


def test_the_code_loss_of_guessing_is_that_of_guessing():
    for prior in ("normal", "uniform"):
        codes = kgan.latent.sample_codes(50_000, 10, prior, seed=1)
        for name, loss in losses.CODE_LOSSES.items():
            measured = float(loss(codes, tf.zeros_like(codes)))
            assert measured == pytest.approx(losses.code_loss_of_guessing(10, prior, name), rel=0.01)


def test_the_gradient_of_the_code_loss_reaches_both_networks(small_codegan):
    model = small_codegan(code_weight=1.0)
    codes = kgan.latent.sample_codes(4, 8)
    with tf.GradientTape(persistent=True) as tape:
        images = model.generator(codes, training=True)
        loss = model.code_objective(model.discriminate(images), codes)
    for network in (model.generator, model.discriminator):
        found = [tape.gradient(loss, weight.value) for weight in network.trainable_weights]
        assert sum(gradient is not None and float(tf.norm(gradient)) > 0 for gradient in found) >= len(found) - 2
    assert all(gradient is not None for gradient in tape.gradient(loss, model.generator.trainable_weights))


@pytest.mark.parametrize("stages", [1, 2])
def test_a_step_of_one_network_leaves_the_other_alone(stages, small_codegan, digits):
    model = small_codegan(stages=stages, augment=NOISE)
    fakes = model.draw_fakes(16, draw=0)
    steps = (model.discriminator_step, model.generator), (model.generator_step, model.discriminator)
    for step, other in steps:
        before = values(other.variables)
        step(tf.constant(digits[:16]), fakes)
        for path, value in values(other.variables).items():
            np.testing.assert_array_equal(value, before[path])


def test_every_stage_reads_what_was_rebuilt_from_the_one_before(small_codegan):
    model = small_codegan(stages=3, norm="none")  # without batch statistics inference is training
    codes = kgan.latent.sample_codes(4, 8)
    read, expected = codes, 0
    for _ in range(3):
        read = model.encode(model.generate(read))
        expected += np.square(codes - read).sum(1).mean() / 3
    fake = model.discriminate(model.generator(codes))
    assert float(model.code_objective(fake, codes)) == pytest.approx(expected, rel=1e-5)


def test_evaluating_is_in_inference_mode_at_every_stage(small_codegan, digits):
    """So the code loss is that of `encode` and `generate`, whatever the batch is, and nothing of the model moves."""
    model = small_codegan(stages=2, augment=NOISE)
    before = values(model.variables)
    measured = model.evaluate(digits, batch_size=32, verbose=0, return_dict=True)["code_loss"]
    expected = 0
    for first in range(0, 128, 32):
        codes = read = kgan.latent.sample_codes(32, 8, "normal", (0, kgan.latent.Stream.EVALUATION, first))
        for _ in range(2):
            read = model.encode(model.generate(read))
            expected += np.square(codes - read).sum(1).mean() / 2 / 4
    assert measured == pytest.approx(expected, rel=1e-5)
    for path, value in values(model.variables).items():
        np.testing.assert_array_equal(value, before[path])


def test_noise_is_a_function_of_seed_and_step_and_on_all_images(small_codegan, digits):
    model, images = small_codegan(augment=(("instance_noise", 0.25),)), tf.constant(digits)
    ((noisy, _),) = model.minibatches(images)
    np.testing.assert_array_equal(noisy, model.minibatches(images)[0][0])
    difference = (noisy - images).numpy()
    assert difference.std() == pytest.approx(0.25, rel=0.05)
    plain = small_codegan()
    on_fakes = (model.draw_fakes(128, draw=0).images - plain.draw_fakes(128, draw=0).images).numpy()
    assert on_fakes.std() == pytest.approx(0.25, rel=0.05)
    assert abs(np.corrcoef(on_fakes.ravel(), difference.ravel())[0, 1]) < 0.05
    model.step.assign_add(1)
    ((noisy, _),) = model.minibatches(images)
    assert abs(np.corrcoef((noisy - images).numpy().ravel(), difference.ravel())[0, 1]) < 0.05
    np.testing.assert_array_equal(plain.minibatches(images)[0][0], images)


def test_the_code_loss_falls(small_codegan, digits):
    history = fit(small_codegan(code_weight=0.5), digits, 15)
    assert history["code_loss"][-1] < 0.9 * history["code_loss"][0]
    assert history["code_loss"][-1] < losses.code_loss_of_guessing(8)


@pytest.mark.slow
def test_codegan_digits_reads_more_of_the_code_in_12_epochs():
    recipe = recipes.get("codegan-digits")
    settings = recipes.resolve(recipe, {})
    model = recipes.build(recipe, settings, (28, 28, 1))
    images = kgan.data.load("digits")
    history = model.fit(images, batch_size=settings["batch_size"], epochs=12, verbose=0).history["code_loss"]
    guessing = losses.code_loss_of_guessing(settings["latent_dim"])
    assert history[-1] < 0.95 * history[2] < 0.95 * guessing
    fakes = model.generate(codes := model.sample_codes(500, seed=3))
    assert float(losses.code_l2(codes, model.encode(fakes))) < 0.75 * guessing


def test_refined_codes_rebuild_better_each_image_by_itself(small_codegan, digits):
    model = small_codegan(run_eagerly=True)
    fit(model, digits[:64], 2)

    def error(**how):
        return np.square(model.reconstruct(digits[:6], **how) - digits[:6]).mean((1, 2, 3))

    assert (error(refine=40) < error()).all()
    alone = model.encode(digits[:1], refine=40)
    np.testing.assert_allclose(model.encode(digits[:6], refine=40, batch_size=4)[:1], alone, rtol=1e-3, atol=1e-3)


def test_what_is_not_known_does_not_count(small_codegan, digits):
    model = small_codegan()
    spoilt, known = kgan.data.degrade(digits[:4], "mask")
    other = np.where(known, spoilt, 1).astype("float32")
    start = model.encode(spoilt)
    output = kgan.gan.DiscriminatorOutput(tf.zeros((4, 1)), tf.constant(start))
    with mock.patch.object(model, "discriminate", return_value=output):
        codes = [model.encode(images, refine=5, known=known) for images in (spoilt, other)]
    np.testing.assert_array_equal(*codes)
    assert np.abs(codes[0] - start).max() > 0.01


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"code_weight": 1.5}, "code_weight is 1.5: it must be from 0 to 1"),
        ({"code_weight": float("nan")}, "code_weight is nan"),
        ({"code_loss": "l3"}, "code_loss is 'l3': choose one of l1, l2"),
        ({"augment": (("instance_noise", -0.1),)}, "the strength of instance_noise is -0.1: it must be 0 or more"),
        ({"stages": 0}, "stages is 0: it must be from 1 to 10"),
        ({"packing": 2}, "packing is 2: a CodeGAN reads a code from a single image, so leave it at 1"),
    ],
)
def test_bad_arguments(arguments, message, small_codegan):
    with pytest.raises(ValueError, match=message):
        small_codegan(**arguments)


def test_a_discriminator_without_a_code_head_is_refused():
    class Headless(kgan.CodeGAN):
        has_code_head = False

    with pytest.raises(ValueError, match=r"output has shape \(None, 1\): a CodeGAN's has two heads, .* \(batch, 8\)\]"):
        Headless((16, 16, 1), latent_dim=8, filters=2)
    codegan = kgan.CodeGAN((16, 16, 1), latent_dim=8, filters=2)
    with pytest.raises(ValueError, match="it is logits"):
        kgan.GAN(codegan.generator, codegan.discriminator)


def test_images_of_another_shape_are_refused(small_codegan):
    with pytest.raises(ValueError, match=r"images have shape \(8, 8, 1\): this discriminator takes \(16, 16, 1\)"):
        small_codegan().encode(np.zeros((2, 8, 8, 1)))
