"""Prepare the training of a plan: the real images, the model, the batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from kgan import recipes
from kgan.cli.console import say, warn
from kgan.cli.plan import Plan
from kgan.units import shape_text

if TYPE_CHECKING:
    from kgan.data import Batches, Labeled
    from kgan.gan import GAN


class Prepared(NamedTuple):
    """A plan, with all that is needed to train it."""

    plan: Plan
    real: Labeled
    facts: dict[str, Any]  # about the images and the machine, for run.json
    model: GAN  # compiled
    dataset: Batches
    steps_per_epoch: int


def prepare(plan: Plan) -> Prepared:
    """Load the images and build the model; if its precision is "auto", first measure which precision is faster.

    Raises:
        ValueError, OSError: if images or settings are not valid.
    """
    from kgan import runs
    from kgan.cli import devices, workers
    from kgan.data import Batches

    batch_size = plan.settings["batch_size"]
    if plan.workers.are_several:
        strategy = workers.strategy(plan.workers, batch_size)
    else:
        strategy = devices.strategy(plan.devices, batch_size)
    real, facts = _load_images(plan.settings)
    settings, shape, classes = plan.settings, real.images.shape[1:], len(real.names)
    step_size = settings["batch_size"] * settings["d_steps"]  # a minibatch for each of Algorithm 1's k steps
    dataset = Batches(real.images, step_size, settings["seed"], real.labels if settings["conditional"] else None)
    if plan.workers.are_several:
        workers.check_same_images(strategy, dataset)
    steps_per_epoch = settings.get("steps_per_epoch") or len(dataset)
    steps = settings["epochs"] * steps_per_epoch
    with strategy.scope():
        model = recipes.build(plan.recipe, settings, shape, classes, steps)
        if settings["precision"] == "auto":
            from kgan.cli.trial import milliseconds_by_precision

            measured = milliseconds_by_precision(plan, shape, classes)
            plan = plan._replace(settings={**settings, "precision": min(measured, key=measured.get)})
            model = recipes.build(plan.recipe, plan.settings, shape, classes, steps)
    if model.classes:
        facts["classes"] = list(real.names)
    facts |= {"environment": runs.environment(), "devices": plan.devices, "workers": len(plan.workers.addresses)}
    return Prepared(plan, real, facts, model, dataset, steps_per_epoch)


def introduce(prepared: Prepared, ends: str = "") -> None:
    """Print what is trained, on which data and device, and warnings; `ends` is appended to the first line."""
    from kgan import runs

    plan, facts = prepared.plan, prepared.facts
    count, *shape = prepared.real.images.shape
    images = f"{count:,} images of {shape_text(shape)} from {plan.settings['data']}"
    shared = f" as {plan.devices} devices" if plan.devices > 1 else ""
    shared += f", {plan.workers}" if plan.workers.are_several else ""
    say(f"{plan.recipe.name}: {images}, on {facts['environment']['device']}{shared}{ends}")
    if "ignored" in facts:
        say(_file_counts(count, facts["skipped"], facts["ignored"]))
    if skipped := facts.get("skipped"):
        name, reason = next(iter(skipped.items()))
        files = "1 image file was" if len(skipped) == 1 else f"{len(skipped)} image files were"
        warn(f"{files} skipped, such as {name} ({reason}); run.json lists them")
    if gpu := runs.unused_gpu():
        warn(f"TensorFlow does not use this machine's {gpu}: pip install 'tensorflow[and-cuda]'")


def _load_images(settings: Mapping[str, Any]) -> tuple[Labeled, dict[str, Any]]:
    """The real images, and the facts about them for run.json."""
    from kgan import data

    source, size = settings["data"], settings["image_size"]
    if path := data.folder(source):
        if not path.exists():
            raise FileNotFoundError(f"there is no folder {path}: name a folder of images with --data path/to/folder")
        folder = data.folders.load(path, size, crop=settings["crop"], background=settings["background"])
        facts = {"images": folder.images.shape, "skipped": folder.skipped, "ignored": folder.ignored}
        return data.by_folders(folder), facts
    real = data.load_labeled(source, split=settings["split"], image_size=size)
    return real, {"images": real.images.shape}


def _file_counts(images: int, skipped: Mapping[str, str], ignored: Mapping[str, int]) -> str:
    """ "26 files: 20 images, 2 skipped, 4 ignored (3 .txt, 1 hidden)" """
    count = sum(ignored.values())
    kinds = sorted(ignored.items(), key=lambda item: -item[1])
    more = [f"{sum(number for _, number in kinds[5:])} others"] if len(kinds) > 5 else []
    named = ", ".join([*(f"{number} {kind}" for kind, number in kinds[:5]), *more])
    total = images + len(skipped) + count
    return f"{total:,} files: {images:,} images, {len(skipped)} skipped, {count} ignored" + (
        f" ({named})" if named else ""
    )
