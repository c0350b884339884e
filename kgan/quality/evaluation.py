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
    """The measurements, and images to show."""

    # features, count, seeds, metrics: {name: {value, spread over seeds, baseline}}, notes, and where there are classes:
    # {names, real, fake, missing, of a conditional model also accuracy}. With one seed, kid's spread is over subsets.
    report: dict[str, Any]
    samples: np.ndarray  # the first samples, float32 in [-1, 1]
    nearest: np.ndarray  # the training image nearest to each of them


def choose_features(labeled: Labeled, wanted: str = "auto") -> FeatureExtractor:
    """The feature extractor for these real images: "classifier", "inception", "pixels", or "auto".

    "auto" is the classifier if the data have labels that it can learn, otherwise pixels, with a note that says so.

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
    """The positions of the real images that choose the best model, and of those that measure it, in random order.

    A model that is chosen because it is close to some real images is closer to these than to others.
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
    is the best that can be expected. A metric that cannot be computed is left out, and a note says why. Real images
    that `kgan.callbacks.Quality` chooses the best model by are only searched for copies.

    Args:
        generate: a function (count, seed) → images, float32 in [-1, 1]; or uint8, in a quarter of the memory.
        labeled: the real images that the model was trained on.
        features: see `choose_features`.
        asked: for a conditional model, a function (count, seed) → the classes that `generate` was asked for.
        held_out: real images that the model was not trained on. A sample counts as a copy if it is nearer to a training
            image than 99 % of these are; without them, distances between training images set this limit.
        count: number of samples; at most half the number of real images, because the baseline needs as many again.
        seeds: seeds of the samples; each metric is the mean over the seeds, with its standard deviation.
        progress: a function that is called with a few words about what is done next.

    Example:
        >>> draw = lambda count, seed: model.generate(count, seed=seed)
        >>> quality = evaluate(draw, kgan.data.load_labeled("digits"), features="pixels", count=100, seeds=[0])
        >>> sorted(quality.report["metrics"])[:3]
        ['copies', 'coverage', 'density']
    """
    seeds = np.ravel(seeds).tolist()
    if count < 2 or not seeds:
        raise Mistake(f"count is {count} and seeds {seeds}: it takes 2 samples or more, and a seed")
    if len(labeled.images) < 4:
        raise Mistake(f"there are only {len(labeled.images)} real images: it takes 4 to compare anything with")
    if asked and labeled.labels is None:
        raise Mistake("this model is conditional, but the real images have no labels: put each class into a folder")
    notes: list[str] = []
    rows, other_rows = _real_rows(len(labeled.images), count, notes)
    count = len(rows)

    progress("features of the real images")
    extractor = choose_features(labeled, features) if isinstance(features, str) else features
    if extractor.note:
        notes.append(extractor.note)
    is_asked = bool(asked and extractor.names)
    real = extractor.extract(labeled.images[rows])

    progress("real images against real images")
    baseline = _by_features(real, extractor.extract(labeled.images[other_rows]), notes)
    baseline |= _by_fresh_classifier(labeled.images[rows], labeled.images[other_rows], notes)
    real_distances = _distances_of_real(labeled, held_out)
    limit = max(SAME, np.quantile(real_distances[::2], 0.01))  # the quantile is 0 if images occur twice
    baseline |= {"nearest": np.median(real_distances), "copies": np.mean(real_distances[1::2] < limit)}
    if is_asked:
        baseline["class_accuracy"] = np.mean(real.classes == labeled.labels[rows])

    by_seed: list[dict[str, float]] = []
    found, wanted = [], []  # the classes that the classifier finds in the samples, and those that were asked for
    for seed in seeds:
        progress(f"samples of seed {seed}")
        images = np.asarray(generate(count, seed))
        if images.shape != (expected := (count, *labeled.images.shape[1:])):
            raise Mistake(f"samples have shape {images.shape}: {expected} was asked for")
        fake = extractor.extract(images)
        found.append(fake.classes)
        values = _by_features(real, fake, notes)
        positions, distances = metrics.nearest(averaged(images[:NEAREST_COUNT]), _training_images(labeled))
        values |= {"nearest": np.median(distances), "copies": np.mean(distances < limit)}
        if is_asked:
            wanted.append(asked(count, seed))
            values["class_accuracy"] = np.mean(fake.classes == wanted[-1])
        if not by_seed:  # with the first seed alone: the costly metric, and what is shown
            values |= _by_fresh_classifier(labeled.images[rows], images, notes)
            shown = as_floats(images[:SHOWN]), as_floats(labeled.images[positions[:SHOWN]])
        by_seed.append(values)

    report = {"features": extractor.name, "count": count, "seeds": seeds, "metrics": _summary(by_seed, baseline)}
    if extractor.names:
        report["classes"] = _class_report(extractor.names, real, np.concatenate(found), wanted)
    return Quality({**report, "notes": list(dict.fromkeys(notes))}, *shown)


def _real_rows(total: int, count: int, notes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The positions of the real images to compare with, and of as many for the baseline."""
    reserved, rest = selection_split(total)
    most = len(rest) // 2
    if count > most:
        notes.append(
            f"{count:,} samples were asked for, {most:,} are taken: half of the {len(rest):,} real images "
            f"that are left besides the {len(reserved):,} for choosing the best model"
        )
        count = most
    return np.sort(rest[:count]), np.sort(rest[count : 2 * count])


def _by_features(real: Features, fake: Features, notes: list[str]) -> dict[str, float]:
    kid, spread = metrics.kernel_distance(real.values, fake.values)
    values = {"frechet": metrics.frechet_distance(real.values, fake.values), "kid": kid, "spread of kid": spread}
    if len(real.values) > metrics.NEIGHBORS:
        values |= metrics.manifold(real.values, fake.values)._asdict()
    else:
        notes.append(f"{len(real.values)} images are too few for precision, recall, density and coverage")
    if real.class_frequencies is not None:
        values["classes"] = metrics.covered(real.class_frequencies, fake.class_frequencies)
        values["low_confidence"] = np.mean(fake.max_probability < LOW_CONFIDENCE)
        divergence = metrics.divergence(real.class_frequencies, fake.class_frequencies)
        if np.isfinite(divergence):
            values["kl"] = divergence
        else:
            notes.append("some samples are of a class that the real images compared with lack: kl is infinite")
    return values


def _by_fresh_classifier(real: np.ndarray, fake: np.ndarray, notes: list[str]) -> dict[str, float]:
    try:
        return {"real_vs_fake_accuracy": real_vs_fake_accuracy(real, fake)}
    except Mistake as error:  # too few images
        notes.append(str(error))
        return {}


def _summary(by_seed: list[dict[str, float]], baseline: dict[str, float]) -> dict[str, dict[str, float | None]]:
    """The mean of each metric over the seeds, its spread, and its baseline, as JSON can hold them."""
    summary = {}
    for name in METRICS:
        values = [values[name] for values in by_seed if name in values]
        # Otherwise the mean would leave out the worst; the accuracy is measured with the first seed only.
        if len(values) == len(by_seed) or (values and name == "real_vs_fake_accuracy"):
            spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
            real = float(baseline[name]) if name in baseline else None
            summary[name] = {"value": float(np.mean(values)), "spread": spread, "baseline": real}
    if len(by_seed) == 1:
        summary["kid"]["spread"] = by_seed[0]["spread of kid"]  # over its subsets
    return summary


def _class_report(
    names: Sequence[str], real: Features, found: np.ndarray, wanted: list[np.ndarray]
) -> dict[str, list[Any]]:
    """How often each class occurs; with `wanted`, also how often it was right."""
    frequencies = metrics.class_frequencies(found, len(names))
    missing = metrics.missing(real.class_frequencies, frequencies)
    report = {"names": list(names), "real": real.class_frequencies.tolist(), "fake": frequencies.tolist()}
    report["missing"] = [names[number] for number in missing]
    if wanted:
        by_class = [found[np.concatenate(wanted) == number] == number for number in range(len(names))]
        report["accuracy"] = [float(is_right.mean()) if len(is_right) else None for is_right in by_class]
    return report


def _distances_of_real(labeled: Labeled, held_out: np.ndarray | None) -> np.ndarray:
    """How far real images, two or more, are from the nearest training image."""
    random = np.random.default_rng(1)
    if held_out is not None and len(held_out) > 1:
        chosen = np.sort(random.permutation(len(held_out))[:NEAREST_COUNT])
        return metrics.nearest(averaged(held_out[chosen]), _training_images(labeled))[1]
    chosen = random.permutation(len(labeled.images))[:NEAREST_COUNT]
    return metrics.nearest(averaged(labeled.images[chosen]), _training_images(labeled), itself=chosen)[1]


def _training_images(labeled: Labeled) -> Iterator[np.ndarray]:
    """The training images, in pieces that take little memory."""
    for begin in range(0, len(labeled.images), AT_A_TIME):
        yield averaged(labeled.images[begin : begin + AT_A_TIME])
