"""Pictures: arrays in, grids, GIFs and curves out. Knows no model, so students can plot without one.

Here images in [-1, 1] become pixels from 0 to 255.
"""

from __future__ import annotations

import io
import math
import os
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import GifImagePlugin, Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARGIN = 2  # pixels between the images of a grid, and around them
PAPER = 255  # margins are white: fakes of digits are black at the edges
CAPTION_HEIGHT = 22  # pixels
DASHBOARD_HEIGHT = 466  # pixels: of 8 × 8 digits


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Map images from [-1, 1] to 0…255, rounded; what lies outside is cut off, and NaN is grey.

    Example:
        >>> to_uint8(np.array([-1.0, 0.0, 1.0, 7.0]))
        array([  0, 128, 255, 255], dtype=uint8)
    """
    pixels = np.clip((np.nan_to_num(np.asarray(images, np.float32)) + 1) * 127.5, 0, 255)
    return np.uint8(np.round(pixels))


def image_grid(
    images: np.ndarray, columns: int | None = None, *, zoom: int | None = None, margin: int = MARGIN
) -> Image.Image:
    """Lay images out in rows, the first at the top left, with a white margin around each.

    Args:
        images: (count, height, width, channels) in [-1, 1], with 1 channel (grey) or 3 (colour).
        columns: images in a row; by default as many as make the grid square.
        zoom: each pixel becomes zoom × zoom; by default small images are brought to about 56 pixels.
        margin: in pixels; 0 sets the images edge to edge.

    Returns:
        A picture, "L" or "RGB". A notebook shows it as it is; `save` writes it.

    Raises:
        ValueError: for anything but images of 1 or 3 channels, or columns or zoom below 1.

    Example:
        >>> image_grid(np.zeros((64, 28, 28, 1)), columns=8, zoom=1).size
        (242, 242)
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[3] not in (1, 3) or not len(images):
        raise ValueError(f"images have shape {images.shape}: a grid shows (count, height, width, 1 or 3)")
    count, height, width, channels = images.shape
    columns = int(np.ceil(np.sqrt(count))) if columns is None else columns
    zoom = max(1, 56 // max(height, width)) if zoom is None else zoom
    if columns < 1 or zoom < 1:
        raise ValueError(f"columns is {columns} and zoom {zoom}: each is 1 or more")
    pixels = to_uint8(images).repeat(zoom, axis=1).repeat(zoom, axis=2)
    height, width = height * zoom + margin, width * zoom + margin
    rows = -(-count // columns)
    grid = np.full((rows * height + margin, columns * width + margin, channels), PAPER, np.uint8)
    for i, image in enumerate(pixels):
        top, left = margin + i // columns * height, margin + i % columns * width
        grid[top : top + height - margin, left : left + width - margin] = image
    return Image.fromarray(grid.squeeze(2) if channels == 1 else grid)


def captioned(picture: Image.Image, caption: str) -> Image.Image:
    """The picture under a white strip with a line of text.

    Example:
        >>> captioned(Image.new("L", (100, 100)), "epoch 12").size
        (100, 122)
    """
    font = _font()
    width = max(picture.width, _caption_width(caption))  # room for all of it
    strip = Image.new(picture.mode, (width, picture.height + CAPTION_HEIGHT), "white")
    strip.paste(picture, (0, CAPTION_HEIGHT))
    ImageDraw.Draw(strip).text((MARGIN + 1, CAPTION_HEIGHT // 2), caption, fill="black", font=font, anchor="lm")
    return strip


def side_by_side(pictures: Sequence[Image.Image], captions: Sequence[str]) -> Image.Image:
    """Pictures in a row, a caption above each: epochs, or models, that compare.

    Example:
        >>> side_by_side([Image.new("L", (100, 100))] * 4, ["1", "10", "50", "100"]).size
        (424, 122)
    """
    panels = [captioned(picture, caption) for picture, caption in zip(pictures, captions, strict=True)]
    gap = 4 * MARGIN  # a white line
    size = sum(panel.width for panel in panels) + gap * (len(panels) - 1), max(panel.height for panel in panels)
    mode = panels[0].mode if len({panel.mode for panel in panels}) == 1 else "RGB"  # grey beside coloured ones
    row, left = Image.new(mode, size, "white"), 0
    for panel in panels:
        row.paste(panel, (left, 0))
        left += panel.width + gap
    return row


def epochs_in_step(series: Mapping[str, Mapping[int, str | Path]], at_most: int = 100) -> Iterator[Image.Image]:
    """The pictures of several runs beside each other, epoch by epoch: frames for a `GIF`, all of one size.

    Where a run has no picture of an epoch, its newest before that is held; before its first, its place is white.

    Args:
        series: of each run, by its name, the picture files by epoch.
        at_most: frames; of more epochs some are passed over, but never the first and the last.

    Example:
        >>> for epoch in (1, 2):
        ...     image_grid(np.zeros((4, 28, 28, 1))).save(f"epoch-{epoch}.png")
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
    return math.ceil(_font().getlength(caption)) + 2 * MARGIN + 2


def _font() -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size=15)


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
    font, row = _font(), grid.height / len(labels)
    width = max(24, *(int(font.getlength(label)) for label in labels)) + 16
    labelled = Image.new(grid.mode, (grid.width + width, grid.height), "white")
    labelled.paste(grid, (width, 0))
    for number, label in enumerate(labels):
        place = (width - 8, (number + 0.5) * row)
        ImageDraw.Draw(labelled).text(place, label, fill="black", font=font, anchor="rm")
    return labelled


def code_images(codes: np.ndarray, height: int, width: int, channels: int = 1) -> np.ndarray:
    """Codes drawn as small images: a grey square for each unit, from -2 (black) to 2 (white).

    Args:
        codes: (count, latent_dim).
        height, width, channels: of the images wanted.

    Returns:
        Images of shape (count, height, width, channels), in [-1, 1].

    Example:
        >>> code_images(np.zeros((3, 100)), 28, 28).shape
        (3, 28, 28, 1)
    """
    codes = np.clip(np.asarray(codes, np.float32) / 2, -1, 1)
    side = int(np.ceil(np.sqrt(codes.shape[1])))
    squares = np.pad(codes, ((0, 0), (0, side**2 - codes.shape[1])), constant_values=1).reshape(-1, side, side)
    rows, columns = np.arange(height) * side // height, np.arange(width) * side // width
    return np.repeat(squares[:, rows][:, :, columns, np.newaxis], channels, axis=3)


def code_curves(history: Mapping[str, Sequence[float]], iterations: Sequence[int], guessing: float) -> Figure:
    """The loss of real images and the difference of codes by iteration: figure 4 of Shao, Li and Jiang.

    Args:
        history: real_loss and code_loss.
        iterations: at which.
        guessing: the code loss of one who always guesses the prior's mean, a dashed line.

    Returns:
        A matplotlib figure.

    Example:
        >>> figure = code_curves({"real_loss": [0.6, 0.5], "code_loss": [90, 70]}, [100, 200], guessing=100)
        >>> [axis.get_ylabel() for axis in figure.axes]
        ['loss of real images', 'difference of codes']
    """
    figure = _figure()
    of_real, of_codes = figure.subplots(2, 1, sharex=True)
    marker = "o" if len(iterations) == 1 else None
    of_real.plot(iterations, history["real_loss"], color="tab:blue", marker=marker)
    of_real.set_ylabel("loss of real images")
    of_codes.plot(iterations, history["code_loss"], color="tab:orange", marker=marker, label="read from fake images")
    of_codes.axhline(guessing, color="black", linewidth=1, linestyle="--", label=f"guessing the mean ({guessing:.3g})")
    of_codes.set_ylabel("difference of codes")
    of_codes.set_xlabel("iteration")
    of_codes.set_ylim(bottom=0)
    of_codes.legend()
    for axis in (of_real, of_codes):
        axis.grid(alpha=0.3)
    return figure


def loss_curves(history: Mapping[str, Sequence[float]], epochs: Sequence[int] | None = None) -> Figure:
    """Both losses by epoch, and under them the probabilities that the discriminator gives, with the line of 0.5.

    Args:
        history: d_loss, g_loss, d_real and d_fake by epoch, as in `fit(…).history`. A `frechet` of some of the epochs
            (NaN in the others) has a panel of its own.
        epochs: their numbers; by default from 1. There may be none yet.

    Returns:
        A matplotlib figure; a notebook shows it as it is, `savefig` writes it.

    Example:
        >>> figure = loss_curves({"d_loss": [1.3], "g_loss": [0.7], "d_real": [0.6], "d_fake": [0.4]})
        >>> [axis.get_ylabel() for axis in figure.axes]
        ['loss', 'probability of being real']
    """
    from matplotlib.ticker import MaxNLocator

    epochs = range(1, len(history["d_loss"]) + 1) if epochs is None else epochs
    figure = _figure()
    distances = np.asarray(history.get("frechet", []), float)
    has_distances = bool(np.isfinite(distances).any())
    losses, probabilities, *others = figure.subplots(2 + has_distances, 1, sharex=True)
    marker = "o" if len(epochs) == 1 else None  # one epoch makes no line
    for axis, curves in (
        (losses, {"d_loss": "discriminator", "g_loss": "generator"}),
        (probabilities, {"d_real": "of real images", "d_fake": "of fake images"}),
    ):
        for (key, label), colour in zip(curves.items(), ("tab:blue", "tab:orange"), strict=True):
            axis.plot(epochs, history[key], color=colour, label=label, marker=marker)
        axis.grid(alpha=0.3)
    if not len(epochs):
        losses.set(xlim=(0, 1), ylim=(0, 2))
    losses.set_ylabel("loss")
    losses.legend()
    probabilities.axhline(0.5, color="black", linewidth=1, linestyle="--", label="cannot tell (0.5)")
    probabilities.set_ylabel("probability of being real")
    probabilities.set_ylim(-0.02, 1.02)
    probabilities.legend()
    for axis in others:
        known = np.isfinite(distances)
        axis.plot(np.asarray(epochs)[known], distances[known], color="tab:green", marker="o", markersize=3)
        axis.set_ylabel("Fréchet distance")
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    figure.axes[-1].set_xlabel("epoch")
    figure.axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def quality(report: Mapping[str, Any], samples: np.ndarray, nearest: np.ndarray) -> Figure:
    """The classes of the samples beside those of the data, and each sample above the training image nearest to it.

    Args:
        report: see `kgan.quality.Quality`.
        samples, nearest: (count, height, width, channels), in [-1, 1].

    Returns:
        A matplotlib figure.

    Example:
        >>> figure = quality({"count": 3, "figures": {}}, np.zeros((3, 8, 8, 1)), np.zeros((3, 8, 8, 1)))
        >>> figure.axes[0].get_title()
        'samples, and under each the training image nearest to it'
    """
    classes = report.get("classes")
    figure = _figure()
    of_rows = {"height_ratios": (3, 2)} if classes else None
    axes = figure.subplots(2 if classes else 1, 1, squeeze=False, gridspec_kw=of_rows)[:, 0]
    if classes:
        places, histogram = np.arange(len(classes["names"])), axes[0]
        for share, label, side in ((classes["real"], "real images", -0.2), (classes["fake"], "samples", 0.2)):
            histogram.bar(places + side, share, width=0.4, label=label)
        shown = places[:: -(-len(places) // 20)]  # names of a hundred classes would lie on each other
        histogram.set_xticks(shown, [classes["names"][each] for each in shown], rotation=90 if len(shown) > 10 else 0)
        absent = f", missing: {', '.join(classes['missing'])}" if classes["missing"] else ", none is missing"
        histogram.set_title(f"classes of {report['count']:,} samples{absent[:80]}", fontsize=10)
        histogram.set_ylabel("share")
        histogram.legend()
    grid = image_grid(np.concatenate([samples, nearest]), len(samples))
    axes[-1].imshow(grid, cmap="gray", vmin=0, vmax=255)
    axes[-1].set_title("samples, and under each the training image nearest to it", fontsize=10)
    axes[-1].axis("off")
    return figure


def distance_curves(runs: Mapping[str, Sequence[Mapping[str, Sequence[float]]]]) -> Figure:
    """The Fréchet distance of several runs by epoch, and under it by training time.

    Args:
        runs: by name, a history for each seed that was trained: `epoch`, `seconds` of each epoch, and `frechet`, which
            is NaN where it was not measured. The seeds of a run have one colour.

    Returns:
        A matplotlib figure.

    Example:
        >>> history = {"epoch": [1, 2, 3], "seconds": [9, 8, 8], "frechet": [90, float("nan"), 20]}
        >>> by_epoch, by_time = distance_curves({"dcgan": [history]}).axes
        >>> by_time.lines[0].get_xydata().tolist()
        [[9.0, 90.0], [25.0, 20.0]]
    """
    from matplotlib.ticker import MaxNLocator

    figure = _figure()
    by_epoch, by_time = figure.subplots(2, 1)
    longest = max(sum(each["seconds"]) for histories in runs.values() for each in histories)
    unit, length = ("minutes", 60) if longest > 600 else ("seconds", 1)
    for number, (name, histories) in enumerate(runs.items()):
        for seed, history in enumerate(histories):
            distances = np.asarray(history["frechet"], float)
            measured = np.isfinite(distances)
            times = np.cumsum(history["seconds"]) / length
            for axis, places in ((by_epoch, np.asarray(history["epoch"])), (by_time, times)):
                axis.plot(
                    places[measured],
                    distances[measured],
                    color=f"C{number}",
                    alpha=1 if len(histories) == 1 else 0.6,
                    marker="o" if measured.sum() == 1 else ".",
                    label=None if seed else name,
                )
    by_epoch.set_xlabel("epoch")
    by_epoch.xaxis.set_major_locator(MaxNLocator(integer=True))
    by_time.set_xlabel(f"training time in {unit}")
    for axis in (by_epoch, by_time):
        axis.set_ylabel("Fréchet distance")
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
        axis.legend()
    return figure


def dashboard(
    grid: Image.Image,
    history: Mapping[str, Sequence[float]],
    epochs: Sequence[int] | None = None,
    *,
    caption: str = "",
    note: str | None = None,
) -> Image.Image:
    """A grid of samples beside the curves of `loss_curves`, in one picture of one size.

    Args:
        grid: see `image_grid`; it is brought to the height of the curves.
        history, epochs: see `loss_curves`.
        caption: a line above.
        note: text below, on two lines at most; None leaves no room for it.

    Returns:
        A picture, "RGB".

    Example:
        >>> history = {"d_loss": [1.3], "g_loss": [0.7], "d_real": [0.6], "d_fake": [0.4]}
        >>> dashboard(Image.new("L", (466, 466)), history, caption="epoch 1").size
        (1017, 488)
    """
    figure = loss_curves(history, epochs)
    figure.set_dpi(DASHBOARD_HEIGHT / figure.get_figheight())
    figure.canvas.draw()
    curves = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])
    side, lines = DASHBOARD_HEIGHT, textwrap.wrap(note or "", (DASHBOARD_HEIGHT + curves.width) // 7, max_lines=2)
    if (scale := side / max(grid.size)) != 1:
        grid = grid.resize((round(grid.width * scale), round(grid.height * scale)), Image.Resampling.LANCZOS)
    below = CAPTION_HEIGHT + side
    size = side + 4 * MARGIN + curves.width, below + (0 if note is None else 2 * CAPTION_HEIGHT)
    board = Image.new("RGB", size, "white")
    board.paste(grid.convert("RGB"), (0, CAPTION_HEIGHT))
    board.paste(curves, (side + 4 * MARGIN, CAPTION_HEIGHT))
    for top, line in ((0, caption), *((below + number * CAPTION_HEIGHT, line) for number, line in enumerate(lines))):
        place = MARGIN + 1, top + CAPTION_HEIGHT // 2
        ImageDraw.Draw(board).text(place, line, fill="black", font=_font(), anchor="lm")
    return board


def _figure() -> Figure:
    """Without pyplot, whose figures would pile up."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 6), layout="constrained")
    FigureCanvasAgg(figure)

    def png() -> bytes:
        written = io.BytesIO()
        figure.savefig(written, format="png", dpi=80)
        return written.getvalue()

    figure._repr_png_ = png  # by which a notebook shows it; the figures that it knows by itself are those of pyplot
    return figure


class GIF:
    """An animation that grows a frame at a time, and is whole on disk after each.

    Frames are written out as they come and not kept. The last one is shown longer, until another follows it. The
    file is replaced, never changed: whoever looks at it while it grows, or after a crash, finds an animation that
    ends with the last frame.

    Args:
        path: of the file.
        milliseconds: that a frame is shown.
        hold: milliseconds that the last frame is shown.

    Example:
        >>> gif = GIF("progress.gif")
        >>> for epoch in range(1, 4):
        ...     gif.append(captioned(image_grid(model.generate(64)), f"epoch {epoch}"))
    """

    def __init__(self, path: str | Path, *, milliseconds: int = 150, hold: int = 2500) -> None:
        self.path = Path(path)
        self.milliseconds = milliseconds
        self.hold = hold
        self._end = 0  # bytes of the file that no further frame will change

    def append(self, frame: Image.Image, *, instead: bool = False) -> None:
        """Add a frame, or put it in the place of the last one (`instead`)."""
        frame = _quantized(frame)
        written = self._written()
        begun = written[: self._end] or _gif_header(frame)
        if written and not instead:
            begun += _shown_for(written[self._end : -1], self.milliseconds)
        self._write(begun + _gif_frame(frame, self.hold) + b";")
        self._end = len(begun)

    def get_state(self) -> dict[str, Any]:
        """What it takes to go on in another process: the file so far, and where its last frame begins."""
        return {"end": self._end, "gif": np.frombuffer(self._written(), np.uint8)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from what `get_state` gave; the file is again what it was then."""
        self._end = state["end"]
        if len(state["gif"]):
            self._write(state["gif"].tobytes())

    def _written(self) -> bytes:
        return self.path.read_bytes() if self._end and self.path.exists() else b""

    def _write(self, content: bytes) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f".part-{self.path.name}")
        temporary.unlink(missing_ok=True)
        try:
            temporary.write_bytes(content)
            os.replace(temporary, self.path)
        finally:
            temporary.unlink(missing_ok=True)


def _quantized(frame: Image.Image) -> Image.Image:
    if frame.mode == "L":  # 8 shades look like 256 in a moving digit, and make the file a third as large
        return frame.point([round(round(grey / 255 * 7) * 255 / 7) for grey in range(256)])
    return frame.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def _gif_header(frame: Image.Image) -> bytes:
    return b"".join(GifImagePlugin.getheader(frame.copy(), info={"loop": 0})[0])


def _gif_frame(frame: Image.Image, milliseconds: int) -> bytes:
    # Frames in colour have palettes of their own; grey ones share the header's.
    own_palette = frame.mode == "P"
    milliseconds = max(10, int(milliseconds))  # at 0 the bytes that _shown_for changes would be left out
    return b"".join(GifImagePlugin.getdata(frame, duration=milliseconds, include_color_table=own_palette))


def _shown_for(frame: bytes, milliseconds: int) -> bytes:
    """A frame's bytes with another duration: its hundredths of a second are bytes 4 and 5."""
    return frame[:4] + (max(10, int(milliseconds)) // 10).to_bytes(2, "little") + frame[6:]
