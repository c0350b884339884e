"""What Keras' `fit` needs of two networks: it makes training safe, resumable and compatible with Keras.

You do not need to read it to understand a GAN: Algorithm 1 is in `kgan/gan.py`. The modules are:

- `model`: `KerasGAN`, a Keras model with two networks and two optimizers, and its `fit`; `shapes`: how these fit.
- `data`: the one door for real images; `steps`: how training steps are executed.
- `callback`: how a callback talks to `fit`, and the recorder of the history.
- `updates`: how gradients become new weights; `averaging`: an average of the generator.
- `replicas`: the part of a step that each replica does; `workers`: what several machines must do together.
"""

from kgan.data.checks import check_images
from kgan.training.averaging import copied
from kgan.training.callback import Callback, FitArguments, Recorder, ResumePoint
from kgan.training.model import KerasGAN
from kgan.training.replicas import position
from kgan.training.shapes import fitting_shapes
from kgan.training.steps import images_of, labels_of, split
from kgan.training.updates import Updater, in_some_steps, statistics_kept

__all__ = [
    "Callback",
    "FitArguments",
    "KerasGAN",
    "Recorder",
    "ResumePoint",
    "Updater",
    "check_images",
    "copied",
    "fitting_shapes",
    "images_of",
    "in_some_steps",
    "labels_of",
    "position",
    "split",
    "statistics_kept",
]
