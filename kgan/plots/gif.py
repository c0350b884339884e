"""An animation that grows while a model trains."""

from __future__ import annotations

import contextlib
import operator
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import GifImagePlugin, Image

from kgan.errors import Mistake
from kgan.files import replacing


class GIF:
    """An animation that grows a frame at a time.

    Frames are appended to the file as they come: they are not kept in memory, and the file is not rewritten. The last
    frame is shown longer, until another one follows it. If the process stops while it writes a frame, the earlier
    frames are intact, and `set_state` continues after them.

    Args:
        path: path of the file.
        milliseconds: how long a frame is shown.
        hold: how long the last frame is shown, in milliseconds.

    Example:
        >>> gif = GIF("progress.gif")
        >>> for epoch in range(1, 4):
        ...     gif.append(kgan.plots.captioned(kgan.plots.image_grid(model.generate(64)), f"epoch {epoch}"))
    """

    def __init__(self, path: str | Path, *, milliseconds: int = 150, hold: int = 2500) -> None:
        self.path = Path(path)
        self.milliseconds = milliseconds
        self.hold = hold
        self._size: tuple[int, int] | None = None  # of the frames
        self._begin()

    def _begin(self) -> None:
        self._header = self._last = b""  # the bytes of the file's header, and of its last frame
        self._end = 0  # bytes of the file that no further frame will change: all before the last frame
        self._checksum = 0  # of these bytes

    def append(self, frame: Image.Image, *, instead: bool = False) -> None:
        """Add a frame; with `instead`, it replaces the last one."""
        if frame.size != self._size or not self._is_there():  # a file has frames of one size only
            self._size = frame.size
            self._begin()
        frame = _quantized(frame)
        new = _gif_frame(frame, self.hold)
        if not self._end:
            self._create(_gif_header(frame), new)
            return
        stays = b"" if instead else _shown_for(self._last, self.milliseconds)
        self._write(stays + new + b";")
        self._end, self._checksum = self._end + len(stays), zlib.crc32(stays, self._checksum)
        self._last = new

    def get_state(self) -> dict[str, Any]:
        """What another process needs to continue: how much of the file stays, and its last frame."""
        arrays = {"header": np.frombuffer(self._header, np.uint8), "last": np.frombuffer(self._last, np.uint8)}
        return {"end": self._end, "size": self._size, "checksum": self._checksum, **arrays}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from the result of `get_state`; the file is restored to what it was then.

        If the file is gone or damaged, there is a warning, and a new file begins with the last frame.
        """
        header, last = (np.asarray(state[name], np.uint8).tobytes() for name in ("header", "last"))
        end, size = operator.index(state["end"]), state["size"] and tuple(state["size"])
        if end < len(header):
            raise Mistake(f"the state of {self.path.name} is damaged")
        self._size, self._end, self._checksum, self._header, self._last = size, end, state["checksum"], header, last
        if not self._last:
            return
        if self._is_there() and self._is_whole():
            self._write(self._last + b";")
        else:
            warnings.warn(f"{self.path} is no longer the file of this run: a new GIF begins", stacklevel=2)
            self._create(self._header, self._last)

    def _is_there(self) -> bool:
        # A link might lead out of the directory.
        return self.path.is_file() and not self.path.is_symlink() and self.path.stat().st_size >= self._end

    def _is_whole(self) -> bool:
        """Whether all bytes before the last frame are as they were written."""
        with self.path.open("rb") as file:
            return zlib.crc32(file.read(self._end)) == self._checksum

    def _create(self, header: bytes, frame: bytes) -> None:
        with replacing(self.path, durable=False) as temporary:
            temporary.write_bytes(header + frame + b";")
        self._header, self._last, self._end, self._checksum = header, frame, len(header), zlib.crc32(header)

    def _write(self, content: bytes) -> None:
        """Write this after the bytes that stay; if the disk is full, restore the last frame."""
        with self.path.open("r+b", buffering=0) as file:
            try:
                self._put(file, content)
            except OSError:
                with contextlib.suppress(OSError):
                    self._put(file, self._last + b";")
                raise

    def _put(self, file: Any, content: bytes) -> None:
        file.seek(self._end)
        file.truncate()
        while content:  # a disk that becomes full takes only a part
            content = content[file.write(content) :]


def _quantized(frame: Image.Image) -> Image.Image:
    if frame.mode == "L":  # 16 shades look like 256, and make the file less than half as large
        return frame.point([round(gray / 17) * 17 for gray in range(256)])
    return frame.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def _gif_header(frame: Image.Image) -> bytes:
    return b"".join(GifImagePlugin.getheader(frame.copy(), info={"loop": 0})[0])


def _gif_frame(frame: Image.Image, milliseconds: int) -> bytes:
    # Frames in color have palettes of their own; gray ones share the header's.
    own_palette = frame.mode == "P"
    milliseconds = max(10, int(milliseconds))  # at 0 the bytes that _shown_for changes would be left out
    return b"".join(GifImagePlugin.getdata(frame, duration=milliseconds, include_color_table=own_palette))


def _shown_for(frame: bytes, milliseconds: int) -> bytes:
    """A frame's bytes with another duration: its hundredths of a second are bytes 4 and 5."""
    return frame[:4] + (max(10, int(milliseconds)) // 10).to_bytes(2, "little") + frame[6:]
