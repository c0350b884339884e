"""What Keras' `fit` needs of two networks: it makes training safe, resumable and compatible with Keras.

You do not need to read it to understand a GAN: Algorithm 1 is in `kgan/gan.py`.
"""

from kgan.data.checks import check_images
from kgan.training.callback import Callback, FitArguments, Recorder, ResumePoint
from kgan.training.model import KerasGAN
from kgan.training.replicas import position
from kgan.training.shapes import fitting_shapes
from kgan.training.steps import images_of, labels_of, split
from kgan.training.updates import Updater, copied, in_some_steps, layer_losses, statistics_kept
