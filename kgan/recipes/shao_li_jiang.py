"""*A Survey of DCGAN based Unsupervised Decoding and Image Generation* by Shao, Li and Jiang.

A DCGAN on MNIST whose discriminator reads the code back from the image.
"""

from __future__ import annotations

from kgan.recipes import shared
from kgan.recipes.schema import Recipe, Setting
from kgan.recipes.shared import not_printed

SHAO = "Shao, Li, Jiang: A Survey of DCGAN based Unsupervised Decoding and Image Generation"

RECIPES = (
    Recipe(
        "codegan-mnist",
        "CodeGAN",
        SHAO,
        {
            "data": Setting("mnist", "printed"),
            "split": Setting("train", "not printed: MNIST's 60,000 training images"),
            "image_size": Setting(64, "printed"),
            **shared.FOLDER,
            "epochs": Setting(30, "of 100 iterations each; 3,000 iterations are printed"),
            "steps_per_epoch": Setting(100, "iterations, so that the curves have a point for each hundred"),
            "batch_size": Setting(64, "not printed"),
            **not_printed(shared.DCGAN),
            "latent_dim": Setting(
                36,
                "not printed. 100 are too many for a digit to show: a third of their variance was read, of 36 two "
                "thirds",
            ),
            "prior": Setting("normal", 'read: "an image blurred with a Gaussian noise" goes into the generator'),
            "d_steps": Setting(1, "k of its figure 1, without a number; Goodfellow et al. 2014 used 1"),
            "filters": Setting(32, "not printed: small, so that a laptop's CPU trains it in minutes"),
            "depth": Setting(2, "not printed: from 16 × 16. With four layers and 100 units hardly any unit was read"),
            "upsampling": Setting("transposed", "printed: de-convolutional layers"),
            "activation": Setting("relu", "printed, for the generator"),
            "norm": Setting("batch", "printed, for every layer; not in D's first and G's last, as Radford et al. 2016"),
            "stddev": Setting(0.00282, "of the initial weights; printed"),
            "loss": Setting(
                "non_saturating", "minimax is printed; its gradient vanishes while D is certain of the fakes"
            ),
            "reuse_fakes": Setting(False, "printed in its figure 1: fresh codes for the generator's step"),
            "code_weight": Setting(0.012, "the weight of the code loss; printed"),
            "code_loss": Setting("l2", 'printed: "the sum of squared differences"; equation 3 allows l1 too'),
            "noise": Setting(0.1, "standard deviation; printed for real images, without a size. Fakes get it too"),
            "stages": Setting(1, "printed; 2 is the loop training that the paper names as a next step"),
            "d_learning_rate": Setting(2e-4, "printed, for Adam"),
            "g_learning_rate": Setting(2e-4, "printed, for Adam"),
            "d_beta_1": Setting(0.5, "printed"),
            "g_beta_1": Setting(0.4, "printed"),
            "epsilon": Setting(1e-8, "printed, for Adam"),
            "weight_decay": Setting(
                1e-5,
                "printed, without a framework. Keras decouples it (AdamW): a step subtracts rate × decay × weight, "
                "2e-9 of a weight, which does practically nothing. PyTorch's Adam adds it to the gradient (L2)",
            ),
            **shared.OUTPUT,
            "chosen_epochs": Setting("1,2,24", "printed as iterations 100, 200 and 2,400: figure 5"),
            "chosen_iterations": Setting("100,200,2400", "samples after these; printed: figure 5"),
        },
    ),
)
