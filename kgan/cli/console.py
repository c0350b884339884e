"""How all commands print sentences, tables and error messages, on any console or without one."""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import sys
import traceback
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kgan.errors import Mistake

MISTAKES = (Mistake, OSError, ImportError)  # of the user; other errors are bugs
BUG = 70  # exit code of a bug, as in sysexits.h
# For encodings that lack these characters. Others lose their accent, or become escapes such as \u4e2d.
PLAIN = str.maketrans(
    {"×": "x", "·": ".", "±": "+-", "–": "-", "—": "-", "→": "->", "≤": "<=", "≥": ">=", "²": "^2", "′": "'", "’": "'"}
    | {"“": '"', "”": '"', "β": "beta", "γ": "gamma", "ε": "epsilon", "ζ": "zeta", "σ": "sigma"}
)


def _plain(error: UnicodeError) -> tuple[str, int]:
    letters = unicodedata.normalize("NFKD", error.object[error.start : error.end].translate(PLAIN))
    kept = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return kept.encode("ascii", "backslashreplace").decode(), error.end


codecs.register_error("plain", _plain)


class Output(io.TextIOWrapper):
    """A standard stream that takes any text. When writing fails, the rest is dropped, and `error` holds the reason."""

    buffer = None  # click would go past an ASCII stream and write UTF-8
    error: OSError | None = None

    def __init__(self, stream: TextIO | None) -> None:
        if stream is None:  # closed before Python started
            raw, encoding = open(os.devnull, "wb", buffering=0), "utf-8"  # noqa: SIM115
        else:
            raw, encoding = getattr(stream.buffer, "raw", stream.buffer), stream.encoding  # no buffer: `python -u`
        super().__init__(io.BufferedWriter(raw), encoding, "plain", line_buffering=True)

    def write(self, text: str) -> int:
        self._try(super().write, text)
        return len(text)

    def flush(self) -> None:
        self._try(super().flush)

    def _try(self, action: Any, *arguments: str) -> None:
        try:
            if not self.error:
                action(*arguments)
        except OSError as error:  # the reader has gone, or the disk is full
            self.error = error


@contextlib.contextmanager
def standard_streams() -> Iterator[None]:
    """Within the block, stdout and stderr take any text and never fail; an error that leaves it is shown as a bug."""
    for number in range(3):  # if one is closed, the next file that is opened would get its number, and its output
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout, sys.stderr = Output(sys.stdout), Output(sys.stderr)
    code = 0
    try:
        yield
    except SystemExit as end:
        code = end.code or 0
    except Exception as error:
        code = _exit_code(error)
    sys.stdout.flush()
    lost = sys.stdout.error
    if lost and not code and lost.errno not in (errno.EPIPE, errno.EINVAL):  # these: the reader stopped reading
        code = exit_with(f"what it printed was lost: {lost.strerror}", 1).exit_code
    sys.stderr.flush()
    sys.exit(code)


def _exit_code(error: Exception) -> int:
    """Print what went wrong."""
    if debug():
        traceback.print_exception(error)
        return 2 if isinstance(error, MISTAKES) else BUG
    if isinstance(error, MemoryError):
        return exit_with(str(error) or "there is not enough memory for this", 1).exit_code
    what = sentence(f"{type(error).__name__}: {error}")[:300]
    return exit_with(f"this is a bug in kgan: {what}; with --debug it shows where, for a report", BUG).exit_code


def debug() -> bool:
    return os.environ.get("KGAN_DEBUG", "0") not in ("", "0")


@contextlib.contextmanager
def one_sentence() -> Iterator[None]:
    """A user's mistake ends the command with one sentence and exit code 2, and no traceback."""
    try:
        yield
    except MISTAKES as error:
        if debug():
            raise
        raise exit_with(error, 2) from None


def exit_with(message: str | Exception, code: int) -> typer.Exit:
    """Print this sentence, and return the exception that ends the command."""
    say(f"kgan: {sentence(message)}", err=True)
    return typer.Exit(code)


def sentence(message: str | Exception) -> str:
    return " ".join(str(message).split())


def say(line: str, err: bool = False) -> None:
    """Print a line; names in it may have any characters."""
    typer.echo(printable(line), err=err)


def printable(text: str) -> str:
    """The text as stdout shows it; escapes for characters that would move a terminal's cursor or reverse its lines."""
    shown = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
    encoding = sys.stdout.encoding or "utf-8"
    return shown.encode(encoding, "plain").decode(encoding)


def warn(message: str | Warning, *rest: Any) -> None:
    say(f"warning: {sentence(message)}", err=True)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], right_aligned: Sequence[str] = ()) -> None:
    console = Console() if on_a_terminal() else Console(width=10_000, force_terminal=False)  # no cuts, no wraps
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for heading in headings:  # rich would read [cats] as markup
        table.add_column(escape(printable(heading)), justify="right" if heading in right_aligned else "left")
    for row in rows:
        table.add_row(*(escape(printable(cell)) for cell in row))
    console.print(table, soft_wrap=False)


def on_a_terminal(stream: TextIO | None = None) -> bool:
    """Whether lines can be redrawn. It asks the stream itself: with FORCE_COLOR, rich takes a pipe for a terminal."""
    return (stream or sys.stdout).isatty() and os.environ.get("TERM") != "dumb"
