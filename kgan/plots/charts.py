"""Charts of losses, distances and classes, by matplotlib; and the dashboard, a chart next to a grid."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw

from kgan.plots.grids import MARGIN, image_grid
from kgan.plots.layout import CAPTION_HEIGHT, font

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DASHBOARD_HEIGHT = 466  # pixels: the height of a grid of 8 × 8 digits


def loss_curves(
    history: Mapping[str, Sequence[float]], epochs: Sequence[int] | None = None, *, has_probabilities: bool = True
) -> Figure:
    """Both losses by epoch, and under them the probabilities that the discriminator gives, with the line of 0.5.

    Args:
        history: d_loss, g_loss, d_real and d_fake by epoch, as in `fit(…).history`. If it has `frechet`, measured in
            some of the epochs and NaN in the others, this has a panel of its own.
        epochs: the numbers of the epochs; by default they count from 1. There may be no epochs yet.

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
        for (key, label), color in zip(curves.items(), ("tab:blue", "tab:orange"), strict=True):
            axis.plot(epochs, history[key], color=color, label=label, marker=marker)
        axis.grid(alpha=0.3)
    if not len(epochs):
        losses.set(xlim=(0, 1), ylim=(0, 2))
    losses.set_ylabel("loss")
    if has_probabilities:
        probabilities.axhline(0.5, color="black", linewidth=1, linestyle="--", label="cannot tell (0.5)")
    probabilities.set_ylabel("probability of being real" if has_probabilities else "score")
    probabilities.set_ylim(-0.02, 1.02)
    for axis in (losses, probabilities):  # above the panel: inside, a legend hides some of the epochs
        axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False, borderaxespad=0.1)
    for axis in others:
        known = np.isfinite(distances)
        axis.plot(np.asarray(epochs)[known], distances[known], color="tab:green", marker="o", markersize=3)
        axis.set_ylabel("Fréchet distance")
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    figure.axes[-1].set_xlabel("epoch")
    figure.axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def code_curves(history: Mapping[str, Sequence[float]], iterations: Sequence[int], guessing: float) -> Figure:
    """The loss of real images and the difference of codes by iteration: figure 4 of Shao, Li and Jiang.

    Args:
        history: real_loss and code_loss.
        iterations: the iterations at which they were measured.
        guessing: the code loss of always guessing the mean of the prior, drawn as a dashed line.

    Returns:
        A matplotlib figure.

    Example:
        >>> figure = code_curves({"real_loss": [0.6, 0.5], "code_loss": [90, 70]}, [100, 200], guessing=100)
        >>> [axis.get_ylabel() for axis in figure.axes]
        ['loss of real images', 'difference of codes']
    """
    figure = _figure()
    real_axis, code_axis = figure.subplots(2, 1, sharex=True)
    marker = "o" if len(iterations) == 1 else None
    real_axis.plot(iterations, history["real_loss"], color="tab:blue", marker=marker)
    real_axis.set_ylabel("loss of real images")
    code_axis.plot(iterations, history["code_loss"], color="tab:orange", marker=marker, label="read from fake images")
    code_axis.axhline(guessing, color="black", linewidth=1, linestyle="--", label=f"guessing the mean ({guessing:.3g})")
    code_axis.set_ylabel("difference of codes")
    code_axis.set_xlabel("iteration")
    code_axis.set_ylim(bottom=0)
    code_axis.legend()
    for axis in (real_axis, code_axis):
        axis.grid(alpha=0.3)
    return figure


def quality(report: Mapping[str, Any], samples: np.ndarray, nearest: np.ndarray) -> Figure:
    """The classes of the samples next to those of the data, and each sample above the training image nearest to it.

    Args:
        report: see `kgan.quality.Quality`.
        samples, nearest: (count, height, width, channels), in [-1, 1].

    Returns:
        A matplotlib figure.

    Example:
        >>> figure = quality({"count": 3}, np.zeros((3, 8, 8, 1)), np.zeros((3, 8, 8, 1)))
        >>> figure.axes[0].get_title()
        'samples, and under each the training image nearest to it'
    """
    classes = report.get("classes")
    figure = _figure()
    heights = {"height_ratios": (3, 2)} if classes else None
    axes = figure.subplots(2 if classes else 1, 1, squeeze=False, gridspec_kw=heights)[:, 0]
    if classes:
        places, histogram = np.arange(len(classes["names"])), axes[0]
        for frequency, label, side in ((classes["real"], "real images", -0.2), (classes["fake"], "samples", 0.2)):
            histogram.bar(places + side, frequency, width=0.4, label=label)
        shown = places[:: -(-len(places) // 20)]  # the names of a hundred classes would overlap
        histogram.set_xticks(shown, [classes["names"][each] for each in shown], rotation=90 if len(shown) > 10 else 0)
        absent = f", missing: {', '.join(classes['missing'])}" if classes["missing"] else ", none is missing"
        histogram.set_title(f"classes of {report['count']:,} samples{absent[:80]}", fontsize=10)
        histogram.set_ylabel("frequency")
        histogram.legend()
    grid = image_grid(np.concatenate([samples, nearest]), len(samples))
    if not classes:
        figure.set_figheight(0.5 + figure.get_figwidth() * grid.height / grid.width)  # nothing but title and grid
    axes[-1].imshow(grid, cmap="gray", vmin=0, vmax=255)
    axes[-1].set_title("samples, and under each the training image nearest to it", fontsize=10)
    axes[-1].axis("off")
    return figure


def distance_curves(runs: Mapping[str, Sequence[Mapping[str, Sequence[float]]]]) -> Figure:
    """The Fréchet distance of several runs by epoch, and under it by training time, on a logarithmic scale.

    Args:
        runs: for each run, by its name, one history for each seed that was trained: `epoch`, `seconds` of each epoch,
            and `frechet`, which is NaN where it was not measured. All seeds of a run have the same color.

    Returns:
        A matplotlib figure.

    Example:
        >>> history = {"epoch": [1, 2, 3], "seconds": [9, 8, 8], "frechet": [90, float("nan"), 20]}
        >>> by_epoch, by_time = distance_curves({"dcgan": [history]}).axes
        >>> by_time.lines[0].get_xydata().tolist()
        [[9.0, 90.0], [25.0, 20.0]]
    """
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

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
        axis.set_yscale("log")  # it falls from several hundred to a few
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.yaxis.set_minor_formatter(NullFormatter())
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
    """A grid of samples next to the curves of `loss_curves`, in one picture of one size.

    Args:
        grid: see `image_grid`; it is scaled to the height of the curves.
        history, epochs: see `loss_curves`.
        caption: a line above.
        note: text below, on two lines at most; None: there is no space for a note.

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
        ImageDraw.Draw(board).text(place, line, fill="black", font=font(), anchor="lm")
    return board


def _figure() -> Figure:
    """A figure without pyplot: pyplot would keep all figures in memory."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 6), layout="constrained")
    FigureCanvasAgg(figure)

    def png() -> bytes:
        written = io.BytesIO()
        figure.savefig(written, format="png", dpi=80)
        return written.getvalue()

    figure._repr_png_ = png  # a notebook shows the figure by this; by itself it shows only figures of pyplot
    return figure
