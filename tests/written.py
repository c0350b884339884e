"""Run directories like those of `kgan train`, written in a moment: with an untrained model and pictures of noise."""

import contextlib

import numpy as np
from PIL import Image

from kgan import recipes, runs
from kgan._backend import tf

SMALL = {"image_size": 16, "filters": 4, "latent_dim": 8, "batch_size": 16}
DENSE = {"image_size": 16, "hidden_units": 8, "batch_size": 256}


@contextlib.contextmanager
def eagerly():
    """Within the block nothing is traced: that takes longer than a few training steps."""
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


def write_run(directory, recipe="dcgan-digits", changes=None, epochs=3, classes=(), has_model=True):
    """Write a run of `epochs` epochs, with the settings of a recipe but for the changes; return its directory."""
    changes = SMALL if changes is None else changes
    settings = recipes.resolve(recipes.get(recipe), {**changes, "epochs": epochs})
    finding = {"disease": "collapse", "epoch": 2, "since": 1, "sentence": "all are alike", "suggestion": "Do less"}
    record = {"recipe": recipe, "paper": "a paper", "model": recipes.get(recipe).model, "settings": settings}
    record |= {"status": "finished", "epochs": epochs, "seconds": 12.5, "classes": list(classes), "findings": [finding]}
    runs.write_json(directory / "run.json", {**record, "environment": {"device": "CPU, 2 cores", "kgan": "0.2"}})
    write_history(directory, epochs)
    (directory / "samples").mkdir()
    noise = np.random.default_rng(epochs).integers(256, size=(epochs, 60, 60), dtype=np.uint8)
    for epoch, pixels in enumerate(noise, 1):
        Image.fromarray(pixels).save(directory / "samples" / f"epoch-{epoch:04}.png")
    if has_model:
        shape = settings["image_size"], settings["image_size"], 1 if settings["data"] in ("digits", "mnist") else 3
        model = recipes.build(recipes.get(recipe), settings, shape, len(classes))
        for kernel in (weight for weight in model.trainable_weights if len(weight.shape) > 1):
            kernel.assign(10 * kernel)  # otherwise all images are about the same gray
        model.save(directory / "model.keras")
    return directory


def write_history(directory, epochs, **others):
    """Write a history.csv with these columns beside the usual ones; "" where a metric was not measured."""
    columns = {"epoch": range(1, epochs + 1), "d_loss": [1.3 / epoch for epoch in range(1, epochs + 1)]}
    columns |= {name: [value] * epochs for name, value in (("g_loss", 0.7), ("d_real", 0.6), ("d_fake", 0.4))}
    columns |= {**others, "seconds": [1.0] * epochs}
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    (directory / "history.csv").write_text("\n".join(lines) + "\n")
