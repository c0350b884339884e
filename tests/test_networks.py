import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgan import networks, recipes, summary
from kgan._backend import abstract_build, keras
from kgan.errors import Mistake


@pytest.mark.parametrize(
    ("build", "parameters", "multiply_adds"),
    [
        # 100 → 128 → 784 and 784 → 128 → 1, each layer with biases
        (lambda: networks.dense_generator((28, 28, 1)), 100 * 128 + 128 + 128 * 784 + 784, 100 * 128 + 128 * 784),
        (lambda: networks.dense_discriminator((28, 28, 1)), 784 * 128 + 128 + 128 + 1, 784 * 128 + 128),
        # 100 → 7·7·128, BatchNormalization (4 a channel), 4×4 to 64, BatchNormalization, 4×4 to 1 with a bias;
        # 4×4 windows from each of 7·7 pixels of 128 to 64, and from each of 14·14 pixels of 64 to 1
        (
            lambda: networks.dcgan_generator((28, 28, 1)),
            100 * 6272 + 4 * 128 + 16 * 128 * 64 + 4 * 64 + 16 * 64 * 1 + 1,
            100 * 6272 + 49 * 16 * 128 * 64 + 196 * 16 * 64,
        ),
        # 4×4 to 64 with biases, 4×4 to 128, BatchNormalization, 7·7·128 → 1 with a bias;
        # 4×4 windows to each of 14·14 pixels of 64, and to each of 7·7 pixels of 128 from 64
        (
            lambda: networks.dcgan_discriminator((28, 28, 1)),
            16 * 64 + 64 + 16 * 64 * 128 + 4 * 128 + 6272 + 1,
            196 * 16 * 64 + 49 * 16 * 64 * 128 + 6272,
        ),
        # of 5×5 windows on repeated pixels 3×3 different ones are left, on 14·14 and 28·28 pixels
        (
            lambda: networks.dcgan_generator((28, 28, 1), kernel_size=5, upsampling="nearest"),
            100 * 6272 + 4 * 128 + 25 * 128 * 64 + 4 * 64 + 25 * 64 * 1 + 1,
            100 * 6272 + 196 * 9 * 128 * 64 + 784 * 9 * 64,
        ),
    ],
)
def test_parameters_and_multiply_adds_by_hand(build, parameters, multiply_adds):
    network = build()
    assert network.count_params() == parameters
    assert summary.multiply_adds(network) == multiply_adds


def test_multiply_adds_of_networks_of_ones_own():
    inner = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Conv2D(8, 3)])  # no padding: 2·2 pixels
    grouped = keras.layers.Conv2D(8, 1, groups=4)  # each sees 2 of 8 channels
    model = keras.Sequential([keras.Input((4, 4, 3)), inner, grouped, keras.layers.Dense(5)])  # dense for each pixel
    assert summary.multiply_adds(model) == 4 * (9 * 3 * 8 + 2 * 8 + 8 * 5)


def test_multiply_adds_of_two_heads():
    one, two = (networks.dcgan_discriminator((16, 16, 1), 4, code_units=units) for units in (None, 10))
    assert summary.multiply_adds(two) - summary.multiply_adds(one) == 4 * 4 * 8 * 10


def test_tables_and_multiply_adds_see_through_spectral_normalization():
    plain, bounded = (networks.dcgan_discriminator((16, 16, 1), 4, norm=norm) for norm in ("none", "spectral"))
    assert summary.multiply_adds(plain) == summary.multiply_adds(bounded) > 0
    rows = summary.layer_table(bounded)
    assert rows[0].layer == "4 × 4 convolution, stride 2, spectral norm · leaky ReLU 0.2"
    assert [row.shape for row in rows] == [row.shape for row in summary.layer_table(plain)]
    packed = networks.dcgan_discriminator((16, 16, 1), 4, packing=3)
    assert summary.layer_table(packed)[0] == ("packs of 3", (16, 16, 3), 0)


def shapes(network):
    """Of the tensors that a paper draws: those before and after each convolution."""
    return list(dict.fromkeys(layer.output.shape[1:] for layer in network.layers if len(layer.output.shape) == 4))


@pytest.mark.parametrize(
    ("names", "g_parameters", "d_parameters", "g_shapes", "d_shapes"),
    [
        (
            ("dcgan-cifar10", "dcgan-stl10"),
            # 100 → 4·4·1024, then 5×5 to 512, 256, 128 (each with BatchNormalization), to 3 with a bias
            100 * 16384 + 4 * 1024 + 25 * (1024 * 512 + 512 * 256 + 256 * 128) + 4 * (512 + 256 + 128) + 25 * 384 + 3,
            # 5×5 to 128 with biases, to 256, 512, 1024 (each with BatchNormalization), 4·4·1024 → 1 with a bias
            25 * 384 + 128 + 25 * (128 * 256 + 256 * 512 + 512 * 1024) + 4 * (256 + 512 + 1024) + 16384 + 1,
            [(4, 4, 1024), (8, 8, 512), (16, 16, 256), (32, 32, 128), (64, 64, 3)],
            [(64, 64, 3), (32, 32, 128), (16, 16, 256), (8, 8, 512), (4, 4, 1024)],
        ),
        (
            ("dcgan-flowers", "dcgan-cats"),
            # 100 → 8·8·128, then 5×5 to 64, 32, 16 (each with BatchNormalization), to 3 with a bias
            100 * 8192 + 4 * 128 + 25 * (128 * 64 + 64 * 32 + 32 * 16) + 4 * (64 + 32 + 16) + 25 * 16 * 3 + 3,
            # 5×5 to 16 with biases, to 32, 64, 128 (each with BatchNormalization), 8·8·128 → 1 with a bias
            25 * 3 * 16 + 16 + 25 * (16 * 32 + 32 * 64 + 64 * 128) + 4 * (32 + 64 + 128) + 8192 + 1,
            [(8, 8, 128), (16, 16, 64), (32, 32, 32), (64, 64, 16), (128, 128, 3)],
            [(128, 128, 3), (64, 64, 16), (32, 32, 32), (16, 16, 64), (8, 8, 128)],
        ),
        (
            ("dcgan-mnist-upsampling",),
            # 100 → 7·7·128, 5×5 to 64 with BatchNormalization, to 1 with a bias; and back
            100 * 6272 + 4 * 128 + 25 * 128 * 64 + 4 * 64 + 25 * 64 + 1,
            25 * 64 + 64 + 25 * 64 * 128 + 4 * 128 + 6272 + 1,
            [(7, 7, 128), (14, 14, 64), (28, 28, 1)],
            [(28, 28, 1), (14, 14, 64), (7, 7, 128)],
        ),
        (
            ("codegan-mnist",),
            # 36 → 16·16·64, BatchNormalization, 4×4 to 32, BatchNormalization, 4×4 to 1 with a bias
            36 * 16384 + 4 * 64 + 16 * 64 * 32 + 4 * 32 + 16 * 32 + 1,
            # 4×4 to 32 with biases, 4×4 to 64, BatchNormalization, 16·16·64 → 1 and 16·16·64 → 36 with biases
            16 * 32 + 32 + 16 * 32 * 64 + 4 * 64 + 16384 + 1 + 16384 * 36 + 36,
            [(16, 16, 64), (32, 32, 32), (64, 64, 1)],
            [(64, 64, 1), (32, 32, 32), (16, 16, 64)],
        ),
    ],
)
def test_networks_of_the_papers_by_hand(names, g_parameters, d_parameters, g_shapes, d_shapes):
    for recipe in map(recipes.get, names):
        chosen, shape = recipes.resolve(recipe, {}), recipes.image_shape(recipe)
        # without the memory that they would take
        model = abstract_build(lambda: recipes.build_uncompiled(recipe, chosen, shape))  # noqa: B023
        assert model.generator.count_params() == g_parameters
        assert model.discriminator.count_params() == d_parameters
        assert shapes(model.generator) == g_shapes
        assert [shape, *(each for each in shapes(model.discriminator) if each != shape)] == d_shapes
        is_leaky = recipe["activation"] == "leaky_relu"
        assert any(isinstance(layer, keras.layers.ReLU) for layer in model.generator.layers) != is_leaky


def test_depth_says_how_often_the_size_is_doubled():
    assert networks.dcgan_generator((64, 64, 3), filters=4, depth=2).layers[1].output.shape == (None, 16, 16, 8)
    assert networks.dcgan_discriminator((64, 64, 3), filters=4, depth=3).layers[-2].output.shape == (None, 8 * 8 * 16)


@pytest.mark.parametrize("norm", networks.NORMS)
def test_norms(norm):
    generator = networks.dcgan_generator((16, 16, 1), 4, 2, norm=norm)
    discriminator = networks.dcgan_discriminator((16, 16, 1), 2, norm=norm)
    assert generator.output_shape == (None, 16, 16, 1)
    assert generator(np.ones((3, 4), "float32")).shape == (3, 16, 16, 1)
    assert discriminator(np.ones((3, 16, 16, 1), "float32")).shape == (3, 1)
    kinds = {"batch": "FusedBatchNormalization", "synchronized": "BatchNormalization", "layer": "GroupNormalization"}
    expected = kinds.get(norm, "ReferenceNormalization" if norm in networks.REFERENCE_NORMS else None)
    found = [type(layer).__name__ for layer in generator.layers if "Normalization" in type(layer).__name__]
    assert found == [expected] * (2 if expected else 0)
    # What is shifted by a normalization needs no bias of its own, and what is not does.
    assert [layer.use_bias for layer in generator.layers if hasattr(layer, "use_bias")] == [norm == "none"] * 2 + [True]


def test_layer_norm_is_over_height_width_and_channels():
    images = np.random.default_rng(0).normal(3, 2, (2, 5, 5, 4)).astype("float32")
    (layer,) = networks._normalized("layer")
    normalized = np.asarray(layer(images))
    np.testing.assert_allclose(normalized.mean((1, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(normalized.std((1, 2, 3)), 1, atol=1e-3)


@pytest.mark.parametrize(
    "shape", [(8, 8, 1), (16, 16, 3), (20, 20, 1), (28, 28, 3), (44, 44, 1), (64, 64, 3), (128, 128, 1), (16, 28, 1)]
)
def test_dcgan_networks_for_every_size(shape):
    images = networks.dcgan_generator(shape, latent_dim=5, filters=2)(np.ones((2, 5), "float32"))
    assert images.shape == (2, *shape)
    assert networks.dcgan_discriminator(shape, filters=2)(images).shape == (2, 1)


@settings(max_examples=30, deadline=None)
@given(st.integers(-5, 300))
def test_a_size_works_or_names_the_nearest(size):
    good = size == 8 or (size >= 16 and size % 4 == 0)
    if good:
        assert networks._pyramid((size, size, 1), 4)[0][0] >= 4
        return
    with pytest.raises(Mistake, match="cannot be made by doubling") as error:
        networks._pyramid((size, size, 1), 4)
    for nearest in str(error.value).rsplit("such as ", 1)[1].split(" or "):
        assert networks._pyramid((int(nearest), int(nearest), 1), 4)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: networks.dcgan_generator((28, 28, 1), latent_dim=-4), "latent_dim is -4"),
        (lambda: networks.dcgan_generator((28, 28)), "image_shape is"),
        (lambda: networks.dcgan_discriminator((28, 28, 1), filters=0), "filters is 0"),
        (lambda: networks.dcgan_generator((28, 28, 1), depth=3), "depth is 3: images of 28 × 28 can be halved from 1"),
        (lambda: networks.dcgan_discriminator((28, 28, 1), depth=0), "depth is 0"),
        (lambda: networks.dcgan_generator((28, 28, 1), norm="bach"), "norm is 'bach': choose one of batch, synch"),
        (lambda: networks.dense_generator((28,), norm="bach"), "norm is 'bach'"),
        (lambda: networks.dcgan_generator((28, 28, 1), upsampling="x"), "upsampling is 'x': choose one of trans"),
        (lambda: networks.dcgan_generator((28, 28, 1), activation="x"), "activation is 'x': choose one of relu"),
        (lambda: networks.dense_generator((0,)), "data_shape is"),
        (lambda: networks.dense_generator(()), "data_shape is"),
        (lambda: networks.dense_discriminator((2,), hidden_units=0), "hidden_units is 0"),
    ],
)
def test_sizes_out_of_range(build, message):
    with pytest.raises(Mistake, match=message):
        build()


def test_weights_are_radfords_and_follow_the_seed():
    first, again, other = (networks.dcgan_generator((28, 28, 1), seed=seed) for seed in (1, 1, 2))
    kernels = [weight.numpy() for weight in first.weights if weight.path.endswith("kernel")]
    for kernel in kernels:
        assert abs(kernel.std() - 0.02) < 0.002
        assert abs(kernel.mean()) < 0.002
    for weight, same in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, same)
    assert np.abs(first.get_weights()[0] - other.get_weights()[0]).max() > 0.01


def test_layers_of_one_shape_start_with_different_weights():
    generator = networks.dense_generator((16,), latent_dim=16, hidden_units=16, seed=0)
    first, second = (weight for weight in generator.get_weights() if weight.ndim == 2)
    assert np.abs(first - second).max() > 0.1


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_outputs_stay_float32(policy):
    keras.config.set_dtype_policy(policy)
    image = np.zeros((1, 16, 16, 1), "float32")
    for generator in (networks.dcgan_generator((16, 16, 1), 4, 2), networks.dense_generator((16, 16, 1), 4, 2)):
        assert generator(np.zeros((1, 4))).dtype == "float32"
    for discriminator in (networks.dcgan_discriminator((16, 16, 1), 2), networks.dense_discriminator((16, 16, 1), 2)):
        assert discriminator(image).dtype == "float32"
