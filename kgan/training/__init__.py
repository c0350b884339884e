"""The engine behind `fit`: it makes training safe, resumable and compatible with Keras.

You do not need to read it to understand a GAN: Algorithm 1 is in `kgan/gan.py`. The modules are:

- `model`: what Keras requires of a model with two networks and two optimizers; `sampling`: how such a model draws.
- `engine`: `fit`, from its arguments to the last step; `steps`: how training steps are executed.
- `inputs`: checks before the first step; `datasets`: real images as Keras' `fit` takes them.
- `callback`: how a callback talks to the engine.
- `updates`: how gradients become new weights; `averaging`: an average of the generator.
- `replicas`: the part of a step that each replica does; `workers`: what several machines must do together.
"""

from kgan.training.callback import Callback, FitArguments, Recorder, ResumePoint
from kgan.training.inputs import check_images, images_of, labels_of, split
from kgan.training.model import AdversarialModel
from kgan.training.updates import Updater, in_some_steps, statistics_kept

__all__ = [
    "AdversarialModel",
    "Callback",
    "FitArguments",
    "Recorder",
    "ResumePoint",
    "Updater",
    "check_images",
    "images_of",
    "in_some_steps",
    "labels_of",
    "split",
    "statistics_kept",
]
