"""How long a large folder takes to check, to open again, and to give its first batch; and how much memory.

    python benchmarks/folders.py [files]

Writes so many JPEGs of 96 × 96 pixels, each another crop of noise, into a temporary directory.
"""

import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

FILES = int(sys.argv[1]) if len(sys.argv) > 1 else 60_000
LOAD = """
import resource, sys, time
from kgan import data
began = time.perf_counter()
images = data.folders.load(sys.argv[1], 64).images
loaded = time.perf_counter()
next(data.batches(images, 64).as_numpy_iterator())
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
to_first_batch = time.perf_counter() - loaded
print(f"{loaded - began:6.1f} s to load {images.nbytes / 1e6:.0f} MB, {to_first_batch:.1f} s to the first batch, "
      f"{memory:.0f} MB of memory at most")
"""

noise = np.random.default_rng(0).integers(0, 256, (600, 600, 3), np.uint8)
with tempfile.TemporaryDirectory() as directory:
    os.environ["KGAN_CACHE"] = f"{directory}/cache"
    for number in range(FILES):
        folder = Path(directory, "images", f"{number // 1000:03}")
        folder.mkdir(parents=True, exist_ok=True)
        top, left = number % 500, number // 500 % 500
        Image.fromarray(noise[top : top + 96, left : left + 96]).save(folder / f"{number:06}.jpg", quality=75)
    print(f"{FILES:,} files, {platform.machine()} with {os.cpu_count()} cores")
    for what in ("first", "again"):
        print(what, end=" ", flush=True)
        subprocess.run([sys.executable, "-c", LOAD, f"{directory}/images"], check=True)
