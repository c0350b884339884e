"""Recipes: the papers' settings as data, each with its reason.

Where a paper prints a number, the recipe has it. Where it prints none, or the recipe departs from it, the reason
says so. `kgan train NAME` cooks one, `--set name=value` changes any setting of it.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from kgan.gan import GAN

Value = int | float | str | bool


class Setting(NamedTuple):
    """A value, and the reason for it."""

    value: Value
    why: str


@dataclass(frozen=True)
class Recipe:
    """A model, the paper it comes from, and its settings by name."""

    name: str
    model: str  # GAN, DCGAN or CodeGAN
    paper: str
    settings: Mapping[str, Setting]

    def __getitem__(self, setting: str) -> Value:
        return self.settings[setting].value


class Rule(NamedTuple):
    """What a value must fulfil, and how that is said."""

    sentence: str
    holds: Callable[[Any], bool]


def _one_of(*choices: str) -> Rule:
    return Rule(f"one of {', '.join(choices)}", lambda value: value in choices)


_SEED = Rule("from 0 to 2147483647", lambda value: 0 <= value < 2**31)
_AT_LEAST_1 = Rule("1 or more", lambda value: value >= 1)
_SIZE = Rule("from 1 to 4096", lambda value: 1 <= value <= 4096)
_RATE = Rule("above 0 and finite", lambda value: 0 < value < math.inf)
_DECAY = Rule("from 0 up to, but not, 1", lambda value: 0 <= value < 1)


def _are_epochs(text: str) -> bool:
    return all(number.strip().isdecimal() and int(number) for number in text.split(","))


RULES = {
    "image_size": _SIZE,
    "crop": _one_of("center", "letterbox", "head"),
    "epochs": _AT_LEAST_1,
    "batch_size": _AT_LEAST_1,
    "latent_dim": _SIZE,
    "prior": _one_of("normal", "uniform"),
    "hidden_units": _SIZE,
    "filters": _SIZE,
    "kernel_size": Rule("from 1 to 32", lambda value: 1 <= value <= 32),
    "depth": Rule("from 0 to 10", lambda value: 0 <= value <= 10),
    "upsampling": _one_of("transposed", "nearest"),
    "activation": _one_of("relu", "leaky_relu"),
    "norm": _one_of("batch", "reference", "virtual", "layer", "none"),
    "loss": _one_of("minimax", "non_saturating"),
    "label_smoothing": Rule("from 0 to 0.5", lambda value: 0 <= value <= 0.5),
    "d_steps": _AT_LEAST_1,
    "d_learning_rate": _RATE,
    "g_learning_rate": _RATE,
    "d_beta_1": _DECAY,
    "g_beta_1": _DECAY,
    "stddev": _RATE,
    "epsilon": _RATE,
    "weight_decay": Rule("0 or more, and finite", lambda value: 0 <= value < math.inf),
    "code_weight": Rule("from 0 to 1", lambda value: 0 <= value <= 1),
    "code_loss": _one_of("l1", "l2"),
    "noise": Rule("0 or more, and finite", lambda value: 0 <= value < math.inf),
    "stages": Rule("from 1 to 10", lambda value: 1 <= value <= 10),
    "steps_per_epoch": Rule("0 or more", lambda value: value >= 0),
    "chosen_iterations": Rule("whole numbers from 1 up with commas between them", _are_epochs),
    "steps_per_execution": _AT_LEAST_1,
    "sample_every": _AT_LEAST_1,
    "quality_every": Rule("0 or more", lambda value: value >= 0),
    "chosen_epochs": Rule("whole numbers from 1 up with commas between them", _are_epochs),
    "checkpoint_every": _AT_LEAST_1,
    "checkpoint_minutes": _RATE,
    "seed": _SEED,
}

DING = "Ding, Shao, Ren: Image Generative Models by GANs and DCGANs"
REPORT = "laboratory report on GANs and DCGANs in TensorFlow with CUDA"
ANONYMOUS = "Generating Images Using a DCGAN"
SHAO = "Shao, Li, Jiang: A Survey of DCGAN based Unsupervised Decoding and Image Generation"
STIFF = "Stiff, von Keyserlingk, Stuart: Image Generation Using Deep Convolutional Generative Adversarial Networks"

_ADAM = {
    "d_learning_rate": Setting(2e-4, "of Adam, where Algorithm 1 prints stochastic gradient; Radford et al. 2016"),
    "g_learning_rate": Setting(2e-4, "as the discriminator's"),
    "d_beta_1": Setting(0.5, "Radford et al. 2016: momentum of 0.9 makes training oscillate"),
    "g_beta_1": Setting(0.5, "as the discriminator's"),
}
_COMMON = {
    "latent_dim": Setting(100, "not printed; 100 is Radford's"),
    "prior": Setting("normal", "not printed; N(0, 1) in each unit"),
    "label_smoothing": Setting(0.0, "not used; named as a next step (0.1 is usual)"),
    "d_steps": Setting(1, "k of Algorithm 1; not printed, 1 is what Goodfellow et al. 2014 used"),
}
_OUTPUT = {
    "sample_every": Setting(1, "a grid of samples after every epoch"),
    "chosen_epochs": Setting("1,10,50,100", "set beside each other in epochs.png; those of the laboratory report"),
    "quality_every": Setting(0, "epochs between measurements of quality, which keep best.keras; 0: none"),
    "checkpoint_every": Setting(1, "epochs; what a crash can cost"),
    "checkpoint_minutes": Setting(10.0, "in long epochs; a checkpoint takes a fraction of a second"),
    "seed": Setting(0, "of initial weights, codes and data order; the same seed gives the same run"),
}
_FOLDER = {
    "crop": Setting(
        "center", "where --data is a folder: the central square; letterbox keeps all; head: see dcgan-cats"
    ),
    "background": Setting("white", "where --data is a folder: under transparent images, and beside letterboxes"),
}
_MNIST = {
    "data": Setting("mnist", "printed"),
    "split": Setting("train", "MNIST's 60,000 training images"),
    "image_size": Setting(28, "as MNIST comes"),
    **_FOLDER,
}
_DIGITS = {
    "data": Setting("digits", "scikit-learn's 1,797 real digits, which need no network"),
    "split": Setting("train", "there is one"),
    "image_size": Setting(28, "as MNIST: 8 × 8 digits scaled to 20 × 20, with a margin of 4"),
    **_FOLDER,
}
_GAN = {
    **_COMMON,
    "hidden_units": Setting(256, "one hidden dense layer is printed (laboratory report), its width is not"),
    "norm": Setting("none", "none is printed"),
    "loss": Setting("minimax", "printed; a dense discriminator is never so sure that it vanishes"),
    "reuse_fakes": Setting(False, "fresh codes for the generator's step, as Algorithm 1 prints"),
    **_ADAM,
    "steps_per_execution": Setting(10, "dense steps are so short that starting them one by one takes a third longer"),
    **_OUTPUT,
}
_DCGAN = {
    **_COMMON,
    "filters": Setting(64, "not printed; half of Radford's, for images of half their size"),
    "kernel_size": Setting(4, "not printed; Radford's 5 leaves a checkerboard, and takes twice as long"),
    "depth": Setting(0, "layers that double the size; 0: as many as lead from 4 pixels, or 5 or 7"),
    "upsampling": Setting("transposed", "convolutions, as Radford et al. 2016; nearest repeats pixels instead"),
    "activation": Setting("relu", "of the generator, as Radford et al. 2016"),
    "norm": Setting("batch", "batch normalisation, as Radford et al. 2016"),
    "loss": Setting("non_saturating", "minimax is printed; its generator stands still while D is sure of the fakes"),
    "reuse_fakes": Setting(True, "saves a generator pass a step; Algorithm 1 prints fresh codes"),
    **_ADAM,
    "steps_per_execution": Setting(1, "more gains nothing where a step is long"),
    **_OUTPUT,
}

_RADFORD = {
    "epochs": Setting(1000, 'printed, as "e.g. 1000"'),
    "batch_size": Setting(128, "printed"),
    **_DCGAN,
    "latent_dim": Setting(100, "of Radford's figure 1, which the paper shows as its own"),
    "prior": Setting("normal", "printed"),
    "filters": Setting(128, "of Radford's figure 1: 1024, 512, 256, 128; not printed for the discriminator: the same"),
    "kernel_size": Setting(5, "of Radford's figure 1"),
    "loss": Setting(
        "non_saturating",
        "log(1 - D(G(z))) is printed; the code that the paper refers to maximises log D(G(z)). Its step 5, log D of "
        "real images, has no gradient for the generator",
    ),
    "reuse_fakes": Setting(True, "printed: the generator's step uses the fakes made for the discriminator"),
    "d_learning_rate": Setting(2e-4, "of Adam; printed"),
    "g_learning_rate": Setting(2e-4, "of Adam; printed"),
    "d_beta_1": Setting(0.5, "0.05 is printed, as Radford's; his is 0.5"),
    "sample_every": Setting(10, "a thousand epochs"),
}
_UPSAMPLING = {
    **_DCGAN,
    "prior": Setting("uniform", "printed: U(-1, 1)"),
    "latent_dim": Setting(100, "printed"),
    "kernel_size": Setting(5, "printed"),
    "upsampling": Setting("nearest", "printed: upsampling, then a convolution"),
    "activation": Setting("leaky_relu", "printed: LeakyReLU between all layers"),
    "loss": Setting("non_saturating", "1 - D(G(z)) is printed; it stands still while D is sure of the fakes"),
    "reuse_fakes": Setting(False, "printed: the generator is trained on a batch of its own"),
    "d_learning_rate": Setting(2e-4, "of Adam, which is printed; the rate is not: Radford's"),
}
_STIFF_128 = {
    "image_size": Setting(128, "printed"),
    "batch_size": Setting(64, "not printed; half of Radford's, for 8,000 to 10,000 images"),
    **_UPSAMPLING,
    "filters": Setting(16, "read: 8 × 8 × 128 is printed, halved by each doubling: 64, 32, 16, and then the image's 3"),
    "depth": Setting(4, "printed: four convolutions from 8 × 8; for D three are, but 128 to 8 takes four"),
}
_CODE = {
    **_DCGAN,
    "latent_dim": Setting(
        36, "not printed. 100 are too many for a digit to show: a third of their variance was read, of 36 two thirds"
    ),
    "prior": Setting("normal", "printed: Gaussian"),
    "filters": Setting(32, "not printed; small, so that a laptop's CPU trains it in minutes"),
    "norm": Setting("batch", "printed, in every layer; not in D's first and G's last, as Radford et al. 2016"),
    "stddev": Setting(0.00282, "of initial weights; printed"),
    "loss": Setting("non_saturating", "minimax is printed; its generator stands still while D is sure of the fakes"),
    "reuse_fakes": Setting(False, "printed in its figure 1: fresh codes for the generator's step"),
    "code_weight": Setting(0.012, "w; printed"),
    "code_loss": Setting("l2", 'printed: "the sum of squared differences"; equation 3 allows l1 as well'),
    "noise": Setting(0.1, "standard deviation, on real and fake images; printed without its size"),
    "stages": Setting(1, "printed; 2 is the loop training that it names as next"),
    "d_learning_rate": Setting(2e-4, "of Adam; printed"),
    "g_learning_rate": Setting(2e-4, "of Adam; printed"),
    "d_beta_1": Setting(0.5, "printed"),
    "g_beta_1": Setting(0.4, "printed"),
    "epsilon": Setting(1e-8, "of Adam; printed"),
    "weight_decay": Setting(1e-5, "of Adam; printed. Decoupled, as Keras has it (AdamW)"),
    "chosen_iterations": Setting("100,200,2400", "samples after these; printed: figure 5"),
}

RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            "dcgan-digits",
            "DCGAN",
            "kgan's offline version of dcgan-mnist",
            {
                **_DIGITS,
                "epochs": Setting(40, "readable digits in about two minutes on a laptop's CPU"),
                "batch_size": Setting(32, "small: 1,797 images make few steps an epoch"),
                **_DCGAN,
            },
        ),
        Recipe(
            "gan-digits",
            "GAN",
            "kgan's offline version of gan-mnist",
            {
                **_DIGITS,
                "epochs": Setting(100, "as gan-mnist; an epoch takes a fraction of a second"),
                "batch_size": Setting(32, "small: 1,797 images make few steps an epoch"),
                **_GAN,
            },
        ),
        Recipe(
            "gan-mnist",
            "GAN",
            f"{DING}; {REPORT}",
            {
                **_MNIST,
                "epochs": Setting(100, "printed in both"),
                "batch_size": Setting(128, "not printed; Radford's"),
                **_GAN,
            },
        ),
        Recipe(
            "dcgan-mnist",
            "DCGAN",
            f"{DING}; {REPORT}",
            {
                **_MNIST,
                "epochs": Setting(50, "printed by Ding, Shao, Ren; the report trains 100"),
                "batch_size": Setting(128, "not printed; Radford's"),
                **_DCGAN,
            },
        ),
        Recipe(
            "dcgan-mnist-upsampling",
            "DCGAN",
            STIFF,
            {
                **_MNIST,
                "epochs": Setting(25, "printed"),
                "batch_size": Setting(128, "not printed; Radford's"),
                **_UPSAMPLING,
                "filters": Setting(64, "read: layers are removed beyond the two that 28 needs, from 7 × 7 × 128"),
            },
        ),
        Recipe(
            "dcgan-cifar10",
            "DCGAN",
            ANONYMOUS,
            {
                "data": Setting("cifar10", "printed"),
                "split": Setting("train", "not printed; 50,000 images"),
                "image_size": Setting(64, "printed, for images of 32 × 32"),
                **_FOLDER,
                **_RADFORD,
            },
        ),
        Recipe(
            "dcgan-stl10",
            "DCGAN",
            ANONYMOUS,
            {
                "data": Setting("stl10", "printed"),
                "split": Setting("train", "5,000 images; more may help, it says: unlabelled has 100,000"),
                "image_size": Setting(64, "printed, for images of 96 × 96"),
                **_FOLDER,
                **_RADFORD,
            },
        ),
        Recipe(
            "dcgan-flowers",
            "DCGAN",
            STIFF,
            {
                "data": Setting("oxford_flowers102", "printed"),
                "split": Setting("train+validation+test", "8,189 images, of which 8,100 are printed"),
                **_FOLDER,
                "epochs": Setting(40, "printed"),
                **_STIFF_128,
            },
        ),
        Recipe(
            "dcgan-cats",
            "DCGAN",
            STIFF,
            {
                "data": Setting(
                    "cat-dataset", "printed; of Kaggle: pip install 'kgan[cats]', or name a folder with --data"
                ),
                "split": Setting("train", "there is one"),
                **_FOLDER,
                "crop": Setting("head", "by .cat files where there are any: the paper's wish; it trained on center"),
                "epochs": Setting(60, "55 and 60 are printed; by 60 its run had collapsed"),
                **_STIFF_128,
                "chosen_epochs": Setting("55,60", "printed: figures 11 and 12"),
            },
        ),
        Recipe(
            "codegan-digits",
            "CodeGAN",
            "kgan's offline version of codegan-mnist",
            {
                **_DIGITS,
                "epochs": Setting(40, "as dcgan-digits"),
                "steps_per_epoch": Setting(0, "of an epoch; 0: once through the data"),
                "batch_size": Setting(32, "small: 1,797 images make few steps an epoch"),
                **_CODE,
                "stddev": Setting(0.02, "Radford's: with 0.00282 the first third of so short a run is lost"),
            },
        ),
        Recipe(
            "codegan-mnist",
            "CodeGAN",
            SHAO,
            {
                **_MNIST,
                "image_size": Setting(64, "printed"),
                "epochs": Setting(30, "of 100 iterations each: 3,000 are printed"),
                "steps_per_epoch": Setting(100, "iterations; so curves have a point for each hundred"),
                "batch_size": Setting(64, "not printed"),
                **_CODE,
                "depth": Setting(2, "not printed: from 16 × 16; with four layers and 100 units hardly any was read"),
                "chosen_epochs": Setting("1,2,24", "printed, as iterations 100, 200 and 2,400: figure 5"),
            },
        ),
        Recipe(
            "dcgan-folder",
            "DCGAN",
            "Radford et al.: Unsupervised Representation Learning with DCGANs; for images of your own",
            {
                "data": Setting("./pictures", "a folder of image files: name yours with --data"),
                "split": Setting("train", "there is one"),
                "image_size": Setting(64, "Radford's; 32 takes a quarter of the time"),
                **_FOLDER,
                "epochs": Setting(200, "for about a thousand images; with more of them fewer will do"),
                "batch_size": Setting(32, "small: a folder of one's own makes few steps an epoch"),
                **_DCGAN,
                "label_smoothing": Setting(0.1, "few images are soon learned by heart: it holds D back"),
                "d_learning_rate": Setting(1e-4, "with 2e-4 D won early on 772 cartoon figures"),
                "g_learning_rate": Setting(2e-4, "Radford et al. 2016"),
                "sample_every": Setting(5, "many epochs, larger pictures"),
            },
        ),
    )
}


def get(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        ValueError: for an unknown name, with the choices.

    Example:
        >>> get("gan-mnist")["epochs"]
        100
    """
    if name not in RECIPES:
        raise ValueError(f"unknown recipe {name!r}: choose one of {', '.join(RECIPES)}")
    return RECIPES[name]


def resolve(recipe: Recipe, changes: Mapping[str, Value | str]) -> dict[str, Value]:
    """The recipe's settings with changes, each of them checked.

    Args:
        recipe: see `get`.
        changes: new values by name, typed or as text.

    Raises:
        ValueError: for an unknown setting (with the nearest name), a value of another type, or out of range.

    Example:
        >>> resolve(get("gan-mnist"), {"epochs": "5"})["epochs"]
        5
    """
    settings = {name: setting.value for name, setting in recipe.settings.items()}
    for name, value in changes.items():
        if name not in settings:
            nearest = difflib.get_close_matches(name, settings, n=1, cutoff=0.5)
            hint = f"did you mean {nearest[0]}?" if nearest else f"choose one of {', '.join(settings)}"
            raise ValueError(f"{recipe.name} has no setting {name!r}: {hint}")
        if name == "crop" and value == "centre":  # as earlier versions spelled it, also in run.json
            value = "center"
        settings[name] = _parsed(name, value, type(settings[name]))
        rule = RULES.get(name)
        if rule and not rule.holds(settings[name]):
            raise ValueError(f"{name} is {settings[name]}: it must be {rule.sentence}")
    return settings


def image_shape(recipe: Recipe) -> tuple[int, int, int]:
    """(height, width, channels) of the images that the recipe is meant for.

    Example:
        >>> image_shape(get("dcgan-cats"))
        (128, 128, 3)
    """
    return recipe["image_size"], recipe["image_size"], 1 if recipe["data"] in ("digits", "mnist") else 3


def build(recipe: Recipe, settings: Mapping[str, Any], image_shape: Sequence[int]) -> GAN:
    """The recipe's model for images of that shape, compiled.

    Args:
        recipe: see `get`.
        settings: see `resolve`.
        image_shape: (height, width, channels).

    Raises:
        ValueError: for an image size, or a depth, that the networks cannot have.

    Example:
        >>> recipe = get("dcgan-digits")
        >>> model = build(recipe, resolve(recipe, {}), (28, 28, 1))
    """
    from kgan._backend import keras

    model = uncompiled(recipe, settings, image_shape)
    of_adam = {"epsilon": settings.get("epsilon", 1e-7), "weight_decay": settings.get("weight_decay")}
    model.compile(
        d_optimizer=keras.optimizers.Adam(settings["d_learning_rate"], settings["d_beta_1"], **of_adam),
        g_optimizer=keras.optimizers.Adam(settings["g_learning_rate"], settings["g_beta_1"], **of_adam),
        loss=settings["loss"],
        label_smoothing=settings["label_smoothing"],
        steps_per_execution=settings["steps_per_execution"],
    )
    return model


def uncompiled(recipe: Recipe, settings: Mapping[str, Any], image_shape: Sequence[int]) -> GAN:
    """The model of `build` before it is compiled: its two networks are there, the optimizers are not.

    Example:
        >>> recipe = get("dcgan-digits")
        >>> uncompiled(recipe, resolve(recipe, {}), (28, 28, 1)).compiled
        False
    """
    from kgan import networks
    from kgan.codegan import CodeGAN
    from kgan.dcgan import DCGAN
    from kgan.gan import GAN

    common = {name: settings[name] for name in ("d_steps", "reuse_fakes", "prior", "seed")}
    if recipe.model == "GAN":
        hidden_units, norm, seed = settings["hidden_units"], settings["norm"], settings["seed"]
        return GAN(
            networks.dense_generator(image_shape, settings["latent_dim"], hidden_units, norm=norm, seed=seed),
            networks.dense_discriminator(image_shape, hidden_units, norm=norm, seed=seed + 1),
            **common,
        )
    of_networks = ("latent_dim", "filters", "kernel_size", "upsampling", "activation", "norm", "stddev")
    of_codes = ("code_weight", "code_loss", "noise", "stages")
    common |= {name: settings[name] for name in (*of_networks, *of_codes) if name in settings}
    kind = CodeGAN if recipe.model == "CodeGAN" else DCGAN
    return kind(image_shape, depth=settings["depth"] or None, **common)


def _parsed(name: str, value: Value | str, kind: type) -> Value:
    """The value as `kind`, which text may spell."""
    if kind is bool:
        spelled = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if str(value).lower() not in spelled:
            raise ValueError(f"{name} is {value!r}: it must be true or false")
        return spelled[str(value).lower()]
    try:
        return kind(str(value))
    except ValueError:
        wanted = {int: "a whole number", float: "a number"}[kind]
        raise ValueError(f"{name} is {value!r}: it must be {wanted}") from None
