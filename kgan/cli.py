"""The command line: `kgan train`, `kgan sample`, `kgan recipes`.

Heavy modules are imported inside the commands, so that `kgan --help` answers at once.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TimeRemainingColumn
from rich.table import Table

from kgan import __version__, recipes

if TYPE_CHECKING:
    from kgan._backend import keras

app = typer.Typer(
    help="Train GANs that leave pictures behind, and draw samples from them.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Entry point of the command `kgan`."""
    app(prog_name="kgan")


@contextlib.contextmanager
def _one_sentence() -> Iterator[None]:
    """A user's mistake ends the command with one sentence and exit code 2, and no traceback."""
    try:
        yield
    except (ValueError, OSError, ImportError) as error:
        typer.echo(f"kgan: {' '.join(str(error).split())}", err=True)
        raise typer.Exit(2) from None


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kgan {__version__}")
        raise typer.Exit


@app.callback()
def _kgan(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(metavar="[RECIPE]", help="See `kgan recipes`.")] = "dcgan-digits",
    data: Annotated[
        str | None, typer.Option(help="digits, a TensorFlow data set such as mnist, or a .npy file.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images in a minibatch.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same run.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run directory, runs/RECIPE unless given.")] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any setting of the recipe: see `kgan recipes RECIPE`."),
    ] = None,
) -> None:
    """Train a recipe; its GIF, pictures, curves and model go into a run directory."""
    from kgan import runs

    options = {"data": data, "epochs": epochs, "batch_size": batch_size, "seed": seed}
    given = {name: value for name, value in options.items() if value is not None}
    with _one_sentence():
        chosen = recipes.get(recipe)
        settings = recipes.resolve(chosen, {**_assignments(changes or []), **given})
        directory = out or Path("runs") / recipe
        runs.check_free(directory)

        from kgan import callbacks
        from kgan.data import batches, load

        images = load(settings["data"], split=settings["split"], image_size=settings["image_size"], dtype="uint8")
        count, *shape = images.shape
        model = recipes.build(chosen, settings, shape)
        of_a_step = settings["batch_size"] * settings["d_steps"]  # a minibatch for each of Algorithm 1's k steps
        dataset = batches(images, of_a_step, seed=settings["seed"])
        run = {"recipe": recipe, "paper": chosen.paper, "model": chosen.model, "settings": settings}
        run |= {"images": images.shape, "environment": runs.environment()}

    device = run["environment"]["device"]
    typer.echo(f"{recipe}: {count:,} images of {' × '.join(map(str, shape))} from {settings['data']}, on {device}")
    if gpu := runs.unused_gpu():
        typer.echo(
            f"warning: TensorFlow does not use this machine's {gpu}: pip install 'tensorflow[and-cuda]'", err=True
        )

    gif, every, steps = directory / "progress.gif", settings["sample_every"], count // of_a_step
    status, began, finished = "failed", time.perf_counter(), callbacks.HistoryCSV(directory / "history.csv")
    pictures = [
        callbacks.SampleGrid(directory / "samples", every=every),
        callbacks.EpochGIF(gif, every=every),
        callbacks.ChosenEpochs(directory / "epochs.png"),
        callbacks.LossCurves(directory / "losses.png"),
    ]
    with _stop_between_steps() as stopper:
        with _one_sentence():
            runs.claim(directory)
            runs.write_json(directory / "run.json", {**run, "status": "running"})
        try:
            with _progress(settings["epochs"], steps) as progress:
                watchers = [callbacks.StopOnNaN(), finished, *pictures, progress, stopper]
                model.fit(dataset, epochs=settings["epochs"], steps_per_epoch=steps, verbose=0, callbacks=watchers)
            status = "finished"
        except KeyboardInterrupt:
            status = "interrupted"
        except FloatingPointError as error:
            status = str(error)
        finally:
            stopper.saving = True
            seconds = time.perf_counter() - began
            if status in ("finished", "interrupted"):
                with runs.replacing(directory / "model.keras") as temporary:
                    model.save(temporary)
            end = {"status": status, "epochs": finished.epoch, "seconds": round(seconds, 1)}
            runs.write_json(directory / "run.json", {**run, **end})

    if status not in ("finished", "interrupted"):
        typer.echo(f"kgan: {status}; what was drawn before is in {directory}", err=True)
        raise typer.Exit(1)
    typer.echo(f"{status} after {finished.epoch} epochs and {_clock(seconds)}; everything is in {directory}")
    if gif.exists():
        typer.echo(f"GIF: {gif}")
    if status == "interrupted":
        raise typer.Exit(128 + (stopper.signal or signal.SIGINT))


@app.command()
def sample(
    run: Annotated[Path, typer.Argument(help="Run directory, such as runs/dcgan-digits.")],
    count: Annotated[int, typer.Option(min=1, help="Images to draw.")] = 64,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="The same seed draws the same images.")] = 0,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.png|FILE.npy|DIR/",
            help="A grid; an array (uint8, count × height × width × channels); or a folder of one PNG an image. "
            "A grid in the run directory unless given.",
        ),
    ] = None,
) -> None:
    """Draw samples from a trained run."""
    from kgan import runs

    with _one_sentence():
        directory = run.parent if run.is_file() else run
        target = Path(out) if out else directory / f"sample-{count}-seed-{seed}.png"
        suffix = target.suffix.lower()
        as_folder = bool(out) and (out.endswith(("/", "\\")) or target.is_dir() or not suffix)
        if not as_folder and suffix not in (".png", ".npy"):
            raise ValueError(f"--out is {out}: it must end in .png, .npy, or / for a folder")
        if as_folder and target.exists() and any(target.iterdir()):
            raise FileExistsError(f"{target} holds files already: name an empty or a new folder with --out")
        model = runs.load_model(run)

        import imageio.v3 as iio
        import numpy as np

        from kgan import plots

        images = model.generate(count, seed=seed)
        if as_folder:
            digits = max(4, len(str(count)))
            for number, pixels in enumerate(plots.to_uint8(images), start=1):
                with runs.replacing(target / f"{number:0{digits}}.png") as temporary:
                    iio.imwrite(temporary, pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels)
        else:
            with runs.replacing(target) as temporary:
                if suffix == ".npy":
                    np.save(temporary, plots.to_uint8(images))
                else:
                    plots.image_grid(images).save(temporary)
    typer.echo(target)


@app.command(name="recipes")
def list_recipes(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Show every setting of this recipe.")] = None,
) -> None:
    """List the recipes, or show every setting of one with its reason."""
    with _one_sentence():
        if name:
            recipe = recipes.get(name)
            typer.echo(f"{recipe.name}: a {recipe.model}\n{recipe.paper}\n")
            _table(
                ("setting", "value", "reason"),
                [(key, str(setting.value), setting.why) for key, setting in recipe.settings.items()],
            )
        else:
            _table(
                ("recipe", "data set", "epochs", "paper"),
                [(each.name, each["data"], str(each["epochs"]), each.paper) for each in recipes.RECIPES.values()],
            )


def _assignments(changes: Sequence[str]) -> dict[str, str]:
    """["filters=32"] → {"filters": "32"}"""
    for change in changes:
        if "=" not in change:
            raise ValueError(f"--set {change}: write it as name=value")
    return {name.strip(): value.strip() for name, value in (change.split("=", 1) for change in changes)}


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    console = Console() if _on_a_terminal() else Console(width=10_000, force_terminal=False)  # nothing cut or folded
    table = Table(*headings, box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*row)
    console.print(table, soft_wrap=False)


def _on_a_terminal() -> bool:
    """Whether lines can be redrawn. Asked of the file itself, since FORCE_COLOR makes rich believe it of a pipe."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def _clock(seconds: float) -> str:
    """75 → "1:15"."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


@contextlib.contextmanager
def _stop_between_steps() -> Iterator[keras.callbacks.Callback]:
    """A callback that ends training between two steps on Ctrl-C or SIGTERM.

    A second signal does not wait for the step; none interrupts what is saved afterwards.

    Python's own KeyboardInterrupt can come in the middle of anything, and gets lost where TensorFlow calls Python.
    """
    from kgan._backend import keras

    class Stopper(keras.callbacks.Callback):
        signal: int | None = None
        saving = False

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if self.signal:
                raise KeyboardInterrupt

    def note(number: int, frame: Any) -> None:
        if stopper.signal and not stopper.saving:
            raise KeyboardInterrupt
        stopper.signal = number

    stopper = Stopper()
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopper
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _progress(epochs: int, steps_per_epoch: int) -> Iterator[keras.callbacks.Callback]:
    """A callback that shows one live line for the whole run on a terminal, and elsewhere a plain line an epoch."""
    from kgan.callbacks import EpochCounter

    columns = ("{task.description}", BarColumn(bar_width=20), TimeRemainingColumn(), "{task.fields[figures]}")
    live = Progress(*columns, disable=not _on_a_terminal(), transient=True)
    line = live.add_task(f"epoch 1/{epochs}", total=epochs * steps_per_epoch, figures="")

    class ProgressLine(EpochCounter):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.began = time.perf_counter()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if not live.disable:
                losses = {name: value for name, value in logs.items() if "loss" in name}  # all are over 80 columns
                live.update(line, completed=self.epoch * steps_per_epoch + batch + 1, figures=self.figures(losses))

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            super().on_epoch_end(epoch, logs)
            live.update(line, description=f"epoch {min(self.epoch + 1, epochs)}/{epochs}")
            if live.disable:
                seconds = time.perf_counter() - self.began
                number = f"{self.epoch:{len(str(epochs))}}/{epochs}"
                self.print(f"epoch {number}  {self.figures(logs)}  {seconds:.1f} s")

        @staticmethod
        def print(line: str) -> None:
            try:
                print(line, flush=True)
            except BrokenPipeError:  # nobody reads on, as after `| head`: train on in silence
                sys.stdout = open(os.devnull, "w")  # noqa: SIM115

        @staticmethod
        def figures(logs: Any) -> str:
            losses_first = sorted((logs or {}).items(), key=lambda item: "loss" not in item[0])
            return "  ".join(f"{name} {float(value):.3f}" for name, value in losses_first)

    with contextlib.nullcontext() if live.disable else live:
        yield ProgressLine()
