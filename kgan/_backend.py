"""Keras and TensorFlow, started quietly, for every module that needs them.

    from kgan._backend import keras, tf

When TensorFlow starts, its C++ code prints a dozen lines about oneDNN and CUDA before it reads `TF_CPP_MIN_LOG_LEVEL`.
This module hides these lines, and shows them only if TensorFlow fails to start.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator

_requested = os.environ.get("KERAS_BACKEND") or "tensorflow"
os.environ["KERAS_BACKEND"] = _requested
if _requested != "tensorflow":
    raise ImportError(
        f"kgan trains on TensorFlow, but KERAS_BACKEND is {_requested!r}: unset it, or set it to 'tensorflow'"
    )


@contextlib.contextmanager
def _stderr_held_back() -> Iterator[None]:
    """Send file descriptor 2, stderr, to a temporary file; print the text of that file only if the block raises."""
    try:
        stderr = os.dup(2)
    except OSError:  # closed: nothing to hold back
        yield
        return
    with tempfile.TemporaryFile() as held_back:
        os.dup2(held_back.fileno(), 2)
        try:
            yield
        except Exception:
            held_back.seek(0)
            os.write(stderr, held_back.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # only fatal messages: errors are raised as exceptions anyway
with _stderr_held_back() if "tensorflow" not in sys.modules else contextlib.nullcontext():
    import keras
    import tensorflow as tf

    tf.config.list_physical_devices()  # the search for a GPU writes a few lines as well

if keras.backend.backend() != "tensorflow":  # keras was imported before kgan, with another backend
    raise ImportError(
        f"kgan trains on TensorFlow, but Keras runs on {keras.backend.backend()!r}: set KERAS_BACKEND to 'tensorflow'"
    )

__all__ = ["abstract_build", "keras", "tf"]


def abstract_build(build: Callable[[], keras.Model]) -> keras.Model:
    """The model that `build` returns, of any size: its weights have shapes, but no values that would take memory."""

    def described() -> keras.Model:
        with keras.StatelessScope(initialize_variables=False):
            return build()

    # Keras keeps, for each thread, a list of variables to initialize later. The list of an extra thread ends with the
    # thread; in this thread, the next training step would initialize the variables.
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(described).result()
