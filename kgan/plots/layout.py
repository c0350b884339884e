"""Pictures put together: captions, labels, rows and columns of pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kgan.plots.grids import MARGIN

CAPTION_HEIGHT = 22  # pixels


def captioned(picture: Image.Image, caption: str) -> Image.Image:
    """The picture under a white strip with a line of text.

    Example:
        >>> captioned(Image.new("L", (100, 100)), "epoch 12").size
        (100, 122)
    """
    width = max(picture.width, _caption_width(caption))  # the caption is never cut off
    strip = Image.new(picture.mode, (width, picture.height + CAPTION_HEIGHT), "white")
    strip.paste(picture, (0, CAPTION_HEIGHT))
    ImageDraw.Draw(strip).text((MARGIN + 1, CAPTION_HEIGHT // 2), caption, fill="black", font=font(), anchor="lm")
    return strip


def side_by_side(pictures: Sequence[Image.Image], captions: Sequence[str]) -> Image.Image:
    """Pictures in a row, a caption above each: for comparing epochs, or models.

    Example:
        >>> side_by_side([Image.new("L", (100, 100))] * 4, ["1", "10", "50", "100"]).size
        (424, 122)
    """
    panels = [captioned(picture, caption) for picture, caption in zip(pictures, captions, strict=True)]
    gap = 4 * MARGIN  # a white line
    size = sum(panel.width for panel in panels) + gap * (len(panels) - 1), max(panel.height for panel in panels)
    mode = panels[0].mode if len({panel.mode for panel in panels}) == 1 else "RGB"  # gray next to colored ones
    row, left = Image.new(mode, size, "white"), 0
    for panel in panels:
        row.paste(panel, (left, 0))
        left += panel.width + gap
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
    face, row = font(), grid.height / len(labels)
    width = max(24, *(int(face.getlength(label)) for label in labels)) + 16
    labeled = Image.new(grid.mode, (grid.width + width, grid.height), "white")
    labeled.paste(grid, (width, 0))
    for number, label in enumerate(labels):
        place = (width - 8, (number + 0.5) * row)
        ImageDraw.Draw(labeled).text(place, label, fill="black", font=face, anchor="rm")
    return labeled


def epochs_in_step(series: Mapping[str, Mapping[int, str | Path]], at_most: int = 100) -> Iterator[Image.Image]:
    """The pictures of several runs next to each other, epoch by epoch: frames for a `GIF`, all of one size.

    A run without a picture of an epoch shows the last one before it; before its first picture, its place is white.

    Args:
        series: for each run, by its name, the picture files by epoch.
        at_most: the largest number of frames. If there are more epochs, some are left out, but never the first and the
            last.

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
            newest = max((each for each in pictures if each <= epoch), default=None)
            captions.append(f"{name}, epoch {newest}" if newest else name)
            # As wide as the longest caption from the beginning: the frames of a GIF cannot grow.
            widest = max(_caption_width(f"{name}, epoch {each}") for each in pictures)
            panel = Image.new(mode, (max(firsts[name].width, widest), firsts[name].height), "white")
            if newest:
                panel.paste(_opened(pictures[newest]), (0, 0))
            panels.append(panel)
        yield side_by_side(panels, captions)


def _opened(path: str | Path) -> Image.Image:
    with Image.open(path) as picture:
        picture.load()
        return picture


def _caption_width(caption: str) -> int:
    return math.ceil(font().getlength(caption)) + 2 * MARGIN + 2


def font() -> ImageFont.FreeTypeFont:
    """The font of captions and labels."""
    return ImageFont.load_default(size=15)
