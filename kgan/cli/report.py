"""`kgan report`: one page about a run, or about several side by side, that a browser opens without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kgan.cli.console import debug, one_sentence, say, sentence, warn
from kgan.errors import Mistake


def report(
    shown: Annotated[list[Path], typer.Argument(metavar="RUN", help="Run directories: one, or several to compare.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Default: report.html in the run directory.")
    ] = None,
) -> None:
    """Write a page: samples by epoch, curves, quality, the doctor's findings, settings with their reasons."""
    from kgan.report import write_report

    with one_sentence():
        if out is None and len(shown) > 1:
            raise Mistake("several runs have no directory in common: name the file with --out FILE.html")
        target = out or shown[0] / "report.html"
        if target.suffix.lower() != ".html":
            raise Mistake(f"--out is {target}: it must end in .html")
        write_report(shown, target)
    say(str(target))


def report_of(directory: Path) -> Path | None:
    """Write the page of a run again at the end of another command. An error here does not end that command."""
    from kgan.report import write_report

    page = directory / "report.html"
    try:
        write_report([directory], page)
    except Exception as error:  # for example because kgan did not write a file of the run
        if debug():
            raise
        warn(f"{page} is not written: {sentence(error)}")
        return None
    return page
