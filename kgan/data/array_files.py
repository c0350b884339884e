"""Files that hold an array of images: `.npy`, `.npz`, `.h5`.

kgan does not trust these files: it opens no pickle, and it allocates memory only after a first reading, piece by piece,
has shown that a file holds what its header says.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kgan.errors import Mistake

SUFFIXES = (".npy", ".npz", ".h5", ".hdf5")
NAME = "images"  # the name of the array, if a file holds several
LONGEST_HEADER = 2**16
PIECE = 2**23  # bytes read at a time
CHECKSUM = 4  # bytes that HDF5 may put after a chunk
MOST_COMPRESSED = 1032  # deflate compresses at most this many bytes to one: a file that claims more is wrong


class ArrayInFile(NamedTuple):
    """What a file says it holds, and a function that reads it in pieces of shape (some images, …)."""

    shape: tuple[int, ...]
    dtype: np.dtype
    pieces: Callable[[], Iterator[np.ndarray]]


def is_array_file(source: str | Path) -> bool:
    """Whether `source` is the name of a file that holds an array.

    Example:
        >>> is_array_file("images.npz"), is_array_file("pictures")
        (True, False)
    """
    return str(source).lower().endswith(SUFFIXES)


def load(path: Path) -> np.ndarray:
    """The images of a file, uint8: those of its array `images`, or of its only array.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if the file holds no images, or not what its header says.

    Example:
        >>> np.savez("digits.npz", images=np.zeros((3, 28, 28, 1), np.uint8))
        >>> load(Path("digits.npz")).shape
        (3, 28, 28, 1)
    """
    path = path.expanduser()
    opened = {".npy": _npy, ".npz": _npz}.get(path.suffix.lower(), _hdf5)
    with contextlib.ExitStack() as held:
        try:
            found = opened(path, held)
            _check(found)
            return _read(found, *_range(found))
        except _Refused as refused:
            raise Mistake(f"{path} {refused}") from None
        except (FileNotFoundError, PermissionError, IsADirectoryError, MemoryError):
            raise
        except Exception:  # of many classes: a damaged file can break its reader anywhere
            raise Mistake(f"{path} is not an array of images, or it is damaged") from None


class _Refused(Exception):
    """The reason why a file is not read, to be put after its name in a message."""


def _check(found: ArrayInFile) -> None:
    if found.dtype.kind not in "uif":
        raise _Refused(f"is not an array of images: it holds {found.dtype}")
    if len(found.shape) != 4 or found.shape[3] not in (1, 3) or not all(found.shape[1:]):
        raise _Refused(f"holds an array of shape {found.shape}: images are (count, height, width, 1 or 3)")
    if not found.shape[0]:
        raise _Refused("holds no images")
    if math.prod(found.shape[1:]) * found.dtype.itemsize > 4 * PIECE:
        raise _Refused(f"holds images of {found.shape[1]} × {found.shape[2]} pixels: that is too many")


def _range(found: ArrayInFile) -> tuple[float, float]:
    """Smallest and largest value; also checks that the file holds all that its header says."""
    low, high, count = math.inf, -math.inf, 0
    for piece in found.pieces():
        low, high, count = min(low, float(piece.min())), max(high, float(piece.max())), count + len(piece)
        if not math.isfinite(float(piece.sum(dtype=np.float64))):
            low = math.nan
    if count != found.shape[0]:
        raise _Refused(_says_more(found.shape, found.dtype))
    return (math.nan, high) if low != low else (low, high)


def _read(found: ArrayInFile, low: float, high: float) -> np.ndarray:
    as_they_are = found.dtype == np.uint8
    if not as_they_are and not (found.dtype.kind == "f" and low >= -1 and high <= 1):
        raise _Refused(f"holds {found.dtype} from {low:g} to {high:g}: images are uint8, or floats in [-1, 1]")
    images, filled = np.empty(found.shape, np.uint8), 0
    for piece in found.pieces():
        images[filled : filled + len(piece)] = piece if as_they_are else np.round((piece + 1) * 127.5)
        filled += len(piece)
    return images


def _says_more(shape: tuple[int, ...], dtype: np.dtype) -> str:
    return f"says that it holds {math.prod(shape) * dtype.itemsize:,} bytes of images, which it does not"


def _at_a_time(shape: tuple[int, ...], dtype: np.dtype) -> int:
    """How many images make a piece."""
    return max(1, PIECE // max(1, math.prod(shape[1:]) * dtype.itemsize))


def _of_header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    """Shape, whether the array is in Fortran order, type, and where the images begin."""
    head = io.BytesIO(file.read(LONGEST_HEADER))  # a header may claim that it is 4 GB long
    version = np.lib.format.read_magic(head)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, is_fortran, dtype = read(head)
    if dtype.hasobject:
        raise _Refused("is not an array of images: it holds Python objects, which could run anything")
    return tuple(int(size) for size in shape), is_fortran, dtype, head.tell()


def _npy(path: Path, held: contextlib.ExitStack) -> ArrayInFile:
    with path.open("rb") as file:
        if file.peek(2)[:2] == b"PK":
            raise _Refused("is a .npz by its content: rename it")
        shape, _, dtype, begin = _of_header(file)
        if begin + math.prod(shape) * dtype.itemsize > path.stat().st_size:
            raise _Refused(_says_more(shape, dtype))
    mapped, at_a_time = np.load(path, mmap_mode="r", allow_pickle=False), _at_a_time(shape, dtype)
    pieces = lambda: (mapped[first : first + at_a_time] for first in range(0, shape[0], at_a_time))  # noqa: E731
    return ArrayInFile(shape, dtype, pieces)


def _npz(path: Path, held: contextlib.ExitStack) -> ArrayInFile:
    archive = held.enter_context(zipfile.ZipFile(path))
    names = [entry.filename.removesuffix(".npy") for entry in archive.infolist()]
    entry = archive.getinfo(f"{_chosen(names)}.npy")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others: output without limit
        raise _Refused("is compressed in a way that numpy.savez_compressed does not use")
    with archive.open(entry) as file:
        shape, is_fortran, dtype, begin = _of_header(file)
    if is_fortran:
        raise _Refused("holds images in Fortran's order: save them with numpy.ascontiguousarray")
    size = math.prod(shape) * dtype.itemsize
    if size > MOST_COMPRESSED * os.path.getsize(path) or begin + size > entry.file_size:
        raise _Refused(_says_more(shape, dtype))

    def pieces() -> Iterator[np.ndarray]:
        one, at_a_time = math.prod(shape[1:]) * dtype.itemsize, _at_a_time(shape, dtype)
        with archive.open(entry) as file:
            file.read(begin)
            for first in range(0, shape[0], at_a_time):
                count = min(at_a_time, shape[0] - first)
                data = file.read(count * one)
                if len(data) != count * one:
                    raise _Refused(_says_more(shape, dtype))
                yield np.frombuffer(data, dtype).reshape(count, *shape[1:])
            while file.read(PIECE):  # read to the end, where the checksum is compared
                pass

    return ArrayInFile(shape, dtype, pieces)


def _hdf5(path: Path, held: contextlib.ExitStack) -> ArrayInFile:
    import h5py

    with path.open("rb"):  # h5py's own errors give no reason
        pass
    file = held.enter_context(h5py.File(path, "r"))
    # Links may lead to other files.
    names = [name for name in file if isinstance(file.get(name, getlink=True), h5py.HardLink)]
    arrays = file[_chosen([name for name in names if isinstance(file[name], h5py.Dataset)])]
    if arrays.is_virtual or arrays.external:
        raise _Refused("keeps its images in other files: save them in one")
    if arrays.dtype.kind not in "uif":
        raise _Refused(f"is not an array of images: it holds {arrays.dtype}")
    size, stored = math.prod(arrays.shape) * arrays.dtype.itemsize, path.stat().st_size
    most = MOST_COMPRESSED * stored if arrays.chunks else stored
    if arrays.chunks:  # chunks that were never written are read as zeros
        wanted = math.prod(-(-length // chunk) for length, chunk in zip(arrays.shape, arrays.chunks, strict=True))
        is_whole = arrays.id.get_num_chunks() == wanted
    else:
        is_whole = arrays.id.get_storage_size() >= size
    if size > most or not is_whole:
        raise _Refused(_says_more(arrays.shape, arrays.dtype))
    if arrays.chunks:
        size_of_chunk = math.prod(arrays.chunks) * arrays.dtype.itemsize
        if size_of_chunk > 4 * PIECE + stored:
            raise _Refused("is in chunks that are larger than the file: save it with chunks of some images")
        _check_inflated(arrays, size_of_chunk)

    def pieces() -> Iterator[np.ndarray]:
        at_a_time = _at_a_time(arrays.shape, arrays.dtype)
        for first in range(0, arrays.shape[0], at_a_time):
            yield arrays[first : first + at_a_time]

    return ArrayInFile(arrays.shape, arrays.dtype, pieces)


def _check_inflated(arrays: Any, size: int) -> None:
    """Refuse chunks that gzip expands beyond their declared size: HDF5 would allocate memory for all of it."""
    import h5py

    properties = arrays.id.get_create_plist()
    filters = [properties.get_filter(number)[0] for number in range(properties.get_nfilters())]
    if h5py.h5z.FILTER_DEFLATE not in filters:
        return
    number = filters.index(h5py.h5z.FILTER_DEFLATE)
    if not {*filters[number + 1 :]} <= {h5py.h5z.FILTER_FLETCHER32}:
        raise _Refused("is compressed in several ways: save it with compression='gzip' alone")
    chunks: list[Any] = []
    arrays.id.chunk_iter(chunks.append)
    for chunk in chunks:
        if chunk.filter_mask & 1 << number:  # stored uncompressed
            continue
        _, stored = arrays.id.read_direct_chunk(chunk.chunk_offset)
        inflate, found = zlib.decompressobj(), 0
        while stored and not inflate.eof:
            found += len(inflate.decompress(stored, PIECE))
            stored = inflate.unconsumed_tail
            if found > size + CHECKSUM:
                raise _Refused(f"has chunks that hold more than the {size:,} bytes that they should")


def _chosen(names: list[str]) -> str:
    if NAME in names or len(names) == 1:
        return NAME if NAME in names else names[0]
    if not names:
        raise _Refused("holds no array")
    raise _Refused(f"holds the arrays {', '.join(sorted(names)[:5])}: name the one with the images {NAME!r}")
