"""What pictures, curves, checkpoints and the doctor cost: an epoch of `kgan train` beside its bare training.

    python benchmarks/epoch.py [recipe] [epochs] [rounds] [name=value ...]

Fits with all callbacks of the command and fits without take turns, in one process; of each the epochs are timed from
one's beginning to the next one's, but for the first two, in which TensorFlow compiles.
"""

import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

import kgan
from kgan._backend import keras
from kgan.cli.plan import plan_new
from kgan.cli.prepare import prepare
from kgan.cli.run import Run


class Stopwatch(keras.callbacks.Callback):
    """Takes the time at which each epoch begins."""

    def on_train_begin(self, logs=None):
        self.times = []

    def on_epoch_begin(self, epoch, logs=None):
        self.times.append(time.perf_counter())

    def seconds(self):
        return [later - earlier for earlier, later in zip(self.times[2:], self.times[3:], strict=False)]


if __name__ == "__main__":
    name, epochs, rounds = (*sys.argv[1:4], *("gan-digits", "20", "3")[len(sys.argv[1:4]) :])
    epochs, rounds = int(epochs), int(rounds)
    changes = dict(each.split("=") for each in sys.argv[4:])
    seconds = {"bare": [], "with everything": []}
    with tempfile.TemporaryDirectory() as directory:
        plan = plan_new(name, {**changes, "epochs": epochs * rounds}, Path(directory, "run"))
        prepared = prepare(plan)
        bare = kgan.recipes.build(plan.recipe, plan.settings, prepared.model.data_shape)
        models = {"bare": bare, "with everything": prepared.model}
        run = Run(plan, prepared.model, prepared.real, prepared.facts, True, False)
        callbacks = {"bare": [], "with everything": run.callbacks()}
        for number in range(1, rounds + 1):
            for each, model in models.items():
                watch = Stopwatch()
                until = epochs * number if callbacks[each] else epochs  # a run that is resumed counts on
                model.fit(
                    prepared.dataset,
                    epochs=until,
                    steps_per_epoch=prepared.steps_per_epoch,
                    verbose=0,
                    callbacks=[watch, *callbacks[each]],
                )
                seconds[each] += watch.seconds()
    bare, everything = (statistics.median(seconds[each]) for each in seconds)
    print(f"{name}, {platform.machine()} with {os.cpu_count()} cores, {rounds} rounds of {epochs} epochs, interleaved")
    print(f"an epoch of training alone  {bare:8.3f} s")
    print(f"as `kgan train` runs it     {everything:8.3f} s   {everything / bare:.2f} times as long")
