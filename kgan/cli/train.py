"""`kgan train`: train a recipe from the first step to the last, or from where a run stopped."""

from __future__ import annotations

import contextlib
import datetime
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kgan import recipes
from kgan.cli.console import debug, exit_with, is_mistake, one_sentence, say, sentence
from kgan.cli.meeting import declines
from kgan.cli.options import (
    BatchSize,
    Changes,
    Data,
    Devices,
    Epochs,
    ImageSize,
    Log,
    Out,
    Precision,
    RecipeName,
    Seed,
    WithDoctor,
    Worker,
    WorkerAddresses,
    assignments,
    given_settings,
)
from kgan.cli.plan import Plan, plan_new, plan_resumed, plan_together
from kgan.cli.seeds import train_each
from kgan.cli.tracking import check_tracker
from kgan.cli.workers import chosen, ending_together, tells_of_loss
from kgan.errors import Mistake
from kgan.units import clock, duration

if TYPE_CHECKING:
    from kgan.cli.prepare import Prepared
    from kgan.cli.run import Run
    from kgan.data import Batches

WORTH_A_TRIAL = 20.0  # a run of more seconds than this is worth the seconds of a trial


def train(
    recipe: RecipeName = None,
    data: Data = None,
    image_size: ImageSize = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    seed: Seed = None,
    precision: Precision = None,
    devices: Devices = None,
    workers: WorkerAddresses = None,
    worker: Worker = None,
    out: Out = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Resume the run in DIR, to its end or to the given --epochs.")
    ] = None,
    stop_when_sick: Annotated[
        bool, typer.Option("--stop-when-sick", help="End the run when the doctor finds something wrong.")
    ] = False,
    with_doctor: WithDoctor = True,
    log: Log = None,
    changes: Changes = None,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, max=1000, help="Train with this many seeds, one after the other, into folders seed-0, …."),
    ] = None,
) -> None:
    """Train a recipe; its GIF, pictures, curves and model go into a run directory."""
    if seeds:
        with one_sentence():
            if chosen(workers, worker).are_several:
                raise Mistake("--seeds trains in one process: with several workers train each seed by itself")
        train_each(train, seeds, **{name: value for name, value in locals().items() if name != "seeds"})
        return
    from kgan import runs

    given = given_settings(data, image_size, epochs, batch_size, seed, precision)
    with contextlib.ExitStack() as held:
        with one_sentence():
            if stop_when_sick and not with_doctor:
                raise Mistake("--stop-when-sick needs the doctor: leave out --no-doctor")
            check_tracker(log)
            given |= assignments(changes or [])
            team = chosen(workers, worker)
            if team.are_several and devices:
                raise Mistake(f"--devices is {devices}, but workers take all their devices: leave it out")
            plan = None
            if team.is_chief:
                with declines(team):
                    plan = _planned(held, recipe, given, resume, out)
            if team.are_several:
                asked = {"recipe": recipe, **given, "resume": bool(resume)}
                plan = plan_together(team, {**asked, "doctor": with_doctor, "stop_when_sick": stop_when_sick}, plan)
            else:
                plan = plan._replace(devices=devices or plan.recorded("devices", int) or 1)
            if plan.is_done:
                say(f"{plan.directory} has all its {plan.settings['epochs']} epochs: --epochs trains it further")
                return

            from kgan.cli.prepare import introduce, prepare

            with ending_together(team):
                prepared = prepare(plan)
            if not resume and team.is_chief:
                held.enter_context(runs.lock(plan.directory))
                runs.check_free(plan.directory)  # another run may have come first

        introduce(prepared, _predicted(prepared, with_doctor))

        from kgan.cli.run import Run

        with one_sentence():
            run = Run(prepared.plan, prepared.model, prepared.real, prepared.facts, with_doctor, stop_when_sick, log)
        _train(run, prepared.dataset, prepared.steps_per_epoch)


def _planned(
    held: contextlib.ExitStack, recipe: str | None, given: Mapping[str, Any], resume: Path | None, out: Path | None
) -> Plan:
    """The plan of what to train; the directory of a resumed run stays locked."""
    from kgan import runs

    if resume:
        runs.check_is_run(resume)
        held.enter_context(runs.lock(resume))
        return plan_resumed(resume, recipe, given, out)
    plan = plan_new(recipe or recipes.DEFAULT, given, out)
    runs.check_free(plan.directory)
    return plan


def _predicted(prepared: Prepared, with_doctor: bool) -> str:
    """When the run will end, as text, and in `run.json`; no text for a run that ends within seconds."""
    from kgan.cli import trial

    if prepared.plan.workers.are_several:  # each would measure the time with another number of steps
        return ""
    left = prepared.plan.settings["epochs"] - prepared.plan.recorded("epochs", int)
    try:
        seconds = trial.seconds_of_steps(prepared, left * prepared.steps_per_epoch)
        if seconds > WORTH_A_TRIAL:
            seconds = trial.forecast(prepared, with_doctor).seconds(left)
    except Exception:  # training itself will say what is wrong
        if debug():
            raise
        return ""
    end = datetime.datetime.now().astimezone() + datetime.timedelta(seconds=seconds)
    prepared.facts["predicted"] = {"seconds": round(seconds, 1), "end": end.isoformat(timespec="seconds")}
    return f": {duration(seconds)}, until {clock(end)}" if seconds > WORTH_A_TRIAL else ""


def _train(run: Run, dataset: Batches, steps_per_epoch: int) -> None:
    """Train, and exit with what happened: 0, 1 where training failed, 2 for a mistake, 128 + a signal."""
    from kgan import runs
    from kgan.cli.signals import stop_between_steps

    directory, team = run.plan.directory, run.plan.workers
    resume = f"resume with: {runs.resume_command(directory, *team.options)}"
    if team.are_several:
        resume += ", and likewise the others"
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
            if isinstance(error, ValueError):  # not a mistake of the user
                _write_down(run, _ended_by(error))
                raise
            reason = getattr(error, "strerror", None) or error
            _write_down(run, f"could not be written: {reason}")
            raise exit_with(f"{directory} cannot be written to: {reason}; once it can, {resume}", 1) from None
        except Exception as error:  # such as too little memory
            is_loss = team.are_several and tells_of_loss(error)
            _write_down(run, f"ended: a worker was lost ({_ended_by(error)})" if is_loss else _ended_by(error))
            with ending_together(team, resume):
                raise

    epochs = run.checkpoint.epoch
    if status not in ("finished", "interrupted"):
        kept = f"model and checkpoint are of epoch {epochs}, before that" if is_saved else "no model is saved"
        say(_after_failure(run, resume))
        where = f"{directory}" if team.is_chief else f"{directory} of worker 0"
        raise exit_with(f"{status}; what was drawn before is in {where}, {kept}", 1)
    where = f"everything is in {directory}" + ("" if team.is_chief else " of worker 0")
    say(f"{status} after {epochs} epochs and {_clock(run.record.seconds)}; {where}")
    if team.is_chief:
        _show(run)
    if status == "interrupted":
        say(resume)
        raise typer.Exit(128 + stopper.signal)
    if team.is_chief:
        say(f"see how good it is: {runs.command('evaluate', directory)}")


def _show(run: Run) -> None:
    """Say where the pictures are; write the page that shows them all."""
    if run.gif.exists():
        say(f"GIF: {run.gif}")
    from kgan.report import write_own_report

    if page := write_own_report(run.plan.directory):
        say(f"report: {page}")
    if (run.plan.directory / "tensorboard").exists():
        say(f"TensorBoard: tensorboard --logdir {run.plan.directory}")


def _write_down(run: Run, status: str) -> None:
    """Write to run.json how the run ended, if the disk has room for it."""
    with contextlib.suppress(OSError):
        run.record.write(status)


def _ended_by(error: Exception) -> str:
    return f"ended by {type(error).__name__}: {sentence(error)[:200]}"


def _after_failure(run: Run, resume: str) -> str:
    """What to try next: a sick run can be resumed, but a run with NaN would reach the same NaN again."""
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
