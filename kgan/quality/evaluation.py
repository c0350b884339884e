"""All figures of a model at once, each beside that of real images against real images of the same number."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from kgan.data import Labelled, from_uint8
from kgan.quality import figures
from kgan.quality.features import LARGEST, SURE, Features, Seen, averaged, classifier, inception, pixels, tell_apart

# What each figure says, for tables; where a small one is good, where a large one is.
FIGURES = {
    "frechet": "Fréchet distance of the features; small is good",
    "kid": "kernel distance (KID) of the features; small is good",
    "precision": "share of samples within reach of real images",
    "recall": "share of real images within reach of samples",
    "density": "real images around a sample; 1 is expected",
    "coverage": "share of real images with a sample within reach",
    "classes": "classes with a tenth of their share or more",
    "kl": "divergence of the classes from the data's, in nats",
    "unplaced": "share that the classifier places with less than 90 %",
    "nearest": "median distance to the nearest training image",
    "copies": "share nearer to one than 1 % of real images are",
    "distinguishable": "how often a fresh classifier tells them from real ones; 0.5 is guessing",
}
OF_COPIES = 1000  # images whose nearest training image is looked for
SAME = 1e-3  # so far from each other rounding may put two images that are one
SHOWN = 12


class Quality(NamedTuple):
    """What was measured, as JSON can hold it, and what there is to show.

    Attributes:
        report: "features" (their name), "count", "seeds", "figures" ({name: {"value", "spread" over seeds, "floor"}};
            that of one seed has none, but "kid", over its subsets), "classes" ({"names", "real", "fake", "missing"})
            and "notes".
        samples: the first samples, float32 in [-1, 1].
        nearest: the training image nearest to each of them.
    """

    report: dict[str, Any]
    samples: np.ndarray
    nearest: np.ndarray


def choose_features(labelled: Labelled, wanted: str = "auto") -> Features:
    """The features of that name for these data.

    Args:
        labelled: real images, with labels or without.
        wanted: "classifier", "inception", "pixels", or "auto": the classifier where the data have labels that it
            learns, pixels otherwise, with a note that says so.

    Raises:
        ValueError: for another name, or a classifier that cannot be had.
        OSError: where InceptionV3 cannot be had.

    Example:
        >>> choose_features(kgan.data.load_labelled("digits"), "pixels").name
        'pixels at 8 × 8'
    """
    by_name = {
        "classifier": lambda: classifier(labelled),
        "inception": lambda: inception(labelled.images.shape[1:]),
        "pixels": pixels,
    }
    if wanted in by_name:
        return by_name[wanted]()
    if wanted != "auto":
        raise ValueError(f"unknown features {wanted!r}: choose auto, {', '.join(by_name)}")
    try:
        return classifier(labelled)
    except ValueError as error:
        instead = pixels()
        note = f"{error}, so images are compared by {instead.name}, and nothing is said of classes"
        return dataclasses.replace(instead, note=note)


def evaluate(
    generate: Callable[[int, int], np.ndarray],
    labelled: Labelled,
    *,
    features: Features | str = "auto",
    held_out: np.ndarray | None = None,
    count: int = 10_000,
    seeds: Sequence[int] = (0, 1, 2),
    progress: Callable[[str], None] = lambda what: None,
) -> Quality:
    """Measure how good and how varied a model's images are.

    Every figure has a floor beside it, what real images of the same number get against other real images: the best
    that can be hoped for. A figure that cannot be computed is left out, and a note says why.

    Args:
        generate: (count, seed) → images, float32 in [-1, 1].
        labelled: the real images that it was trained on.
        features: see `choose_features`.
        held_out: real images that it was not trained on, uint8: what is near to a training image is judged by them.
            Without them, by the training images, each of which is compared with all others.
        count: of samples; at most half as many as there are real images, since the floor takes as many again.
        seeds: of the samples; the figures are means over them, with their standard deviation.
        progress: called with a word of what is done next.

    Raises:
        ValueError: for a count below 2 or no seed, images of another shape, unknown features.
        OSError: where InceptionV3 cannot be had.

    Example:
        >>> real = kgan.data.load_labelled("digits")
        >>> quality = evaluate(lambda count, seed: model.generate(count, seed=seed), real, count=100, seeds=[0])
        >>> sorted(quality.report["figures"])[:3]
        ['classes', 'copies', 'coverage']
    """
    notes = []
    if count < 2 or not seeds:
        raise ValueError(f"count is {count} and seeds {list(seeds)}: it takes 2 samples or more, and a seed")
    if len(labelled.images) < 4:
        raise ValueError(f"there are only {len(labelled.images)} real images: it takes 4 to compare anything with")
    if count > len(labelled.images) // 2:
        notes.append(f"{count:,} samples were asked for; half of the {len(labelled.images):,} real images are taken")
        count = len(labelled.images) // 2
    progress("features of the real images")
    if isinstance(features, str):
        features = choose_features(labelled, features)
    if features.note:
        notes.append(features.note)
    order = np.random.default_rng(0).permutation(len(labelled.images))
    first, second = (from_uint8(labelled.images[np.sort(order[i * count :][:count])]) for i in range(2))
    real = features.see(first)
    progress("real images against real images")
    floor = dict(_compared(real, features.see(second), notes))
    told_apart = {"floor": _told_apart(first, second, notes)}
    del second  # large images take much memory
    training, of_real = _reference(labelled, held_out)
    copied = max(SAME, np.quantile(of_real[::2], 0.01))  # which is 0 where the data hold images twice
    floor |= {"nearest": float(np.median(of_real)), "copies": float((of_real[1::2] < copied).mean())}

    of_seeds: list[dict[str, float]] = []
    fake_shares = []
    for seed in seeds:
        progress(f"samples of seed {seed}")
        images = generate(count, seed)
        if images.shape[1:] != first.shape[1:]:
            raise ValueError(f"samples have shape {images.shape[1:]}, the real images {first.shape[1:]}")
        fake = features.see(images)
        values = dict(_compared(real, fake, notes))
        positions, distances = figures.nearest(averaged(images[:OF_COPIES]), training)
        values |= {"nearest": float(np.median(distances)), "copies": float((distances < copied).mean())}
        if not of_seeds:  # of the first seed alone: the costly figure, and what is shown
            told_apart["value"] = _told_apart(first, images, notes)
            samples, near = images[:SHOWN], from_uint8(labelled.images[positions[:SHOWN]])
        if fake.shares is not None:
            fake_shares.append(fake.shares)
        of_seeds.append(values)

    measured = {}
    for name in FIGURES:
        values = [each[name] for each in of_seeds if name in each]
        if len(values) == len(of_seeds):  # or the mean would leave out the worst
            spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
            measured[name] = {"value": float(np.mean(values)), "spread": spread, "floor": floor.get(name)}
    if len(of_seeds) == 1:
        measured["kid"]["spread"] = of_seeds[0]["spread of kid"]  # over its subsets
    if told_apart["value"] is not None:
        measured["distinguishable"] = {"spread": None, **told_apart}
    report = {"features": features.name, "count": count, "seeds": list(seeds), "figures": measured}
    if fake_shares:
        of_fakes = np.mean(fake_shares, axis=0)
        report["classes"] = {
            "names": list(features.names),
            "real": real.shares.tolist(),
            "fake": of_fakes.tolist(),
            "missing": [features.names[each] for each in figures.missing(real.shares, of_fakes)],
        }
    return Quality({**report, "notes": list(dict.fromkeys(notes))}, samples, near)


def _compared(real: Seen, fake: Seen, notes: list[str]) -> Iterator[tuple[str, float]]:
    yield "frechet", figures.frechet_distance(real.features, fake.features)
    yield from zip(("kid", "spread of kid"), figures.kernel_distance(real.features, fake.features), strict=True)
    if len(real.features) > figures.NEIGHBOURS:
        yield from figures.manifold(real.features, fake.features)._asdict().items()
    else:
        notes.append(f"{len(real.features)} images are too few for precision, recall, density and coverage")
    if real.shares is not None:
        yield "classes", float(figures.covered(real.shares, fake.shares))
        divergence = figures.divergence(real.shares, fake.shares)
        if np.isfinite(divergence):
            yield "kl", divergence
        else:
            notes.append("some samples are of a class that the real images compared with lack: kl is infinite")
        yield "unplaced", float((fake.sure < SURE).mean())


def _told_apart(real: np.ndarray, fake: np.ndarray, notes: list[str]) -> float | None:
    try:
        return tell_apart(real, fake)
    except ValueError as error:
        notes.append(str(error))
        return None


def _reference(labelled: Labelled, held_out: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The training images, and how far real images are from the nearest of them."""
    training = averaged(labelled.images, LARGEST)
    order = np.random.default_rng(1).permutation(len(training) if held_out is None else len(held_out))[:OF_COPIES]
    if held_out is not None:
        return training, figures.nearest(averaged(held_out[np.sort(order)]), training)[1]
    return training, figures.nearest(training[order], training, itself=order)[1]
