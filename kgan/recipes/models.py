"""Builds the model of a recipe."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kgan.errors import Mistake
from kgan.recipes.schema import MODEL, Recipe, names

if TYPE_CHECKING:
    from kgan.gan import GAN

PRECISIONS = ("float32", "bfloat16", "auto")
SCHEDULES = ("constant", "linear", "cosine")


def image_shape(recipe: Recipe) -> tuple[int, int, int]:
    """(height, width, channels) of the images that the recipe is meant for.

    Example:
        >>> kgan.recipes.image_shape(kgan.recipes.get("dcgan-cats"))
        (128, 128, 3)
    """
    return recipe["image_size"], recipe["image_size"], 1 if recipe["data"] in ("digits", "mnist") else 3


def classes(recipe: Recipe) -> int:
    """The number of classes of the recipe's model, for the data that it is meant for; 0 if it is not conditional.

    Example:
        >>> kgan.recipes.classes(kgan.recipes.get("dcgan-digits"))
        0
    """
    return 10 if recipe["conditional"] else 0  # all data sets of conditional recipes have ten


def build(
    recipe: Recipe, settings: Mapping[str, Any], image_shape: Sequence[int], classes: int = 0, steps: int = 0
) -> GAN:
    """The recipe's model for images of a shape, compiled.

    Args:
        recipe: see `kgan.recipes.get`.
        settings: see `kgan.recipes.resolve`. Precision "auto" is float32: `kgan train` measures before it builds.
        image_shape: (height, width, channels).
        classes: number of classes of the data, for a conditional model.
        steps: number of steps of the whole training, for learning rates that fall.

    Raises:
        ValueError: for an image size, or a depth, that the networks cannot have; a conditional model without classes;
            falling learning rates without steps.

    Example:
        >>> recipe = kgan.recipes.get("dcgan-digits")
        >>> model = kgan.recipes.build(recipe, kgan.recipes.resolve(recipe, {}), (28, 28, 1))
    """
    from kgan._backend import keras

    model = build_uncompiled(recipe, settings, image_shape, classes)
    adam = {"epsilon": settings.get("epsilon", 1e-7), "weight_decay": settings.get("weight_decay")}
    model.compile(
        d_optimizer=keras.optimizers.Adam(_learning_rate("d", settings, steps), settings["d_beta_1"], **adam),
        g_optimizer=keras.optimizers.Adam(_learning_rate("g", settings, steps), settings["g_beta_1"], **adam),
        loss=settings["loss"],
        label_smoothing=settings["label_smoothing"],
        top_k=settings["top_k"],
        penalties=[(name, settings["penalty_weight"]) for name in names(settings["penalty"])],
        penalty_every=settings["penalty_every"],
        steps_per_execution=settings["steps_per_execution"],
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
    """The model of `build` before `compile`: it has its two networks, but no optimizers.

    Example:
        >>> recipe = kgan.recipes.get("dcgan-digits")
        >>> kgan.recipes.build_uncompiled(recipe, kgan.recipes.resolve(recipe, {}), (28, 28, 1)).compiled
        False
    """
    arguments = {name: settings[name] for name in MODEL if name in settings}
    if arguments.pop("conditional"):
        if not classes:
            raise Mistake(
                f"conditional is true, but {settings['data']} has no classes: its images have no labels; "
                "conditional=false needs none"
            )
        arguments["classes"] = classes
    arguments["augment"] = names(arguments["augment"])
    if noise := arguments.pop("noise", 0):
        arguments["augment"] = [("instance_noise", noise), *arguments["augment"]]
    arguments["d_norm"] = None if arguments["d_norm"] == "same" else arguments["d_norm"]
    with _precision(settings["precision"]):
        return _model(recipe, settings, image_shape, arguments)


def _model(recipe: Recipe, settings: Mapping[str, Any], image_shape: Sequence[int], arguments: dict[str, Any]) -> GAN:
    from kgan import networks
    from kgan.codegan import CodeGAN
    from kgan.dcgan import DCGAN
    from kgan.gan import GAN

    if recipe.model == "GAN":
        own = ("latent_dim", "hidden_units", "norm", "d_norm", "packing")
        latent_dim, hidden_units, norm, d_norm, packing = (arguments.pop(name) for name in own)
        both = {"classes": arguments.get("classes", 0), "seed": settings["seed"]}
        return GAN(
            networks.dense_generator(image_shape, latent_dim, hidden_units, norm=norm, **both),
            networks.dense_discriminator(image_shape, hidden_units, norm=d_norm or norm, packing=packing, **both),
            **arguments,
        )
    kind = {"DCGAN": DCGAN, "CodeGAN": CodeGAN}[recipe.model]
    return kind(image_shape, **{**arguments, "depth": settings["depth"] or None})


@contextlib.contextmanager
def _precision(name: str) -> Iterator[None]:
    """Within the block, layers compute in this precision; their weights are always float32."""
    from kgan._backend import keras

    before = keras.config.dtype_policy()
    if name == "bfloat16":
        keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
