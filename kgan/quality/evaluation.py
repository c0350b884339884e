"""All metrics of a model at once, each with its baseline: its value for real images compared with other real images."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from kgan.checks import check_choice
from kgan.data import Labeled
from kgan.errors import Mistake
from kgan.quality import metrics
from kgan.quality.features import (
    LOW_CONFIDENCE,
    FeatureExtractor,
    Features,
    as_floats,
    averaged,
    classifier,
    inception,
    pixels,
    real_vs_fake_accuracy,
)

# What each metric means, for tables.
METRICS = {
    "frechet": "Fréchet distance of the features; small is good",
    "kid": "kernel distance (KID) of the features; small is good",
    "precision": "fraction of samples within reach of real images",
    "recall": "fraction of real images within reach of samples",
    "density": "real images around a sample; 1 is expected",
    "coverage": "fraction of real images with a sample within reach",
    "classes": "classes with at least a tenth of their frequency in the data",
    "kl": "divergence of the classes from the data's, in nats",
    "class_accuracy": "fraction that is of the class that was asked for",
    "low_confidence": "fraction whose most probable class has less than 90 %",
    "nearest": "median distance to the nearest training image",
    "copies": "fraction nearer to a training image than 99 % of real images are",
    "real_vs_fake_accuracy": "how often a fresh classifier is right about real or fake; 0.5 is guessing",
}
MOST_RESERVED = 1000  # real images to choose the best model by
NEAREST_COUNT = 1000  # images whose nearest training image is looked for
SAME = 1e-3  # rounding may give identical images a distance up to this
SHOWN = 12
AT_A_TIME = 2048  # training images that are converted to floats at a time


class Quality(NamedTuple):
    """The measurements, in a form that JSON can hold, and images to show.

    The report has "features" (their name), "count", "seeds", "metrics" ({name: {"value", "spread", "baseline"}}),
    "classes" ({"names", "real", "fake", "missing"}; of a conditional model also "accuracy") and "notes". The spread is
    over seeds; with one seed it is None, except that of "kid", which is over its subsets.
    """

    report: dict[str, Any]
    samples: np.ndarray  # the first samples, float32 in [-1, 1]
    nearest: np.ndarray  # the training image nearest to each of them


def choose_features(labeled: Labeled, wanted: str = "auto") -> FeatureExtractor:
    """The feature extractor with this name for these data.

    Args:
        labeled: real images, with labels or without.
        wanted: "classifier", "inception", "pixels", or "auto": the classifier if the data have labels that it can
            learn, otherwise pixels, with a note that says so.

    Example:
        >>> choose_features(kgan.data.load_labeled("digits"), "pixels").name
        'pixels at 8 × 8'
    """
    check_choice("features", wanted, ("auto", "classifier", "inception", "pixels"))
    if wanted == "inception":
        return inception(labeled.images.shape[1:])
    if wanted == "pixels":
        return pixels()
    try:
        return classifier(labeled)
    except Mistake as error:
        if wanted == "classifier":
            raise
        note = f"{error}, so images are compared by {pixels().name}, and there are no metrics of classes"
        return dataclasses.replace(pixels(), note=note)


def selection_split(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Which of `count` real images choose the best model, and which measure it: two disjoint sets.

    A model that is chosen because it is close to some real images is closer to these than to others. So
    `kgan.callbacks.Quality` chooses with a fifth of the images, at most 1,000, and `evaluate` measures with the rest.
    It returns the positions of both, in a random order that is always the same.
    """
    order = np.random.default_rng(0).permutation(count)
    reserved = min(MOST_RESERVED, count // 5)
    return order[:reserved], order[reserved:]


def evaluate(
    generate: Callable[[int, int], np.ndarray],
    labeled: Labeled,
    *,
    features: FeatureExtractor | str = "auto",
    asked: Callable[[int, int], np.ndarray] | None = None,
    held_out: np.ndarray | None = None,
    count: int = 10_000,
    seeds: Sequence[int] = (0, 1, 2),
    progress: Callable[[str], None] = lambda what: None,
) -> Quality:
    """Measure how good and how varied a model's images are.

    Every metric has a real-vs-real baseline: its value for as many real images, compared with other real images. This
    is the best that can be expected. A metric that cannot be computed is left out, and a note says why.

    The real images that choose the best model (`selection_split`) are left out of the comparison, but not of the search
    for the nearest training image, which shows copies.

    Args:
        generate: a function (count, seed) → images, float32 in [-1, 1]; or uint8, in a quarter of the memory.
        labeled: the real images that the model was trained on.
        features: see `choose_features`.
        asked: for a conditional model, a function (count, seed) → the classes that `generate` was asked for.
        held_out: real images that the model was not trained on, uint8. A sample counts as a copy if it is nearer to a
            training image than 99 % of these are. Without them, distances between training images set this limit.
        count: number of samples; at most half the number of real images, because the baseline needs as many again.
        seeds: seeds of the samples; each metric is the mean over the seeds, with its standard deviation.
        progress: a function that is called with a few words about what is done next.

    Example:
        >>> real = kgan.data.load_labeled("digits")
        >>> draw = lambda count, seed: model.generate(count, seed=seed)
        >>> quality = evaluate(draw, real, features="pixels", count=100, seeds=[0])
        >>> sorted(quality.report["metrics"])[:3]
        ['copies', 'coverage', 'density']
    """
    if count < 2 or not seeds:
        raise Mistake(f"count is {count} and seeds {list(seeds)}: it takes 2 samples or more, and a seed")
    if len(labeled.images) < 4:
        raise Mistake(f"there are only {len(labeled.images)} real images: it takes 4 to compare anything with")
    if asked and labeled.labels is None:
        raise Mistake("this model is conditional, but the real images have no labels: its classes cannot be measured")
    notes: list[str] = []
    rows, other_rows = _real_rows(len(labeled.images), count, notes)
    count = len(rows)

    progress("features of the real images")
    extractor = choose_features(labeled, features) if isinstance(features, str) else features
    if extractor.note:
        notes.append(extractor.note)
    has_classes = bool(asked and extractor.names)
    real = extractor.extract(labeled.images[rows])

    progress("real images against real images")
    baseline = _compared(real, extractor.extract(labeled.images[other_rows]), notes)
    if has_classes:
        baseline["class_accuracy"] = float((real.classes == labeled.labels[rows]).mean())
    baseline |= _real_vs_fake_accuracy(labeled.images[rows], labeled.images[other_rows], notes)
    of_real = _distances_of_real(labeled, held_out)
    copied = max(SAME, np.quantile(of_real[::2], 0.01))  # the quantile is 0 if images occur twice
    baseline |= {"nearest": float(np.median(of_real)), "copies": float((of_real[1::2] < copied).mean())}

    by_seed: list[dict[str, float]] = []
    classes, wanted = [], []  # that the classifier finds in the samples, and that they were asked for
    for seed in seeds:
        progress(f"samples of seed {seed}")
        images = generate(count, seed)
        if images.shape[1:] != labeled.images.shape[1:]:
            raise Mistake(f"samples have shape {images.shape[1:]}, the real images {labeled.images.shape[1:]}")
        fake = extractor.extract(images)
        values = _compared(real, fake, notes)
        positions, distances = metrics.nearest(averaged(images[:NEAREST_COUNT]), _training_images(labeled))
        values |= {"nearest": float(np.median(distances)), "copies": float((distances < copied).mean())}
        classes.append(fake.classes)
        if has_classes:
            wanted.append(asked(count, seed))
            values["class_accuracy"] = float((fake.classes == wanted[-1]).mean())
        if not by_seed:  # with the first seed alone: the costly metric, and what is shown
            values |= _real_vs_fake_accuracy(labeled.images[rows], images, notes)
            shown = as_floats(images[:SHOWN]), as_floats(labeled.images[positions[:SHOWN]])
        by_seed.append(values)

    report = {"features": extractor.name, "count": count, "seeds": list(seeds), "metrics": _summary(by_seed, baseline)}
    if extractor.names:
        report["classes"] = _class_report(extractor.names, real, np.concatenate(classes), wanted)
    return Quality({**report, "notes": list(dict.fromkeys(notes))}, *shown)


def _real_rows(total: int, count: int, notes: list[str]) -> list[np.ndarray]:
    """The positions of the real images to compare with, and of as many for the baseline."""
    reserved, rest = selection_split(total)
    if count > len(rest) // 2:
        notes.append(
            f"{count:,} samples were asked for, {len(rest) // 2:,} are taken: half of the {len(rest):,} real images "
            f"that are left besides the {len(reserved):,} for choosing the best model"
        )
        count = len(rest) // 2
    return [np.sort(rest[:count]), np.sort(rest[count : 2 * count])]


def _compared(real: Features, fake: Features, notes: list[str]) -> dict[str, float]:
    """The metrics of the features."""
    kid, spread = metrics.kernel_distance(real.values, fake.values)
    values = {"frechet": metrics.frechet_distance(real.values, fake.values), "kid": kid, "spread of kid": spread}
    if len(real.values) > metrics.NEIGHBORS:
        values |= metrics.manifold(real.values, fake.values)._asdict()
    else:
        notes.append(f"{len(real.values)} images are too few for precision, recall, density and coverage")
    if real.class_frequencies is not None:
        values["classes"] = float(metrics.covered(real.class_frequencies, fake.class_frequencies))
        values["low_confidence"] = float((fake.max_probability < LOW_CONFIDENCE).mean())
        divergence = metrics.divergence(real.class_frequencies, fake.class_frequencies)
        if np.isfinite(divergence):
            values["kl"] = divergence
        else:
            notes.append("some samples are of a class that the real images compared with lack: kl is infinite")
    return values


def _real_vs_fake_accuracy(real: np.ndarray, fake: np.ndarray, notes: list[str]) -> dict[str, float]:
    try:
        return {"real_vs_fake_accuracy": real_vs_fake_accuracy(real, fake)}
    except Mistake as error:  # too few images
        notes.append(str(error))
        return {}


def _summary(by_seed: list[dict[str, float]], baseline: dict[str, float]) -> dict[str, dict[str, float | None]]:
    """The mean of each metric over the seeds, its spread, and its baseline."""
    measured = {}
    for name in METRICS:
        values = [values[name] for values in by_seed if name in values]
        # Otherwise the mean would leave out the worst; the accuracy is measured with the first seed only.
        if len(values) == len(by_seed) or (values and name == "real_vs_fake_accuracy"):
            spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
            measured[name] = {"value": float(np.mean(values)), "spread": spread, "baseline": baseline.get(name)}
    if len(by_seed) == 1:
        measured["kid"]["spread"] = by_seed[0]["spread of kid"]  # over its subsets
    return measured


def _class_report(
    names: Sequence[str], real: Features, classes: np.ndarray, wanted: list[np.ndarray]
) -> dict[str, list[Any]]:
    """How often each class occurs; with `wanted`, also how often it was right."""
    frequencies = metrics.class_frequencies(classes, len(names))
    report: dict[str, list[Any]] = {
        "names": list(names),
        "real": real.class_frequencies.tolist(),
        "fake": frequencies.tolist(),
        "missing": [names[number] for number in metrics.missing(real.class_frequencies, frequencies)],
    }
    if wanted:
        asked_for = np.concatenate(wanted)
        found = [classes[asked_for == number] == number for number in range(len(names))]
        report["accuracy"] = [float(is_right.mean()) if len(is_right) else None for is_right in found]
    return report


def _distances_of_real(labeled: Labeled, held_out: np.ndarray | None) -> np.ndarray:
    """How far real images are from the nearest training image."""
    count = len(labeled.images if held_out is None else held_out)
    chosen = np.random.default_rng(1).permutation(count)[:NEAREST_COUNT]
    if held_out is not None:
        return metrics.nearest(averaged(held_out[np.sort(chosen)]), _training_images(labeled))[1]
    return metrics.nearest(averaged(labeled.images[chosen]), _training_images(labeled), itself=chosen)[1]


def _training_images(labeled: Labeled) -> Iterator[np.ndarray]:
    """The training images, in pieces that take little memory."""
    for begin in range(0, len(labeled.images), AT_A_TIME):
        yield averaged(labeled.images[begin : begin + AT_A_TIME])
