"""Settings that several recipes start from, with kgan's own reasons.

Nothing here is printed in a paper. What a paper prints is in the paper's own file, and replaces the setting here.
"""

from __future__ import annotations

from collections.abc import Mapping

from kgan.recipes.schema import Setting


def not_printed(settings: Mapping[str, Setting]) -> dict[str, Setting]:
    """The settings for a paper that prints none of them."""
    return {name: Setting(setting.value, f"not printed: {setting.why}") for name, setting in settings.items()}


FOLDER = {
    "crop": Setting(
        "center", "for a folder of images: the central square. letterbox keeps all of it; head: see dcgan-cats"
    ),
    "background": Setting("white", "for a folder of images: fills transparent pixels and the margins of letterbox"),
}
BATCH = {"batch_size": Setting(128, "Radford et al. 2016 use 128")}
_CODES = {
    "latent_dim": Setting(100, "Radford et al. 2016 use 100"),
    "prior": Setting("normal", "each unit is drawn from N(0, 1)"),
    "label_smoothing": Setting(0.0, "off; 0.1 is usual (Salimans et al. 2016, section 3.4)"),
    "d_steps": Setting(1, "k in Algorithm 1 of Goodfellow et al. 2014, who use 1"),
}
_ADAM = {
    "d_learning_rate": Setting(2e-4, "Adam with 2e-4, as in Radford et al. 2016"),
    "g_learning_rate": Setting(2e-4, "the same as for the discriminator"),
    "d_beta_1": Setting(0.5, "with 0.9 training oscillates (Radford et al. 2016)"),
    "g_beta_1": Setting(0.5, "the same as for the discriminator"),
}
TOOLBOX = {
    "conditional": Setting(False, "whether both networks get the labels, so that you can ask for a class"),
    "d_norm": Setting("same", "normalization of the discriminator; same: as in the generator"),
    "packing": Setting(1, "how many images the discriminator sees together"),
    "augment": Setting("none", "augmentation of all images that the discriminator sees"),
    "top_k": Setting(1.0, "fraction of the fakes that the generator learns from; 1: all of them"),
    "penalty": Setting("none", "penalty that is added to the discriminator's loss"),
    "penalty_weight": Setting(1.0, "weight of each penalty, if there is one"),
    "penalty_every": Setting(1, "steps from one penalty to the next, if there is one"),
    "simultaneous": Setting(False, "whether both networks change at once, from one pass of the fakes: a cheaper step"),
    "learning_rate_schedule": Setting("constant", "linear and cosine: both learning rates fall to 0 by the last step"),
    "ema": Setting(0.0, "decay of an average of the generator, which draws the samples; 0: the generator draws them"),
}
GAN = {
    **_CODES,
    "hidden_units": Setting(256, "units of the only hidden layer of each network"),
    "norm": Setting("none", "a dense network of this size trains without normalization"),
    "loss": Setting(
        "minimax",
        "Algorithm 1 of Goodfellow et al. 2014. Its gradient vanishes while D is certain that the fakes are fake. This "
        "happens with d_steps=10; with these settings it never happened",
    ),
    "reuse_fakes": Setting(False, "the generator's step draws fresh codes; dense networks are fast"),
    **_ADAM,
    **TOOLBOX,
}
DCGAN = {
    **_CODES,
    "filters": Setting(64, "half as many as in Radford et al. 2016, for images of half the size"),
    "kernel_size": Setting(4, "the 5 of Radford et al. 2016 leaves a checkerboard pattern, and takes twice as long"),
    "depth": Setting(0, "how many layers double the size; 0: as many as the image size allows"),
    "upsampling": Setting("transposed", "transposed convolutions, as in Radford et al. 2016; nearest repeats pixels"),
    "activation": Setting("relu", "in the generator, as in Radford et al. 2016"),
    "norm": Setting("batch", "batch normalization, as in Radford et al. 2016"),
    "loss": Setting("non_saturating", "its gradient does not vanish while D is certain that the fakes are fake"),
    "reuse_fakes": Setting(True, "the generator's step uses the fakes made for D, which saves a generator pass"),
    **_ADAM,
    **TOOLBOX,
}
OUTPUT = {
    "steps_per_execution": Setting(1, "more than 1 saves no time if a step is long"),
    "precision": Setting("float32", "bfloat16 is faster if the processor supports it; auto measures which is faster"),
    "sample_every": Setting(1, "epochs between grids of samples"),
    "chosen_epochs": Setting("1,10,50,100", "samples after these epochs, next to each other in epochs.png"),
    "quality_every": Setting(0, "epochs between measurements of quality, which choose best.keras; 0: none"),
    "checkpoint_every": Setting(1, "epochs between checkpoints: a crash costs at most this many"),
    "checkpoint_minutes": Setting(10.0, "minutes between checkpoints in a long epoch; one takes less than a second"),
    "seed": Setting(0, "seed of the initial weights, codes and data order; one seed gives the same run on one machine"),
}
DENSE_OUTPUT = {
    **OUTPUT,
    "steps_per_execution": Setting(10, "dense networks have short steps: started one by one they take a third longer"),
}
