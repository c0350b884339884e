"""Settings that several recipes start from, with kgan's own reasons.

Nothing here is printed by a paper: what a paper prints is in its own file, and replaces the setting here.
"""

from __future__ import annotations

from collections.abc import Mapping

from kgan.recipes.schema import Setting


def not_printed(settings: Mapping[str, Setting]) -> dict[str, Setting]:
    """The settings for a paper that prints none of them.

    Example:
        >>> not_printed({"latent_dim": Setting(100, "100 is Radford's")})["latent_dim"].why
        "not printed: 100 is Radford's"
    """
    return {name: Setting(setting.value, f"not printed: {setting.why}") for name, setting in settings.items()}


FOLDER = {
    "crop": Setting("center", "for a folder of images: the central square. letterbox keeps all; head: see dcgan-cats"),
    "background": Setting("white", "for a folder of images: behind transparent pixels, and around letterboxed images"),
}
BATCH = {"batch_size": Setting(128, "128 is Radford's")}
_CODES = {
    "latent_dim": Setting(100, "100 is Radford's"),
    "prior": Setting("normal", "N(0, 1) in each unit"),
    "label_smoothing": Setting(0.0, "off; 0.1 is usual (Salimans et al. 2016, section 3.4)"),
    "d_steps": Setting(1, "k of Goodfellow et al. 2014, Algorithm 1, who used 1"),
}
_ADAM = {
    "d_learning_rate": Setting(2e-4, "Adam with 2e-4, as Radford et al. 2016"),
    "g_learning_rate": Setting(2e-4, "the same as for the discriminator"),
    "d_beta_1": Setting(0.5, "with 0.9 training oscillates (Radford et al. 2016)"),
    "g_beta_1": Setting(0.5, "the same as for the discriminator"),
}
TOOLBOX = {
    "conditional": Setting(False, "whether labels reach both networks, so that classes can be asked for"),
    "d_norm": Setting("same", "normalization of the discriminator: the same as of the generator"),
    "packing": Setting(1, "images that the discriminator looks at together: one"),
    "augment": Setting("none", "what happens to all that the discriminator sees: nothing"),
    "top_k": Setting(1.0, "share of the fakes that the generator learns from: all"),
    "penalty": Setting("none", "what the discriminator's loss has besides: nothing"),
    "penalty_weight": Setting(1.0, "of each penalty, where there is one"),
    "penalty_every": Setting(1, "steps between penalties, where there is one"),
    "learning_rate_schedule": Setting("constant", "linear and cosine fall to 0 by the last step, in both networks"),
    "ema": Setting(0.0, "decay of the average of the generator that draws the samples; 0: the generator draws them"),
}
GAN = {
    **_CODES,
    "hidden_units": Setting(256, "of the one hidden layer of each network"),
    "norm": Setting("none", "a dense network this small trains without"),
    "loss": Setting(
        "minimax",
        "Algorithm 1 of Goodfellow et al. 2014. Its gradient vanishes while D is certain of the fakes: with d_steps=10 "
        "D is, with these settings it never was",
    ),
    "reuse_fakes": Setting(False, "fresh codes for the generator's step; dense networks are fast"),
    **_ADAM,
    **TOOLBOX,
}
DCGAN = {
    **_CODES,
    "filters": Setting(64, "half of Radford's, for images of half the size"),
    "kernel_size": Setting(4, "Radford's 5 leaves a checkerboard, and takes twice as long"),
    "depth": Setting(0, "how often the size doubles; 0: as often as it takes from 4, 5 or 7 pixels"),
    "upsampling": Setting("transposed", "transposed convolutions, as Radford et al. 2016; nearest repeats pixels"),
    "activation": Setting("relu", "in the generator, as Radford et al. 2016"),
    "norm": Setting("batch", "batch normalization, as Radford et al. 2016"),
    "loss": Setting("non_saturating", "its gradient does not vanish while D is certain of the fakes"),
    "reuse_fakes": Setting(True, "the generator's step uses D's fakes, which saves a generator pass"),
    **_ADAM,
    **TOOLBOX,
}
OUTPUT = {
    "steps_per_execution": Setting(1, "more gains nothing where a step is long"),
    "precision": Setting("float32", "bfloat16 is faster where the processor has it; auto takes what is faster here"),
    "sample_every": Setting(1, "epochs between grids of samples"),
    "chosen_epochs": Setting("1,10,50,100", "samples after these epochs, next to each other in epochs.png"),
    "quality_every": Setting(0, "epochs between measurements of quality, which keep best.keras; 0: none"),
    "checkpoint_every": Setting(1, "epochs between checkpoints: what a crash can cost"),
    "checkpoint_minutes": Setting(10.0, "between checkpoints in a long epoch; one takes a fraction of a second"),
    "seed": Setting(0, "of the initial weights, codes and data order; the same seed gives the same run"),
}
DENSE_OUTPUT = {
    **OUTPUT,
    "steps_per_execution": Setting(10, "dense steps are short: started one by one they take a third longer"),
}
