"""Real images: scikit-learn's digits, image data sets of TensorFlow Datasets, folders, arrays; and their batches."""

from kgan.data import folders
from kgan.data.arrays import DEGRADATIONS, Labeled, degrade, from_uint8, is_array_file
from kgan.data.batching import Batches, batches
from kgan.data.sources import held_out, is_folder, load, load_labeled

Labelled = Labeled  # the name in 0.1
