"""How kgan writes numbers, shapes, times and sizes in sentences and tables."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence


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
