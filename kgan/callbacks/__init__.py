"""Callbacks for `fit`: what to draw, and when. The drawing itself is in `kgan.plots`.

After every epoch all files are complete, so a run that ends early, by Ctrl-C or by an exception, has the pictures and
curves of all epochs that it trained. Epochs are counted from 1. The count continues through further calls of `fit` with
the same callback and model, and in another process with a `Checkpoint` that resumes. The callbacks work with any model
that has `generate`, `compile` and `fit` like `kgan.GAN`.
"""

from kgan.callbacks.checkpoint import FORMAT, Checkpoint
from kgan.callbacks.doctor import Doctor
from kgan.callbacks.live import LivePlot
from kgan.callbacks.pictures import ChosenEpochs, CodeColumns, CodeCurves, EpochGIF, LossCurves, SampleGrid, Samples
from kgan.callbacks.progress import ProgressLine, Stopwatch
from kgan.callbacks.quality import Quality
from kgan.callbacks.records import HistoryCSV, StopOnNaN
from kgan.callbacks.tracking import TensorBoard, Tracker
from kgan.training import Callback
