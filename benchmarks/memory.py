"""How much memory many samples take: `kgan sample --count 50000` into a folder and an array, `kgan evaluate` of 10,000.

    python benchmarks/memory.py [count] [evaluated]

The model is a DCGAN for 64 × 64 × 3 images with few filters, since only the number and the size of the images count
here. It is trained on a few of the images. Each command runs in a process of its own; its peak is the largest resident
size that the system saw.
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import kgan

SHAPE = (64, 64, 3)


def write_images(path: Path, count: int) -> None:
    """Write a file of so many images, all the same but for a pixel."""
    images = np.lib.format.open_memmap(path, "w+", np.uint8, (count, *SHAPE))
    images[:] = np.random.default_rng(0).integers(0, 256, (1, *SHAPE), np.uint8)
    images[:, 0, 0, 0] = np.arange(count) % 256
    images.flush()


def peak(directory: Path, *arguments: str) -> None:
    """Run a command, and print the most memory that it held."""
    code = (
        "import resource, sys\nfrom kgan.cli import app\nsys.argv[0] = 'kgan'\n"
        "try:\n    app()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000)"
    )
    result = subprocess.run([sys.executable, "-c", code, *arguments], cwd=directory, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    print(f"{result.stdout.splitlines()[-1].split()[1]:>6} MB  kgan {' '.join(arguments)}", flush=True)


if __name__ == "__main__":
    count, evaluated = (int(number) for number in (*sys.argv[1:], 50_000, 10_000)[:2])
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        real = directory / "real.npy"
        write_images(real, 64)
        kgan.train("dcgan-folder", data=real, epochs=1, filters=4, out=directory / "run", verbose=0, doctor=False)
        print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000:>6} MB  TensorFlow and a model alone")
        write_images(real, 2 * evaluated + 3000)
        peak(directory, "sample", "run", "--count", str(count), "--out", "samples.npy")
        peak(directory, "sample", "run", "--count", str(count), "--out", "samples/")
        peak(directory, "evaluate", "run", "--count", str(evaluated), "--seeds", "1", "--features", "pixels")
