"""What checkpoints cost: the time of one compared with an epoch of `dcgan-mnist`, and epochs with and without.

    python benchmarks/checkpoint.py [epochs]

Trains on as many random images as MNIST has: the time of a step does not depend on what is in them.
"""

import os
import platform
import statistics
import sys
import tempfile
import time

import numpy as np

import kgan

EPOCHS = int(sys.argv[1]) if len(sys.argv) > 1 else 3
STEPS = 468  # an epoch of 60,000 images in batches of 128
images = np.random.default_rng(0).integers(0, 255, (60_000, 28, 28, 1), np.uint8)


class Stopwatch(kgan.callbacks.Checkpoint):
    """Measures how long it takes to save."""

    seconds: list[float] = []  # noqa: RUF012

    def save(self):
        is_new, began = not self._up_to_date, time.perf_counter()
        super().save()
        if is_new:
            self.seconds.append(time.perf_counter() - began)


def new_model():
    recipe = kgan.recipes.get("dcgan-mnist")
    return kgan.recipes.build(recipe, kgan.recipes.resolve(recipe, {}), (28, 28, 1))


with tempfile.TemporaryDirectory() as directory:
    batches = kgan.data.Batches(images, 128)
    models = {"without": (new_model(), []), "with": (new_model(), [Stopwatch(directory)])}
    seconds = {name: [] for name in models}
    for epoch in range(-1, EPOCHS):
        for name, (model, callbacks) in models.items():
            began = time.perf_counter()
            model.fit(batches, epochs=1, steps_per_epoch=STEPS if epoch >= 0 else 3, verbose=0, callbacks=callbacks)
            if epoch >= 0:  # the first compiles
                seconds[name].append(time.perf_counter() - began)
    megabytes = max(os.path.getsize(each.path) for each in os.scandir(directory)) / 1e6

epoch, save = statistics.median(seconds["without"]), statistics.median(Stopwatch.seconds)
print(f"dcgan-mnist, {platform.machine()} with {os.cpu_count()} cores, median of {EPOCHS} epochs, interleaved")
print(f"an epoch              {epoch:7.2f} s")
print(f"with a checkpoint     {statistics.median(seconds['with']):7.2f} s")
print(f"a checkpoint itself   {save:7.3f} s   {megabytes:.1f} MB, {save / epoch:.2%} of an epoch")
