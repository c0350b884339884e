"""Images in [-1, 1] become pixels from 0 to 255, laid out in a grid."""

from __future__ import annotations

import numpy as np
from PIL import Image

from kgan.checks import check
from kgan.errors import Mistake

MARGIN = 2  # pixels between the images of a grid, and around them


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Map images from [-1, 1] to 0…255, rounded; values outside are clipped, and NaN is gray. uint8 stays as it is."""
    if np.asarray(images).dtype == np.uint8:
        return np.asarray(images)
    pixels = np.clip((np.nan_to_num(np.asarray(images, np.float32)) + 1) * 127.5, 0, 255)
    return np.uint8(np.round(pixels))


def image_grid(
    images: np.ndarray, columns: int | None = None, *, zoom: int | None = None, margin: int = MARGIN
) -> Image.Image:
    """Lay images out in rows, the first at the top left, with a white margin around each.

    Args:
        images: (count, height, width, channels) in [-1, 1], or uint8, with 1 channel (gray) or 3.
        columns: images in a row; by default as many as make the grid square.
        zoom: each pixel becomes zoom × zoom; by default small images are enlarged to about 56 pixels.
        margin: in pixels; 0 sets the images edge to edge.

    Returns:
        A picture, "L" or "RGB". A notebook shows it as it is; `save` writes it.

    Example:
        >>> image_grid(np.zeros((64, 28, 28, 1)), columns=8, zoom=1).size
        (242, 242)
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[3] not in (1, 3) or not len(images):
        raise Mistake(f"images have shape {images.shape}: a grid shows (count, height, width, 1 or 3)")
    count, height, width, channels = images.shape
    columns = int(np.ceil(np.sqrt(count))) if columns is None else columns
    zoom = max(1, 56 // max(height, width)) if zoom is None else zoom
    check(columns=columns, zoom=zoom)
    pixels = to_uint8(images).repeat(zoom, axis=1).repeat(zoom, axis=2)
    rows = -(-count // columns)
    white = {"constant_values": 255}
    cells = np.pad(pixels, ((0, rows * columns - count), (0, margin), (0, margin), (0, 0)), **white)
    cells = cells.reshape(rows, columns, height * zoom + margin, -1, channels).swapaxes(1, 2)
    grid = cells.reshape(rows * (height * zoom + margin), -1, channels)
    grid = np.pad(grid, ((margin, 0), (margin, 0), (0, 0)), **white)
    return Image.fromarray(grid.squeeze(2) if channels == 1 else grid)


def code_images(codes: np.ndarray, height: int, width: int, channels: int = 1) -> np.ndarray:
    """Codes as images in [-1, 1]: a gray square for each unit, from -2 (black) to 2 (white)."""
    codes = np.clip(np.asarray(codes, np.float32) / 2, -1, 1)
    side = int(np.ceil(np.sqrt(codes.shape[1])))
    squares = np.pad(codes, ((0, 0), (0, side**2 - codes.shape[1])), constant_values=1).reshape(-1, side, side)
    rows, columns = np.arange(height) * side // height, np.arange(width) * side // width
    return np.repeat(squares[:, rows][:, :, columns, np.newaxis], channels, axis=3)
