"""Callbacks for `fit`: what to draw, and when. The drawing itself is in `kgan.plots`.

After every epoch all files are complete, so a run that ends early has the pictures and curves of all its epochs. Epochs
are counted from 1, on through further calls of `fit` with the same model, and through a `Checkpoint` that resumes.
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
