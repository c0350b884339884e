"""Train a recipe, from Python or by `kgan train`: settings, data, model, callbacks, fit, save, in this order."""

from __future__ import annotations

import base64
import contextlib
import html
import importlib
import importlib.util
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kgan import placement, recipes, runs
from kgan.errors import Mistake
from kgan.units import shape_text

if TYPE_CHECKING:
    from PIL.Image import Image

    from kgan._backend import keras, tf
    from kgan.callbacks import Checkpoint
    from kgan.callbacks.run import RunRecord
    from kgan.data import Batches, Labeled
    from kgan.gan import GAN

TRACKERS = ("tensorboard", "wandb", "trackio")
MAY_CHANGE = ("epochs", "checkpoint_every", "checkpoint_minutes")  # settings of a run that is resumed


class Run:
    """A run: its directory, and what training left there. In a notebook it shows its GIF.

    Attributes:
        directory: the run directory.
        record: the content of `run.json`.
        settings: the settings that it was trained with.
        history: {"epoch": […], "d_loss": […], …}; empty before the first epoch.
        model: the model, compiled.

    Example:
        >>> run = train("gan-digits", epochs=1, hidden_units=16, verbose=0)
        >>> Run.load("runs/gan-digits").sample(16).save("sixteen.png")
    """

    def __init__(self, directory: str | Path, model: GAN | None = None) -> None:
        self.directory = Path(directory).expanduser()
        self._model = model

    @classmethod
    def load(cls, directory: str | Path) -> Run:
        """Open the run in a directory; FileNotFoundError if there is none."""
        runs.check_is_run(directory)
        return cls(directory)

    @property
    def record(self) -> dict[str, Any]:
        return runs.read_json(self.directory / "run.json")

    @property
    def settings(self) -> dict[str, Any]:
        return self.record["settings"]

    @property
    def history(self) -> dict[str, list[float]]:
        table = self.directory / "history.csv"
        return runs.read_history(table) if table.exists() else {}

    @property
    def model(self) -> GAN:
        if self._model is None:
            self._model = runs.load_model(self.directory)
        return self._model

    def sample(self, count: int = 64, *, labels: Sequence[int] | None = None, seed: int = 0) -> Image:
        """A picture of samples in a grid; `model.generate` gives the same samples as an array.

        Args:
            count: how many. With labels there is one sample for each of them.
            labels: the classes to draw, for a conditional model: whole numbers from 0.
            seed: seed of the codes.
        """
        from kgan import plots

        return plots.image_grid(self.model.generate(count if labels is None else None, labels=labels, seed=seed))

    def __repr__(self) -> str:
        return f"Run({str(self.directory)!r})"

    def _repr_html_(self) -> str:
        name, gif = html.escape(str(self.directory)), self.directory / "progress.gif"
        if not gif.exists():
            return f"<p>{name} has no GIF yet</p>"
        content = base64.b64encode(gif.read_bytes()).decode()
        return f'<img src="data:image/gif;base64,{content}" alt="samples, epoch by epoch"><p>{name}</p>'


class Interrupted(KeyboardInterrupt):
    """A signal with this number, such as Ctrl-C, ended training; the directory of `run` holds what was trained."""

    def __init__(self, message: str, run: Run, number: int) -> None:
        super().__init__(message)
        self.run, self.signal = run, number


def train(
    recipe: str | None = None,
    *,
    data: str | Path | None = None,
    out: str | Path | None = None,
    epochs: int | None = None,
    resume: str | Path | None = None,
    devices: int | None = None,
    precision: str | None = None,
    seed: int | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int | str = "auto",
    doctor: bool = True,
    stop_when_sick: bool = False,
    log: str | None = None,
    **settings: Any,
) -> Run:
    """Train a recipe. Its GIF, pictures, curves and model go into a run directory.

    Args:
        recipe: a name in `kgan.recipes.RECIPES`; default: "modern-digits".
        data: the name of a data set, a folder of images or a file: see `kgan.data.load`.
        out: the run directory; default: runs/RECIPE.
        epochs: passes over the data, counted from the beginning of the run.
        resume: the directory of a run to resume, to its end or to the given `epochs`. The result is that of a run that
            was never stopped, bit for bit on a CPU.
        devices: how many GPUs share each minibatch; without GPUs, how many parts of the CPU.
        precision: "float32", "bfloat16", or "auto", which measures both and takes the faster one.
        seed: the same seed gives the same run.
        callbacks: more callbacks, Keras' or kgan's. They are called after those that draw, measure and save.
        verbose: "auto" shows a live picture in a notebook and a progress line elsewhere; 1: the line; 0: nothing.
        doctor: whether to check after each epoch if something goes wrong: see `kgan.callbacks.Doctor`.
        stop_when_sick: whether the doctor's first finding ends the run.
        log: an experiment tracker that gets metrics and samples too: "tensorboard", "wandb" or "trackio".
        **settings: any setting of the recipe, such as image_size, batch_size or filters: `kgan recipes RECIPE` lists
            them with their reasons.

    Returns:
        The run. One that has all its epochs already is returned as it is.

    Raises:
        Mistake: before training, for a setting, data or a directory that cannot be right.
        OSError: for data that cannot be read, a directory that is taken, or a full disk.
        FloatingPointError: if a loss or a weight is NaN or infinite; the last good model is saved.
        Sick: the doctor's finding, with `stop_when_sick`; the last healthy model is saved.
        Interrupted: after Ctrl-C, SIGTERM or SIGHUP and the end of the current step; everything is saved.
        ConnectionError: if one of several workers was lost.
        MemoryError: with a batch size that fits; the run directory can be resumed, on a larger machine.

    Example:
        >>> run = train("gan-digits", epochs=2, hidden_units=16, out="runs/two", verbose=0)
        >>> len(run.history["d_loss"])
        2
    """
    if stop_when_sick and not doctor:
        raise Mistake("stop_when_sick needs the doctor: leave out doctor=False")
    _check_tracker(log)
    if data is not None and not isinstance(data, (str, Path)):
        raise Mistake(
            f"data is a {type(data).__name__}: name a data set, a folder or a file, which the run can be resumed from; "
            "an array goes to fit"
        )
    changes = as_settings(data=data, epochs=epochs, precision=precision, seed=seed, **settings)
    say = print_line if verbose else lambda line, **where: None

    from kgan.callbacks.run import RunRecord

    with contextlib.ExitStack() as held:
        with placement.telling_refusals():
            # Settings
            if resume is None:
                recipe, settings, directory = new_run(recipe, changes, out)
                runs.check_free(directory)
                before: dict[str, Any] = {}  # the content of run.json
            else:
                directory = Path(resume).expanduser()
                runs.check_is_run(directory)
                held.enter_context(_locked(directory))
                if placement.workers().is_chief:
                    runs.remove_partial_files(directory)  # and refuse links that lead out of the run
                recipe, settings, before = resumed_run(directory, recipe, changes, out)
                if before.get("status") == "finished" and before.get("epochs") == settings["epochs"]:
                    if placement.workers().addresses:  # the others must have found the same
                        same = {"recipe": recipe.name, "settings": settings, "epochs": before["epochs"]}
                        placement.agree(placement.strategy(1, settings), **same)
                    say(f"{directory} has all its {settings['epochs']} epochs: --epochs trains it further")
                    return Run(directory)
            devices = devices or before.get("devices") or 1
            strategy = placement.strategy(devices, settings)

            # Data
            real, facts = load_images(settings)
            batches = make_batches(settings, real)
        placement.agree(strategy, recipe=recipe.name, settings=settings, epochs=before.get("epochs"), images=batches)

        # Model
        model, settings = build(recipe, settings, real, batches, strategy)
        if resume is None:
            held.enter_context(_locked(directory))
            if placement.workers().is_chief:
                runs.check_free(directory)  # another run may have come first
        facts |= {"devices": devices, "workers": max(1, len(placement.workers().addresses))}
        facts |= {"environment": runs.environment()}
        facts |= {"classes": list(real.names)} if model.classes else {}
        _introduce(recipe, settings, real, facts, say)

        # Callbacks
        parts = run_callbacks(directory, recipe, settings, real, doctor, stop_when_sick, say)
        trackers = [_tracker(log, directory, settings)] if log else []
        *shown, watch = _progress(verbose, settings, steps_of_epoch(settings, batches))
        content = {"recipe": recipe.name, "paper": recipe.paper, "model": recipe.model}
        content |= {"settings": _with_absolute_data(settings), **facts}
        record = RunRecord(directory, content, before, parts, watch)

        # Fit and save
        run = Run(directory, model)
        every = [*parts.values(), *trackers, *shown, *callbacks, record, watch]
        _fit_and_save(run, settings, batches, every, record, parts["checkpoint"], say)
    return run


# Settings


def as_settings(**given: Any) -> dict[str, Any]:
    """Settings as recipes have them: those that are given, lists as "a,b", paths as text."""
    for name, value in given.items():
        if isinstance(value, (list, tuple)):
            given[name] = ",".join(map(str, value)) or "none"
        elif isinstance(value, Path):
            given[name] = str(value)
    return {name: value for name, value in given.items() if value is not None}


def new_run(
    name: str | None, changes: Mapping[str, Any], out: str | Path | None
) -> tuple[recipes.Recipe, dict[str, Any], Path]:
    """The recipe, the settings and the directory of a new run."""
    name = name or recipes.DEFAULT
    if name not in recipes.RECIPES and Path(name).is_dir():
        command = runs.command("train", "modern-folder", "--data", name)
        raise Mistake(f"{name} is a folder, not a recipe: {command}")
    recipe = recipes.get(name)
    return recipe, recipes.resolve(recipe, changes), Path(out or Path("runs") / name).expanduser()


def resumed_run(
    directory: Path, name: str | None, changes: Mapping[str, Any], out: str | Path | None
) -> tuple[recipes.Recipe, dict[str, Any], dict[str, Any]]:
    """The recipe and the settings of a run that is resumed, and the content of its run.json."""
    path = directory / "run.json"
    kinds = {"epochs": int, "devices": int, "seconds": (int, float), "resumed": list}
    before = {name: value for name, value in runs.read_json(path).items() if isinstance(value, kinds.get(name, object))}
    if not isinstance(before.get("recipe"), str) or not isinstance(before.get("settings"), dict):
        raise Mistake(f"{path} names no recipe, or no settings: the run cannot be resumed")
    try:
        recipe = recipes.get(before["recipe"])
        planned = recipes.resolve(recipe, before["settings"])
    except Mistake as mistake:
        raise Mistake(f"{path} cannot be resumed: {mistake}") from None
    if out and Path(out).expanduser().resolve() != directory.resolve():
        raise Mistake(f"--out is {out}: a run that is resumed stays in {directory}")
    if name not in (None, recipe.name):
        raise Mistake(f"the recipe is {name}, but that of {directory} is {recipe.name}, and stays")
    settings = _with_absolute_data(recipes.resolve(recipe, {**planned, **changes}))
    # Files and folders may have moved: the checkpoint refuses other images.
    has_moved = Path(planned["data"]).is_absolute() and Path(settings["data"]).is_absolute()
    may_change = {*MAY_CHANGE, "data"} if has_moved else MAY_CHANGE
    for setting, value in planned.items():
        if settings[setting] != value and setting not in may_change:
            raise Mistake(
                f"{setting} is {settings[setting]}, but in {directory} it is {value}: only epochs, how often "
                "checkpoints are written, and the place of the same data may change"
            )
    if settings["epochs"] != planned["epochs"] and settings["learning_rate_schedule"] != "constant":
        raise Mistake(
            f"epochs is {settings['epochs']}, but the learning rates of the run in {directory} fall over its "
            f"{planned['epochs']} epochs ({settings['learning_rate_schedule']}): it cannot be made longer or shorter"
        )
    if Path(settings["data"]).is_absolute() and not Path(settings["data"]).exists():
        raise Mistake(
            f"the images of {directory} are no longer in {settings['data']}: say with --data where they are now"
        )
    trained = any((directory / name).exists() for name in ("history.csv", "model.keras"))
    if trained and runs.next_number(directory / "checkpoint") == 1:
        raise Mistake(f"{directory} cannot be resumed: there is no checkpoint in it. Nothing was changed")
    if before.get("epochs", 0) > settings["epochs"]:
        raise Mistake(f"epochs is {settings['epochs']}, but the run in {directory} has {before['epochs']} already")
    return recipe, settings, before


def _with_absolute_data(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings with the absolute path of a data file or folder, to resume a run from any working directory."""
    from kgan.data import is_array_file, is_folder

    is_path = is_array_file(settings["data"]) or is_folder(settings["data"])
    return {**settings, "data": str(Path(settings["data"]).expanduser().absolute())} if is_path else settings


def _check_tracker(name: str | None) -> None:
    if name and name not in TRACKERS:
        raise Mistake(f"log is {name}: choose one of {', '.join(TRACKERS)}")
    if name and importlib.util.find_spec(name) is None:
        raise ImportError(f"{name} is not installed: pip install {name}")


def _locked(directory: Path) -> contextlib.AbstractContextManager[None]:
    """Reserve the directory for this run. Of several workers only the chief writes to it."""
    return runs.lock(directory) if placement.workers().is_chief else contextlib.nullcontext()


# Data


def load_images(settings: Mapping[str, Any]) -> tuple[Labeled, dict[str, Any]]:
    """The real images, and what `run.json` says of them."""
    from kgan import data

    options = {name: settings[name] for name in ("split", "image_size", "crop", "background")}
    real = data.load_labeled(settings["data"], **options)
    files = {"skipped": real.skipped, "ignored": real.ignored} if data.is_folder(settings["data"]) else {}
    return real, {"images": real.images.shape, **files}


def make_batches(settings: Mapping[str, Any], real: Labeled) -> Batches:
    """The batches of a run: `batch_size` images for each of the k discriminator steps of Algorithm 1."""
    from kgan.data import Batches

    labels = real.labels if settings["conditional"] else None
    return Batches(real.images, settings["batch_size"] * settings["d_steps"], settings["seed"], labels)


def steps_of_epoch(settings: Mapping[str, Any], batches: Batches) -> int:
    """As many as the recipe says, or as the data have."""
    return settings.get("steps_per_epoch") or len(batches)


# Model


def build(
    recipe: recipes.Recipe,
    settings: dict[str, Any],
    real: Labeled,
    batches: Batches,
    strategy: tf.distribute.Strategy,
) -> tuple[GAN, dict[str, Any]]:
    """The recipe's model for these images, compiled, and the settings with the precision that it has."""
    from kgan import speed

    shape, classes = real.images.shape[1:], len(real.names)
    steps = settings["epochs"] * steps_of_epoch(settings, batches)
    with strategy.scope():
        if settings["precision"] == "auto":
            tried = [{**settings, "precision": name} for name in ("float32", "bfloat16")]
            models = [recipes.build(recipe, each, shape, classes, steps) for each in tried]
            measured = speed.milliseconds_a_step(models, [settings["batch_size"]] * 2, rounds=3)
            settings = tried[measured.index(min(measured))]
        try:
            return recipes.build(recipe, settings, shape, classes, steps), settings
        except speed.OUT_OF_MEMORY:
            raise MemoryError("there is not enough memory for networks of this size: make them smaller") from None


def _introduce(
    recipe: recipes.Recipe,
    settings: Mapping[str, Any],
    real: Labeled,
    facts: Mapping[str, Any],
    say: Callable[..., None],
) -> None:
    """Say what is trained, on which data and device, and warn of what may not be meant."""
    count, *shape = real.images.shape
    on = facts["environment"]["device"] + (f" as {facts['devices']} devices" if facts["devices"] > 1 else "")
    on += f", {placement.workers()}" if placement.workers().addresses else ""
    say(f"{recipe.name}: {count:,} images of {shape_text(shape)} from {settings['data']}, on {on}")
    skipped, ignored = facts.get("skipped"), facts.get("ignored")
    if ignored is not None:
        usual = Counter(ignored).most_common(5)
        others = sum(ignored.values()) - sum(number for _, number in usual)
        named = ", ".join([f"{number} {kind}" for kind, number in usual] + [f"{others} others"] * bool(others))
        rest = f"{sum(ignored.values())} ignored" + (f" ({named})" if named else "")
        say(f"{count + len(skipped) + sum(ignored.values()):,} files: {count:,} images, {len(skipped)} skipped, {rest}")
    if skipped:
        name, reason = next(iter(skipped.items()))
        files = "1 image file was" if len(skipped) == 1 else f"{len(skipped)} image files were"
        warnings.warn(f"{files} skipped, such as {name} ({reason}); run.json lists them", stacklevel=3)
    if gpu := runs.unused_gpu():
        warnings.warn(f"TensorFlow does not use this machine's {gpu}: pip install 'tensorflow[and-cuda]'", stacklevel=3)


def print_line(line: str, error: bool = False) -> None:
    """Print a line to stdout or stderr; characters that would move a terminal's cursor are printed as escapes."""
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in line)
    print(shown, file=sys.stderr if error else sys.stdout, flush=True)


# Callbacks


def run_callbacks(
    directory: Path,
    recipe: recipes.Recipe,
    settings: Mapping[str, Any],
    real: Labeled,
    doctor: bool = True,
    stop_when_sick: bool = False,
    say: Callable[..., None] | None = None,
) -> dict[str, keras.callbacks.Callback]:
    """The callbacks of a run by name, in the order in which they are called: quality adds metrics that later ones draw.

    `say` gets each finding of the doctor, as a line.
    """
    from kgan import callbacks

    every, quality_every = settings["sample_every"], settings["quality_every"]
    iterations, epochs = _numbers(settings.get("chosen_iterations")), _numbers(settings["chosen_epochs"])
    parts: dict[str, keras.callbacks.Callback] = {"guard": callbacks.StopOnNaN()}
    if quality_every:
        parts["quality"] = callbacks.Quality(real, every=quality_every, keep_best=directory / "best.keras")
    parts["table"] = callbacks.HistoryCSV(directory / "history.csv")
    parts["samples"] = callbacks.SampleGrid(directory / "samples", every=every, iterations=iterations)
    parts["gif"] = callbacks.EpochGIF(directory / "progress.gif", every=every)
    parts["epochs"] = callbacks.ChosenEpochs(directory / "epochs.png", epochs)
    parts["losses"] = callbacks.LossCurves(directory / "losses.png")
    if recipe.model == "CodeGAN":
        parts["codes"] = callbacks.CodeCurves(directory / "codes.png")
        parts["reconstructions"] = callbacks.CodeColumns(directory / "reconstructions.png")
    if doctor:
        # The classifier is chosen when training begins.
        classify = (lambda images: parts["quality"].features.probabilities(images)) if quality_every else None
        tell = say and (lambda finding: say(f"doctor: {finding}", error=True))
        parts["doctor"] = callbacks.Doctor(real.images, classify=classify, say=tell, stop_when_sick=stop_when_sick)
    often = {"every": settings["checkpoint_every"], "minutes": settings["checkpoint_minutes"]}
    parts["checkpoint"] = callbacks.Checkpoint(directory / "checkpoint", **often, resume=True)
    return parts


def _numbers(text: str | None) -> list[int]:
    """ "1,10" → [1, 10]"""
    return [int(number) for number in text.split(",")] if text else []


def _progress(verbose: int | str, settings: Mapping[str, Any], steps_per_epoch: int) -> list[keras.callbacks.Callback]:
    """What shows progress: a live picture in a notebook, a line elsewhere; and, last, the watch that times it."""
    from kgan import callbacks

    interval = max(settings[name] for name in ("sample_every", "checkpoint_every", "quality_every"))
    arguments = settings["epochs"], steps_per_epoch, interval
    if verbose == "auto" and callbacks.live.in_a_notebook():
        return [callbacks.LivePlot(), callbacks.Stopwatch(*arguments)]
    return [callbacks.ProgressLine(*arguments, say=print_line) if verbose else callbacks.Stopwatch(*arguments)]


def _tracker(name: str, directory: Path, settings: Mapping[str, Any]) -> keras.callbacks.Callback:
    """TensorBoard writes into the run directory, others get the project kgan and the run's settings."""
    from kgan import callbacks

    every = settings["sample_every"]
    if name == "tensorboard":
        return callbacks.Tracker(callbacks.TensorBoard(directory / "tensorboard"), every=every)
    of_run = {"project": "kgan", "name": directory.name, "config": settings}
    return callbacks.Tracker(importlib.import_module(name), every=every, **of_run)


# Fit and save


def _fit_and_save(
    run: Run,
    settings: Mapping[str, Any],
    batches: Batches,
    every: Sequence[keras.callbacks.Callback],
    record: RunRecord,
    checkpoint: Checkpoint,
    say: Callable[..., None],
) -> None:
    """Train to the last epoch and save the model. However training ends, `run.json` says so."""
    from kgan import speed
    from kgan.callbacks.run import Stopped, stop_between_steps
    from kgan.diagnosis import Sick
    from kgan.report import write_own_report

    directory, team = run.directory, placement.workers()
    steps = steps_of_epoch(settings, batches)
    resume = f"resume with: {runs.resume_command(directory, *team.options)}"
    resume += ", and likewise the others" if team.addresses else ""
    where = f"{directory}" + ("" if team.is_chief else " of worker 0")
    if not (directory / "run.json").exists():
        record.write("running")  # first, so that the run can be resumed whatever happens
    with stop_between_steps() as stopper:
        try:
            with contextlib.suppress(Stopped):
                how = {"epochs": settings["epochs"], "steps_per_epoch": steps, "verbose": 0}
                run.model.fit(batches, callbacks=[*every, stopper], **how)
            checkpoint.save()  # of the step in which a signal came
            _save(run)
            status = "interrupted" if stopper.signal else "finished"
            record.write(status)
        except (FloatingPointError, Sick) as error:
            is_good = False
            with contextlib.suppress(Mistake):  # all checkpoints are damaged
                # Of several workers only the chief is sure to see the checkpoint.
                is_good = not team.addresses and checkpoint.restore() and int(run.model.step.numpy()) > 0
            if is_good:
                _save(run)
            record.write(str(error))
            kept = f"model and checkpoint are of epoch {checkpoint.epoch}, before that"
            error.add_note(f"what was drawn before is in {where}, {kept if is_good else 'no model is saved'}")
            error.add_note(
                f"to train it further, {resume}" if isinstance(error, Sick) else _smaller_learning_rates(run, settings)
            )
            raise
        except KeyboardInterrupt:  # a second signal: leave at once; the last checkpoint is whole
            record.try_to_write("interrupted")
            raise Interrupted(f"interrupted at once; {resume}", run, stopper.signal or signal.SIGINT) from None
        except Exception as error:
            if not record.has_begun:
                raise
            what = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            if isinstance(error, speed.OUT_OF_MEMORY):
                record.try_to_write("ended: out of memory")
                raise MemoryError(f"{_smaller_batches(run, settings)}; on a larger machine, {resume}") from None
            if isinstance(error, OSError):
                reason = error.strerror or error
                record.try_to_write(f"could not be written: {reason}")
                raise OSError(f"{directory} cannot be written to: {reason}; once it can, {resume}") from error
            if team.addresses and placement.is_loss(error):
                record.try_to_write(f"ended: a worker was lost ({what})")
                raise ConnectionError(f"a worker was lost, so {team} ends; {resume}") from error
            record.try_to_write(f"ended by {what}")
            raise
    clock = f"{int(record.seconds) // 60}:{int(record.seconds) % 60:02}"
    say(f"{status} after {record.epoch} epochs and {clock}; everything is in {where}")
    if team.is_chief:
        write_own_report(directory)
        for what, name in (("GIF", "progress.gif"), ("report", "report.html")):
            if (directory / name).exists():
                say(f"{what}: {directory / name}")
    if stopper.signal:
        raise Interrupted(resume, run, stopper.signal)
    if team.is_chief:
        say(f"see how good it is: {runs.command('evaluate', directory)}")


def _save(run: Run) -> None:
    """Save the model; all workers must call it."""
    from kgan.training import workers

    with workers.replacing(run.model.distribute_strategy, run.directory / "model.keras") as temporary:
        run.model.save(temporary)


def _smaller_learning_rates(run: Run, settings: Mapping[str, Any]) -> str:
    """What to try after NaN: resumed, the run would reach the same NaN again."""
    changes = {name: f"{settings[name] / 2:g}" for name in ("d_learning_rate", "g_learning_rate")}
    return f"try smaller learning rates: {_command_with(run, settings, changes, 'half-the-learning-rates')}"


def _smaller_batches(run: Run, settings: Mapping[str, Any]) -> str:
    """What to try where memory does not suffice."""
    from kgan import speed

    size, lack = settings["batch_size"], "there is not enough memory"
    fits = speed.batch_size_that_fits(run.model, size)
    if not fits:
        return f"{lack} even for a minibatch of 1 image instead of {size}: make the networks smaller"
    smaller = _command_with(run, settings, {"batch_size": fits}, f"batch-{fits}")
    return f"{lack} for minibatches of {size} images, but {fits} fit: {smaller}"


def _command_with(run: Run, settings: Mapping[str, Any], changes: Mapping[str, Any], name: str) -> str:
    """The command that trains the recipe anew with other settings, beside the run."""
    recipe = recipes.get(run.record["recipe"])
    usual = recipes.resolve(recipe, {})
    wanted = {name: value for name, value in settings.items() if value != usual[name]} | changes
    options = [part for name, value in wanted.items() for part in ("--set", f"{name}={value}")]
    out = run.directory.with_name(f"{run.directory.name}-{name}")
    return runs.command("train", recipe.name, *options, "--out", out)
