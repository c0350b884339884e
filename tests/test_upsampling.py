import numpy as np
import pytest

from kgan import networks
from kgan._backend import keras, tf
from kgan.layers import UpsampledConv2D


def both(kernel_size, **arguments):
    """The layer, and the two layers that it stands for, with the same weights."""
    one = UpsampledConv2D(4, kernel_size, padding="same", bias_initializer="normal", **arguments)
    convolution = keras.layers.Conv2D(4, kernel_size, padding="same", **arguments)
    one.build((None, 5, 7, 6))
    convolution.build((None, 10, 14, 6))
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


def test_weights_of_the_two_layers_fit():
    """Generators that were saved as UpSampling2D and Conv2D have their weights in the same order and shapes."""
    one, two = both(5)
    assert [weight.shape for weight in one.weights] == [weight.shape for weight in two.weights]


@pytest.mark.parametrize(("name", "value"), [("padding", "valid"), ("strides", 2), ("groups", 2), ("dilation_rate", 2)])
def test_what_it_does_not_do_is_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} is .*: that of UpsampledConv2D is"):
        UpsampledConv2D(4, 3, **{"padding": "same", name: value}).build((None, 4, 4, 2))
