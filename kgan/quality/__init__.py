"""Measures what losses do not show: how good, how varied and how new images are.

Each metric is reported next to its value for real images:

    real = kgan.data.load_labeled("digits")
    model = kgan.load_model("runs/dcgan-digits")
    quality = kgan.quality.evaluate(lambda count, seed: model.generate(count, seed=seed), real)
    quality.report["metrics"]["frechet"]                # {'value': …, 'spread': …, 'baseline': …}
"""

from kgan.quality.evaluation import METRICS, Quality, choose_features, evaluate, selection_split
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
from kgan.quality.metrics import (
    Manifold,
    check_finite,
    class_frequencies,
    covered,
    divergence,
    diversity,
    frechet_distance,
    kernel_distance,
    manifold,
    missing,
    nearest,
)
