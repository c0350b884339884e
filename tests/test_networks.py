import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgan import networks
from kgan._backend import keras


def test_dense_parameters_by_hand():
    # 100 → 128 → 784 and 784 → 128 → 1, each layer with biases
    assert networks.dense_generator((28, 28, 1)).count_params() == 100 * 128 + 128 + 128 * 784 + 784
    assert networks.dense_discriminator((28, 28, 1)).count_params() == 784 * 128 + 128 + 128 + 1


def test_dcgan_parameters_by_hand():
    # 100 → 7·7·128, BatchNormalization (4 a channel), 4×4 to 64, BatchNormalization, 4×4 to 1 with a bias
    generator = 100 * 6272 + 4 * 128 + 16 * 128 * 64 + 4 * 64 + 16 * 64 * 1 + 1
    assert networks.dcgan_generator((28, 28, 1)).count_params() == generator
    # 4×4 to 64 with biases, 4×4 to 128, BatchNormalization, 7·7·128 → 1 with a bias
    discriminator = 16 * 64 + 64 + 16 * 64 * 128 + 4 * 128 + 6272 + 1
    assert networks.dcgan_discriminator((28, 28, 1)).count_params() == discriminator


@pytest.mark.parametrize("size", [8, 16, 20, 28, 32, 44, 64, 96, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_dcgan_networks_for_every_size(size, channels):
    generator = networks.dcgan_generator((size, size, channels), latent_dim=5, filters=2)
    discriminator = networks.dcgan_discriminator((size, size, channels), filters=2)
    images = generator(np.ones((2, 5), "float32"))
    assert images.shape == (2, size, size, channels)
    assert discriminator(images).shape == (2, 1)


def test_layers_of_64_pixels_are_radfords():
    generator = networks.dcgan_generator((64, 64, 3), filters=128)
    shapes = [layer.output.shape[1:] for layer in generator.layers if "conv" in layer.name or "reshape" in layer.name]
    assert shapes == [(4, 4, 1024), (8, 8, 512), (16, 16, 256), (32, 32, 128), (64, 64, 3)]


def test_images_need_not_be_square():
    generator = networks.dcgan_generator((16, 28, 1), filters=2)
    assert generator.output_shape == (None, 16, 28, 1)


@settings(max_examples=30, deadline=None)
@given(st.integers(-5, 300))
def test_a_size_works_or_names_the_nearest(size):
    good = size == 8 or (size >= 16 and size % 4 == 0)
    if good:
        assert networks._pyramid((size, size, 1), 4)[0][0] >= 4
        return
    with pytest.raises(ValueError, match="cannot be made by doubling") as error:
        networks._pyramid((size, size, 1), 4)
    for nearest in str(error.value).rsplit("such as ", 1)[1].split(" or "):
        assert networks._pyramid((int(nearest), int(nearest), 1), 4)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: networks.dcgan_generator((28, 28, 1), latent_dim=-4), "latent_dim is -4"),
        (lambda: networks.dcgan_generator((28, 28)), "image_shape is"),
        (lambda: networks.dcgan_discriminator((28, 28, 1), filters=0), "filters is 0"),
        (lambda: networks.dense_generator((0,)), "data_shape is"),
        (lambda: networks.dense_generator(()), "data_shape is"),
        (lambda: networks.dense_discriminator((2,), hidden_units=0), "hidden_units is 0"),
    ],
)
def test_sizes_out_of_range(build, message):
    with pytest.raises(ValueError, match=message):
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
