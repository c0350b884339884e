"""How much memory many samples take: `kgan sample --count 50000` into a folder and an array, `kgan evaluate` of 10,000.

    python benchmarks/memory.py [count] [evaluated]

By an untrained DCGAN for 64 × 64 × 3 images, of few filters, as only the number and size of the images counts here.
Each command runs in a process of its own; its peak is the largest resident size that the system saw.
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import kgan
from kgan import recipes, runs


def peak(directory: Path, *arguments: str) -> None:
    """Run a command, and print the most memory it held."""
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
        images = np.lib.format.open_memmap(directory / "real.npy", "w+", np.uint8, (2 * evaluated + 3000, 64, 64, 3))
        images[:] = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)
        images[:, 0, 0, 0] = np.arange(len(images)) % 256
        images.flush()
        recipe = recipes.get("dcgan-folder")
        settings = recipes.resolve(recipe, {"data": str(directory / "real.npy"), "image_size": 64, "filters": 4})
        model = kgan.DCGAN((64, 64, 3), filters=4)
        model.compile()
        (directory / "run").mkdir()
        model.save(directory / "run" / "model.keras")
        runs.write_json(directory / "run" / "run.json", {"recipe": recipe.name, "settings": settings})
        print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000:>6} MB  TensorFlow and a model alone")
        peak(directory, "sample", "run", "--count", str(count), "--out", "samples.npy")
        peak(directory, "sample", "run", "--count", str(count), "--out", "samples/")
        peak(directory, "evaluate", "run", "--count", str(evaluated), "--seeds", "1", "--features", "pixels")
