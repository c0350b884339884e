"""How far two sets of images are apart: pure functions of their features, each from its paper.

Features, `real` and `fake`, are arrays (count, units). Too few rows, different units, and NaN are a Mistake.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from kgan.checks import check
from kgan.errors import Mistake

NEIGHBORS = 5  # for precision, recall, density and coverage, as in the paper of the latter two
MEBIBYTES = 16  # for a table of distances, of which some rows are computed at a time
COVERED = 0.1  # a class is covered if it has at least a tenth of the frequency that it has in the data


def frechet_distance(real: np.ndarray, fake: np.ndarray) -> float:
    """The Fréchet distance of two Gaussians that have the means and covariances of the features.

        |μ - μ'|² + tr(Σ + Σ' - 2 (Σ Σ')^½)

    Heusel et al. (2017), *GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium*, eq. 6.
    It is larger for fewer images: compare it only at equal counts.

    Example:
        >>> frechet_distance(np.array([[0.0], [2.0]]), np.array([[3.0], [5.0]]))
        9.0
    """
    real, fake = _checked(real, fake, at_least=2)
    difference = real.mean(axis=0) - fake.mean(axis=0)
    covariance, fake_covariance = (np.atleast_2d(np.cov(rows, rowvar=False)) for rows in (real, fake))
    # The trace of (Σ Σ')^½ is that of (√Σ Σ' √Σ)^½, which is symmetric: no complex numbers, no failing iteration.
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    mixed = np.linalg.eigvalsh(root @ fake_covariance @ root)
    trace = np.trace(covariance) + np.trace(fake_covariance) - 2 * np.sqrt(np.maximum(mixed, 0)).sum()
    return float(max(0.0, difference @ difference + trace))


def kernel_distance(
    real: np.ndarray, fake: np.ndarray, *, subsets: int = 20, size: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """KID: the squared maximum mean discrepancy under the kernel (x·y / units + 1)³, without bias.

    Bińkowski et al. (2018), *Demystifying MMD GANs*, section 4. It returns the mean over random subsets of `size`, and
    the standard deviation. The mean may fall a little below 0.

    Example:
        >>> kernel_distance(np.ones((10, 3)), np.ones((10, 3)))
        (0.0, 0.0)
    """
    check(subsets=subsets)
    if size < 2:
        raise Mistake(f"size is {size}: it takes 2 images or more to compare them with each other")
    real, fake = _checked(real, fake, at_least=2)
    size, random = min(size, len(real), len(fake)), np.random.default_rng(seed)
    values = []
    for _ in range(subsets):
        x, y = (rows[random.choice(len(rows), size, replace=False)] for rows in (real, fake))
        xx, yy, xy = (((a @ b.T) / a.shape[1] + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
        others = size * (size - 1)  # an image is not compared with itself
        values.append((xx.sum() - np.trace(xx) + yy.sum() - np.trace(yy)) / others - 2 * xy.mean())
    return float(np.mean(values)), float(np.std(values))


class Manifold(NamedTuple):
    """How two sets of images overlap. The reach of an image is its distance to its fifth-nearest neighbor."""

    precision: float  # fraction of the fakes that lie within reach of a real image
    recall: float  # fraction of the real images that lie within reach of a fake
    density: float  # mean number of real images that have a fake within reach, divided by the number expected
    coverage: float  # fraction of the real images that have a fake within reach


def manifold(real: np.ndarray, fake: np.ndarray, *, neighbors: int = NEIGHBORS) -> Manifold:
    """Precision and recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020).

    *Improved Precision and Recall Metric for Assessing Generative Models*, eq. 2; *Reliable Fidelity and Diversity
    Metrics for Generative Models*, eqs. 3 and 5.

    Example:
        >>> points = np.arange(8.0)[:, np.newaxis]
        >>> manifold(points, points + 100, neighbors=2)
        Manifold(precision=0.0, recall=0.0, density=0.0, coverage=0.0)
    """
    from sklearn.metrics import pairwise_distances_chunked

    check(neighbors=neighbors)
    real, fake = _checked(real, fake, at_least=neighbors + 1)
    real_reach, fake_reach = _reach(real, neighbors), _reach(fake, neighbors)
    within_fakes, covered, within = [], [], np.zeros(len(fake))
    first = 0
    for distances in pairwise_distances_chunked(real, fake, working_memory=MEBIBYTES):  # rows of real images
        reach = real_reach[first : first + len(distances), np.newaxis]
        first += len(distances)
        within += (distances < reach).sum(axis=0)
        covered.append(distances.min(axis=1) < reach[:, 0])
        within_fakes.append((distances < fake_reach).any(axis=1))
    return Manifold(
        float((within > 0).mean()),
        float(np.concatenate(within_fakes).mean()),
        float(within.mean() / neighbors),
        float(np.concatenate(covered).mean()),
    )


def nearest(
    images: np.ndarray, others: np.ndarray | Iterable[np.ndarray], *, itself: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """For each image the position of the nearest one among others, and the root mean square difference of their values.

    Args:
        images, others: (count, …), of one shape; the others may come in pieces, to save memory.
        itself: the position of each image among the others, if it is one of them, so that it is not its own neighbor.

    Example:
        >>> nearest(np.zeros((1, 2)), np.array([[3.0, 3.0], [1.0, 1.0]]))
        (array([1]), array([1.]))
    """
    from sklearn.neighbors import NearestNeighbors

    flat = _flat(images)
    rows, positions, distances = np.arange(len(flat)), np.zeros(len(flat), np.intp), np.full(len(flat), np.inf)
    before = 0  # others in earlier pieces
    for piece in filter(len, [others] if isinstance(others, np.ndarray) else others):
        search = NearestNeighbors(n_neighbors=min(2, len(piece)), algorithm="brute")
        near, which = search.fit(_flat(piece)).kneighbors(flat)
        if itself is not None:
            near[which == (itself - before)[:, np.newaxis]] = np.inf
        best = near.argmin(axis=1)
        nearer = near[rows, best] < distances
        positions = np.where(nearer, before + which[rows, best], positions)
        distances = np.where(nearer, near[rows, best], distances)
        before += len(piece)
    if np.isinf(distances).any():
        raise Mistake("the nearest of other images is looked for, and there are no others")
    return positions, distances / np.sqrt(flat.shape[1])


def diversity(images: np.ndarray) -> float:
    """The root mean square difference of the values of images, (count, …), over all pairs of the first 256.

    Example:
        >>> diversity(np.array([[-1.0], [1.0]]))
        2.0
    """
    if len(images) < 2:
        raise Mistake(f"diversity needs 2 images or more, and was given {len(images)}")
    # The mean over pairs of |a - b|² is twice the variance (with count - 1).
    return float(np.sqrt(2 * _flat(images[:256]).var(axis=0, ddof=1).mean()))


def class_frequencies(labels: np.ndarray, classes: int) -> np.ndarray:
    """The fraction of the labels that each class has."""
    return np.bincount(labels, minlength=classes) / max(1, len(labels))


def missing(real_frequencies: np.ndarray, fake_frequencies: np.ndarray) -> list[int]:
    """The classes of the data that have less than a tenth of their frequency among the fakes."""
    return np.flatnonzero((real_frequencies > 0) & (fake_frequencies < COVERED * real_frequencies)).tolist()


def covered(real_frequencies: np.ndarray, fake_frequencies: np.ndarray) -> int:
    """How many of the data's classes are not missing."""
    return int(np.count_nonzero(real_frequencies)) - len(missing(real_frequencies, fake_frequencies))


def divergence(real_frequencies: np.ndarray, fake_frequencies: np.ndarray) -> float:
    """The Kullback-Leibler divergence of the fakes' classes from the data's, Σ f log(f / r), in nats, or infinity."""
    from scipy.special import rel_entr

    return float(rel_entr(fake_frequencies, real_frequencies).sum())


def _reach(points: np.ndarray, neighbors: int) -> np.ndarray:
    """Each point's distance to its k-th neighbor."""
    from sklearn.neighbors import NearestNeighbors

    return NearestNeighbors(n_neighbors=neighbors, algorithm="brute").fit(points).kneighbors()[0][:, -1]


def check_finite(values: np.ndarray, what: str = "images") -> None:
    """Refuse NaN and infinity before NumPy, or an algorithm of linear algebra, does so in words of its own."""
    if not np.isfinite(values).all():
        raise Mistake(f"{what} hold NaN or infinity: the model has diverged, or the data are damaged")


def _flat(images: np.ndarray) -> np.ndarray:
    """A row for each image, in float64: with float32, scikit-learn takes ten times as long."""
    check_finite(images)
    return np.asarray(images, np.float64).reshape(len(images), -1)


def _checked(real: np.ndarray, fake: np.ndarray, at_least: int) -> tuple[np.ndarray, np.ndarray]:
    real, fake = np.asarray(real, np.float64), np.asarray(fake, np.float64)
    if real.ndim != 2 or real.shape[1:] != fake.shape[1:]:
        raise Mistake(f"features have shapes {real.shape} and {fake.shape}: they are (count, units), of equal units")
    if min(len(real), len(fake)) < at_least:
        raise Mistake(f"there are {len(real)} real and {len(fake)} fake images: it takes {at_least} of each")
    check_finite(real, "features of real images")
    check_finite(fake, "features of fake images")
    return real, fake
