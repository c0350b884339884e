"""Callbacks for `fit`: what to draw and when. How is the business of `kgan.plots`.

Each leaves its files whole after every epoch, so a run that ends early, by Ctrl-C or by an exception, has the
pictures and curves of all it trained. Epochs are counted from 1, and on through further calls of `fit` with the same
callback and model, and on again in another process with a `Checkpoint` that resumes. They work with any model that has
`generate`, `compile` and `fit` like `kgan.GAN`.
"""

from kgan.callbacks.checkpoint import FORMAT, Checkpoint
from kgan.callbacks.doctor import Doctor
from kgan.callbacks.live import LivePlot
from kgan.callbacks.pictures import ChosenEpochs, CodeColumns, CodeCurves, EpochGIF, LossCurves, SampleGrid, Samples
from kgan.callbacks.quality import Quality
from kgan.callbacks.records import HistoryCSV, StopOnNaN
from kgan.callbacks.tracking import TensorBoard, Tracker
from kgan.training import Callback

__all__ = [
    "FORMAT",
    "Callback",
    "Checkpoint",
    "ChosenEpochs",
    "CodeColumns",
    "CodeCurves",
    "Doctor",
    "EpochGIF",
    "HistoryCSV",
    "LivePlot",
    "LossCurves",
    "Quality",
    "SampleGrid",
    "Samples",
    "StopOnNaN",
    "TensorBoard",
    "Tracker",
]
