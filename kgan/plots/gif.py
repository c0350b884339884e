"""An animation that grows while a model trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import GifImagePlugin, Image

from kgan.files import replacing


class GIF:
    """An animation that grows a frame at a time, and is whole on disk after each.

    Frames are written as they come and are not kept in memory. The last frame is shown longer, until another one
    follows it. The file is replaced, never changed: at any time, also after a crash, it is an animation that ends
    with the last frame.

    Args:
        path: of the file.
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
        self._end = 0  # bytes of the file that no further frame will change
        self._size: tuple[int, int] | None = None  # of the frames

    def append(self, frame: Image.Image, *, instead: bool = False) -> None:
        """Add a frame; with `instead`, put it in the place of the last one."""
        if frame.size != self._size:  # frames of another size never go into one file
            self._size, self._end = frame.size, 0
        frame = _quantized(frame)
        written = self._written()
        start = written[: self._end] or _gif_header(frame)
        if written and not instead:
            start += _shown_for(written[self._end : -1], self.milliseconds)
        self._write(start + _gif_frame(frame, self.hold) + b";")
        self._end = len(start)

    def get_state(self) -> dict[str, Any]:
        """What another process needs to continue: the file so far, and where its last frame begins."""
        return {"end": self._end, "size": self._size, "gif": np.frombuffer(self._written(), np.uint8)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from the result of `get_state`; the file is again what it was then."""
        self._end, self._size = state["end"], state["size"] and tuple(state["size"])
        if len(state["gif"]):
            self._write(state["gif"].tobytes())

    def _written(self) -> bytes:
        return self.path.read_bytes() if self._end and self.path.exists() else b""

    def _write(self, content: bytes) -> None:
        with replacing(self.path) as temporary:
            temporary.write_bytes(content)


def _quantized(frame: Image.Image) -> Image.Image:
    if frame.mode == "L":  # 8 shades look like 256 in a moving digit, and make the file a third as large
        return frame.point([round(round(gray / 255 * 7) * 255 / 7) for gray in range(256)])
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
