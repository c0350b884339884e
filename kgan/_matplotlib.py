"""matplotlib, although the environment may name a backend of another Jupyter, which is not installed here."""

import contextlib
import os
import sys

_wanted = None if "matplotlib" in sys.modules else os.environ.pop("MPLBACKEND", None)
import matplotlib  # noqa: E402

if _wanted:
    os.environ["MPLBACKEND"] = _wanted
    with contextlib.suppress(ValueError):  # matplotlib takes the name in the same way, but lets the error through
        matplotlib.rcParams["backend"] = _wanted

__all__ = ["matplotlib"]
