"""How good, how varied, how new: what losses do not tell, measured, with what real images get beside it.

real = kgan.data.load_labelled("digits")
model = kgan.load_model("runs/dcgan-digits")
quality = kgan.quality.evaluate(lambda count, seed: model.generate(count, seed=seed), real)
quality.report["figures"]["frechet"]                # {'value': …, 'spread': …, 'floor': …}
"""

from __future__ import annotations

from kgan.quality.evaluation import FIGURES, Quality, choose_features, evaluate
from kgan.quality.features import SURE, Features, Seen, averaged, classifier, inception, pixels, tell_apart
from kgan.quality.figures import (
    Manifold,
    covered,
    divergence,
    diversity,
    frechet_distance,
    kernel_distance,
    manifold,
    missing,
    nearest,
    shares,
)

__all__ = [
    "FIGURES",
    "SURE",
    "Features",
    "Manifold",
    "Quality",
    "Seen",
    "averaged",
    "choose_features",
    "classifier",
    "covered",
    "divergence",
    "diversity",
    "evaluate",
    "frechet_distance",
    "inception",
    "kernel_distance",
    "manifold",
    "missing",
    "nearest",
    "pixels",
    "shares",
    "tell_apart",
]
