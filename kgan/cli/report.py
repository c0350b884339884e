"""`kgan report`: a run, or several in step, as one page that a browser opens without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kgan.cli.console import one_sentence, say


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
