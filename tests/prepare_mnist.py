"""Prepare the real MNIST for TensorFlow Datasets from its four files, without a network.

    python tests/prepare_mnist.py FOLDER DIRECTORY && export TFDS_DATA_DIR=DIRECTORY

The files are put where the builder would have downloaded them, so it checks their checksums and reads what a user gets.
"""

import shutil
import sys
from pathlib import Path

import tensorflow_datasets as tfds
from tensorflow_datasets.core.download import resource

if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    folder, directory = map(Path, sys.argv[1:])
    builder = tfds.builder("mnist", data_dir=directory)
    if not builder.is_prepared():
        (directory / "downloads").mkdir(parents=True, exist_ok=True)
        for url, facts in builder.url_infos.items():
            name = Path(url).name
            target = directory / "downloads" / resource.get_dl_fname(url, facts.checksum)
            shutil.copy(folder / name, target)
            resource.write_info_file(url, target, builder.name, name, facts)
        builder.download_and_prepare()
    print(f"MNIST is in {directory}")
