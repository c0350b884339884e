"""The CAT data set from Kaggle."""

from __future__ import annotations

from pathlib import Path

from kgan.data.tfds import first_line


def fetch() -> Path:
    """Download Crawford's copy of the CAT data set (Zhang, Sun, Tang 2008): photographs, each with its `.cat` file."""
    page = "https://www.kaggle.com/datasets/crawford/cat-dataset"
    try:
        import kagglehub
    except ImportError:
        raise ImportError(
            "the CAT data set is on Kaggle: pip install 'kgan[cats]' to have it fetched, or get it from "
            f"{page}, unpack it, and give its folder as data"
        ) from None
    try:
        path = Path(kagglehub.dataset_download("crawford/cat-dataset"))
    except Exception as error:  # of many classes: no network, no such page, a full disk
        reason = "Kaggle does not answer" if "ConnectionError" in type(error).__name__ else first_line(error)
        message = f"cannot download the CAT data set ({reason}): get it from {page}, and give its folder as data"
        raise OSError(message) from None
    return path / "cats" if (path / "cats").is_dir() else path  # it holds its folders twice
