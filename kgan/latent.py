"""Codes: the points of the latent space, which the papers call z: drawn from a prior, and walks between them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kgan._backend import tf

PRIORS = ("normal", "uniform")
PATHS = ("linear", "spherical")


def sample_codes(
    count: int | tf.Tensor, latent_dim: int, prior: str = "normal", seed: int | Sequence[int | tf.Tensor] = 0
) -> tf.Tensor:
    """Draw codes from the prior p(z); the same seed always draws the same codes.

    Args:
        count: how many.
        latent_dim: units of a code.
        prior: "normal" is N(0, 1) in each unit; "uniform" is U(-1, 1).
        seed: one whole number, or several, such as the (seed, step, purpose, draw) of a training run: each
            combination is a stream of its own, and none depends on what was drawn before.

    Returns:
        Codes of shape (count, latent_dim), float32.

    Raises:
        ValueError: for an unknown prior.

    Example:
        >>> sample_codes(16, 100, "uniform", seed=7).shape
        TensorShape([16, 100])
    """
    if prior not in PRIORS:
        raise ValueError(f"unknown prior {prior!r}: choose one of {', '.join(PRIORS)}")
    first, *rest = seed if isinstance(seed, (tuple, list)) else (seed,)
    key = tf.stack([tf.cast(first, tf.int64), tf.constant(0, tf.int64)])
    for number in rest:
        key = tf.random.experimental.stateless_fold_in(key, tf.cast(number, tf.int64), alg="philox")
    # From raw bits, since TensorFlow's own stateless_normal and stateless_uniform draw other numbers under XLA.
    bits = tf.random.stateless_uniform((count, latent_dim), key, None, None, tf.int32, alg="philox")
    # 23 bits, so that ±1 itself is never reached. A shift: to divide whole numbers takes as long as all the rest.
    uniform = (tf.cast(tf.bitwise.right_shift(bits, 9), tf.float32) + 0.5) / 2**22
    return uniform if prior == "uniform" else tf.math.sqrt(2.0) * tf.math.erfinv(uniform)


def with_labels(codes: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor:
    """Codes of a conditional generator: behind each code a row that is 1 in its class and 0 elsewhere.

    In the generator's first layer, which is dense, such a row chooses a vector that is added to what the code makes: an
    embedding of the class.

    Args:
        codes: (count, latent_dim).
        labels: (count, classes); None: the codes are left as they are.

    Returns:
        Codes of shape (count, latent_dim + classes).

    Example:
        >>> with_labels(tf.constant([[0.5, 0.2]]), tf.one_hot([1], 3)).numpy().tolist()
        [[0.5, 0.20000000298023224, 0.0, 1.0, 0.0]]
    """
    return codes if labels is None else tf.concat([codes, labels], axis=1)


def interpolate(start: np.ndarray, end: np.ndarray, steps: int, path: str = "spherical") -> np.ndarray:
    """Codes on the way from one to another; the first and the last are exactly the two.

    On the straight line between two codes of N(0, 1) the norm dips, to 0.7 of theirs in the middle: codes that the
    generator has hardly ever seen. On the spherical path (White 2016, *Sampling Generative Networks*) the direction
    turns evenly and the norm goes evenly from the one's to the other's. Between codes of U(-1, 1) it is the spherical
    path that leaves what the generator has seen: a unit may go beyond ±1.

    Args:
        start, end: codes, (…, latent_dim), of one shape.
        steps: how many codes, 2 or more.
        path: "linear" or "spherical".

    Returns:
        Codes of shape (…, steps, latent_dim), float32.

    Raises:
        ValueError: for an unknown path, fewer than 2 steps, codes of different shapes.

    Example:
        >>> start, end = sample_codes(2, 100, seed=1)
        >>> interpolate(start, end, steps=9).shape
        (9, 100)
    """
    start, end = np.asarray(start, np.float64), np.asarray(end, np.float64)
    if path not in PATHS:
        raise ValueError(f"unknown path {path!r}: choose one of {', '.join(PATHS)}")
    if steps < 2:
        raise ValueError(f"steps is {steps}: a path has 2 or more")
    if start.shape != end.shape or not start.ndim:
        raise ValueError(f"codes have shapes {start.shape} and {end.shape}: a path goes between codes of one shape")
    share = np.linspace(0, 1, steps)[:, np.newaxis]
    start, end = start[..., np.newaxis, :], end[..., np.newaxis, :]
    codes = (1 - share) * start + share * end
    if path == "spherical":
        length, of_end = (np.linalg.norm(code, axis=-1, keepdims=True) for code in (start, end))
        direction = start / np.where(length, length, 1)
        along = (direction * end).sum(-1, keepdims=True)
        across = end - along * direction
        aside = np.linalg.norm(across, axis=-1, keepdims=True)
        angle = share * np.arctan2(aside, along)  # not arccos, which is coarse where directions almost agree
        turned = np.cos(angle) * direction + np.sin(angle) * across / np.where(aside, aside, 1)
        # Opposite directions, and the origin, have no path of their own: there it is straight.
        turns = (aside > 1e-9 * of_end) & (length > 0)
        codes = np.where(turns, ((1 - share) * length + share * of_end) * turned, codes)
    codes[..., :1, :], codes[..., -1:, :] = start, end
    return np.float32(codes)


def traverse(code: np.ndarray, units: Sequence[int], values: Sequence[float]) -> np.ndarray:
    """One code with one unit changed at a time (Stiff, von Keyserlingk, Stuart, figures 6 and 9).

    Args:
        code: (latent_dim,).
        units: which, counted from 0.
        values: that each of them takes in turn.

    Returns:
        Codes of shape (units, values, latent_dim), float32.

    Raises:
        ValueError: for a unit that the code has not.

    Example:
        >>> traverse(np.zeros(100), units=[3, 7], values=[-1, 0, 1]).shape
        (2, 3, 100)
    """
    code = np.asarray(code, np.float32)
    for unit in units:
        if not 0 <= unit < len(code):
            raise ValueError(f"unit is {unit}: this code has units 0 to {len(code) - 1}")
    codes = np.tile(code, (len(units), len(values), 1))
    for row, unit in enumerate(units):
        codes[row, :, unit] = values
    return codes
