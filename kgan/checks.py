"""Checks of arguments and settings, for constructors, callbacks and recipes: each range is known here alone."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from kgan.errors import Mistake


class Range(NamedTuple):
    """A condition for a number, and the words for it in a message."""

    sentence: str
    holds: Callable[[Any], bool]


COUNT = Range("1 or more", lambda value: value >= 1)
COUNT_OR_0 = Range("0 or more", lambda value: value >= 0)
SIZE = Range("from 1 to 4096", lambda value: 1 <= value <= 4096)
RATE = Range("above 0 and finite", lambda value: 0 < value < math.inf)
RATE_OR_0 = Range("0 or more, and finite", lambda value: 0 <= value < math.inf)
DECAY = Range("0 or more, and less than 1", lambda value: 0 <= value < 1)
DURATION = Range("from 1 to 655350, in milliseconds", lambda value: 1 <= value <= 655_350)  # of a GIF's frame

# By the name of the argument or setting; a name that is not listed is a COUNT.
RANGES = {
    "image_size": SIZE,
    "latent_dim": SIZE,
    "hidden_units": SIZE,
    "filters": SIZE,
    "kernel_size": Range("from 1 to 32", lambda value: 1 <= value <= 32),
    "depth": Range("from 0 to 10", lambda value: 0 <= value <= 10),
    "packing": Range("from 1 to 16", lambda value: 1 <= value <= 16),
    "ema": DECAY,
    "stddev": RATE,
    "noise": RATE_OR_0,
    "code_weight": Range("from 0 to 1", lambda value: 0 <= value <= 1),
    "stages": Range("from 1 to 10", lambda value: 1 <= value <= 10),
    "classes": Range("0, or 2 or more for a conditional model", lambda value: value == 0 or value >= 2),
    "seed": Range("from 0 to 2147483647", lambda value: 0 <= value < 2**31),
    "label_smoothing": Range("from 0 to 0.5", lambda value: 0 <= value <= 0.5),
    "top_k": Range("above 0 and at most 1", lambda value: 0 < value <= 1),
    "penalty_weight": RATE_OR_0,
    "d_learning_rate": RATE,
    "g_learning_rate": RATE,
    "d_beta_1": DECAY,
    "g_beta_1": DECAY,
    "epsilon": RATE,
    "weight_decay": RATE_OR_0,
    "quality_every": COUNT_OR_0,
    "checkpoint_minutes": RATE,
    "minutes": RATE,
    "milliseconds": DURATION,
    "hold": DURATION,
}


def check(**values: Any) -> None:
    """Raise Mistake, with the name, the value and the range, for a number out of range; None passes.

    Example:
        >>> check(ema=0.99, epochs=(1, 10))
    """
    for name, value in values.items():
        allowed = RANGES.get(name, COUNT)
        for number in as_list(value):
            if number is not None and not allowed.holds(number):
                raise Mistake(f"{name} is {value}: it must be {allowed.sentence}")


def whole_numbers(**numbers: Any) -> list[int | None]:
    """The numbers, checked, as Python's: they may be of NumPy or TensorFlow, which JSON and Keras' layers do not take.

    Example:
        >>> whole_numbers(filters=np.int64(8), depth=None)
        [8, None]
    """
    for name, number in numbers.items():
        if number is not None and not _is_whole(number):
            raise Mistake(f"{name} is {number!r}: it must be a whole number")
    check(**numbers)
    return [number if number is None else int(number) for number in numbers.values()]


def _is_whole(number: Any) -> bool:
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        return bool(int(number) == number)
    return False


def as_list(values: Any) -> list:
    """One number or several, of NumPy, pandas, TensorFlow or Python, as a list.

    Example:
        >>> as_list(np.int64(3)), as_list(range(2))
        ([3], [0, 1])
    """
    values = values.numpy() if hasattr(values, "numpy") else values
    values = values.tolist() if hasattr(values, "tolist") else values
    return list(values) if isinstance(values, Iterable) else [values]


def plain(number: Any) -> Any:
    """For `json.dumps(default=…)`: a number of NumPy or TensorFlow as one of Python's, anything else as text."""
    number = number.numpy() if hasattr(number, "numpy") else number
    return number.item() if getattr(number, "ndim", None) == 0 else str(number)


def check_choice(name: str, value: Any, choices: Collection[str]) -> None:
    """Raise Mistake, with the choices, for a value that is none of them."""
    if value not in choices:
        raise Mistake(f"{name} is {value!r}: choose one of {', '.join(choices)}")


def named(
    entries: Any, table: Mapping[str, Callable], kind: str, signature: str, number: str
) -> list[tuple[Callable, float | None]]:
    """Penalties or augmentations, each a name in the table or a function, alone or with a number: (function, number).

    `kind`, `signature` and `number` are the words for a function, its arguments and its number in messages.
    """
    found = []
    for entry in listed(entries):
        function, value = entry if isinstance(entry, (tuple, list)) and len(entry) == 2 else (entry, None)
        if isinstance(function, str) and function in table:
            function = table[function]
        elif not callable(function):
            raise Mistake(f"unknown {kind} {function!r}: choose {', '.join(table)} or a function {signature}")
        if value is not None and not RATE_OR_0.holds(value):
            name = getattr(function, "__name__", kind)
            raise Mistake(f"the {number} of {name} is {value}: it must be {RATE_OR_0.sentence}")
        found.append((function, value))
    return found


def listed(entries: Any) -> Sequence[Any]:
    """The entries as a list; a single name or function becomes a list of one."""
    return [entries] if isinstance(entries, str) or callable(entries) else list(entries)
