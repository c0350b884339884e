"""Pictures put together: captions, labels, rows and columns of pictures."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kgan.files import replacing
from kgan.plots.grids import MARGIN

CAPTION_HEIGHT = 22  # pixels
GAP = 4 * MARGIN  # between pictures side by side


def save(picture: Any, path: str | Path) -> None:
    """Write a picture or a chart; until it is whole, the file is what it was."""
    with replacing(path, durable=False) as temporary:
        picture.save(temporary)


def captioned(picture: Image.Image, caption: str) -> Image.Image:
    """The picture under a white strip with a line of text, as wide for epoch 10,000 as for epoch 1.

    Example:
        >>> captioned(Image.new("L", (100, 100)), "epoch 12").size
        (100, 122)
    """
    size = max(picture.width, _caption_width(caption)), picture.height + CAPTION_HEIGHT  # the caption is never cut off
    strip = on_white(size, picture.mode, {(0, CAPTION_HEIGHT): picture})
    write_line(strip, 0, caption)
    return strip


def side_by_side(pictures: Sequence[Image.Image], captions: Sequence[str]) -> Image.Image:
    """Pictures in a row, a caption above each: for comparing epochs, or models.

    Example:
        >>> side_by_side([Image.new("L", (100, 100))] * 4, ["1", "10", "50", "100"]).size
        (424, 122)
    """
    panels = [captioned(picture, caption) for picture, caption in zip(pictures, captions, strict=True)]
    mode = panels[0].mode if len({panel.mode for panel in panels}) == 1 else "RGB"  # gray next to colored ones
    *lefts, width = itertools.accumulate((panel.width + GAP for panel in panels), initial=0)
    size = width - GAP, max(panel.height for panel in panels)
    return on_white(size, mode, {(left, 0): panel for left, panel in zip(lefts, panels, strict=True)})


def stacked(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures under each other, on white.

    Example:
        >>> stacked([Image.new("L", (100, 100)), Image.new("L", (90, 20))]).size
        (100, 120)
    """
    *tops, height = itertools.accumulate((picture.height for picture in pictures), initial=0)
    size = max(picture.width for picture in pictures), height
    return on_white(size, pictures[0].mode, {(0, top): picture for top, picture in zip(tops, pictures, strict=True)})


def with_row_labels(grid: Image.Image, labels: Sequence[str]) -> Image.Image:
    """A grid with a label to the left of each row.

    Example:
        >>> with_row_labels(Image.new("L", (100, 100)), ["3", "7"]).size
        (140, 100)
    """
    width = max(24, *(int(_font().getlength(label)) for label in labels)) + 16
    labeled = on_white((grid.width + width, grid.height), grid.mode, {(width, 0): grid})
    for number, label in enumerate(labels):
        place = (width - 8, (number + 0.5) * grid.height / len(labels))
        ImageDraw.Draw(labeled).text(place, label, fill="black", font=_font(), anchor="rm")
    return labeled


def epochs_in_step(series: Mapping[str, Mapping[int, str | Path]], at_most: int = 100) -> Iterator[Image.Image]:
    """At most so many frames for a GIF: the pictures of several runs, given by run and epoch, next to each other.

    A run without a picture of an epoch shows the last one before it; before its first picture, its place is white.
    """
    epochs = sorted({epoch for pictures in series.values() for epoch in pictures})
    if len(epochs) > at_most:
        epochs = [epochs[round(place)] for place in np.linspace(0, len(epochs) - 1, at_most)]
    firsts = {name: _opened(pictures[min(pictures)]) for name, pictures in series.items()}
    mode = "L" if all(first.mode == "L" for first in firsts.values()) else "RGB"
    for epoch in epochs:
        panels = {}
        for name, pictures in series.items():
            newest = max((number for number in pictures if number <= epoch), default=None)
            width = max(firsts[name].width, _caption_width(f"{name}, epoch 1"))  # from the first frame on
            placed = {(0, 0): _opened(pictures[newest])} if newest else {}
            caption = f"{name}, epoch {newest}" if newest else name
            panels[caption] = on_white((width, firsts[name].height), mode, placed)
        yield side_by_side(list(panels.values()), list(panels))


def write_line(picture: Image.Image, top: int, text: str) -> None:
    """Write a line of text on a picture, in a strip of CAPTION_HEIGHT that begins at `top`."""
    place = MARGIN + 1, top + CAPTION_HEIGHT // 2
    ImageDraw.Draw(picture).text(place, text, fill="black", font=_font(), anchor="lm")


def on_white(size: tuple[int, int], mode: str, pictures: Mapping[tuple[int, int], Image.Image]) -> Image.Image:
    """A white picture with others on it, by their left and top."""
    white = Image.new(mode, size, "white")
    for place, picture in pictures.items():
        white.paste(picture, place)
    return white


def _opened(path: str | Path) -> Image.Image:
    with Image.open(path) as picture:
        picture.load()
        return picture


def _caption_width(caption: str) -> int:
    """With room for an epoch of five digits: frames of a GIF are of one size."""
    widest = re.sub(r"\bepoch \d{1,5}\b", "epoch 00000", caption)
    return math.ceil(_font().getlength(widest)) + 2 * MARGIN + 2


def _font() -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size=15)
