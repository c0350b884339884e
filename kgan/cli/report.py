"""`kgan report`: a run, or several in step, as one page that a browser opens without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kgan.cli.console import debug, one_sentence, say, sentence, warn


def report(
    shown: Annotated[list[Path], typer.Argument(metavar="RUN", help="Run directories: one, or several to compare.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="report.html in the run directory unless given.")
    ] = None,
) -> None:
    """Write a page: samples by epoch, curves, quality, the doctor's findings, settings with their reasons."""
    from kgan.report import write_report

    with one_sentence():
        if out is None and len(shown) > 1:
            raise ValueError("several runs have no directory in common: name the file with --out FILE.html")
        target = out or shown[0] / "report.html"
        if target.suffix.lower() != ".html":
            raise ValueError(f"--out is {target}: it must end in .html")
        write_report(shown, target)
    say(str(target))


def report_of(directory: Path) -> Path | None:
    """The page of a run, written anew at the end of another command, which it must not end."""
    from kgan.report import write_report

    page = directory / "report.html"
    try:
        write_report([directory], page)
    except Exception as error:  # such as a file that somebody else wrote
        if debug():
            raise
        warn(f"{page} is not written: {sentence(error)}")
        return None
    return page
