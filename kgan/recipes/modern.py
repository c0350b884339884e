"""The DCGANs with later methods that make them better here: docs/toolbox.md has the measurements.

Each is a recipe of another file with some settings changed; all other settings keep their reasons.
"""

from __future__ import annotations

from collections.abc import Mapping

from kgan.recipes import offline
from kgan.recipes.schema import Recipe, Setting

_PLAIN = {recipe.name: recipe for recipe in offline.RECIPES}
_CONDITIONAL = {
    "conditional": Setting(True, "both networks get labels (Miyato and Koyama 2018): no other change helps as much"),
}
_QUICK = {
    "filters": Setting(32, "twice as many steps per second as with 64, which helps more in a run of minutes"),
    "ema": Setting(0.99, "an average over about a hundred steps draws the samples (Yazıcı et al. 2019)"),
}
_R1 = {
    "d_norm": Setting("none", "R1 replaces it: R1 is about single images, but batch normalization mixes the images"),
    "penalty": Setting("r1", "D soon memorizes a small data set; R1 works against that (Mescheder et al. 2018)"),
}
_LAZY_R1 = {
    **_R1,
    "penalty_every": Setting(4, "R1 takes as long as the rest of D's step; one in four (Karras et al. 2020) is enough"),
}
_FAST = {
    "d_learning_rate": Setting(
        4e-4, "twice the 2e-4 of Radford et al. 2016: minibatches are small, and R1 and the average stabilize training"
    ),
    "g_learning_rate": Setting(4e-4, "the same as for the discriminator"),
}


def _modern(name: str, plain: str, changes: Mapping[str, Setting]) -> Recipe:
    """The recipe `plain` with some of its settings changed."""
    return _PLAIN[plain].changed(name, changes, paper=f"kgan's {plain} with later methods (docs/toolbox.md)")


_MODERN_DIGITS = {
    **_CONDITIONAL,
    **_QUICK,
    **_R1,
    **_FAST,
    "penalty_weight": Setting(10.0, "γ of Mescheder et al. 2018; with 1 the samples had a little less variety"),
    "batch_size": Setting(16, "more steps in the same time: docs/toolbox.md says what each change gains"),
    "epochs": Setting(40, "as dcgan-digits, with twice as many steps in about the same time"),
}
_MODERN_MNIST = {
    "data": Setting("mnist", "the data set that everyone knows; fashion_mnist works as well"),
    "split": Setting("train", "60,000 images"),
    "image_size": Setting(28, "the size of MNIST's images"),
    **_CONDITIONAL,
    **_QUICK,
    **_LAZY_R1,
    **_FAST,
    "batch_size": Setting(32, "three times as many steps in the same time as with 128"),
    "epochs": Setting(20, "seven minutes on two fast cores; digits are readable after one"),
}
_MODERN_FOLDER = {
    **_QUICK,
    "augment": Setting("translation,color", "a folder has few images, which D would soon memorize (Zhao et al. 2020)"),
}

RECIPES = (
    _modern("modern-digits", "dcgan-digits", _MODERN_DIGITS),
    _modern("modern-mnist", "dcgan-digits", _MODERN_MNIST),
    _modern("modern-folder", "dcgan-folder", _MODERN_FOLDER),
)
