"""Pictures from arrays: grids, GIFs and charts. No function here needs a model, so students can plot without one."""

from kgan import _matplotlib  # before all its parts
from kgan.plots.charts import code_curves, dashboard, distance_curves, loss_curves, quality
from kgan.plots.gif import GIF
from kgan.plots.grids import code_images, image_grid, to_uint8
from kgan.plots.layout import captioned, epochs_in_step, save, side_by_side, stacked, with_row_labels

__all__ = [
    "GIF",
    "captioned",
    "code_curves",
    "code_images",
    "dashboard",
    "distance_curves",
    "epochs_in_step",
    "image_grid",
    "loss_curves",
    "quality",
    "save",
    "side_by_side",
    "stacked",
    "to_uint8",
    "with_row_labels",
]
