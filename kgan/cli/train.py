"""`kgan train`: a recipe and its data, trained from the first step to the last, or from where a run stopped."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kgan import recipes
from kgan.cli.console import debug, exit_with, is_mistake, one_sentence, say, sentence, shape_text, warn
from kgan.cli.plan import plan_new, plan_resumed
from kgan.cli.seeds import train_each

if TYPE_CHECKING:
    from kgan.cli.run import Run
    from kgan.data import Batches, Labelled


def train(
    recipe: Annotated[
        str | None, typer.Argument(metavar="[RECIPE]", help="See `kgan recipes`; dcgan-digits unless given.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="digits, a TensorFlow data set such as mnist, a folder of images, a .npy, .npz or .h5 file."),
    ] = None,
    image_size: Annotated[int | None, typer.Option(help="Height and width in pixels.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data, those before --resume included.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images in a minibatch.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same run.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run directory, runs/RECIPE unless given.")] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Resume the run in DIR, to its end or to other --epochs.")
    ] = None,
    stop_when_sick: Annotated[
        bool, typer.Option("--stop-when-sick", help="End the run when the doctor finds something wrong.")
    ] = False,
    with_doctor: Annotated[
        bool, typer.Option("--doctor/--no-doctor", help="Whether to check each epoch for what can go wrong.")
    ] = True,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any setting of the recipe: see `kgan recipes RECIPE`."),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, max=1000, help="Train so many seeds one after the other, into folders seed-0, …."),
    ] = None,
) -> None:
    """Train a recipe; its GIF, pictures, curves and model go into a run directory."""
    if seeds:
        train_each(train, seeds, **{name: value for name, value in locals().items() if name != "seeds"})
        return
    from kgan import runs

    options = {"data": data, "image_size": image_size, "epochs": epochs, "batch_size": batch_size, "seed": seed}
    given = {name: value for name, value in options.items() if value is not None}
    with contextlib.ExitStack() as held:
        with one_sentence():
            if stop_when_sick and not with_doctor:
                raise ValueError("--stop-when-sick needs the doctor: leave out --no-doctor")
            given |= _assignments(changes or [])
            if resume:
                runs.check_is_run(resume)
                held.enter_context(runs.lock(resume))
                plan = plan_resumed(resume, recipe, given, out)
            else:
                plan = plan_new(recipe or "dcgan-digits", given, out)
                runs.check_free(plan.directory)
            if plan.is_done:
                say(f"{plan.directory} has all its {plan.settings['epochs']} epochs: --epochs trains it further")
                return

            from kgan.data import Batches

            settings = plan.settings
            real, facts = _load_images(settings)
            count, *shape = real.images.shape
            model = recipes.build(plan.recipe, settings, shape)
            step_size = settings["batch_size"] * settings["d_steps"]  # a minibatch for each of Algorithm 1's k steps
            dataset = Batches(real.images, step_size, seed=settings["seed"])
            steps = settings.get("steps_per_epoch") or len(dataset)
            if not resume:
                held.enter_context(runs.lock(plan.directory))
                runs.check_free(plan.directory)  # another run may have come first
            facts |= {"environment": runs.environment()}

        where = facts["environment"]["device"]
        say(f"{plan.recipe.name}: {count:,} images of {shape_text(shape)} from {settings['data']}, on {where}")
        if "ignored" in facts:
            say(_file_counts(count, facts["skipped"], facts["ignored"]))
        if skipped := facts.get("skipped"):
            name, reason = next(iter(skipped.items()))
            files = "1 image file was" if len(skipped) == 1 else f"{len(skipped)} image files were"
            warn(f"{files} skipped, such as {name} ({reason}); run.json lists them")
        if gpu := runs.unused_gpu():
            warn(f"TensorFlow does not use this machine's {gpu}: pip install 'tensorflow[and-cuda]'")

        from kgan.cli.run import Run

        with one_sentence():
            run = Run(plan, model, real, facts, with_doctor, stop_when_sick)
        _train(run, dataset, steps)


def _assignments(changes: Sequence[str]) -> dict[str, str]:
    """["filters=32"] → {"filters": "32"}"""
    for change in changes:
        if "=" not in change:
            raise ValueError(f"--set {change}: write it as name=value")
    return {name.strip(): value.strip() for name, value in (change.split("=", 1) for change in changes)}


def _load_images(settings: Mapping[str, Any]) -> tuple[Labelled, dict[str, Any]]:
    """The real images, and what run.json says of them."""
    from kgan import data

    source, size = settings["data"], settings["image_size"]
    if path := data.folder(source):
        if not path.exists():
            raise FileNotFoundError(f"there is no folder {path}: name yours with --data")
        folder = data.folders.load(path, size, crop=settings["crop"], background=settings["background"])
        facts = {"images": folder.images.shape, "skipped": folder.skipped, "ignored": folder.ignored}
        return data.by_folders(folder), facts
    real = data.load_labelled(source, split=settings["split"], image_size=size)
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


def _train(run: Run, dataset: Batches, steps_per_epoch: int) -> None:
    """Train, and exit with what happened: 0, 1 where training failed, 2 for a mistake, 128 + a signal."""
    from kgan import runs
    from kgan.cli.signals import stop_between_steps

    directory = run.plan.directory
    resume = f"resume with: {runs.resume_command(directory)}"
    with stop_between_steps() as stopper:
        try:
            status, is_saved = run.train(dataset, steps_per_epoch, stopper)
        except KeyboardInterrupt:  # a second signal: leave at once; the last checkpoint is whole
            _write_down(run, "interrupted")
            say(f"interrupted at once; {resume}")
            raise typer.Exit(128 + (stopper.signal or signal.SIGINT)) from None
        except (ValueError, OSError) as error:
            if not run.record.has_begun and is_mistake(error) and not debug():
                raise exit_with(error, 2) from None
            if isinstance(error, ValueError):  # no mistake of the user's
                _write_down(run, _ended_by(error))
                raise
            reason = getattr(error, "strerror", None) or error
            _write_down(run, f"could not be written: {reason}")
            raise exit_with(f"{directory} cannot be written to: {reason}; once it can, {resume}", 1) from None
        except Exception as error:  # such as too little memory
            _write_down(run, _ended_by(error))
            raise

    epochs = run.checkpoint.epoch
    if status not in ("finished", "interrupted"):
        kept = f"model and checkpoint are of epoch {epochs}, before that" if is_saved else "no model is saved"
        say(_after_failure(run, resume))
        raise exit_with(f"{status}; what was drawn before is in {directory}, {kept}", 1)
    say(f"{status} after {epochs} epochs and {_clock(run.record.seconds)}; everything is in {directory}")
    if run.gif.exists():
        say(f"GIF: {run.gif}")
    if status == "interrupted":
        say(resume)
        raise typer.Exit(128 + stopper.signal)
    say(f"see how good it is: {runs.command('evaluate', directory)}")


def _write_down(run: Run, status: str) -> None:
    """Say in run.json how the run ended, if the disk has room for so little."""
    with contextlib.suppress(OSError):
        run.record.write(status)


def _ended_by(error: Exception) -> str:
    return f"ended by {type(error).__name__}: {sentence(error)[:200]}"


def _after_failure(run: Run, resume: str) -> str:
    """What to try: a sick run can be resumed, one with NaN would meet the same NaN."""
    from kgan import runs

    if any(doctor.stop_when_sick and doctor.findings for doctor in run.doctors):
        return f"to train it further all the same, {resume}"
    directory, settings, recipe = run.plan.directory, run.plan.settings, run.plan.recipe
    usual = recipes.resolve(recipe, {})
    wanted = {name: value for name, value in settings.items() if value != usual[name]}
    wanted |= {name: f"{settings[name] / 2:g}" for name in ("d_learning_rate", "g_learning_rate") if name in settings}
    changes = [part for name, value in wanted.items() for part in ("--set", f"{name}={value}")]
    out = directory.with_name(f"{directory.name}-half-the-learning-rates")
    return f"try smaller learning rates: {runs.command('train', recipe.name, *changes, '--out', out)}"


def _clock(seconds: float) -> str:
    """75 → "1:15"."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
