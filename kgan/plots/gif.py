"""An animation that grows while a model trains."""

from __future__ import annotations

import warnings
import zlib
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
from PIL import Image, ImageOps

from kgan.checks import check
from kgan.files import replacing

LOOP = b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"  # for ever


class GIF:
    """An animation that grows a frame at a time; its file is whole after every frame.

    Each frame is encoded once, so that a long animation costs no more per frame than a short one.

    Args:
        path: path of the file.
        milliseconds: how long a frame is shown; at most 655,350, about 11 minutes, as the format has it.
        hold: how long the last frame is shown, until another follows it; in milliseconds as well.

    Example:
        >>> gif = GIF("progress.gif")
        >>> for epoch in range(1, 4):
        ...     gif.append(kgan.plots.captioned(kgan.plots.image_grid(model.generate(64)), f"epoch {epoch}"))
    """

    def __init__(self, path: str | Path, *, milliseconds: int = 150, hold: int = 2500) -> None:
        check(milliseconds=milliseconds, hold=hold)
        self.path = Path(path).expanduser()
        self.milliseconds = milliseconds
        self.hold = hold
        self._earlier = bytearray()  # all frames but the last, as they stand in the file
        self._last = b""

    def append(self, frame: Image.Image, *, instead: bool = False) -> None:
        """Add a frame, which is fitted to the size of the first; with `instead`, it replaces the last one."""
        if self._last:
            width, height = (int.from_bytes(self._last[at : at + 2], "little") for at in (13, 15))
            if frame.size != (width, height):
                frame = ImageOps.pad(_plain(frame), (width, height), color="white")
        if not instead:
            self._earlier += _shown_for(self._last, self.milliseconds)
        self._last = _encoded(frame)
        self._write()

    def get_state(self) -> dict[str, Any]:
        """What another process needs to continue: how much of the file stays, and its last frame."""
        last = np.frombuffer(self._last, np.uint8)
        return {"length": len(self._earlier), "checksum": zlib.crc32(self._earlier), "last": last}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the file to what it was at `get_state`; if it is gone or damaged, begin anew with the last frame."""
        self._last = np.asarray(state["last"], np.uint8).tobytes()
        # A link might lead out of the directory.
        content = self.path.read_bytes() if self.path.is_file() and not self.path.is_symlink() else b""
        self._earlier = bytearray(content[len(_header(self._last)) :][: state["length"]])
        if zlib.crc32(self._earlier) != state["checksum"]:
            warnings.warn(f"{self.path} is no longer the file of this run: a new GIF begins", stacklevel=2)
            self._earlier.clear()
        if self._last:
            self._write()

    def _write(self) -> None:
        with replacing(self.path, durable=False) as temporary, temporary.open("wb") as file:
            file.writelines((_header(self._last), self._earlier, _shown_for(self._last, self.hold), b";"))


def _header(frame: bytes) -> bytes:
    """The beginning of a file: the size is that of its frames, and there is no common color table."""
    return b"GIF89a" + frame[13:17] + bytes(3) + LOOP


def _encoded(frame: Image.Image) -> bytes:
    """A frame as it stands in a file of many: duration, place and size, a color table of its own, pixels.

    imageio writes whole files. This one has a header of 13 bytes and the color table, 8 bytes with the duration, 10
    with the frame's place and size, of which the last says whether it has a color table of its own; and a semicolon.
    """
    frame = _plain(frame)
    if frame.mode == "L":  # 16 shades look like 256, and make the file less than half as large
        frame = frame.point([round(gray / 17) * 17 for gray in range(256)])
    alone = iio.imwrite("<bytes>", np.asarray(frame), extension=".gif", is_batch=False, duration=10)
    table_size = alone[10] & 7
    begin = 13 + 3 * 2 ** (table_size + 1)
    flags = alone[begin + 17] | 0x80 | table_size
    return alone[begin : begin + 17] + bytes([flags]) + alone[13:begin] + alone[begin + 18 : -1]


def _plain(frame: Image.Image) -> Image.Image:
    """The frame as gray or RGB, on white where it is transparent."""
    is_gray = frame.mode in ("1", "L", "LA")
    if frame.has_transparency_data:
        frame = Image.alpha_composite(Image.new("RGBA", frame.size, "white"), frame.convert("RGBA"))
    return frame.convert("L" if is_gray else "RGB")


def _shown_for(frame: bytes, milliseconds: int) -> bytes:
    """A frame with another duration: its hundredths of a second are bytes 4 and 5."""
    return frame[:4] + (max(10, int(milliseconds)) // 10).to_bytes(2, "little") + frame[6:] if frame else b""
