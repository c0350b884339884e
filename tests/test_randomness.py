"""What is random depends on seed and step alone, and streams that should be independent are."""

import itertools

import numpy as np
import pytest

import kgan
from kgan._backend import keras, tf


def correlation(first, second):
    count = min(first.size, second.size)
    return abs(np.corrcoef(first.ravel()[:count], second.ravel()[:count])[0, 1])


@pytest.mark.parametrize("kind", ["dcgan", "dense"])
def test_networks_of_neighboring_seeds_share_no_weights(kind):
    builders = [getattr(kgan.networks, f"{kind}_{network}") for network in ("generator", "discriminator")]
    kernels = [
        weight.numpy()
        for seed, build in itertools.product((0, 1, 2), builders)
        for weight in build((16, 16, 1), seed=seed).trainable_weights
        if len(weight.shape) > 1
    ]
    for first, second in itertools.combinations(kernels, 2):
        if min(first.size, second.size) >= 100:
            assert correlation(first, second) < 5 / np.sqrt(min(first.size, second.size))


def test_a_seed_gives_both_networks_weights_of_their_own():
    model = kgan.DCGAN((16, 16, 1), filters=4, seed=3)
    again = kgan.DCGAN((16, 16, 1), filters=4, seed=3)
    for weight, same in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(weight, same)


def test_dropout_never_draws_the_same_mask_twice():
    """In the discriminator's two passes, in the generator's step, and in the next step of the discriminator."""
    discriminator = keras.Sequential(
        [keras.Input((64,)), keras.layers.Dropout(0.5, seed=0), keras.layers.Dense(1, use_bias=False)]
    )
    model = kgan.GAN(kgan.networks.dense_generator((64,), 4, 8, activation="linear", seed=1), discriminator)
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), run_eagerly=True)
    layer, masks = discriminator.layers[0], []
    dropped = layer.call

    def watched(inputs, training=False):
        outputs = dropped(inputs, training=training)
        masks.append(np.asarray(outputs) == 0)
        return outputs

    layer.call = watched
    x = np.random.default_rng(0).normal(size=(8, 64)).astype("float32")
    model.fit(x, batch_size=4, epochs=1, verbose=0, shuffle=False)
    assert len(masks) == 2 * 4  # in each step: real, fake, and both again for the generator
    for first, second in itertools.combinations(masks, 2):
        assert 0.3 < (first != second).mean() < 0.7


@pytest.mark.parametrize("steps_per_execution", [1, 2])
def test_a_step_happens_only_when_there_is_a_batch(steps_per_execution, vector_gan):
    """A dataset that cannot tell its length trains as one that can: steps, statistics, metrics."""
    batches = np.random.default_rng(0).normal(size=(3, 32, 2)).astype("float32")

    def trained(data):
        generator = kgan.networks.dense_generator((2,), 4, 8, activation="linear", norm="batch", seed=1)
        model = kgan.GAN(generator, kgan.networks.dense_discriminator((2,), 8, seed=2))
        model.compile(steps_per_execution=steps_per_execution)
        return model, model.fit(data, epochs=3, verbose=0).history

    dataset = tf.data.Dataset.from_tensor_slices(batches)
    known, expected = trained(dataset)
    unknown, history = trained(dataset.filter(lambda batch: True))
    assert int(unknown.step) == int(known.step) == 9
    assert int(unknown.g_optimizer.iterations) == 9
    for weight, same in zip(unknown.training_state, known.training_state, strict=True):
        np.testing.assert_allclose(weight, same, atol=1e-7)
    for name, values in expected.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-6)
