"""Penalties and augmentations can be given by name or as a function, alone or with a number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kgan.errors import Mistake


def named(
    entries: Any, table: Mapping[str, Callable], kind: str, signature: str, number: str
) -> list[tuple[Callable, float | None]]:
    """(function, number or None) of each entry.

    Args:
        entries: a list of names in the table, functions, or pairs (name or function, number); or one name or function.
        table: the functions by name.
        kind: what messages call such a function, for example "penalty".
        signature: the signature of the functions, for messages.
        number: what messages call the number, for example "weight".

    Raises:
        ValueError: for an unknown name, an entry of another kind, or a number that is negative or not finite.
    """
    found = []
    for entry in listed(entries):
        function, value = entry if isinstance(entry, (tuple, list)) and len(entry) == 2 else (entry, None)
        if isinstance(function, str) and function in table:
            function = table[function]
        elif not callable(function):
            raise Mistake(f"unknown {kind} {function!r}: choose {', '.join(table)} or a function {signature}")
        if value is not None and not 0 <= value < float("inf"):
            raise Mistake(
                f"the {number} of {getattr(function, '__name__', kind)} is {value}: it is 0 or more, and finite"
            )
        found.append((function, value))
    return found


def listed(entries: Any) -> Sequence[Any]:
    """The entries as a list; a single entry becomes a list of one."""
    return [entries] if isinstance(entries, str) or callable(entries) else list(entries)
