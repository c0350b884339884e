"""Pictures put together: captions, labels, rows and columns of pictures."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kgan.plots.grids import MARGIN

CAPTION_HEIGHT = 22  # pixels
GAP = 4 * MARGIN  # between pictures side by side


def captioned(picture: Image.Image, caption: str) -> Image.Image:
    """The picture under a white strip with a line of text, as wide for epoch 10,000 as for epoch 1.

    Example:
        >>> captioned(Image.new("L", (100, 100)), "epoch 12").size
        (100, 122)
    """
    width = max(picture.width, _caption_width(caption))  # the caption is never cut off
    strip = Image.new(picture.mode, (width, picture.height + CAPTION_HEIGHT), "white")
    strip.paste(picture, (0, CAPTION_HEIGHT))
    write_line(strip, 0, caption)
    return strip


def side_by_side(pictures: Sequence[Image.Image], captions: Sequence[str]) -> Image.Image:
    """Pictures in a row, a caption above each: for comparing epochs, or models.

    Example:
        >>> side_by_side([Image.new("L", (100, 100))] * 4, ["1", "10", "50", "100"]).size
        (424, 122)
    """
    panels = [captioned(picture, caption) for picture, caption in zip(pictures, captions, strict=True)]
    size = sum(panel.width + GAP for panel in panels) - GAP, max(panel.height for panel in panels)
    mode = panels[0].mode if len({panel.mode for panel in panels}) == 1 else "RGB"  # gray next to colored ones
    row, left = Image.new(mode, size, "white"), 0
    for panel in panels:
        row.paste(panel, (left, 0))
        left += panel.width + GAP
    return row


def stacked(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures under each other, on white.

    Example:
        >>> stacked([Image.new("L", (100, 100)), Image.new("L", (90, 20))]).size
        (100, 120)
    """
    size = max(picture.width for picture in pictures), sum(picture.height for picture in pictures)
    column, top = Image.new(pictures[0].mode, size, "white"), 0
    for picture in pictures:
        column.paste(picture, (0, top))
        top += picture.height
    return column


def with_row_labels(grid: Image.Image, labels: Sequence[str]) -> Image.Image:
    """A grid with a label to the left of each row.

    Example:
        >>> with_row_labels(Image.new("L", (100, 100)), ["3", "7"]).size
        (140, 100)
    """
    width = max(24, *(int(_font().getlength(label)) for label in labels)) + 16
    labeled = Image.new(grid.mode, (grid.width + width, grid.height), "white")
    labeled.paste(grid, (width, 0))
    for number, label in enumerate(labels):
        place = (width - 8, (number + 0.5) * grid.height / len(labels))
        ImageDraw.Draw(labeled).text(place, label, fill="black", font=_font(), anchor="rm")
    return labeled


def epochs_in_step(series: Mapping[str, Mapping[int, str | Path]], at_most: int = 100) -> Iterator[Image.Image]:
    """The pictures of several runs next to each other, epoch by epoch: frames for a `GIF`, all of one size.

    A run without a picture of an epoch shows the last one before it; before its first picture, its place is white.

    Args:
        series: for each run, by its name, the picture files by epoch.
        at_most: the largest number of frames, the first and the last epoch among them.

    Example:
        >>> for epoch in (1, 2):
        ...     kgan.plots.image_grid(np.zeros((4, 28, 28, 1))).save(f"epoch-{epoch}.png")
        >>> frames = epochs_in_step({"a": {1: "epoch-1.png", 2: "epoch-2.png"}, "b": {1: "epoch-1.png"}})
        >>> [frame.size for frame in frames]
        [(244, 140), (244, 140)]
    """
    epochs = sorted({epoch for pictures in series.values() for epoch in pictures})
    if len(epochs) > at_most:
        epochs = [epochs[round(place)] for place in np.linspace(0, len(epochs) - 1, at_most)]
    firsts = {name: _opened(pictures[min(pictures)]) for name, pictures in series.items()}
    mode = "L" if all(first.mode == "L" for first in firsts.values()) else "RGB"
    for epoch in epochs:
        panels, captions = [], []
        for name, pictures in series.items():
            newest = max((number for number in pictures if number <= epoch), default=None)
            captions.append(f"{name}, epoch {newest}" if newest else name)
            width = max(firsts[name].width, _caption_width(f"{name}, epoch 1"))  # from the first frame on
            panel = Image.new(mode, (width, firsts[name].height), "white")
            if newest:
                panel.paste(_opened(pictures[newest]), (0, 0))
            panels.append(panel)
        yield side_by_side(panels, captions)


def write_line(picture: Image.Image, top: int, text: str) -> None:
    """Write a line of text on a picture, in a strip of CAPTION_HEIGHT that begins at `top`."""
    place = MARGIN + 1, top + CAPTION_HEIGHT // 2
    ImageDraw.Draw(picture).text(place, text, fill="black", font=_font(), anchor="lm")


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
