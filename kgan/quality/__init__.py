"""Measures what losses do not show: how good, how varied and how new images are, next to the values of real images."""

from kgan.quality.evaluation import METRICS, Quality, choose_features, evaluate, selection_split
from kgan.quality.features import (
    LOW_CONFIDENCE,
    FeatureExtractor,
    Features,
    as_floats,
    classifier,
    inception,
    pixels,
    real_vs_fake_accuracy,
)
from kgan.quality.metrics import (
    check_finite,
    class_frequencies,
    covered,
    diversity,
    frechet_distance,
    kernel_distance,
    manifold,
    nearest,
)
