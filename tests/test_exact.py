"""Saved and loaded, or resumed from a checkpoint, training goes on exactly, whatever a model is made of."""

import numpy as np
import pytest

import kgan
from kgan import callbacks
from kgan._backend import keras

NOISE = (("instance_noise", 0.1),)
MADE_OF = {  # several pieces at a time; traced only once, since for a few steps that takes longer than to run them
    "traced, k steps, uniform codes": {
        "run_eagerly": False,
        "d_steps": 2,
        "prior": "uniform",
        "reuse_fakes": False,
        "loss": "minimax",
    },
    "least squares, smoothing, noise, spectral, top_k": {
        "loss": "least_squares",
        "label_smoothing": 0.1,
        "augment": NOISE,
        "d_norm": "spectral",
        "top_k": 0.5,
    },
    "relativistic, all penalties now and then": {
        "loss": "relativistic",
        "d_norm": "none",
        "penalties": (("r1", 1.0), ("r2", 1.0), ("gradient_penalty", 1.0)),
        "penalty_every": 2,
    },
    "hinge, augmentations, ema, packing": {
        "loss": "hinge",
        "augment": ("translation", "cutout", "color"),
        "ema": 0.99,
        "packing": 2,
        "simultaneous": True,
    },
    "other norms": {"norm": "synchronized", "d_norm": "layer"},
    "classes, spectral, ema, half precision": {
        "classes": 10,
        "d_norm": "spectral",
        "ema": 0.9,
        "precision": "mixed_bfloat16",
    },
    "codes, stages, noise": {"kind": kgan.CodeGAN, "augment": NOISE, "stages": 2},
    "codes, virtual, half precision": {
        "kind": kgan.CodeGAN,
        "norm": "virtual",
        "code_loss": "l1",
        "precision": "mixed_bfloat16",
    },
}
OF_COMPILE = ("run_eagerly", "loss", "label_smoothing", "top_k", "penalties", "penalty_every", "simultaneous")


@pytest.mark.parametrize("precision", ["float32", pytest.param("mixed_bfloat16", marks=pytest.mark.slow)])
@pytest.mark.parametrize("pieces", MADE_OF.values(), ids=MADE_OF)
def test_training_goes_on_exactly(pieces, precision, tmp_path):
    arguments = {"kind": kgan.DCGAN, "precision": precision, "run_eagerly": True, **pieces}
    compiled = {name: arguments.pop(name) for name in OF_COMPILE if name in arguments}
    kind, precision = arguments.pop("kind"), arguments.pop("precision")
    digits = kgan.data.load_labeled("digits", image_size=16)
    data = {"x": kgan.data.from_uint8(digits.images[:32]), "y": digits.labels[:32], "batch_size": 32, "verbose": 0}

    def new():
        model = kind((16, 16, 1), latent_dim=8, filters=4, **arguments)
        model.compile(**compiled)
        return model

    def state(model):
        return [variable.numpy() for variable in (*model.variables, *model.optimizer.variables)]

    keras.config.set_dtype_policy(precision)
    model, resumed = new(), new()
    pictures = [callbacks.CodeCurves(tmp_path / "codes.png"), callbacks.CodeColumns(tmp_path / "columns.png", rows=2)]
    beside = pictures if kind is kgan.CodeGAN else [callbacks.SampleGrid(tmp_path)]
    model.fit(**data, callbacks=[*beside, callbacks.Checkpoint(tmp_path / "checkpoint")])
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    half, codes = state(model), model.sample_codes(4)
    images = model.generate(codes)
    model.fit(**data)
    assert all(np.isfinite(value).all() for value in (*state(model), model.generate(4)))
    resumed.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_equal(state(resumed), half)
    resumed.fit(**data, epochs=2, callbacks=[callbacks.Checkpoint(tmp_path / "checkpoint", resume=True)])
    np.testing.assert_equal(state(resumed), state(model))
    keras.config.set_dtype_policy("float32")  # as in another process
    loaded = kgan.load_model(tmp_path / "model.keras")
    assert type(loaded) is kind
    np.testing.assert_equal(state(loaded), half)
    np.testing.assert_array_equal(loaded.generate(codes), images)
    loaded.fit(**data)
    np.testing.assert_equal(state(loaded), state(model))
    np.testing.assert_array_equal(loaded.generate(codes), model.generate(codes))
