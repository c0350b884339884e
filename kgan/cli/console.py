"""How all commands print sentences, tables and error messages, on any console or without one."""

from __future__ import annotations

import contextlib
import datetime
import dis
import errno
import io
import os
import sys
import traceback
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

PACKAGE = Path(__file__).parent.parent
BUG = 70  # exit code of an error that is not a mistake of the user, as in sysexits.h

# Replacements for characters that a console cannot show. All others are written as escapes, such as \u4e2d.
PLAIN = str.maketrans(
    {"×": "x", "·": ".", "±": "+-", "…": "...", "–": "-", "—": "-", "→": "->", "≤": "<=", "≥": ">=", "²": "^2"}
    | {"β": "beta", "γ": "gamma", "ε": "epsilon", "ζ": "zeta", "σ": "sigma", "′": "'", "’": "'", "“": '"', "”": '"'}
    | dict.fromkeys("─━╸╺┄", "-")
    | dict.fromkeys("│┃", "|")
)


class Output(io.TextIOBase):
    """A standard stream that takes any text and never fails.

    Characters that its encoding lacks are replaced by plain equivalents. When writing fails, because the reader has
    gone, the disk is full or the stream is closed, the rest is dropped, and `error` holds the reason.

    Args:
        stream: sys.stdout or sys.stderr; None if it was closed before Python started.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self.stream = stream or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        self.error: Exception | None = None

    @property
    def encoding(self) -> str:
        return self.stream.encoding or "ascii"

    def isatty(self) -> bool:
        return self.error is None and self.stream.isatty()

    def fileno(self) -> int:
        return self.stream.fileno()

    def write(self, text: str) -> int:
        # On a terminal rich writes escape sequences of its own.
        shown = shown_by(self.encoding, text if self.isatty() else without_controls(text, keep="\n\r\t"))
        self._try(lambda: self.stream.write(shown))
        return len(text)

    def flush(self) -> None:
        self._try(self.stream.flush)

    def _try(self, action: Any) -> None:
        if self.error:
            return
        try:
            action()
        except (OSError, ValueError) as error:  # ValueError: I/O operation on closed file
            self.error = error
            with contextlib.suppress(OSError, ValueError):  # otherwise Python fails to write the rest at exit
                os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())


@contextlib.contextmanager
def standard_streams() -> Iterator[None]:
    """Within the block, stdout and stderr are `Output`s; an error that leaves it is a bug, and is reported as one."""
    for number in range(3):  # if one is closed, the next file that is opened would get its number, and its output
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout, sys.stderr = Output(sys.stdout), Output(sys.stderr)
    try:
        yield
    except KeyboardInterrupt:
        code = 130
    except SystemExit as end:
        code = end.code or 0
    except Exception as error:
        code = _told(error)
    else:
        code = 0
    sys.stdout.flush()
    lost = sys.stdout.error
    gone = (errno.EPIPE, errno.EINVAL) if os.name == "nt" else (errno.EPIPE,)
    if lost and code == 0 and getattr(lost, "errno", None) not in gone:  # not an error: the reader stopped reading
        print(f"kgan: what it printed was lost: {getattr(lost, 'strerror', None) or lost}", file=sys.stderr)
        code = 1
    sys.stderr.flush()
    sys.exit(code)


def _told(error: Exception) -> int:
    """Print what went wrong, and return the exit code."""
    if debug():
        print(without_controls("".join(traceback.format_exception(error)), keep="\n\t"), file=sys.stderr)
        return 2 if is_mistake(error) else BUG
    if isinstance(error, MemoryError):
        print("kgan: there is not enough memory for this", file=sys.stderr)
        return 1
    what = sentence(f"{type(error).__name__}: {error}")[:300]
    say(f"kgan: this is a bug in kgan: {what}; with --debug it shows where, for a report", err=True)
    return BUG


def debug() -> bool:
    """Whether tracebacks are shown."""
    return os.environ.get("KGAN_DEBUG", "0") not in ("", "0")


@contextlib.contextmanager
def one_sentence() -> Iterator[None]:
    """A user's mistake ends the command with one sentence and exit code 2, and no traceback."""
    try:
        yield
    except (ValueError, OSError, ImportError) as error:
        if not is_mistake(error) or debug():
            raise
        raise exit_with(error, 2) from None


def is_mistake(error: Exception) -> bool:
    """Whether an error is a user's mistake: a ValueError is one if kgan raised it itself, with `raise`.

    Any other ValueError, such as NumPy's for shapes that do not fit, is a bug in kgan.
    """
    if not isinstance(error, ValueError) or isinstance(error, UnicodeError):
        return isinstance(error, (OSError, ImportError))
    place = error.__traceback__
    while place and place.tb_next:
        place = place.tb_next
    if place is None:
        return True
    code = place.tb_frame.f_code
    raised = dis.opname[code.co_code[place.tb_lasti]] == "RAISE_VARARGS"
    return raised and PACKAGE in Path(code.co_filename).parents


def exit_with(message: str | Exception, code: int) -> typer.Exit:
    """Print this sentence, and return the exception that ends the command."""
    say(f"kgan: {sentence(message)}", err=True)
    return typer.Exit(code)


def sentence(message: str | Exception) -> str:
    return " ".join(str(message).split())


def say(line: str, err: bool = False) -> None:
    """Print a line; names in it may have any characters."""
    typer.echo(printable(line, sys.stderr if err else sys.stdout), err=err)


def printable(text: str, stream: TextIO | None = None) -> str:
    """The text as a stream (default: stdout) can show it: no control characters, and nothing it cannot encode."""
    stream = stream or sys.stdout
    return shown_by(getattr(stream, "encoding", None) or "utf-8", without_controls(text))


def shown_by(encoding: str, text: str) -> str:
    """The text with plain equivalents for characters that this encoding lacks."""
    try:
        text.encode(encoding)
        return text
    except UnicodeEncodeError:
        return "".join(_plain(character, encoding) for character in text)
    except LookupError:  # an encoding that Python does not know
        return shown_by("ascii", text)


def _plain(character: str, encoding: str) -> str:
    for equivalent in (character, character.translate(PLAIN), unicodedata.normalize("NFKD", character)[:1]):
        with contextlib.suppress(UnicodeEncodeError):
            equivalent.encode(encoding)
            return equivalent
    return character.encode("ascii", "backslashreplace").decode()


def without_controls(text: str, keep: str = "") -> str:
    """The text with escapes, such as \\x1b, for characters that move a terminal's cursor or reverse its lines."""
    if text.isprintable():
        return text
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") and character not in keep
        else character
        for character in text
    )


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


def with_spread(metric: Mapping[str, float | None]) -> str:
    """ "19.7 ± 0.3" """
    spread = metric.get("spread")
    return number(metric["value"]) + (f" ± {number(spread)}" if spread is not None else "")


def shape_text(shape: Sequence[int]) -> str:
    """(28, 28, 1) → "28 × 28 × 1" """
    return " × ".join(map(str, shape))


def number(value: float | None) -> str:
    """Three significant digits, or all digits before the point: 0.0512, 19.7, 1,322."""
    return "" if value is None else f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def duration(seconds: float) -> str:
    """ "12 s", "8 min", "3.4 h", "2.1 days" """
    for unit, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= (1.5 if unit == "min" else 1) * length:
            return f"{seconds / length:.2g} {unit}" if seconds < 100 * length else f"{seconds / length:,.0f} {unit}"
    return f"{seconds:.2g} s"


def clock(moment: datetime.datetime) -> str:
    """ "14:05", or with the day if it is not today: "Nov 27 at 03:10" """
    today = datetime.datetime.now().astimezone().date()
    return f"{moment:%H:%M}" if moment.date() == today else f"{moment:%b} {moment.day} at {moment:%H:%M}"


def size(count: float) -> str:
    """A number of bytes: "28 MB", "1.3 GB" """
    return f"{count / 1e9:.2g} GB" if count >= 1e9 else f"{max(1, round(count / 1e6))} MB"


def on_a_terminal(stream: TextIO | None = None) -> bool:
    """Whether lines can be redrawn. It asks the stream itself: with FORCE_COLOR, rich takes a pipe for a terminal."""
    return (stream or sys.stdout).isatty() and os.environ.get("TERM") != "dumb"
