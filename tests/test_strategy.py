"""Several replicas train as one device does: codes, noise, penalties and gradients do not depend on their number.

In a process of its own, since a machine's processor is divided into logical devices before TensorFlow starts.
"""

import json
import subprocess
import sys

import filelock
import pytest
from test_workers import CONVOLUTIONAL, DENSE, alone, difference, largest

pytestmark = pytest.mark.slow

PROGRAM = """
import json, sys, tempfile
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

def modern(norm, classes=0, packing=1, falling=False, **compiled):
    model = kgan.GAN(
        kgan.networks.dense_generator(
            (8, 8, 1), 4, 16, norm=norm if norm == "virtual" else "none", classes=classes, seed=1
        ),
        kgan.networks.dense_discriminator((8, 8, 1), 16, norm=norm, classes=classes, packing=packing, seed=1),
        augment=["translation", "cutout", "color"],
        ema=0.9,
        classes=classes,
    )
    rate = keras.optimizers.schedules.CosineDecay(0.1, 4) if falling else 0.1
    model.compile(keras.optimizers.SGD(rate), keras.optimizers.SGD(rate), **compiled)
    return model

def compared(data, arguments, made=made, **fit):
    alone = made(**arguments)
    with strategy.scope():
        together = made(**arguments)
    run = tempfile.mkdtemp(dir=sys.argv[1])
    callbacks = [kgan.callbacks.StopOnNaN(), kgan.callbacks.Checkpoint(run, resume=True)]
    one = alone.fit(data, verbose=0, epochs=2, **fit).history
    two = together.fit(data, verbose=0, epochs=2, callbacks=callbacks, **fit).history
    moved = max(np.abs(a - b).max() for a, b in zip(alone.trainable_weights, made(**arguments).trainable_weights))
    weights = max(np.abs(a - b).max() for a, b in zip(alone.get_weights(), together.get_weights()))
    metrics = max(abs(a - b) for name in one for a, b in zip(one[name], two[name]))
    differ = {"moved": float(moved), "weights": float(weights), "metrics": float(metrics)}
    return {**differ, "step": int(alone.step.numpy())}

def resumed(data, arguments):
    # Whether two epochs on both devices are, bit for bit, one epoch and another one with a new model.
    begun = []
    counting = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: begun.append(epoch))

    def end(*stops):
        run = tempfile.mkdtemp(dir=sys.argv[1])
        for stop in stops:
            with strategy.scope():
                model = modern(**arguments)
            checkpoint = kgan.callbacks.Checkpoint(run, resume=True)
            model.fit(data, epochs=stop, verbose=0, callbacks=[checkpoint, counting])
        return model.get_weights()

    return begun, all(np.array_equal(a, b) for a, b in zip(end(2), end(1, 2)))

found = []
found.append(compared(vectors, {}, batch_size=32))
found.append(compared(vectors, {"d_steps": 2}, batch_size=32))
found.append(compared(tf.data.Dataset.from_tensor_slices(vectors).batch(32), {}))  # its last batch has 6
found.append(compared(tf.data.Dataset.from_tensor_slices(vectors).batch(32), {}, steps_per_epoch=2))
images = np.tanh(np.random.default_rng(1).normal(size=(64, 8, 8, 1))).astype("float32")
penalties = ["r1", "r2", ("gradient_penalty", 0.1)]
settings = {"norm": "none", "loss": "relativistic", "penalties": penalties, "penalty_every": 2}
found.append(compared(images, settings, modern, batch_size=32))
hinge = {"norm": "spectral", "loss": "hinge", "simultaneous": True}
found.append(compared(images, hinge, modern, batch_size=32))
# Both go by the same reference batches, so halves of a batch are normalized as the whole.
found.append(compared(images, {"norm": "virtual"}, modern, batch_size=32))
labeled = tf.data.Dataset.from_tensor_slices((images, np.arange(64) % 3)).batch(32)
found.append(compared(labeled, {"norm": "layer", "classes": 3, "falling": True}, modern))
# Each replica packs its own images, and takes the best of its own fakes.
by_replica = compared(images, {"norm": "none", "packing": 2, "top_k": 0.5}, modern, batch_size=32)
alone = modern("none")
with strategy.scope():
    together = modern("none")
evaluated = [model.evaluate(images[:50], batch_size=16, verbose=0) for model in (alone, together)]
with strategy.scope():
    small = made()
try:
    small.fit(tf.data.Dataset.from_tensor_slices(vectors[:33]).batch(32), verbose=0)
except ValueError as error:
    too_small = str(error)
still = bool(all(np.isfinite(each).all() for each in small.get_weights()))
keras.config.set_dtype_policy("mixed_bfloat16")
half = compared(labeled, {"norm": "none", "classes": 3, "penalties": ["r1"]}, modern)
many = {"norm": "none", "classes": 3, "top_k": 0.5, "penalties": ["r1", "r2"], "penalty_every": 2, "falling": True}
half_resumed = resumed(labeled, many)
try:
    keras.config.set_dtype_policy("mixed_float16")
    with strategy.scope():
        made()
except ValueError as error:
    refused = str(error)
print(json.dumps({
    "found": found,
    "evaluated": evaluated,
    "by_replica": by_replica,
    "half": half,
    "half_resumed": half_resumed,
    "refused": refused,
    "too_small": [too_small, still],
}))
"""


@pytest.fixture(scope="module")
def on_two_devices(tmp_path_factory, testrun_uid):
    """What the program found; of pytest's processes, only the first runs it."""
    kept = tmp_path_factory.getbasetemp().parent / f"strategy-{testrun_uid}.json"
    with filelock.FileLock(f"{kept}.lock"):
        if not kept.exists():
            command = [sys.executable, "-c", PROGRAM, str(tmp_path_factory.mktemp("strategy"))]
            result = subprocess.run(command, capture_output=True, text=True)
            assert result.returncode == 0, result.stderr[-3000:]
            kept.write_text(result.stdout)
    return json.loads(kept.read_text())


CASES = {  # and their steps
    "array": 4,
    "d_steps": 4,
    "partial batch": 6,
    "steps_per_epoch": 4,
    "penalties": 4,
    "spectral": 4,
    "virtual": 4,
    "classes and falling rates": 4,
}


@pytest.mark.parametrize(("case", "steps"), list(enumerate(CASES.values())), ids=CASES)
def test_two_replicas_with_half_batches_are_one_with_the_whole(case, steps, on_two_devices):
    found = on_two_devices["found"][case]
    assert found["moved"] > 1e-2
    assert found["weights"] < 1e-5
    assert found["metrics"] < 1e-5
    assert found["step"] == steps


def test_replicas_evaluate_as_many_different_fakes_as_one_device(on_two_devices):
    alone, together = on_two_devices["evaluated"]
    assert together == pytest.approx(alone, rel=1e-5)


def test_replicas_with_packs_and_best_fakes_of_their_own_train_alike_but_not_the_same(on_two_devices):
    found = on_two_devices["by_replica"]
    assert found["moved"] > 1e-2
    assert 1e-5 < found["weights"] < 0.2 * found["moved"]
    assert found["metrics"] < 0.1


def test_two_replicas_in_half_precision_are_one_but_for_its_rounding(on_two_devices):
    half = on_two_devices["half"]
    assert half["moved"] > 1e-2
    assert half["weights"] < 0.01 * half["moved"]
    assert half["metrics"] < 0.02


def test_two_replicas_in_half_precision_resume_exactly_with_many_pieces(on_two_devices):
    begun, is_equal = on_two_devices["half_resumed"]
    assert begun == [0, 1, 0, 1]  # two epochs, one epoch, and only the second after that
    assert is_equal


def test_a_batch_with_no_image_for_a_replica_is_refused_and_the_weights_stay_finite(on_two_devices):
    sentence, is_finite = on_two_devices["too_small"]
    assert sentence.startswith("a batch, such as the last one, leaves a device without images: batch with")
    assert is_finite


def test_float16_under_a_strategy_is_refused(on_two_devices):
    assert "use mixed_bfloat16" in on_two_devices["refused"]


# The command


def test_a_run_goes_on_with_other_devices(tmp_path):
    straight, run = tmp_path / "straight", tmp_path / "run"
    expected = alone(straight, *DENSE, "--epochs", "3")
    alone(run, *DENSE, "--epochs", "1")
    alone(run, "--resume", run, "--epochs", "2", "--devices", "2")
    record = json.loads((run / "run.json").read_text())
    assert (record["devices"], record["status"], record["epochs"]) == (2, "finished", 2)
    assert {path.name for path in straight.iterdir()} == {path.name for path in run.iterdir()}
    assert largest(expected, alone(run, "--resume", run, "--epochs", "3", "--devices", "1")) < 1e-5


@pytest.mark.parametrize(("recipe", "devices"), [("dcgan-digits", 4), ("codegan-digits", 2), ("modern-digits", 2)])
def test_with_synchronized_normalization_recipes_train_as_on_one_device(recipe, devices, tmp_path):
    arguments = [recipe, *CONVOLUTIONAL]
    shared = alone(tmp_path / "shared", *arguments, "--devices", str(devices))
    assert difference(alone(tmp_path / "alone", *arguments), shared) < 1e-4


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--devices", "3"], "batch_size is 128, which 3 devices cannot share equally"),
        (["--devices", "0"], "Invalid value for '--devices': "),
    ],
)
def test_devices_that_cannot_be(arguments, sentence, kgan_command, tmp_path):
    result = kgan_command("train", *DENSE, *arguments)
    assert result.exit_code == 2
    assert sentence in " ".join(result.output.split())
    assert not (tmp_path / "runs").exists()
