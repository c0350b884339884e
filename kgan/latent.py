"""Codes: the points of the latent space, which the papers call z, drawn from a prior."""

from __future__ import annotations

from collections.abc import Sequence

from kgan._backend import tf

PRIORS = ("normal", "uniform")


def sample_codes(
    count: int | tf.Tensor, latent_dim: int, prior: str = "normal", seed: int | Sequence[int | tf.Tensor] = 0
) -> tf.Tensor:
    """Draw codes from the prior p(z); the same seed always draws the same codes.

    Args:
        count: how many.
        latent_dim: units of a code.
        prior: "normal" is N(0, 1) in each unit; "uniform" is U(-1, 1).
        seed: one whole number, or several, such as the (seed, step, draw) of a training run: each combination
            is a stream of its own, and none depends on what was drawn before.

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
    uniform = (tf.cast(bits // 2**9, tf.float32) + 0.5) / 2**22  # 23 bits, so that ±1 itself is never reached
    return uniform if prior == "uniform" else tf.math.sqrt(2.0) * tf.math.erfinv(uniform)
