"""*Image Generative Models by GANs and DCGANs* by Ding, Shao and Ren, and a laboratory report on the same two models.

A dense GAN and a DCGAN on handwritten digits. The two papers share their recipes, so a reason says which paper prints a
value.
"""

from __future__ import annotations

from kgan.recipes import shared
from kgan.recipes.schema import Recipe, Setting
from kgan.recipes.shared import not_printed

DING = "Ding, Shao, Ren: Image Generative Models by GANs and DCGANs"
REPORT = "laboratory report on GANs and DCGANs in TensorFlow with CUDA"

_MNIST = {
    "data": Setting("mnist", "printed by Ding, Shao, Ren; the laboratory report names no data set"),
    "split": Setting("train", "not printed: MNIST's 60,000 training images"),
    "image_size": Setting(28, "not printed: the size of MNIST's images"),
    **shared.FOLDER,
}
_TRAINING = {
    "label_smoothing": Setting(0.0, "off; Ding, Shao, Ren name it as a next step (0.1 is usual)"),
    "d_steps": Setting(1, "k in the algorithm of Ding, Shao, Ren, who print no number; Goodfellow et al. 2014 use 1"),
    "d_learning_rate": Setting(
        2e-4,
        "Adam with 2e-4, as in Radford et al. 2016. Ding, Shao, Ren print stochastic gradients, the laboratory report "
        "prints no optimizer, and neither prints a learning rate",
    ),
}
_OUTPUT = {
    "chosen_epochs": Setting("1,10,50,100", "printed by the laboratory report; epochs.png shows samples after them"),
}

_GAN = {
    **_MNIST,
    "epochs": Setting(100, "printed by both papers"),
    **not_printed(shared.BATCH),
    **not_printed(shared.GAN),
    **_TRAINING,
    "hidden_units": Setting(256, "not printed; the laboratory report prints only that there is one hidden layer"),
    "loss": Setting(
        "minimax",
        "printed by both papers. Its gradient vanishes while D is certain that the fakes are fake. This happens on "
        "digits with d_steps=10; in the recorded run it never happened",
    ),
    "reuse_fakes": Setting(False, "printed by Ding, Shao, Ren: the generator's step draws fresh codes"),
    **shared.DENSE_OUTPUT,
    **_OUTPUT,
}
_DCGAN = {
    **_MNIST,
    "epochs": Setting(50, "printed by Ding, Shao, Ren; the laboratory report prints 100"),
    **not_printed(shared.BATCH),
    **not_printed(shared.DCGAN),
    **_TRAINING,
    "upsampling": Setting("transposed", "printed by both papers; the laboratory report says deconvolutional"),
    "loss": Setting(
        "non_saturating",
        "minimax is printed by both papers; its gradient vanishes while D is certain that the fakes are fake",
    ),
    "reuse_fakes": Setting(True, "saves a generator pass; fresh codes are printed by Ding, Shao, Ren"),
    **shared.OUTPUT,
    **_OUTPUT,
}

_SETTLE = {"The losses settle (Ding, Shao, Ren).": "d_loss g_loss"}
_GAN_CLAIMS = {
    **_SETTLE,
    "A GAN covers more classes than a DCGAN (laboratory report).": "classes kl",
    "A GAN needs more epochs than a DCGAN, and its digits are worse (both papers).": "frechet low_confidence",
}
_DCGAN_CLAIMS = {
    **_SETTLE,
    "A DCGAN covers fewer classes than a GAN: it draws only 3, 5 and 8 (laboratory report).": "classes kl",
    "Its digits are better than a GAN's (both), with half the epochs (first paper).": "frechet low_confidence",
}

RECIPES = (
    Recipe("gan-mnist", "GAN", f"{DING}; {REPORT}", _GAN, _GAN_CLAIMS),
    Recipe("dcgan-mnist", "DCGAN", f"{DING}; {REPORT}", _DCGAN, _DCGAN_CLAIMS),
)
