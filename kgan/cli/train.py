"""`kgan train`: a recipe and its data, trained from the first step to the last, or from where a run stopped."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kgan import recipes
from kgan.cli.console import exit_with, one_sentence, say, shape_text, warn
from kgan.cli.plan import plan_new, plan_resumed
from kgan.cli.seeds import train_each

if TYPE_CHECKING:
    from kgan._backend import tf
    from kgan.cli.run import Run
    from kgan.data import Labelled


def train(
    recipe: Annotated[
        str | None, typer.Argument(metavar="[RECIPE]", help="See `kgan recipes`; dcgan-digits unless given.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="digits, a TensorFlow data set such as mnist, a folder of images, a .npy file."),
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
                typer.echo(f"{plan.directory} has all its {plan.settings['epochs']} epochs: --epochs trains it further")
                return

            from kgan.data import batches

            settings = plan.settings
            real, facts = _load_images(settings)
            count, *shape = real.images.shape
            model = recipes.build(plan.recipe, settings, shape)
            step_size = settings["batch_size"] * settings["d_steps"]  # a minibatch for each of Algorithm 1's k steps
            dataset = batches(real.images, step_size, seed=settings["seed"])
            steps = settings.get("steps_per_epoch") or count // step_size
            if not resume:
                held.enter_context(runs.lock(plan.directory))
                runs.check_free(plan.directory)  # another run may have come first
            facts |= {"environment": runs.environment()}

        where = facts["environment"]["device"]
        say(f"{plan.recipe.name}: {count:,} images of {shape_text(shape)} from {settings['data']}, on {where}")
        if skipped := facts.get("skipped"):
            name, reason = next(iter(skipped.items()))
            files = "1 image file was" if len(skipped) == 1 else f"{len(skipped)} image files were"
            warn(f"{files} skipped, such as {name} ({reason}); run.json lists them")
        if gpu := runs.unused_gpu():
            warn(f"TensorFlow does not use this machine's {gpu}: pip install 'tensorflow[and-cuda]'")

        from kgan.cli.run import Run

def _real(settings: Mapping[str, Any]) -> tuple[Labelled, dict[str, Any]]:
    """The real images, and what run.json says of them."""
    from kgan import data, folders

    source, size = settings["data"], settings["image_size"]
    if path := data.folder(source):
        if not path.exists():
            raise FileNotFoundError(f"there is no folder {path}: name yours with --data")
        folder = folders.load(path, size, crop=settings["crop"], background=settings["background"])
        facts = {"images": folder.images.shape, "skipped": folder.skipped, "other_files": folder.others}
        return data.by_folders(folder), facts
    real = data.load_labelled(source, split=settings["split"], image_size=size)
    return real, {"images": real.images.shape}


class Plan(NamedTuple):
    """A run as it is to be trained."""

    recipe: recipes.Recipe
    settings: dict[str, Any]
    directory: Path
    record: dict[str, Any]  # what its run.json says, where it was begun before

    @property
    def is_done(self) -> bool:
        """Whether there is nothing left to train."""
        return self.record.get("status") == "finished" and self.record.get("epochs") == self.settings["epochs"]


def _planned_now(name: str, given: Mapping[str, Any], out: Path | None) -> Plan:
    if name not in recipes.RECIPES and Path(name).is_dir():
        raise ValueError(f"{name} is a folder, not a recipe: kgan train dcgan-folder --data {shlex.quote(name)}")
    recipe = recipes.get(name)
    return Plan(recipe, recipes.resolve(recipe, given), out or Path("runs") / name, {})


def _planned_before(directory: Path, name: str | None, given: Mapping[str, Any], out: Path | None) -> Plan:
    """The run in a directory as it was planned; of what is given beside, only the epochs may differ."""
    from kgan import runs

    runs.sweep(directory)
    path = directory / "run.json"
    record = runs.read_json(path)
    if not isinstance(record.get("recipe"), str) or not isinstance(record.get("settings"), dict):
        raise ValueError(f"{path} names no recipe, or no settings: the run cannot be gone on with")
    try:
        recipe = recipes.get(record["recipe"])
        planned = recipes.resolve(recipe, record["settings"])
    except ValueError as error:
        raise ValueError(f"{path} cannot be gone on with: {error}") from None
    if out and out.resolve() != directory.resolve():
        raise ValueError(f"--out is {out}: a run that is resumed stays in {directory}")
    if name not in (None, recipe.name):
        raise ValueError(f"the recipe is {name}, but that of {directory} is {recipe.name}: only --epochs may change")
    settings = _findable(recipes.resolve(recipe, {**planned, **given}))
    for setting, value in planned.items():
        may_change = setting in ("epochs", "checkpoint_every", "checkpoint_minutes")
        if settings[setting] != value and not may_change:
            raise ValueError(
                f"{setting} is {settings[setting]}, but in {directory} it is {value}: only --epochs may change"
            )
    trained = any((directory / name).exists() for name in ("history.csv", "model.keras"))
    if trained and runs.next_number(directory / "checkpoint") == 1:
        raise ValueError(f"{directory} cannot be gone on with: there is no checkpoint in it. Nothing was changed")
    if _as(int, record.get("epochs")) > settings["epochs"]:
        raise ValueError(f"epochs is {settings['epochs']}, but the run in {directory} has {record['epochs']} already")
    return Plan(recipe, settings, directory, record)


def _findable(settings: dict[str, Any]) -> dict[str, Any]:
    """With the path of a data file or folder in full, so that a run can be resumed from wherever one is."""
    from kgan.data import is_folder

    is_path = settings["data"].endswith(".npy") or is_folder(settings["data"])
    return {**settings, "data": str(Path(settings["data"]).absolute())} if is_path else settings


def _train(
    plan: Plan,
    model: GAN,
    real: Labelled,
    dataset: tf.data.Dataset,
    steps: int,
    facts: Mapping[str, Any],
    with_doctor: bool,
    stop_when_sick: bool,
) -> None:
    """Train, save, and exit with what happened: 0, 1 where training failed, 2 for a mistake, 128 + a signal."""
    from kgan import callbacks, runs
    from kgan._backend import keras
    from kgan.diagnosis import Sick

    recipe, settings, directory, before = plan
    gif, every, epochs = directory / "progress.gif", settings["sample_every"], settings["epochs"]
    record = {"recipe": recipe.name, "paper": recipe.paper, "model": recipe.model, "settings": _findable(settings)}
    record |= facts
    resumed = [step for step in _as(list, before.get("resumed")) if isinstance(step, int)]
    seconds_before, began, has_begun = _as(float, before.get("seconds")), time.perf_counter(), False
    checkpoint = callbacks.Checkpoint(
        directory / "checkpoint",
        every=settings["checkpoint_every"],
        minutes=settings["checkpoint_minutes"],
        resume=True,
    )
    with one_sentence():
        of_quality = _of_quality(settings, real, directory)
        doctors = [_doctor(real, of_quality, stop_when_sick)] if with_doctor else []

    def write_record(status: str) -> None:
        end = {"status": status, "epochs": checkpoint.epoch, "seconds": seconds(), "resumed": resumed}
        end["findings"] = [finding._asdict() for doctor in doctors for finding in doctor.findings]
        runs.write_json(directory / "run.json", {**record, **end})

    def seconds() -> float:
        return round(seconds_before + time.perf_counter() - began, 1)

    def begin(logs: Any) -> None:
        nonlocal has_begun
        if step := int(model.step):
            resumed.append(step)
        for watcher in of_quality:
            record["features"] = watcher.features.name
            if watcher.features.note:
                warn(watcher.features.note)
        write_record("running")
        has_begun = True

    watchers = [
        callbacks.StopOnNaN(),
        *of_quality,
        keras.callbacks.LambdaCallback(on_train_begin=begin),  # once features are chosen
        callbacks.HistoryCSV(directory / "history.csv"),
        callbacks.SampleGrid(
            directory / "samples", every=every, iterations=_numbers(settings.get("chosen_iterations"))
        ),
        callbacks.EpochGIF(gif, every=every),
        callbacks.ChosenEpochs(directory / "epochs.png", _numbers(settings["chosen_epochs"])),
        callbacks.LossCurves(directory / "losses.png"),
        *_of_codes(recipe, directory),
        *doctors,
        checkpoint,
        keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: write_record("running")),
    ]

    def fit() -> str:
        with _progress(epochs, steps) as progress:
            each = [*watchers, progress, stopper]
            try:
                model.fit(dataset, epochs=epochs, steps_per_epoch=steps, verbose=0, callbacks=each)
            except _Stopped:
                checkpoint.save()
                return "interrupted"
        return "finished"

    with _stop_between_steps() as stopper:
        try:
            if not before:
                write_record("running")  # first of all, so that what follows can be gone on with
            try:
                status, is_good = fit(), True
            except (FloatingPointError, Sick) as error:
                status, is_good = str(error), False
                with contextlib.suppress(ValueError):  # all checkpoints are damaged
                    is_good = checkpoint.restore() and int(model.step) > 0
            if is_good:
                with runs.replacing(directory / "model.keras") as temporary:
                    model.save(temporary)
            write_record(status)
        except KeyboardInterrupt:  # a second signal: leave at once; the last checkpoint is whole
            raise typer.Exit(128 + (stopper.signal or signal.SIGINT)) from None
        except (ValueError, OSError) as error:
            if not has_begun:
                raise exit_with(error, 2) from None
            if isinstance(error, ValueError):  # no mistake of the user's
                raise
            reason = getattr(error, "strerror", None) or error
            raise exit_with(
                f"{directory} cannot be written to: {reason}; once it can, {_go_on(directory)}", 1
            ) from None

    if status not in ("finished", "interrupted"):
        kept = f"model and checkpoint are of epoch {checkpoint.epoch}, before that" if is_good else "no model is saved"
        raise exit_with(f"{status}; what was drawn before is in {directory}, {kept}", 1)
    typer.echo(f"{status} after {checkpoint.epoch} epochs and {_clock(seconds())}; everything is in {directory}")
    if gif.exists():
        typer.echo(f"GIF: {gif}")
    if status == "interrupted":
        typer.echo(_go_on(directory))
        raise typer.Exit(128 + stopper.signal)


def _of_codes(recipe: recipes.Recipe, directory: Path) -> list[keras.callbacks.Callback]:
    """What is drawn of a CodeGAN beside the rest."""
    from kgan import callbacks

    if recipe.model != "CodeGAN":
        return []
    return [callbacks.CodeCurves(directory / "codes.png"), callbacks.CodeColumns(directory / "reconstructions.png")]


def _of_quality(settings: Mapping[str, Any], real: Labelled, directory: Path) -> list[Quality]:
    """What measures quality, where it is wished for; before the callbacks that write its figures down."""
    from kgan import callbacks

    every = settings["quality_every"]
    return [callbacks.Quality(real, every=every, keep_best=directory / "best.keras")] if every else []


def _doctor(real: Labelled, of_quality: Sequence[Quality], stop_when_sick: bool) -> Doctor:
    """One that speaks on stderr, as nobody closes that early, and knows classes where quality is measured by them."""
    from kgan import callbacks

    def say(finding: Any) -> None:
        typer.echo(f"doctor: {finding}", err=True)

    def classify(images: np.ndarray) -> np.ndarray | None:
        return of_quality[0].features.probabilities(images)  # chosen when training begins

    known = classify if of_quality else None
    return callbacks.Doctor(real.images, classify=known, say=say, stop_when_sick=stop_when_sick)


def _numbers(text: str | None) -> list[int]:
    """ "1,10" → [1, 10]"""
    return [int(number) for number in text.split(",")] if text else []


def _go_on(directory: Path) -> str:
    return f"go on with: kgan train --resume {shlex.quote(str(directory))}"


def _as(kind: type, value: Any) -> Any:
    """The value, or where it is of another kind, an empty one: a file may say anything."""
    return value if isinstance(value, kind) else kind()


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
        facts = {"images": folder.images.shape, "skipped": folder.skipped, "other_files": folder.others}
        return data.by_folders(folder), facts
    real = data.load_labelled(source, split=settings["split"], image_size=size)
    return real, {"images": real.images.shape}


def _train(run: Run, dataset: tf.data.Dataset, steps_per_epoch: int) -> None:
    """Train, and exit with what happened: 0, 1 where training failed, 2 for a mistake, 128 + a signal."""
    from kgan import runs
    from kgan.cli.signals import stop_between_steps

    directory = run.plan.directory
    resume = f"resume with: {runs.resume_command(directory)}"
    with stop_between_steps() as stopper:
        try:
            status, is_saved = run.train(dataset, steps_per_epoch, stopper)
        except KeyboardInterrupt:  # a second signal: leave at once; the last checkpoint is whole
            raise typer.Exit(128 + (stopper.signal or signal.SIGINT)) from None
        except (ValueError, OSError) as error:
            if not run.record.has_begun:
                raise exit_with(error, 2) from None
            if isinstance(error, ValueError):  # no mistake of the user's
                raise
            reason = getattr(error, "strerror", None) or error
            raise exit_with(f"{directory} cannot be written to: {reason}; once it can, {resume}", 1) from None

    epochs = run.checkpoint.epoch
    if status not in ("finished", "interrupted"):
        kept = f"model and checkpoint are of epoch {epochs}, before that" if is_saved else "no model is saved"
        raise exit_with(f"{status}; what was drawn before is in {directory}, {kept}", 1)
    typer.echo(f"{status} after {epochs} epochs and {_clock(run.record.seconds)}; everything is in {directory}")
    if run.gif.exists():
        typer.echo(f"GIF: {run.gif}")
    if status == "interrupted":
        typer.echo(resume)
        raise typer.Exit(128 + stopper.signal)


def _clock(seconds: float) -> str:
    """75 → "1:15"."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
