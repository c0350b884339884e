"""Drawings and uploads, turned into images like those that a model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from kgan import data
from kgan.errors import Mistake

MOST_PIXELS = 16_000_000  # in an image that is uploaded
DETAIL = 4  # a digit is measured at this many times the model's image size


def from_canvas(canvas: np.ndarray | None, data_shape: Sequence[int], is_digit: bool) -> np.ndarray:
    """A drawing, (height, width, 3 or 4) uint8, as an image of a model; transparent pixels are white."""
    if canvas is None:
        raise Mistake("nothing is drawn yet")
    picture = Image.fromarray(canvas).convert("RGBA")
    picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    side = max(data_shape[:2]) * DETAIL
    return _prepared(picture.convert("RGB").resize((side, side), Image.Resampling.BOX), data_shape, is_digit)


def from_file(path: str | Path, data_shape: Sequence[int], is_digit: bool) -> np.ndarray:
    """An image file as an image of a model: the whole image for a digit, otherwise the central square."""
    side, crop = max(data_shape[:2]) * DETAIL, "contain" if is_digit else "center"
    pixels = data.folders.load_file(path, side, crop=crop, most_pixels=MOST_PIXELS)
    return _prepared(Image.fromarray(pixels), data_shape, is_digit)


def _prepared(picture: Image.Image, data_shape: Sequence[int], is_digit: bool) -> np.ndarray:
    height, width, channels = data_shape
    if is_digit:
        picture = _as_digit(picture, height)
    picture = picture.convert("L" if channels == 1 else "RGB").resize((width, height), Image.Resampling.BOX)
    return data.from_uint8(np.asarray(picture).reshape(data_shape))


def _as_digit(picture: Image.Image, size: int) -> Image.Image:
    """A digit like MNIST's: white on black, 20 of 28 pixels tall or wide, its center of mass in the middle.

    LeCun et al. (1998), *Gradient-Based Learning Applied to Document Recognition*, section III.A. The border of the
    picture is the paper. Strokes are darker or lighter than it, whichever makes the larger contrast.
    """
    gray = np.float32(picture.convert("L")) / 255
    border = float(np.median(np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])))
    ink = np.clip(border - gray if border - gray.min() > gray.max() - border else gray - border, 0, 1)
    if ink.max() < 0.1:
        raise Mistake("nothing is drawn here: the whole picture has one color")
    ink = Image.fromarray(np.uint8(255 * ink / ink.max()))
    ink = ink.crop(ink.point(lambda value: value > 0.2 * 255, "1").getbbox())
    scale = size * 20 / 28 / max(ink.size)
    small = np.asarray(ink.resize([max(1, round(side * scale)) for side in ink.size], Image.Resampling.LANCZOS))
    mass = np.float64(small) / small.sum()
    top, left = (
        int(np.clip(round(size / 2 - mass.sum(axis=1 - axis) @ (np.arange(side) + 0.5)), 0, size - side))
        for axis, side in enumerate(small.shape)
    )
    digit = np.zeros((size, size), np.uint8)
    digit[top : top + small.shape[0], left : left + small.shape[1]] = small
    return Image.fromarray(digit)
