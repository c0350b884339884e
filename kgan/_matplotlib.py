"""matplotlib, although the environment may name a backend of another Jupyter, which is not installed here."""

import importlib.util
import os

_wanted = os.environ.get("MPLBACKEND", "")
_package = _wanted.removeprefix("module://").partition(".")[0]
_is_missing = _wanted.startswith("module://") and importlib.util.find_spec(_package) is None
if _is_missing:
    del os.environ["MPLBACKEND"]
import matplotlib  # noqa: E402

if _is_missing:
    os.environ["MPLBACKEND"] = _wanted

__all__ = ["matplotlib"]
