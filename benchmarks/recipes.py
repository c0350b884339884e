"""How long the whole run of each recipe takes on this machine: what `kgan plan` says, for `kgan/recipes/times.py`.

    python benchmarks/recipes.py [RECIPE …]

Data sets that are not here (all but the digits, and MNIST where `TFDS_DATA_DIR` has it) are random images of the same
shape and number: the time of a step does not depend on what is in them. Nothing else should run.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from kgan import recipes, runs
from kgan.cli import trial
from kgan.cli.plan import plan_new
from kgan.cli.prepare import prepare
from kgan.units import number

IMAGES = {"cifar10": 50_000, "stl10": 5_000, "oxford_flowers102": 8_189, "cat-dataset": 9_997, "./pictures": 1_000}
BATCHES = 16  # of random images: more than a trial takes


def forecast(recipe, directory):
    count, changes = IMAGES.get(recipe["data"]), {}
    if count:
        shape = (BATCHES * recipe["batch_size"], *recipes.image_shape(recipe))
        changes["data"] = str(directory / "images.npy")
        np.save(changes["data"], np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
    prepared = prepare(plan_new(recipe.name, changes, directory / "run"))
    if count:
        prepared = prepared._replace(steps_per_epoch=count // recipe["batch_size"])
    return trial.forecast(prepared), prepared.plan.settings["precision"]


def main(names):
    print(f"# {runs.environment()['device']}")
    for name in names or recipes.RECIPES:
        recipe = recipes.get(name)
        with tempfile.TemporaryDirectory() as directory:
            found, precision = forecast(recipe, Path(directory))
        seconds = found.seconds(recipe["epochs"])
        print(
            f'    "{name}": {seconds:_.0f},  # {found.steps_per_epoch:,} steps an epoch of '
            f"{number(found.step * 1000)} ms in {precision}",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
