"""*A Survey of DCGAN based Unsupervised Decoding and Image Generation* by Shao, Li and Jiang.

A DCGAN on MNIST whose discriminator reads the code back from the image.
"""

from __future__ import annotations

from kgan.recipes import shared
from kgan.recipes.schema import Recipe, Setting
from kgan.recipes.shared import not_printed

SHAO = "Shao, Li, Jiang: A Survey of DCGAN based Unsupervised Decoding and Image Generation"

_CODEGAN = {
    "data": Setting("mnist", "printed"),
    "split": Setting("train", "not printed: MNIST's 60,000 training images"),
    "image_size": Setting(64, "printed"),
    **shared.FOLDER,
    "epochs": Setting(30, "of 100 iterations each; 3,000 iterations are printed"),
    "steps_per_epoch": Setting(100, "iterations per epoch, so that the curves have a point for every hundred"),
    "batch_size": Setting(64, "not printed"),
    **not_printed(shared.DCGAN),
    "latent_dim": Setting(
        36,
        "not printed. The image of a digit cannot show 100 units: D read only a third of their variance, but two "
        "thirds of the variance of 36",
    ),
    "prior": Setting("normal", 'read: "an image blurred with a Gaussian noise" goes into the generator'),
    "d_steps": Setting(1, "k in figure 1, which gives no number; Goodfellow et al. 2014 use 1"),
    "filters": Setting(32, "not printed: small, so that a laptop's CPU trains it in minutes"),
    "depth": Setting(2, "not printed: from 16 × 16. With four layers and 100 units, D read hardly any unit"),
    "upsampling": Setting("transposed", "printed: de-convolutional layers"),
    "activation": Setting("relu", "printed, for the generator"),
    "norm": Setting("batch", "printed, for every layer; here not in D's first and G's last, as in Radford et al. 2016"),
    "stddev": Setting(0.00282, "standard deviation of the initial weights; printed"),
    "loss": Setting(
        "non_saturating", "minimax is printed; its gradient vanishes while D is certain that the fakes are fake"
    ),
    "reuse_fakes": Setting(False, "printed in figure 1: the generator's step draws fresh codes"),
    "code_weight": Setting(0.012, "the weight of the code loss; printed"),
    "code_loss": Setting("l2", 'printed: "the sum of squared differences"; equation 3 allows l1 too'),
    "noise": Setting(
        0.1, "standard deviation. Noise on real images is printed, but no size; here the fakes get it too"
    ),
    "stages": Setting(1, "printed; 2 is the loop training that the paper names as a next step"),
    "d_learning_rate": Setting(2e-4, "printed, for Adam"),
    "g_learning_rate": Setting(2e-4, "printed, for Adam"),
    "d_beta_1": Setting(0.5, "printed"),
    "g_beta_1": Setting(0.4, "printed"),
    "epsilon": Setting(1e-8, "printed, for Adam"),
    "weight_decay": Setting(
        1e-5,
        "printed, but the framework is not. Keras decouples it (AdamW): a step subtracts learning rate × decay × "
        "weight, 2e-9 of a weight, which has almost no effect. PyTorch's Adam adds it to the gradient (L2)",
    ),
    **shared.OUTPUT,
    "chosen_epochs": Setting("1,2,24", "printed as iterations 100, 200 and 2,400: figure 5"),
    "chosen_iterations": Setting("100,200,2400", "samples after these iterations; printed: figure 5"),
}

_CLAIMS = {"The difference of codes falls as the networks train, and stays small.": "code_loss"}

RECIPES = (Recipe("codegan-mnist", "CodeGAN", SHAO, _CODEGAN, _CLAIMS),)
