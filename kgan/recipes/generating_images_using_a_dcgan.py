"""*Generating Images Using a DCGAN*, by an anonymous author: Radford's DCGAN on CIFAR-10 and STL-10 at 64 × 64."""

from __future__ import annotations

from kgan.recipes import shared
from kgan.recipes.schema import Recipe, Setting
from kgan.recipes.shared import not_printed

ANONYMOUS = "Generating Images Using a DCGAN"

_CIFAR10 = {
    "data": Setting("cifar10", "printed"),
    "split": Setting("train", "not printed: 50,000 images"),
    "image_size": Setting(64, "printed; CIFAR-10 has 32 × 32"),
    **shared.FOLDER,
    "epochs": Setting(1000, 'printed: "e.g. 1000"'),
    "batch_size": Setting(128, "printed"),
    **not_printed(shared.DCGAN),
    "latent_dim": Setting(100, "read from Radford's figure 1, which the paper shows"),
    "prior": Setting("normal", "printed"),
    "d_steps": Setting(1, "printed: each batch trains both networks once"),
    "filters": Setting(128, "read from Radford's figure 1: 1024, 512, 256, 128. For D nothing is printed: the same"),
    "kernel_size": Setting(5, "read from Radford's figure 1"),
    "depth": Setting(0, "read from Radford's figure 1: four doublings, from 4 to 64"),
    "upsampling": Setting("transposed", "printed: transposed convolutions"),
    "activation": Setting("relu", "printed, for the generator"),
    "norm": Setting("batch", "printed: batch normalization in both networks"),
    "stddev": Setting(0.02, "standard deviation of the initial weights; printed"),
    "loss": Setting(
        "non_saturating",
        "log(1 - D(G(z))) is printed; the PyTorch example that the paper cites maximizes log D(G(z)). Step 5 of the "
        "paper, log D of real images, gives the generator no gradient",
    ),
    "reuse_fakes": Setting(True, "read: step 4 of the paper classifies the fakes of step 2 again"),
    "d_learning_rate": Setting(2e-4, "printed, for Adam"),
    "g_learning_rate": Setting(2e-4, "printed, for Adam"),
    "d_beta_1": Setting(0.5, "0.05 is printed, as the value of the DCGAN paper; but Radford et al. 2016 print 0.5"),
    "g_beta_1": Setting(0.5, "0.05 is printed: see d_beta_1"),
    **shared.OUTPUT,
    "sample_every": Setting(10, "epochs between grids of samples: epochs are many; the paper draws one after each"),
}

_STL10 = {
    "data": Setting("stl10", "printed"),
    "split": Setting(
        "train", "not printed: 5,000 images. The paper expects more images to help: the split unlabelled has 100,000"
    ),
    "image_size": Setting(64, "printed; STL-10 has 96 × 96"),
}
# For a laptop: the full networks take weeks on two CPU cores (see `kgan.recipes.times`).
_SMALL = {
    "filters": Setting(32, "a quarter of the full recipe's width, so a sixteenth of the arithmetic"),
    "precision": Setting("auto", "bfloat16 takes a third less time if the processor supports it"),
}
_CIFAR10_SMALL = {
    **_SMALL,
    "epochs": Setting(25, "of 390 steps each; 1,000 are printed, which take days even with small networks"),
    "sample_every": Setting(1, "epochs between grids of samples; printed"),
}
_STL10_SMALL = {
    **_SMALL,
    "epochs": Setting(250, "of 39 steps each: as many steps as dcgan-cifar10-small; 1,000 are printed"),
}

_CLAIMS = {
    "The discriminator's output tends to 0.5.": "d_real d_fake",
    "Some samples are too close to training images.": "nearest copies",
}
_DCGAN = Recipe("dcgan-cifar10", "DCGAN", ANONYMOUS, _CIFAR10, _CLAIMS)

RECIPES = (
    _DCGAN,
    _DCGAN.changed("dcgan-cifar10-small", _CIFAR10_SMALL),
    _DCGAN.changed("dcgan-stl10", _STL10),
    _DCGAN.changed("dcgan-stl10-small", {**_STL10, **_STL10_SMALL}),
)
