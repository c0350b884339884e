"""The versions and the hardware that a run is trained with."""

from __future__ import annotations

import os
import platform
import subprocess
from typing import Any


def environment() -> dict[str, Any]:
    """Versions and hardware, for `run.json`."""
    import numpy as np

    import kgan
    from kgan._backend import keras, tf

    gpus = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    return {
        "device": ", ".join(gpu.get("device_name", "GPU") for gpu in gpus) or f"CPU, {os.cpu_count()} cores",
        "machine": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "kgan": kgan.__version__,
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
    }


def unused_gpu() -> str | None:
    """The name of this machine's NVIDIA GPU if TensorFlow does not use it, unless it is hidden on purpose."""
    from kgan._backend import tf

    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1") or tf.config.list_physical_devices("GPU"):
        return None
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        names = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):  # it is not there, or fails
        return None
    return names.strip().partition("\n")[0] or None


def peak_memory() -> int | None:
    """The peak memory of this process so far, in bytes; None on Windows, which does not report it."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else 1024 * peak
