"""`kgan plan`: how long a run will take, and how much memory and disk it needs, before it is started."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from kgan import recipes
from kgan.cli.console import one_sentence, say
from kgan.cli.options import (
    BatchSize,
    Changes,
    Data,
    Devices,
    Epochs,
    ImageSize,
    Out,
    Precision,
    RecipeName,
    Seed,
    WithDoctor,
    assignments,
    given_settings,
)
from kgan.cli.plan import Plan, plan_new
from kgan.units import clock, duration, size

if TYPE_CHECKING:
    from kgan.cli.prepare import Prepared


def plan(
    recipe: RecipeName = None,
    data: Data = None,
    image_size: ImageSize = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    seed: Seed = None,
    precision: Precision = None,
    devices: Devices = None,
    out: Out = None,
    with_doctor: WithDoctor = True,
    changes: Changes = None,
) -> None:
    """Say how long a run would take: train a few steps of it, and save nothing."""
    with one_sentence():
        given = given_settings(data, image_size, epochs, batch_size, seed, precision) | assignments(changes or [])
        wanted = plan_new(recipe or recipes.DEFAULT, given, out)._replace(devices=devices or 1)

        from kgan import networks, runs
        from kgan.cli import trial
        from kgan.cli.prepare import introduce, prepare

        prepared = prepare(wanted)
        introduce(prepared)
        forecast = trial.forecast(prepared, with_doctor)
    settings, model = prepared.plan.settings, prepared.model
    seconds = forecast.seconds(settings["epochs"])
    end = datetime.datetime.now().astimezone() + datetime.timedelta(seconds=seconds)
    rows = [
        (
            network.name,
            f"{network.count_params():,} weights, {networks.multiply_adds(network):,} multiply-adds an image",
        )
        for network in (model.generator, model.discriminator)
    ]
    images = settings["batch_size"] * settings["d_steps"]
    rows += [
        ("a step", f"{forecast.step * 1000:.3g} ms for {images} images"),
        (
            "an epoch",
            f"{duration(forecast.epoch)}: {forecast.steps_per_epoch:,} steps, and "
            f"{duration(forecast.between_epochs)} for pictures, checkpoint and checks",
        ),
        ("the run", f"{duration(seconds)} for {settings['epochs']} epochs, until {clock(end)} if it began now"),
        ("disk", f"{size(forecast.disk(settings['epochs'], settings))} in {prepared.plan.directory}"),
    ]
    if peak := runs.peak_memory():
        rows.append(("memory", f"{size(peak)} so far, the images among them"))
    rows.append(("precision", _precision(wanted, prepared)))
    for name, what in rows:
        say(f"{name:14} {what}")


def _precision(wanted: Plan, prepared: Prepared) -> str:
    """What `--precision auto` would choose, and why."""
    from kgan.cli import trial

    plan, model = prepared.plan, prepared.model
    measured = trial.milliseconds_by_precision(plan, model.data_shape, model.classes)
    times = ", ".join(f"{name} takes {milliseconds:.3g} ms a step" for name, milliseconds in measured.items())
    return f"{plan.settings['precision']}; {times}: auto takes {min(measured, key=measured.get)}"
