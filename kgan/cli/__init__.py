"""The command line. Heavy modules are imported when a command uses them, so that `kgan --help` answers at once."""

from __future__ import annotations

import os
import re
import sys
import warnings
from typing import Annotated

import typer

from kgan import __version__
from kgan.cli import compare, draw, evaluate, show, train
from kgan.cli.console import standard_streams, warn

app = typer.Typer(
    help="Train GANs, and draw samples and pictures from them.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
DRAWING = (draw.sample, draw.interpolate, draw.traverse, draw.reconstruct, show.play)
for command in (train.train, train.plan, *DRAWING, evaluate.evaluate, compare.compare, show.report):
    app.command()(command)
app.command(name="recipes")(show.list_recipes)


def main() -> None:
    """Entry point: exits with 0, 1 if something failed, 2 for a mistake, 70 for a bug, 128 + the number of a signal."""
    warnings.showwarning = warn  # one sentence, without the line of code it comes from
    if "--debug" in sys.argv:  # before or after the command
        sys.argv.remove("--debug")
        os.environ["KGAN_DEBUG"] = "1"
    sys.argv[1:] = map(_with_home, sys.argv[1:])
    with standard_streams():
        app(prog_name="kgan")


def _with_home(word: str) -> str:
    """A word with ~ as the home directory, which the shell writes for ~/a, but not for --out=~/a."""
    return re.sub(r"(^|=)~(?=[/\\]|$)", lambda found: found[1] + os.path.expanduser("~"), word)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kgan {__version__}")
        raise typer.Exit


@app.callback()
def _kgan(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error, as KGAN_DEBUG=1 does.")
    ] = False,
) -> None:
    pass
