"""Adam by TensorFlow's kernel is Keras' Adam."""

import subprocess
import sys

import numpy as np
import pytest

import kgan
from kgan._backend import keras, tf


@pytest.mark.parametrize(
    "arguments",
    [
        {"learning_rate": 1e-3, "beta_1": 0.5},
        {"learning_rate": keras.optimizers.schedules.CosineDecay(0.1, 10), "epsilon": 1e-2, "weight_decay": 0.1},
        {"clipnorm": 0.1, "use_ema": True, "gradient_accumulation_steps": 2},
        {"amsgrad": True},
    ],
    ids=lambda arguments: ", ".join(arguments),
)
def test_its_steps_are_those_of_keras(arguments):
    random = np.random.default_rng(0)
    weights, gradients = (random.normal(size=size).astype("float32") for size in ((5, 4), (10, 5, 4)))
    found = []
    for optimizer in (kgan.optimizers.Adam(**arguments), keras.optimizers.Adam(**arguments)):
        variable = keras.Variable(weights)
        for gradient in gradients:
            optimizer.apply([tf.constant(gradient)], [variable])
        found.append([variable, *optimizer.variables])
    for own, of_keras in zip(*found, strict=True):
        np.testing.assert_allclose(own, of_keras, rtol=1e-5, atol=1e-7)
    assert np.abs(found[0][0] - weights).max() > 1e-3


def test_it_is_the_default_and_makes_one_operation_for_each_weight(vector_gan, vectors):
    model = vector_gan()
    model.compile()
    assert {type(model.d_optimizer), type(model.g_optimizer)} == {kgan.optimizers.Adam}
    step = tf.function(model.train_step).get_concrete_function(tf.constant(vectors))
    kinds = [operation.type for operation in step.graph.get_operations()]
    assert kinds.count("ResourceApplyAdam") == len(model.trainable_weights)


def test_a_model_of_keras_that_it_trains_is_loaded(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(kgan.optimizers.Adam(0.01), "mse")
    model.save(tmp_path / "model.keras")
    program = "import sys, keras, kgan; print(keras.models.load_model(sys.argv[1]).optimizer.learning_rate.numpy())"
    command = [sys.executable, "-c", program, tmp_path / "model.keras"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "0.01"
