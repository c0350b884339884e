"""Seconds a step of each recipe at its own size, and what its whole run would take on this machine.

    python benchmarks/recipes.py [RECIPE …]

On random images: the time of a step does not depend on what is in them. The first step, which builds the graph, is left
out; the median of the next three is shown.
"""

import statistics
import sys
import time

import numpy as np

from kgan import recipes, runs

IMAGES = {"digits": 1797, "mnist": 60_000, "cifar10": 50_000, "stl10": 5_000, "oxford_flowers102": 8_189}
IMAGES |= {"cat-dataset": 9_997, "./pictures": 1_000}


def seconds_a_step(recipe):
    settings = recipes.resolve(recipe, {"steps_per_execution": 1})
    batch_size, shape = settings["batch_size"], recipes.image_shape(recipe)
    model = recipes.build(recipe, settings, shape)
    images = np.random.default_rng(0).uniform(-1, 1, (batch_size, *shape)).astype("float32")
    times = []
    for _ in range(4):
        began = time.perf_counter()
        model.fit(images, batch_size=batch_size, verbose=0)
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


def main(names):
    print(runs.environment()["device"])
    for name in names or recipes.RECIPES:
        recipe = recipes.get(name)
        seconds = seconds_a_step(recipe)
        steps = recipe.settings.get("steps_per_epoch")
        steps = steps.value if steps and steps.value else IMAGES[recipe["data"]] // recipe["batch_size"]
        hours = seconds * steps * recipe["epochs"] / 3600
        print(
            f"{name:24} {seconds:8.3f} s a step  {steps:5} steps an epoch  {hours:9.1f} hours for all its epochs",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
