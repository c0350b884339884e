"""Recipes for data that need no network: scikit-learn's digits, and folders of images.

Each digits recipe is a short version of a paper's recipe.
"""

from __future__ import annotations

from kgan.recipes import shao_li_jiang, shared
from kgan.recipes.schema import Recipe, Setting

_DIGITS = {
    "data": Setting("digits", "scikit-learn's 1,797 real digits, which need no network"),
    "split": Setting("train", "there is only one split"),
    "image_size": Setting(28, "as in MNIST: 8 × 8 digits scaled to 20 × 20, with a margin of 4"),
    **shared.FOLDER,
}
_SMALL_BATCH = {"batch_size": Setting(32, "small, because 1,797 images make few steps per epoch")}
_SIZES = ("latent_dim", "filters")
_METHOD = ("reuse_fakes", "code_weight", "code_loss", "noise", "stages", "g_beta_1", "epsilon")
_CODEGAN = {name: Setting(shao_li_jiang.RECIPES[0][name], "as codegan-mnist") for name in (*_SIZES, *_METHOD)}

_DCGAN_DIGITS = {
    **_DIGITS,
    "epochs": Setting(40, "readable digits in a minute or two on a laptop's CPU"),
    **_SMALL_BATCH,
    **shared.DCGAN,
    **shared.OUTPUT,
}
_GAN_DIGITS = {
    **_DIGITS,
    "epochs": Setting(100, "as gan-mnist; an epoch takes a fraction of a second"),
    **_SMALL_BATCH,
    **shared.GAN,
    **shared.DENSE_OUTPUT,
    "sample_every": Setting(5, "epochs between grids of samples, and frames of the GIF: epochs are short"),
    "checkpoint_every": Setting(10, "epochs between checkpoints: writing one takes as long as half an epoch"),
}
_CODEGAN_DIGITS = {
    **_DIGITS,
    "epochs": Setting(40, "as dcgan-digits"),
    "steps_per_epoch": Setting(0, "0: an epoch goes through the data once"),
    **_SMALL_BATCH,
    **shared.DCGAN,
    **_CODEGAN,
    "stddev": Setting(
        0.02,
        "standard deviation of the initial weights, as in Radford et al. 2016. With 0.00282 a third of this short run "
        "is lost",
    ),
    "weight_decay": Setting(1e-5, "as codegan-mnist, which gives the reason"),
    **shared.OUTPUT,
    "chosen_iterations": Setting("100,200,2400", "as codegan-mnist: samples after these iterations"),
}
_DCGAN_FOLDER = {
    "data": Setting("./pictures", "a folder of image files: give yours with --data"),
    "split": Setting("train", "there is only one split"),
    "image_size": Setting(64, "as in Radford et al. 2016; 32 takes a quarter of the time"),
    **shared.FOLDER,
    "epochs": Setting(200, "for about a thousand images; more images need fewer epochs"),
    "batch_size": Setting(32, "small, because a folder of your own makes few steps per epoch"),
    **shared.DCGAN,
    "filters": Setting(64, "half as many as in Radford et al. 2016, for a smaller computer"),
    "label_smoothing": Setting(0.1, "D soon memorizes a small data set; this works against that"),
    "d_learning_rate": Setting(1e-4, "half of Radford et al. 2016: on 772 cartoon figures D won early with 2e-4"),
    "g_learning_rate": Setting(2e-4, "Radford et al. 2016"),
    **shared.OUTPUT,
    "sample_every": Setting(5, "epochs between grids of samples; there are many epochs"),
}

RECIPES = (
    Recipe("dcgan-digits", "DCGAN", "kgan's offline version of dcgan-mnist", _DCGAN_DIGITS),
    Recipe("gan-digits", "GAN", "kgan's offline version of gan-mnist", _GAN_DIGITS),
    Recipe("codegan-digits", "CodeGAN", "kgan's offline version of codegan-mnist", _CODEGAN_DIGITS),
    Recipe(
        "dcgan-folder",
        "DCGAN",
        "Radford et al.: Unsupervised Representation Learning with DCGANs; for images of your own",
        _DCGAN_FOLDER,
    ),
)
