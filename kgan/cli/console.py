"""What all commands say, and how: one sentence for a mistake, tables, warnings."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table


@contextlib.contextmanager
def one_sentence() -> Iterator[None]:
    """A user's mistake ends the command with one sentence and exit code 2, and no traceback."""
    try:
        yield
    except (ValueError, OSError, ImportError) as error:
        raise exit_with(error, 2) from None


def exit_with(message: str | Exception, code: int) -> typer.Exit:
    """What to raise to end the command with this sentence."""
    typer.echo(f"kgan: {sentence(message)}", err=True)
    return typer.Exit(code)


def sentence(message: str | Exception) -> str:
    return " ".join(str(message).split())


def say(line: str) -> None:
    """Print a line, whatever bytes the file names in it are made of."""
    typer.echo(printable(line))


def printable(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()


def warn(message: str | Warning, *rest: Any) -> None:
    typer.echo(f"warning: {sentence(message)}", err=True)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], right_aligned: Sequence[str] = ()) -> None:
    console = Console() if on_a_terminal() else Console(width=10_000, force_terminal=False)  # nothing cut or folded
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for heading in headings:  # [cats] would be taken for markup
        table.add_column(escape(printable(heading)), justify="right" if heading in right_aligned else "left")
    for row in rows:
        table.add_row(*(escape(printable(cell)) for cell in row))
    console.print(table, soft_wrap=False)


def with_spread(metric: Mapping[str, float | None]) -> str:
    """ "19.7 ± 0.3" """
    spread = metric.get("spread")
    return number(metric["value"]) + (f" ± {number(spread)}" if spread is not None else "")


def shape_text(shape: Sequence[int]) -> str:
    """(28, 28, 1) → "28 × 28 × 1" """
    return " × ".join(map(str, shape))


def number(value: float | None) -> str:
    """Three digits, or all before the point: 0.0512, 19.7, 1,322."""
    return "" if value is None else f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def on_a_terminal(stream: TextIO | None = None) -> bool:
    """Whether lines can be redrawn. Asked of the file itself, since FORCE_COLOR makes rich believe it of a pipe."""
    return (stream or sys.stdout).isatty() and os.environ.get("TERM") != "dumb"
