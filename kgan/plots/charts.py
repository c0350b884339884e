"""Charts of losses, distances and classes, by matplotlib; and the dashboard, a chart next to a grid."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter
from PIL import Image

from kgan.plots.grids import image_grid
from kgan.plots.layout import CAPTION_HEIGHT, GAP, on_white, write_line

DASHED = {"color": "black", "linewidth": 1, "linestyle": "--"}
DASHBOARD_HEIGHT = 466  # pixels: the height of a grid of 8 × 8 digits


class Chart(Figure):
    """A figure without pyplot, which would keep all figures in memory; a notebook shows it nevertheless.

    Its text never goes through LaTeX, which a server may lack, whatever the user's settings say.
    """

    def __init__(self) -> None:
        super().__init__(figsize=(7, 6), layout="constrained")

    def draw(self, renderer: Any) -> None:
        for text in self.findobj(Text):
            text.set_usetex(False)
        with matplotlib.rc_context({"text.usetex": False}):  # for text that is made while drawing
            super().draw(renderer)

    def save(self, file: Any) -> None:
        self.savefig(file, dpi=100)

    def _repr_png_(self) -> bytes:
        written = io.BytesIO()
        self.savefig(written, format="png", dpi=80)
        return written.getvalue()


def loss_curves(
    history: Mapping[str, Sequence[float]], epochs: Sequence[int] | None = None, *, has_probabilities: bool = True
) -> Figure:
    """Both losses by epoch, and under them the probabilities that the discriminator gives, with the line of 0.5.

    Args:
        history: d_loss, g_loss, d_real and d_fake by epoch, as in `fit(…).history`. A `frechet`, NaN in epochs in which
            it was not measured, has a panel of its own.
        epochs: the numbers of the epochs; by default they count from 1. There may be no epochs yet.
        has_probabilities: whether the loss makes the sigmoid of a logit a probability: `model.has_probabilities`. If
            not, as with hinge and Wasserstein losses, the second panel shows the sigmoid alone.

    Returns:
        A matplotlib figure; a notebook shows it as it is, `savefig` writes it.

    Example:
        >>> figure = loss_curves({"d_loss": [1.3], "g_loss": [0.7], "d_real": [0.6], "d_fake": [0.4]})
        >>> [axis.get_ylabel() for axis in figure.axes]
        ['loss', 'probability of being real']
    """
    epochs = range(1, len(next(iter(history.values()))) + 1) if epochs is None else epochs
    distances = np.asarray(history.get("frechet", []), float)
    known = np.isfinite(distances)
    figure, (losses, outputs, *others) = _panels(2 + bool(known.any()), sharex=True)
    marker = "o" if len(epochs) == 1 else None  # one epoch makes no line
    for axis, key, label, color in (
        (losses, "d_loss", "discriminator", "tab:blue"),
        (losses, "g_loss", "generator", "tab:orange"),
        (outputs, "d_real", "of real images", "tab:blue"),
        (outputs, "d_fake", "of fake images", "tab:orange"),
    ):
        if key in history:  # a `train_step` of the user's own may leave out some
            axis.plot(epochs, history[key], color=color, label=label, marker=marker)
    losses.set_ylabel("loss")
    if not len(epochs):
        losses.set(xlim=(0, 1), ylim=(0, 2))
    if has_probabilities:
        outputs.axhline(0.5, **DASHED, label="cannot tell (0.5)")
    outputs.set(
        ylabel="probability of being real" if has_probabilities else "sigmoid of the logits", ylim=(-0.02, 1.02)
    )
    for axis in (losses, outputs):  # above the panel: inside, a legend hides some of the epochs
        axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False, borderaxespad=0.1)
    for axis in others:
        axis.plot(np.asarray(epochs)[known], distances[known], color="tab:green", marker="o", markersize=3)
        axis.set(ylabel="Fréchet distance", ylim=(0, None))
    _by_epoch(figure.axes[-1])
    return figure


def code_curves(history: Mapping[str, Sequence[float]], iterations: Sequence[int], guessing: float) -> Figure:
    """The loss of real images and the difference of codes by iteration: figure 4 of Shao, Li and Jiang.

    The code loss of always `guessing` the mean of the prior is drawn as a dashed line.
    """
    figure, (real_axis, code_axis) = _panels(2, sharex=True)
    marker = "o" if len(iterations) == 1 else None
    real_axis.plot(iterations, history["real_loss"], color="tab:blue", marker=marker)
    real_axis.set_ylabel("loss of real images")
    code_axis.plot(iterations, history["code_loss"], color="tab:orange", marker=marker, label="read from fake images")
    code_axis.axhline(guessing, **DASHED, label=f"guessing the mean ({guessing:.3g})")
    code_axis.set(ylabel="difference of codes", xlabel="iteration", ylim=(0, None))
    code_axis.legend()
    return figure


def quality(report: Mapping[str, Any], samples: np.ndarray, nearest: np.ndarray) -> Figure:
    """The classes of the samples next to those of the data, and each sample above the training image nearest to it."""
    classes = report.get("classes")
    figure = Chart()
    heights = {"height_ratios": (3, 2)} if classes else None
    axes = figure.subplots(2 if classes else 1, 1, squeeze=False, gridspec_kw=heights)[:, 0]
    if classes:
        places, histogram = np.arange(len(classes["names"])), axes[0]
        for frequency, label, side in ((classes["real"], "real images", -0.2), (classes["fake"], "samples", 0.2)):
            histogram.bar(places + side, frequency, width=0.4, label=label)
        shown = places[:: -(-len(places) // 20)]  # the names of a hundred classes would overlap
        rotation = 90 if len(shown) > 10 else 0
        histogram.set_xticks(shown, [classes["names"][place] for place in shown], rotation=rotation)
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

    A run has a history for each seed that was trained: epoch, seconds of each epoch, and frechet, NaN where it was not
    measured. All seeds of a run have the same color.
    """
    figure, (by_epoch, by_time) = _panels(2)
    longest = max(sum(history["seconds"]) for histories in runs.values() for history in histories)
    unit, length = ("minutes", 60) if longest > 600 else ("seconds", 1)
    for number, (name, histories) in enumerate(runs.items()):
        for seed, history in enumerate(histories):
            distances = np.asarray(history["frechet"], float)
            known = np.isfinite(distances)
            style = {
                "color": f"C{number}",
                "alpha": 1 if len(histories) == 1 else 0.6,
                "marker": "o" if known.sum() == 1 else ".",
                "label": None if seed else name,
            }
            by_epoch.plot(np.asarray(history["epoch"])[known], distances[known], **style)
            by_time.plot(np.cumsum(history["seconds"])[known] / length, distances[known], **style)
    for axis in (by_epoch, by_time):
        axis.set(ylabel="Fréchet distance", yscale="log")  # it falls from several hundred to a few
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.yaxis.set_minor_formatter(NullFormatter())
        axis.legend()
    _by_epoch(by_epoch)
    by_time.set_xlabel(f"training time in {unit}")
    return figure


def dashboard(
    grid: Image.Image,
    history: Mapping[str, Sequence[float]],
    epochs: Sequence[int] | None = None,
    *,
    caption: str = "",
    note: str | None = None,
    has_probabilities: bool = True,
) -> Image.Image:
    """A grid of samples next to the curves of `loss_curves`, scaled to their height, in one picture of one size, RGB.

    The caption is a line above; the note has two lines below, for which there is no space if it is None.
    """
    figure = loss_curves(history, epochs, has_probabilities=has_probabilities)
    figure.set_dpi(DASHBOARD_HEIGHT / figure.get_figheight())
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    curves = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
    if (scale := DASHBOARD_HEIGHT / max(grid.size)) != 1:
        grid = grid.resize((round(grid.width * scale), round(grid.height * scale)), Image.Resampling.LANCZOS)
    left, below = DASHBOARD_HEIGHT + GAP, CAPTION_HEIGHT + DASHBOARD_HEIGHT
    size = left + curves.width, below + (0 if note is None else 2 * CAPTION_HEIGHT)
    board = on_white(size, "RGB", {(0, CAPTION_HEIGHT): grid, (left, CAPTION_HEIGHT): curves})
    write_line(board, 0, caption)
    for number, line in enumerate(textwrap.wrap(note or "", board.width // 7, max_lines=2)):
        write_line(board, below + number * CAPTION_HEIGHT, line)
    return board


def _panels(count: int, **options: Any) -> tuple[Figure, np.ndarray]:
    """A figure and its axes, one under the other, with grids."""
    figure = Chart()
    axes = figure.subplots(count, 1, **options)
    for axis in axes:
        axis.grid(alpha=0.3)
    return figure, axes


def _by_epoch(axis: Axes) -> None:
    axis.set_xlabel("epoch")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
