"""Builds the model of a recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kgan.errors import Mistake
from kgan.recipes.schema import Recipe, names

if TYPE_CHECKING:
    from kgan.gan import GAN

PRECISIONS = ("float32", "bfloat16", "auto")
SCHEDULES = ("constant", "linear", "cosine")
# Settings that a model takes by name; all others are about data, training and output, or are treated below.
_SHARED = ("prior", "d_steps", "reuse_fakes", "ema", "seed")
_DCGAN = ("latent_dim", "filters", "kernel_size", "upsampling", "activation", "norm", "packing", "stddev")
_CODEGAN = ("code_weight", "code_loss", "stages")
_COMPILE = ("loss", "label_smoothing", "top_k", "penalty_every", "simultaneous", "steps_per_execution")


def image_shape(recipe: Recipe) -> tuple[int, int, int]:
    """(height, width, channels) of the images that the recipe is meant for."""
    return recipe["image_size"], recipe["image_size"], 1 if recipe["data"] in ("digits", "mnist") else 3


def classes(recipe: Recipe) -> int:
    """The number of classes of the recipe's model, for the data that it is meant for; 0 if it is not conditional."""
    return 10 if recipe["conditional"] else 0  # all data sets of conditional recipes have ten


def build(
    recipe: Recipe, settings: Mapping[str, Any], image_shape: Sequence[int], classes: int = 0, steps: int = 0
) -> GAN:
    """The recipe's model for images of a shape, compiled; `steps` of the whole training let learning rates fall.

    Precision "auto" is float32 here: `kgan.train` measures before it builds.

    Example:
        >>> recipe = kgan.recipes.get("dcgan-digits")
        >>> model = kgan.recipes.build(recipe, kgan.recipes.resolve(recipe, {}), (28, 28, 1))
    """
    from kgan.optimizers import Adam

    model = build_uncompiled(recipe, settings, image_shape, classes)
    adam = {"epsilon": settings.get("epsilon", 1e-7), "weight_decay": settings.get("weight_decay")}
    model.compile(
        d_optimizer=Adam(_learning_rate("d", settings, steps), settings["d_beta_1"], **adam),
        g_optimizer=Adam(_learning_rate("g", settings, steps), settings["g_beta_1"], **adam),
        penalties=[(name, settings["penalty_weight"]) for name in names(settings["penalty"])],
        **{name: settings[name] for name in _COMPILE},
    )
    return model


def _learning_rate(network: str, settings: Mapping[str, Any], steps: int) -> Any:
    """The learning rate of a network, "d" or "g", as Keras' optimizers take it."""
    from kgan._backend import keras

    rate, schedule = settings[f"{network}_learning_rate"], settings["learning_rate_schedule"]
    if schedule == "constant":
        return rate
    if not steps:
        raise Mistake(f"learning_rate_schedule is {schedule}, which needs the number of training steps")
    updates = steps * settings["d_steps"] if network == "d" else steps
    if schedule == "linear":
        return keras.optimizers.schedules.PolynomialDecay(rate, updates, end_learning_rate=0.0)
    return keras.optimizers.schedules.CosineDecay(rate, updates)


def build_uncompiled(recipe: Recipe, settings: Mapping[str, Any], image_shape: Sequence[int], classes: int = 0) -> GAN:
    """The model of `build` before `compile`: it has its two networks, but no optimizers."""
    from kgan import networks
    from kgan.codegan import CodeGAN
    from kgan.dcgan import DCGAN
    from kgan.gan import GAN

    arguments = {name: settings[name] for name in _SHARED}
    arguments["augment"] = names(settings["augment"])
    if settings.get("noise"):
        arguments["augment"].insert(0, ("instance_noise", settings["noise"]))
    if settings["conditional"]:
        if not classes:
            reason = "its images have no labels; conditional=false needs none"
            raise Mistake(f"conditional is true, but {settings['data']} has no classes: {reason}")
        arguments["classes"] = classes
    d_norm = None if settings["d_norm"] == "same" else settings["d_norm"]
    with networks.dtype_policy("mixed_bfloat16" if settings["precision"] == "bfloat16" else None):
        if recipe.model == "GAN":
            both = {"hidden_units": settings["hidden_units"], "seed": settings["seed"]}
            both["classes"] = arguments.get("classes", 0)
            norm, packing = settings["norm"], settings["packing"]
            generator = networks.dense_generator(image_shape, settings["latent_dim"], norm=norm, **both)
            discriminator = networks.dense_discriminator(image_shape, norm=d_norm or norm, packing=packing, **both)
            return GAN(generator, discriminator, **arguments)
        arguments |= {name: settings[name] for name in _DCGAN if name in settings}
        arguments |= {"d_norm": d_norm, "depth": settings["depth"] or None}
        if recipe.model == "DCGAN":
            return DCGAN(image_shape, **arguments)
        return CodeGAN(image_shape, **arguments, **{name: settings[name] for name in _CODEGAN})
