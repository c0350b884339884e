"""Several replicas train as one device does: codes, noise, penalties and gradients do not depend on their number.

In a process of its own, since a machine's processor is divided into logical devices before TensorFlow starts.
"""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import json, sys
import numpy as np
import kgan
from kgan._backend import keras, tf

cpu, = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
vectors = np.random.default_rng(0).normal(size=(70, 2)).astype("float32")

def made(**arguments):
    model = kgan.GAN(
        kgan.networks.dense_generator((2,), 4, 16, activation="linear", seed=1),
        kgan.networks.dense_discriminator((2,), 16, seed=1),
        augment=[("instance_noise", 0.1)],
        **arguments,
    )
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), penalties=["r1"])
    return model

def modern(norm, classes=0, **compiled):
    model = kgan.GAN(
        kgan.networks.dense_generator((8, 8, 1), 4, 16, classes=classes, seed=1),
        kgan.networks.dense_discriminator((8, 8, 1), 16, norm=norm, classes=classes, seed=1),
        augment=["translation", "cutout", "color"],
        ema=0.9,
        classes=classes,
    )
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), **compiled)
    return model

def compared(data, arguments, made=made, **fit):
    alone = made(**arguments)
    with strategy.scope():
        together = made(**arguments)
    callbacks = [kgan.callbacks.StopOnNaN(), kgan.callbacks.Checkpoint(sys.argv[1] + f"/{len(found)}", resume=True)]
    one = alone.fit(data, verbose=0, epochs=2, **fit).history
    two = together.fit(data, verbose=0, epochs=2, callbacks=callbacks, **fit).history
    moved = max(np.abs(a - b).max() for a, b in zip(alone.get_weights()[1:], made(**arguments).get_weights()[1:]))
    weights = max(np.abs(a - b).max() for a, b in zip(alone.get_weights(), together.get_weights()))
    metrics = max(abs(a - b) for name in one for a, b in zip(one[name], two[name]))
    differ = {"moved": float(moved), "weights": float(weights), "metrics": float(metrics)}
    return {**differ, "step": int(alone.step.numpy())}

found = []
found.append(compared(vectors, {}, batch_size=32))
found.append(compared(vectors, {"d_steps": 2}, batch_size=32))
found.append(compared(tf.data.Dataset.from_tensor_slices(vectors).batch(32), {}))  # its last batch has 6
images = np.tanh(np.random.default_rng(1).normal(size=(64, 8, 8, 1))).astype("float32")
penalties = ["r1", "r2", ("gradient_penalty", 0.1)]
settings = {"norm": "none", "loss": "relativistic", "penalties": penalties, "penalty_every": 2}
found.append(compared(images, settings, modern, batch_size=32))
found.append(compared(images, {"norm": "spectral", "loss": "hinge"}, modern, batch_size=32))
labelled = tf.data.Dataset.from_tensor_slices((images, np.arange(64) % 3)).batch(32)
found.append(compared(labelled, {"norm": "none", "classes": 3}, modern))
try:
    keras.config.set_dtype_policy("mixed_float16")
    with strategy.scope():
        made()
except ValueError as error:
    refused = str(error)
print(json.dumps({"found": found, "refused": refused}))
"""


@pytest.fixture(scope="module")
def on_two_devices(tmp_path_factory):
    command = [sys.executable, "-c", PROGRAM, str(tmp_path_factory.mktemp("strategy"))]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(result.stdout)


CASES = {"array": 4, "d_steps": 4, "partial batch": 6, "penalties": 4, "spectral": 4, "classes": 4}  # and their steps


@pytest.mark.parametrize(("case", "steps"), enumerate(CASES.values()), ids=CASES)
def test_two_replicas_with_half_batches_are_one_with_the_whole(case, steps, on_two_devices):
    found = on_two_devices["found"][case]
    assert found["moved"] > 1e-2
    assert found["weights"] < 1e-5
    assert found["metrics"] < 1e-5
    assert found["step"] == steps


def test_float16_under_a_strategy_is_refused(on_two_devices):
    assert "use mixed_bfloat16" in on_two_devices["refused"]
