"""*Image Generation Using Deep Convolutional Generative Adversarial Networks* by Stiff, von Keyserlingk and Stuart.

DCGANs that upsample and then convolve, on MNIST, flowers and cats.
"""

from __future__ import annotations

from kgan.recipes import shared
from kgan.recipes.schema import Recipe, Setting
from kgan.recipes.shared import not_printed

STIFF = "Stiff, von Keyserlingk, Stuart: Image Generation Using Deep Convolutional Generative Adversarial Networks"

_DCGAN = {
    **not_printed(shared.DCGAN),
    "latent_dim": Setting(100, "printed"),
    "prior": Setting("uniform", "printed: U(-1, 1)"),
    "d_steps": Setting(1, "printed: one batch for each network in turn"),
    "kernel_size": Setting(5, "printed"),
    "upsampling": Setting(
        "nearest",
        "upsampling is printed, nearest is not. Read as upsampling before each convolution: after the last convolution "
        "it would leave blocks of 2 × 2 pixels",
    ),
    "activation": Setting("leaky_relu", "printed: LeakyReLU between all layers of the generator"),
    "norm": Setting("batch", "printed: batch normalization, except in D's input and G's output"),
    "loss": Setting(
        "non_saturating",
        "printed in equation 1: the generator minimizes 1 - log D(G(z)), which is this loss plus 1. The text below the "
        "equation has 1 - D(G(z))",
    ),
    "reuse_fakes": Setting(False, "read: each network is trained on a batch of its own"),
    "d_learning_rate": Setting(2e-4, "Adam is printed, its learning rate is not: Radford et al. 2016 use 2e-4"),
}
_128 = {
    "image_size": Setting(128, "printed"),
    "batch_size": Setting(64, "not printed: half of the 128 in Radford et al. 2016, for 8,000 to 10,000 images"),
    **_DCGAN,
    "filters": Setting(
        16, "read: 8 × 8 × 128 is printed, and each doubling of the size halves them: 64, 32, 16, then the image's 3"
    ),
    "depth": Setting(4, "printed for G: four convolutions from 8 × 8. For D three are printed; 128 to 8 takes four"),
}

_COVERED = {"Samples cover all classes; some show no class that one can recognize.": "classes low_confidence"}
_TOLD = {"Generated images can be told from real ones.": "real_vs_fake_accuracy"}
_BALANCE = {"The losses of the two networks must be balanced, or training collapses.": "d_loss g_loss d_fake"}

_DIGITS = {
    "data": Setting("mnist", "printed"),
    "split": Setting("train", "not printed: 60,000 images. The paper counts 65,000, MNIST has 70,000"),
    "image_size": Setting(28, "printed"),
    **shared.FOLDER,
    "epochs": Setting(25, "printed"),
    **not_printed(shared.BATCH),
    **_DCGAN,
    "filters": Setting(64, "read: layers are removed for small images. Here 7 × 7 × 128, halved to 64, then the image"),
    "depth": Setting(0, "read: two doublings, from 7 to 28"),
    **shared.OUTPUT,
}
_FLOWERS = {
    "data": Setting("oxford_flowers102", "printed"),
    "split": Setting("train+validation+test", "read: 8,100 images are printed; these splits have 8,189"),
    **shared.FOLDER,
    "epochs": Setting(40, "printed"),
    **_128,
    **shared.OUTPUT,
}
_CATS = {
    "data": Setting("cat-dataset", "printed; from Kaggle: pip install 'kgan[cats]', or name a folder with --data"),
    "split": Setting("train", "there is only one split"),
    **shared.FOLDER,
    "crop": Setting("head", "an improvement that the paper proposes; it trained on whole pictures. Uses .cat files"),
    "epochs": Setting(60, "55 and 60 are printed; by 60 the paper's run had collapsed"),
    **_128,
    **shared.OUTPUT,
    "chosen_epochs": Setting("55,60", "printed: figures 11 and 12"),
}

RECIPES = (
    Recipe("dcgan-mnist-upsampling", "DCGAN", STIFF, _DIGITS, {**_COVERED, **_TOLD}),
    Recipe("dcgan-flowers", "DCGAN", STIFF, _FLOWERS, {**_TOLD, **_BALANCE}),
    Recipe("dcgan-cats", "DCGAN", STIFF, _CATS, _BALANCE),
)
