"""How long the whole run of each recipe takes on this machine: what `kgan plan` says, for `kgan/recipes/times.py`.

    python benchmarks/recipes.py [RECIPE …]

Data sets that are not on this machine (all but the digits, and MNIST where `TFDS_DATA_DIR` has it) are replaced by as
many random images of the same shape: the time of a step does not depend on their content. Nothing else should run.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from kgan import recipes, runs
from kgan.forecast import forecast
from kgan.units import number

IMAGES = {"cifar10": 50_000, "stl10": 5_000, "oxford_flowers102": 8_189, "cat-dataset": 9_997, "./pictures": 1_000}
AT_ONCE = 1000


def write_random_images(path, shape):
    """Write a file of so many random images, little by little."""
    random = np.random.default_rng(0)
    images = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    for begin in range(0, len(images), AT_ONCE):
        part = images[begin : begin + AT_ONCE]
        part[:] = random.integers(0, 256, part.shape, dtype=np.uint8)
    images.flush()


def main(names):
    print(f"# {runs.environment()['device']}")
    for name in names or recipes.RECIPES:
        recipe = recipes.get(name)
        with tempfile.TemporaryDirectory() as directory:
            source = None
            if count := IMAGES.get(recipe["data"]):
                source = Path(directory) / "images.npy"
                write_random_images(source, (count, *recipes.image_shape(recipe)))
            found = forecast(name, data=source, out=Path(directory) / "run")
        print(
            f'    "{name}": {found.seconds:_.0f},  # {found.steps_per_epoch:,} steps an epoch of '
            f"{number(found.step * 1000)} ms in {found.settings['precision']}",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
