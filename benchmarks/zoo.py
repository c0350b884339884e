"""The failure zoo: small runs on digits that fail in each of the classic ways, and what the doctor says about them.

    python benchmarks/zoo.py [--seeds 3] [--healthy 10] [--records zoo] [NAME …]

Prints a table: for each animal the disease that is expected, what was found, and in which epoch, over the seeds; and
the same for healthy runs, in which nothing should be found. Measurements are kept in --records, one file a run, and a
run is not trained again while its file exists, so that new thresholds in `kgan/diagnosis.py` are tried in a second.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import kgan
from kgan import callbacks, diagnosis, quality, recipes, runs
from kgan._backend import keras, tf


class Animal(NamedTuple):
    """A run, and how it should fail."""

    recipe: str
    changes: dict[str, Any]
    epochs: int  # within which it must be found
    diseases: tuple[str, ...]  # of which one is to be the first; none: a healthy run
    model: Callable[[recipes.Recipe, dict[str, Any]], kgan.GAN] | None = None  # where settings cannot express it
    altered: Callable[[np.ndarray], np.ndarray] = lambda images: images  # float32 in [-1, 1] → float32
    shown: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda images, labels: images  # to the model alone
    more_callbacks: tuple[Callable[[], keras.callbacks.Callback], ...] = ()


class MixedBatches(kgan.DCGAN):
    """Shows the discriminator real and fake images in one batch, the mistake that two passes avoid."""

    def discriminator_step(self, real_images, fakes):
        with tf.GradientTape() as tape:
            both = self.discriminate(tf.concat([real_images, fakes.images], axis=0))
            real, fake = (kgan.gan.DiscriminatorOutput(logits) for logits in tf.split(both.logits, 2))
            d_loss = self.discriminator_objective(real, fake, fakes.codes)
        weights = self.discriminator.trainable_weights
        self.d_optimizer.apply(tape.gradient(d_loss, weights), weights)
        self.d_loss_metric.update_state(d_loss)
        self.d_real_metric.update_state(tf.sigmoid(real.logits))
        self.d_fake_metric.update_state(tf.sigmoid(fake.logits))


def mixed_batches(recipe, settings):
    model = MixedBatches((28, 28, 1), filters=settings["filters"], seed=settings["seed"])
    model.compile()
    return model


def gradient_descent(rate):
    def model(recipe, settings):
        plain = recipes.build_uncompiled(recipe, settings, (28, 28, 1))
        plain.compile(keras.optimizers.SGD(rate), keras.optimizers.SGD(rate), loss=settings["loss"])
        return plain

    return model


class Jump(keras.callbacks.Callback):
    """Multiplies the generator's learning rate after some epochs."""

    def __init__(self, epoch, factor):
        super().__init__()
        self.at, self.factor = epoch, factor

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.at:
            self.model.g_optimizer.learning_rate = self.model.g_optimizer.learning_rate * self.factor


DENSE, CONVOLUTIONAL = "gan-digits", "dcgan-digits"
NARROW = {"filters": 16}  # a quarter of the recipe's, for speed
ZOO = {
    "discriminator too quick, dense": Animal(
        DENSE,
        {"d_learning_rate": 1e-2, "g_learning_rate": 2e-5, "loss": "non_saturating"},
        15,
        ("discriminator won",),
    ),
    "discriminator too quick": Animal(
        CONVOLUTIONAL, {**NARROW, "d_learning_rate": 4e-3, "g_learning_rate": 2e-5}, 6, ("discriminator won",)
    ),
    "k = 10": Animal(CONVOLUTIONAL, {**NARROW, "d_steps": 10}, 10, ("discriminator won",)),
    "k = 10, dense, minimax": Animal(DENSE, {"d_steps": 10}, 25, ("vanishing gradients",)),
    "minimax": Animal(CONVOLUTIONAL, {**NARROW, "loss": "minimax"}, 10, ("vanishing gradients",)),
    "minimax, discriminator quick": Animal(
        CONVOLUTIONAL, {**NARROW, "loss": "minimax", "d_learning_rate": 2e-3}, 5, ("vanishing gradients",)
    ),
    "generator too quick, dense": Animal(
        DENSE, {"d_learning_rate": 2e-6, "g_learning_rate": 5e-3}, 5, ("generator won",)
    ),
    "generator too quick": Animal(
        CONVOLUTIONAL, {**NARROW, "d_learning_rate": 2e-6, "g_learning_rate": 5e-3}, 8, ("generator won",)
    ),
    "rates × 50, dense, minimax": Animal(
        DENSE, {"d_learning_rate": 1e-2, "g_learning_rate": 1e-2}, 10, ("saturated", "vanishing gradients")
    ),
    "rates × 50, dense": Animal(
        DENSE,
        {"d_learning_rate": 1e-2, "g_learning_rate": 1e-2, "loss": "non_saturating"},
        30,
        ("oscillation",),
    ),
    "rates × 10, momentum 0.9, dense": Animal(
        DENSE,
        {
            "d_learning_rate": 2e-3,
            "g_learning_rate": 2e-3,
            "d_beta_1": 0.9,
            "g_beta_1": 0.9,
            "loss": "non_saturating",
        },
        30,
        ("imbalance",),
    ),
    "gradient descent, rate 0.5, dense": Animal(
        DENSE, {"loss": "non_saturating"}, 3, ("NaN ahead", "not a number"), model=gradient_descent(0.5)
    ),
    "rates / 2000, dense": Animal(DENSE, {"d_learning_rate": 1e-7, "g_learning_rate": 1e-7}, 5, ("stopped learning",)),
    "rates / 2000": Animal(
        CONVOLUTIONAL, {**NARROW, "d_learning_rate": 1e-7, "g_learning_rate": 1e-7}, 6, ("stopped learning",)
    ),
    "codes of 1 unit, dense": Animal(DENSE, {"latent_dim": 1}, 5, ("collapse",)),
    "codes of 1 unit": Animal(CONVOLUTIONAL, {**NARROW, "latent_dim": 1}, 5, ("collapse",)),
    "no normalization": Animal(CONVOLUTIONAL, {**NARROW, "norm": "none"}, 30, ("collapse",)),
    "generator's rate × 1000 after 8 epochs": Animal(
        CONVOLUTIONAL, NARROW, 16, ("generator won", "collapse", "saturated"), more_callbacks=(lambda: Jump(8, 1000.0),)
    ),
    "trained on 3, 5 and 8 alone, dense": Animal(
        DENSE,
        {},
        90,
        ("missing classes",),
        shown=lambda images, labels: np.resize(images[np.isin(labels, (3, 5, 8))], images.shape),
    ),
    "real and fake in one batch": Animal(CONVOLUTIONAL, NARROW, 6, ("batch dependence",), model=mixed_batches),
    "images in [0, 1]": Animal(CONVOLUTIONAL, NARROW, 1, ("narrow range",), altered=lambda images: (images + 1) / 2),
    "images divided by 255 twice, dense": Animal(
        DENSE, {}, 1, ("narrow range",), altered=lambda images: (images + 1) / 510
    ),
}
HEALTHY = {
    "gan-digits": Animal(DENSE, {}, 100, ()),
    "dcgan-digits": Animal(CONVOLUTIONAL, {}, 40, ()),
}
LONG = {  # only by name
    "dcgan-mnist": Animal("dcgan-mnist", {}, 5, ()),
    "gan-mnist": Animal("gan-mnist", {}, 100, ()),
}


def measured(name: str, animal: Animal, seed: int, directory: Path, by_class: bool = True) -> list[diagnosis.Record]:
    """What the doctor measured in this run, which is trained if it was not; by class takes a classifier's training."""
    path = directory / f"{''.join(each if each.isalnum() else '-' for each in name)}-{seed}.json"
    if not path.exists():
        recipe = recipes.get(animal.recipe)
        settings = recipes.resolve(recipe, {**animal.changes, "seed": seed})
        labeled = kgan.data.load_labeled(settings["data"])
        images = animal.altered(kgan.data.from_uint8(labeled.images))
        build = animal.model or (lambda recipe, settings: recipes.build(recipe, settings, images.shape[1:]))
        model = build(recipe, settings)
        classify = quality.classifier(labeled).probabilities if by_class else None
        doctor = callbacks.Doctor(images, classify=classify, say=None)
        batch_size, began = settings["batch_size"] * settings["d_steps"], time.process_time()
        with warnings.catch_warnings(action="ignore"):  # of fit, about the range
            model.fit(
                animal.shown(images, labeled.labels),
                batch_size=batch_size,
                epochs=animal.epochs,
                verbose=0,
                callbacks=[doctor, *(make() for make in animal.more_callbacks)],
            )
        print(f"{name}, seed {seed}: {time.process_time() - began:.0f} s of CPU", flush=True)
        runs.write_json(path, {"records": doctor.records})
    return [diagnosis.Record(*each) for each in json.loads(path.read_text())["records"]]


def found(records: Sequence[diagnosis.Record]) -> list[diagnosis.Finding]:
    """All that the doctor finds as the epochs go by."""
    findings: list[diagnosis.Finding] = []
    for count in range(1, len(records) + 1):
        findings += diagnosis.diagnose(records[:count], findings)
    return findings


def is_right(animal: Animal, findings: Sequence[diagnosis.Finding]) -> bool:
    """Whether the first finding is the expected one, or there is none where none is expected."""
    return findings[0].disease in animal.diseases if findings else not animal.diseases


def row(name: str, animal: Animal, each: Sequence[Sequence[diagnosis.Finding]]) -> str:
    first: dict[str, list[int]] = {}
    later: dict[str, list[int]] = {}
    for findings in each:
        for place, finding in enumerate(findings):
            (later if place else first).setdefault(finding.disease, []).append(finding.epoch)
    right = sum(is_right(animal, findings) for findings in each)
    silent = sum(not findings for findings in each)
    named_first = [*map(counted, first.items()), *([f"nothing {silent} ×"] if silent else [])]
    cells = name, " or ".join(animal.diseases) or "nothing", str(animal.epochs), f"{right} of {len(each)}"
    return f"| {' | '.join(cells)} | {', '.join(named_first)} | {', '.join(map(counted, later.items()))} |"


def counted(item: tuple[str, list[int]]) -> str:
    """("collapse", [3, 4]) → "collapse 2 ×, epoch 3-4" """
    disease, at = item
    span = str(min(at)) if min(at) == max(at) else f"{min(at)}-{max(at)}"
    return f"{disease} {len(at)} ×, epoch {span}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="all but those of MNIST, unless given")
    parser.add_argument("--seeds", type=int, default=3, help="of each animal")
    parser.add_argument("--healthy", type=int, default=10, help="seeds of each healthy run")
    parser.add_argument("--records", type=Path, default=Path("zoo"))
    given = parser.parse_args()
    every = ZOO | HEALTHY | LONG
    if unknown := set(given.names) - every.keys():
        parser.error(f"there is no {', '.join(sorted(unknown))}: choose from {', '.join(every)}")
    rows = []
    for name in given.names or [*ZOO, *HEALTHY]:
        animal = every[name]
        seeds = range(given.seeds if animal.diseases else given.healthy)
        each = [found(measured(name, animal, seed, given.records)) for seed in seeds]
        rows.append(row(name, animal, each))
    print("| run | expected | epochs | right | named first | and later |\n| --- | --- | --- | --- | --- | --- |")
    print(*rows, sep="\n")


if __name__ == "__main__":
    main()
