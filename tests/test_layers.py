"""kgan's layers against Keras', or against numbers by hand; reference batches in training, saved, resumed."""

import numpy as np
import pytest

import kgan
from kgan import networks, plots
from kgan._backend import keras, tf
from kgan.errors import Mistake
from kgan.layers import FusedBatchNormalization, Packing, ReferenceBatch, ReferenceNormalization, UpsampledConv2D

# Batch normalization as one operation


def normalized(kind, images, policy="float32"):
    """What a layer gives in training, its averages, and the gradients of a loss and of a gradient penalty."""
    built = kind(momentum=0.9, beta_initializer="ones", dtype=policy)
    built.build(images.shape)
    built.gamma.assign([1.0, 2.0, 3.0])
    with tf.GradientTape() as outer:
        outer.watch(images)
        with tf.GradientTape(persistent=True) as inner:
            inner.watch(images)
            outputs = built(images, training=True)
            loss = tf.reduce_sum(tf.sin(tf.cast(outputs, "float32")))
        penalty = tf.reduce_sum(inner.gradient(loss, images) ** 2)
    gradients = outer.gradient(penalty, [images, built.gamma]) + inner.gradient(loss, built.trainable_variables)
    return [outputs, built.moving_mean, built.moving_variance, *gradients]


@pytest.mark.parametrize("shape", [(6, 5, 7, 3), (1, 2, 2, 3), (6, 3)])
def test_one_operation_does_what_keras_layer_does(shape):
    images = tf.random.stateless_normal(shape, (0, 0), mean=1.0, stddev=3.0)
    results = [normalized(kind, images) for kind in (FusedBatchNormalization, keras.layers.BatchNormalization)]
    for ours, theirs in zip(*results, strict=True):
        ours, theirs = np.asarray(ours), np.asarray(theirs)
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-5 * np.abs(theirs).max())


def test_in_bfloat16_averages_are_float32():
    images = tf.random.stateless_normal((64, 8, 8, 3), (0, 0), mean=1.0, stddev=3.0)
    outputs, mean, variance, *_ = normalized(FusedBatchNormalization, images, "mixed_bfloat16")
    assert (outputs.dtype, mean.dtype, variance.dtype) == ("bfloat16", "float32", "float32")
    rounded = np.asarray(tf.cast(images, "bfloat16"), np.float64)
    np.testing.assert_allclose(mean, 0.1 * rounded.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(variance, 0.9 + 0.1 * rounded.var((0, 1, 2)), rtol=1e-5)


def test_in_inference_it_goes_by_its_averages():
    built = FusedBatchNormalization(epsilon=0.0)
    built.build((None, 2, 2, 1))
    built.moving_mean.assign([3.0])
    built.moving_variance.assign([4.0])
    np.testing.assert_allclose(built(np.full((1, 2, 2, 1), 7, "float32")), 2.0)


# Upsampling and a convolution


def both(kernel_size, **arguments):
    """The layer, and the two layers that it stands for, with the same weights."""
    one = UpsampledConv2D(4, kernel_size, padding="same", bias_initializer="normal", **arguments)
    convolution = keras.layers.Conv2D(4, kernel_size, padding="same", **arguments)
    one.build((None, 5, 7, 6))
    convolution.build((None, 10, 14, 6))
    assert [weight.shape for weight in one.weights] == [weight.shape for weight in convolution.weights]
    convolution.set_weights(one.get_weights())
    return one, keras.Sequential([keras.layers.UpSampling2D(2), convolution])


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, (3, 5)])
def test_the_small_image_is_enough(kernel_size):
    images = tf.random.stateless_normal((3, 5, 7, 6), (0, 0))
    results = []
    for layer in both(kernel_size):
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = layer(images)
            loss = tf.reduce_sum(tf.sin(outputs))
        results.append([outputs, *tape.gradient(loss, [images, *layer.trainable_variables])])
    for ours, theirs in zip(*results, strict=True):
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() < 1e-5 * np.abs(theirs).max()


def test_a_saved_layer_is_read_again(tmp_path):
    model = networks.dcgan_generator((16, 16, 1), 4, 2, upsampling="nearest", kernel_size=5)
    model.save(tmp_path / "generator.keras")
    codes = np.ones((2, 4), "float32")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "generator.keras")(codes), model(codes))


@pytest.mark.parametrize(("name", "value"), [("center", False), ("scale", False), ("axis", 1)])
def test_what_one_operation_does_not_do_is_refused(name, value):
    with pytest.raises(Mistake, match=f"{name} is {value}: FusedBatchNormalization"):
        FusedBatchNormalization(**{name: value}).build((None, 4, 4, 2))


@pytest.mark.parametrize(("name", "value"), [("padding", "valid"), ("strides", 2), ("groups", 2), ("dilation_rate", 2)])
def test_what_the_convolution_does_not_do_is_refused(name, value):
    with pytest.raises(Mistake, match=f"{name} is .*: that of UpsampledConv2D is"):
        UpsampledConv2D(4, 3, **{"padding": "same", name: value}).build((None, 4, 4, 2))


# Packing


def test_packs_hold_neighbors_in_training_and_copies_otherwise():
    images = tf.reshape(tf.range(12.0), (3, 2, 2, 1))
    packs = Packing(2)(images, training=True)
    np.testing.assert_array_equal(packs[..., 0], images[..., 0])
    np.testing.assert_array_equal(packs[..., 1], tf.roll(images, -1, axis=0)[..., 0])
    np.testing.assert_array_equal(Packing(3)(images), np.repeat(images, 3, axis=-1))
    assert Packing(3).compute_output_shape((None, 8, 8, 2)) == (None, 8, 8, 6)


# Reference and virtual batch normalization


@pytest.mark.parametrize(
    ("virtual", "values", "expected"),
    [
        # Of 1 and 5 the mean is 3 and the variance 4.
        (False, [1, 5, 3, 7], [-1, 1, 0, 2]),
        # Of 1, 5 and 6 the mean is 4 and the variance 14 / 3; of 1, 5 and 3 they are 3 and 8 / 3.
        (True, [1, 5, 6, 3], [-1, 1, 2 / np.sqrt(14 / 3), 0]),
    ],
)
def test_statistics_are_those_of_the_reference_batch_and_if_virtual_of_the_example(virtual, values, expected):
    layer = ReferenceNormalization(size=2, epsilon=0.0, virtual=virtual)
    np.testing.assert_allclose(layer(np.float32(values)[:, None])[:, 0], expected, rtol=1e-6, atol=1e-6)


def test_images_are_normalized_by_channel_over_all_their_pixels():
    images = np.random.default_rng(0).normal(size=(5, 3, 4, 2)).astype("float32")
    for virtual, rows in ((False, [0, 1, 2]), (True, [0, 1, 2, 4])):
        normalized = ReferenceNormalization(size=3, epsilon=0.1, virtual=virtual)(images)
        mean, variance = images[rows].mean((0, 1, 2)), images[rows].var((0, 1, 2))
        np.testing.assert_allclose(normalized[4], (images[4] - mean) / np.sqrt(variance + 0.1), rtol=1e-5, atol=1e-5)


def test_examples_of_a_large_mean_keep_their_variance():
    """Of float32, E[x²] - E[x]² would leave nothing here."""
    values = np.float32(3000 + np.random.default_rng(0).normal(size=(40, 50, 1)))
    for virtual in (False, True):
        normalized = ReferenceNormalization(size=8, virtual=virtual)(values)
        assert np.std(normalized) == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("floatx", ["float32", "float64"])
@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
def test_layers_however_keras_is_configured(layout, floatx):
    """Images are (height, width, channels) in any case."""
    images = np.random.default_rng(0).normal(size=(5, 3, 4, 2)).astype("float32")
    keras.config.set_image_data_format(layout)
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(floatx)
    both = ReferenceBatch(size=3, seed=0)(images)
    normalized = ReferenceNormalization(size=3, epsilon=0.1, virtual=True)(both)
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    assert normalized.dtype == floatx
    usual = ReferenceNormalization(size=3, epsilon=0.1, virtual=True)(np.float32(both))
    np.testing.assert_allclose(normalized, usual, rtol=1e-5, atol=1e-5)


def test_a_batch_of_another_shape_is_refused():
    built = ReferenceBatch(size=4)
    built.build((None, 3))
    with pytest.raises(Mistake, match=r"a reference batch has shape \(4, 3\), not \(5, 3\)"):
        built.adapt(np.zeros((5, 3)))


@pytest.mark.parametrize("norm", networks.REFERENCE_NORMS)
@pytest.mark.parametrize("training", [True, False])
def test_an_example_is_seen_alike_in_any_minibatch(norm, training):
    discriminator = networks.dcgan_discriminator((16, 16, 1), filters=8, norm=norm, code_units=3, seed=0)
    images = np.random.default_rng(0).normal(size=(6, 16, 16, 1)).astype("float32")
    for head, units in enumerate((1, 3)):
        together = discriminator(images, training=training)[head]
        assert together.shape == (6, units)
        alone = np.concatenate([discriminator(images[i : i + 1], training=training)[head] for i in range(6)])
        np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)
        assert np.std(alone) > 0


def references(model):
    return [network.layers[0] for network in (model.discriminator, model.generator)]


def test_fit_chooses_the_batches_once(small_dcgan, digits):
    model = small_dcgan(norm="virtual", run_eagerly=True)
    real_images, codes = references(model)
    assert isinstance(real_images, ReferenceBatch)
    before = codes.examples.numpy()
    model.fit(digits[:64], batch_size=32, epochs=1, verbose=0)
    chosen, drawn = real_images.examples.numpy(), codes.examples.numpy()
    assert all((digits == image).all((1, 2, 3)).any() for image in chosen)
    assert len({image.tobytes() for image in chosen}) == 32
    assert np.abs(drawn - before).max() > 0.1
    model.fit(-digits[:64], batch_size=32, epochs=1, verbose=0)
    np.testing.assert_array_equal(real_images.examples, chosen)
    np.testing.assert_array_equal(codes.examples, drawn)


def test_codes_are_of_the_prior(vectors):
    model = kgan.GAN(
        networks.dense_generator((2,), 4, 8, activation="linear", norm="reference"),
        keras.Sequential([keras.Input((2,)), networks.dense_discriminator((2,), 8, norm="virtual")]),
        prior="uniform",
    )
    model.compile(run_eagerly=True)
    model.fit(vectors, batch_size=32, verbose=0)
    assert np.abs(model.generator.layers[0].examples).max() < 1
    inner = model.discriminator.layers[0].layers[0]  # in a network within the network
    assert all((vectors == vector).all(1).any() for vector in inner.examples.numpy())


def test_too_few_images_are_refused_and_batches_do_not_repeat_them(small_dcgan, digits):
    model = small_dcgan(norm="virtual", run_eagerly=True)
    for few in ({"x": digits[:20], "batch_size": 4}, {"x": kgan.data.Batches(digits[:20], 4)}):
        with pytest.raises(ValueError, match="32 images"):
            model.fit(**few, verbose=0)
    model.fit(kgan.data.Batches(plots.to_uint8(digits[:40]), 4), steps_per_epoch=1, verbose=0)
    chosen = references(model)[0].examples.numpy()
    assert len({image.tobytes() for image in chosen}) == 32
    assert (chosen.min(), chosen.max()) == (-1, 1)
