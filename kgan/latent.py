"""Codes, the points of the latent space (z in the papers): draw them from a prior, and walk between them."""

from __future__ import annotations

import enum
from collections.abc import Sequence

import numpy as np

from kgan._backend import tf
from kgan.checks import as_list, check_choice
from kgan.errors import Mistake

PRIORS = ("normal", "uniform")
PATHS = ("linear", "spherical")


class Stream(enum.IntEnum):
    """What random numbers are for: each use has a stream of its own, so none depends on what the others draw."""

    CODES = 0
    REAL_IMAGES = 1  # their augmentations
    FAKE_IMAGES = 2
    STAGES = 3  # augmentations in `kgan.CodeGAN`
    PENALTIES = 4
    LABELS = 5
    EVALUATION = 2**20  # `evaluate`; the streams of a training step have more numbers
    SELECTION = 0x5E1EC7  # the codes that choose the best model; `kgan evaluate` draws others


def sample_codes(
    count: int | tf.Tensor, latent_dim: int, prior: str = "normal", seed: int | Sequence[int | tf.Tensor] = 0
) -> tf.Tensor:
    """Draw codes (count, latent_dim) from the prior p(z); the same seed always draws the same codes.

    Args:
        prior: "normal" is N(0, 1) in each unit; "uniform" is U(-1, 1).
        seed: one whole number, or several, such as (seed, step, purpose, draw) in training. Each combination is a
            stream of random numbers of its own, and no stream depends on what was drawn before.

    Example:
        >>> sample_codes(16, 100, "uniform", seed=7).shape
        TensorShape([16, 100])
    """
    check_choice("prior", prior, PRIORS)
    first, *rest = seed if isinstance(seed, (tuple, list)) else (seed,)
    key = tf.stack([tf.cast(first, tf.int64), tf.constant(0, tf.int64)])
    for number in rest:
        key = tf.random.experimental.stateless_fold_in(key, tf.cast(number, tf.int64), alg="philox")
    # From raw bits, since TensorFlow's own stateless_normal and stateless_uniform draw different numbers under XLA.
    bits = tf.random.stateless_uniform((count, latent_dim), key, None, None, tf.int32, alg="philox")
    # 23 bits, so that ±1 itself is never reached. A shift, since dividing whole numbers takes as long as the rest.
    uniform = (tf.cast(tf.bitwise.right_shift(bits, 9), tf.float32) + 0.5) / 2**22
    return uniform if prior == "uniform" else tf.math.sqrt(2.0) * tf.math.erfinv(uniform)


def with_labels(codes: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor:
    """Codes of a conditional generator, (count, latent_dim + classes): each is followed by its one-hot label.

    In the generator's first, dense layer, the label chooses a vector of weights: an embedding of the class.
    """
    return codes if labels is None else tf.concat([codes, labels], axis=1)


def interpolate(
    start: np.ndarray, end: np.ndarray, steps: int, path: str = "spherical", classes: int = 0
) -> np.ndarray:
    """Codes on a path from one code to another; the first and the last are exactly these two.

    On the straight line between two codes of N(0, 1) the norm falls: in the middle it is 0.7 of the norm at the ends.
    The generator has hardly ever seen such codes. On the spherical path (White 2016, *Sampling Generative Networks*)
    the direction turns at a constant rate, and the norm changes linearly from one end to the other. For codes of
    U(-1, 1) it is the other way round: on the spherical path a unit may go beyond ±1, which the generator never saw.

    Args:
        start, end: codes of one shape (…, units).
        steps: how many codes, 2 or more; the result has shape (…, steps, units).
        path: "linear" or "spherical".
        classes: how many units at the end of a code hold its class: they are mixed linearly on either path.

    Example:
        >>> interpolate(*sample_codes(2, 100, seed=1), steps=9).shape
        (9, 100)
    """
    start, end = np.asarray(start, np.float64), np.asarray(end, np.float64)
    check_choice("path", path, PATHS)
    if steps < 2:
        raise Mistake(f"steps is {steps}: a path has 2 or more")
    if start.shape != end.shape or not start.ndim:
        raise Mistake(f"codes have shapes {start.shape} and {end.shape}: a path goes between codes of one shape")
    share = np.linspace(0, 1, steps)[:, np.newaxis]
    start, end = start[..., np.newaxis, :], end[..., np.newaxis, :]
    codes = (1 - share) * start + share * end
    if path == "spherical":
        units = start.shape[-1] - classes
        codes[..., :units] = _turned(start[..., :units], end[..., :units], share, codes[..., :units])
    codes[..., :1, :], codes[..., -1:, :] = start, end
    return np.float32(codes)


def _turned(start: np.ndarray, end: np.ndarray, share: np.ndarray, straight: np.ndarray) -> np.ndarray:
    """The spherical path; where there is none, at the origin and between opposite directions, the straight one."""
    start_norm, end_norm = (np.linalg.norm(code, axis=-1, keepdims=True) for code in (start, end))
    direction = start / np.where(start_norm, start_norm, 1)
    along = (direction * end).sum(-1, keepdims=True)
    across = end - along * direction
    across_norm = np.linalg.norm(across, axis=-1, keepdims=True)
    angle = share * np.arctan2(across_norm, along)  # not arccos, which is inexact where directions almost agree
    turned = np.cos(angle) * direction + np.sin(angle) * across / np.where(across_norm, across_norm, 1)
    can_turn = (across_norm > 1e-9 * end_norm) & (start_norm > 0)
    return np.where(can_turn, ((1 - share) * start_norm + share * end_norm) * turned, straight)


def natural_path(prior: str) -> str:
    """The path that stays where codes of a prior lie: "linear" for U(-1, 1), "spherical" for N(0, 1)."""
    return "linear" if prior == "uniform" else "spherical"


def traverse(code: np.ndarray, units: Sequence[int], values: Sequence[float]) -> np.ndarray:
    """One code (latent_dim,) with one unit changed at a time: Stiff, von Keyserlingk, Stuart, figures 6 and 9.

    Each of these units, counted from 0, takes each value: codes of shape (units, values, latent_dim).

    Example:
        >>> traverse(np.zeros(100), units=[3, 7], values=[-1, 0, 1]).shape
        (2, 3, 100)
    """
    code, units, values = np.asarray(code, np.float32), as_list(units), as_list(values)
    for unit in units:
        if not 0 <= unit < len(code):
            raise Mistake(f"unit is {unit}: this code has units 0 to {len(code) - 1}")
    codes = np.tile(code, (len(units), len(values), 1))
    for row, unit in enumerate(units):
        codes[row, :, unit] = values
    return codes


def principal_directions(codes: np.ndarray, features: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The directions of the latent space along which features of a generator vary most.

    Härkönen et al. (2020), *GANSpace: Discovering Interpretable GAN Controls*, section 2.2: the principal components of
    the features of many codes, and the linear map from components to codes that fits best, by least squares (equation
    1). Components are uncorrelated, so for each of them this map is a mean of the codes, weighted by the component.

    Args:
        codes: (many, latent_dim), drawn from the prior.
        features: (many, …), of a layer of the generator, one row for each code.
        count: at most as many as codes, and as units of either.

    Returns:
        Directions (count, latent_dim), the strongest first: adding one of them to a code moves its component by one
        standard deviation. And the fraction of the features' variance that each component explains.
    """
    from sklearn.decomposition import PCA

    codes, features = np.asarray(codes, np.float32), np.asarray(features, np.float32)
    features = features.reshape(len(features), -1)
    if len(codes) != len(features) or not 1 <= count <= min(*features.shape, codes.shape[1]):
        raise Mistake(
            f"cannot find {count} directions for codes of shape {codes.shape} and features of {features.shape}: give a "
            "row of features for each code, and ask for 1 direction or more, but for no more than either has units"
        )
    if not np.isfinite(features).all():
        raise Mistake("features hold NaN or infinity: the model has diverged")
    components = PCA(count, whiten=True, svd_solver="randomized", random_state=0)
    with np.errstate(invalid="ignore"):  # features that do not vary: 0 of 0
        scores = components.fit_transform(features)  # each with standard deviation 1
    return np.float32(scores.T @ codes / len(codes)), np.nan_to_num(components.explained_variance_ratio_)
