"""Keras and TensorFlow, started quietly: `from kgan._backend import keras, tf`.

When TensorFlow starts, its C++ code logs a few lines about oneDNN and CUDA before it reads `TF_CPP_MIN_LOG_LEVEL`.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator

# A full disk may cut the last line.
_CHATTER = re.compile(rb"WARNING: All log messages before absl|[IW]\d{4} (.*\.cc:\d+\] |[\d:.]*$)")


@contextlib.contextmanager
def _without_chatter() -> Iterator[None]:
    """Hold back what is written to file descriptor 2, stderr, and then pass on all lines but TensorFlow's."""
    try:
        stderr = os.dup(2)
    except OSError:  # closed: nothing to hold back
        yield
        return
    with tempfile.TemporaryFile() as held_back:
        os.dup2(held_back.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            held_back.seek(0)
            os.write(stderr, b"".join(line for line in held_back if not _CHATTER.match(line)))
            os.close(stderr)


if "keras" in sys.modules:
    _backend = sys.modules["keras"].backend.backend()
else:
    _backend = os.environ["KERAS_BACKEND"] = os.environ.get("KERAS_BACKEND") or "tensorflow"
if _backend != "tensorflow":
    raise ImportError(
        f"kgan trains on TensorFlow, but KERAS_BACKEND is {_backend!r}: unset it, or set it to 'tensorflow'"
    )
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # only fatal messages: errors are raised as exceptions anyway
with _without_chatter() if "tensorflow" not in sys.modules else contextlib.nullcontext():
    from kgan._matplotlib import matplotlib  # noqa: F401 - Keras imports it too, without this care

    import keras  # isort: skip
    import tensorflow as tf

    tf.config.list_physical_devices()  # the search for a GPU writes a few lines as well

__all__ = ["abstract_build", "keras", "tf"]


def abstract_build(build: Callable[[], keras.Model]) -> keras.Model:
    """The model that `build` returns, of any size: its weights have shapes, but no values that would take memory."""

    def described() -> keras.Model:
        with keras.StatelessScope(initialize_variables=False):
            return build()

    # In a thread of its own: Keras lists, for each thread, the variables that the next step is to initialize.
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(described).result()
