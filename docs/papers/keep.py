"""Keeps what the pages show of a run in `results/`: run.json, history.csv, quality.json, and pictures of it.

    python docs/papers/keep.py runs/dcgan-flowers epochs.png traverse.png

The folder is called as the run is. A picture that would take more than 300 kB becomes a JPEG, smaller if need be.
"""

import io
import json
import shutil
import sys
from pathlib import Path

from PIL import Image

MOST = 300_000  # bytes of a picture: a clone carries all of them
RESULTS = Path(__file__).parent / "results"


def keep(run: Path, pictures: list[str]) -> None:
    kept = RESULTS / run.name
    kept.mkdir(exist_ok=True)
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    record["settings"]["data"] = Path(record["settings"]["data"]).name  # no folders of this machine
    (kept / "run.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    for name in ("history.csv", "quality.json"):
        if (run / name).exists():
            shutil.copyfile(run / name, kept / name)
    for name in pictures:
        for before in kept.glob(f"{Path(name).stem}.*"):
            if before.suffix in (".png", ".jpg"):
                before.unlink()
        if (run / name).stat().st_size <= MOST:
            shutil.copyfile(run / name, kept / name)
        else:
            (kept / name).with_suffix(".jpg").write_bytes(jpeg(run / name))


def jpeg(picture: Path) -> bytes:
    """The picture as a JPEG of at most `MOST` bytes: half as wide as often as that takes."""
    image = Image.open(picture).convert("RGB")
    while True:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=85, optimize=True)
        if file.tell() <= MOST:
            return file.getvalue()
        image = image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    keep(Path(sys.argv[1]), sys.argv[2:])
