"""Degrade images on purpose, so that a model can restore them."""

from __future__ import annotations

import numpy as np

from kgan.checks import check_choice

DEGRADATIONS = ("noise", "blur", "mask")


def degrade(images: np.ndarray, how: str, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images with noise, blurred, or with the middle masked; and 1 for each pixel that is still known, 0 for others.

    Args:
        images: (count, height, width, channels), in [-1, 1].
        how: "noise": Gaussian, with standard deviation 0.5. "blur": Gaussian, with a standard deviation of a 14th of
            height and width. "mask": a gray square of half the height and width.
        seed: seed of the noise.

    Returns:
        Images of the same shape, in [-1, 1], and (count, height, width, 1).

    Example:
        >>> masked, known = degrade(images, "mask")
        >>> float(known.mean())
        0.75
    """
    check_choice("how", how, DEGRADATIONS)
    count, height, width, _ = images.shape
    known = np.ones((count, height, width, 1), np.float32)
    if how == "noise":
        noise = np.random.default_rng(seed).normal(0, 0.5, images.shape)
        return np.float32(np.clip(images + noise, -1, 1)), known
    if how == "blur":
        from scipy import ndimage  # of scikit-learn

        return np.float32(ndimage.gaussian_filter(images, (0, height / 14, width / 14, 0))), known
    known[:, height // 4 : height // 4 + height // 2, width // 4 : width // 4 + width // 2] = 0
    return np.float32(images * known), known
