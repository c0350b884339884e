"""What pictures, curves, checkpoints and the doctor cost: an epoch of `kgan.train` beside an epoch of training alone.

    python benchmarks/epoch.py [recipe] [epochs] [rounds] [name=value ...]

Runs of `kgan.train` and calls of `fit` without callbacks take turns, in one process. An epoch is timed from its
beginning to that of the next one; the first two epochs, in which TensorFlow compiles, do not count.
"""

import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

import kgan
from kgan import session
from kgan._backend import keras, tf


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
    changes = dict(change.split("=") for change in sys.argv[4:])
    watch, bare, everything = Stopwatch(), [], []
    with tempfile.TemporaryDirectory() as directory:
        recipe, settings, _ = session.new_run(name, {**changes, "epochs": epochs * rounds}, directory)
        real, _ = session.load_images(settings)
        batches = session.make_batches(settings, real)
        model, settings = session.build(recipe, settings, real, batches, tf.distribute.get_strategy())
        steps = session.steps_of_epoch(settings, batches)
        for number in range(rounds):
            model.fit(batches, epochs=epochs, steps_per_epoch=steps, verbose=0, callbacks=[watch])
            bare += watch.seconds()
            out = Path(directory, f"run-{number}")
            kgan.train(name, out=out, epochs=epochs, callbacks=[watch], verbose=0, **changes)
            everything += watch.seconds()
    bare, everything = statistics.median(bare), statistics.median(everything)
    print(f"{name}, {platform.machine()} with {os.cpu_count()} cores, {rounds} rounds of {epochs} epochs, interleaved")
    print(f"an epoch of training alone  {bare:8.3f} s")
    print(f"an epoch of kgan.train      {everything:8.3f} s   {everything / bare:.2f} times as long")
