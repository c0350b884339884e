"""Read folders of images: any mix of formats, sizes and color modes; broken files are skipped.

Every file is checked and decoded once. The result is kept, by path, size and time of change, in a cache directory
(`KGAN_CACHE`; default: the system's cache directory), so that the next run starts at once.
"""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import hashlib
import itertools
import json
import os
import secrets
import stat
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import filelock
import numpy as np
import platformdirs
from PIL import Image, ImageColor, ImageOps, features

from kgan.errors import Mistake
from kgan.files import replacing

CROPS = ("center", "letterbox", "head")
Image.init()
# Only these decoders open files. Whether the last two are there depends on how Pillow was built.
FORMATS = tuple(
    name
    for name in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")
    if name in Image.OPEN and (name != "AVIF" or features.check("avif"))
)
BY_SUFFIX = {".tga": "TGA"}  # formats that the content of a file does not identify
SUFFIXES = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"}
SUFFIXES |= {".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".jpx", ".avif", *BY_SUFFIX}
UNREAD = {".heic", ".heif", ".ico", ".psd", ".svg", ".dng", ".cr2", ".nef", ".arw", ".raw", ".jxl", ".pcx", ".eps"}
MOST_PIXELS = 10**8  # of an image, up to 1 GB while decoded; a file of a few bytes can claim more than fits into memory
LARGE = 10**7  # pixels: images above are decoded one at a time
HEAD = 1.4  # side of a head's square, relative to the extent of the nine points, from the ear tips to the mouth
MOST_BROKEN = 0.25  # the largest accepted fraction of broken files among the image files of a folder
IN_MEMORY = 2**28  # bytes of decoded images (training makes three copies of them); larger arrays stay on disk
NO_IMAGE = "no image"
FORMAT = 4  # version of the cache: with a new number, caches of earlier versions are not used

_one_large = threading.Lock()


class Folder(NamedTuple):
    """The contents of a folder.

    Attributes:
        images: uint8, (count, image_size, image_size, 3), or 1 channel if all images are gray; in the order of their
            paths. An array of more than 256 MB stays on disk (a `numpy.memmap`).
        skipped: the reason by path, for each image file that could not be used.
        ignored: the number of all other files, by kind: ".txt", "hidden", "landmarks", …
        names: the path of each image within the folder.
    """

    images: np.ndarray
    skipped: dict[str, str]
    ignored: dict[str, int]
    names: list[str]


def load(folder: str | Path, image_size: int, *, crop: str = "center", background: str = "white") -> Folder:
    """Read all images of a folder and its sub-folders, as squares of one size.

    These formats are recognized by content, whatever the name of the file: PNG, JPEG, WEBP, GIF (the first frame), BMP,
    TIFF, PPM and related formats, JPEG 2000 and, if Pillow supports it, AVIF. TGA is recognized by name. Palettes,
    gray, 16 bits, CMYK and rotation by EXIF are supported; transparent images are composed over a color. Every other
    file is counted: as skipped if its name is that of an image, else as ignored. Hidden files are ignored.

    With crop="head", an image is cropped to the head if there is a file of landmarks next to it (`cat.jpg.cat`, as in
    the CAT data set: the number 9 and the x and y of the eyes, the mouth and three points of each ear). Other images
    are cropped to the center.

    Args:
        folder: has images, in it or in sub-folders.
        image_size: height and width wanted.
        crop: "center" crops to the central square; "letterbox" keeps the whole image and pads it with `background`;
            "head" crops to the square around a cat's head.
        background: a color, by name or as #rrggbb.

    Raises:
        FileNotFoundError, NotADirectoryError, PermissionError: if there is no such folder, or it cannot be read.
        ValueError: if there are no images, more than a quarter of them are broken, or crop or color is unknown.
        OSError: if the cache cannot be written, for example on a full disk.

    Example:
        >>> load("pictures", image_size=32).images.shape
        (2, 32, 32, 3)
    """
    folder = Path(os.path.abspath(folder))
    if image_size < 1:
        raise Mistake(f"image_size is {image_size}: it is 1 or more")
    crop = "center" if crop == "centre" else crop  # the spelling of earlier versions
    if crop not in CROPS:
        raise Mistake(f"crop is {crop!r}: choose one of {', '.join(CROPS)}")
    try:
        color = ImageColor.getrgb(str(background))[:3]
    except ValueError:
        raise Mistake(f"background is {background!r}: take a color such as white, black or #808080") from None
    found, skipped, ignored = _files(folder)
    landmarks = {name for name in found if f"{name}.cat" in found} if crop == "head" else set()
    points = {f"{name}.cat" for name in landmarks}
    ignored["landmarks"] += len(points)
    found = {
        name: facts + (found[f"{name}.cat"] if name in landmarks else [])
        for name, facts in found.items()
        if name not in points
    }

    def decode(name: str) -> _Decoded:
        cut = "center" if crop == "head" and name not in landmarks else crop
        return _decode(folder / name, image_size, cut, color)

    key = hashlib.sha256(json.dumps([FORMAT, FORMATS, str(folder), image_size, crop, color]).encode()).hexdigest()[:20]
    cache = cache_directory() / "folders" / key
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(cache / ".lock"):  # of runs that start together, one checks and the others wait
            known = _known(cache, image_size)
            if known is None or known.files != found:
                known = _read(found, known, cache, decode, image_size)
    except OSError as error:
        reason = error.strerror or error
        raise OSError(f"{cache} cannot be written to: {reason}; KGAN_CACHE names another directory") from None
    skipped |= {name: what for name, what in known.what.items() if what not in ("image", "gray image", NO_IMAGE)}
    for name, what in known.what.items():
        if what == NO_IMAGE:
            ignored[Path(_readable(name)).suffix.lower() or "without a suffix"] += 1
    skipped = {_readable(name): reason for name, reason in sorted(skipped.items())}
    return _checked(folder, known, skipped, dict(+ignored))


def load_file(path: str | Path, image_size: int, *, crop: str = "center", most_pixels: int = MOST_PIXELS) -> np.ndarray:
    """One image as `load` reads it, over white if it is transparent.

    Args:
        path, image_size: see `load`.
        crop: "center" for the central square; "contain" for the whole image, whose longer side is image_size.
        most_pixels: an image with more is refused before it is decoded.

    Returns:
        uint8, (height, width, 3).

    Raises:
        ValueError: for a file that is not an image, is broken or too large, with the reason.

    Example:
        >>> load_file("pictures/one.png", image_size=32).shape
        (32, 32, 3)
    """
    decoded = _decode(Path(path), image_size, crop, (255, 255, 255), most_pixels)
    if decoded.pixels is None:
        reason = "it is not an image" if decoded.what == NO_IMAGE else decoded.what
        raise Mistake(f"{Path(path).name} cannot be used: {reason}")
    return decoded.pixels


class _Known(NamedTuple):
    """The cache of a folder: size and times of change of each file, what it is, and the decoded images."""

    files: dict[str, list[int] | None]
    what: dict[str, str]
    images: np.ndarray

    @property
    def unsettled(self) -> list[str]:
        """Files that could not be read because of a disk or memory error: they are tried again."""
        return [name for name, facts in self.files.items() if facts is None]

    @property
    def rows(self) -> dict[str, int]:
        """The row of `images` that holds a file's image."""
        names = (name for name, what in self.what.items() if what in ("image", "gray image"))
        return {name: row for row, name in enumerate(names)}


class _Decoded(NamedTuple):
    """What a file is ("image", "gray image", or what is wrong with it), its pixels, and whether to cache the result."""

    what: str
    pixels: np.ndarray | None = None
    lasts: bool = True


def what_is(file: Path) -> str:
    """The part of an error message for a file named instead of a folder: what it is, and what to do."""
    suffix = file.suffix.lower()
    if suffix in SUFFIXES | UNREAD:
        return "one image: name the folder that it is in"
    if suffix in (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"):
        return "an archive: unpack it, and name the folder"
    return "no folder: name one with images, a file that ends in .npy, .npz or .h5, or a data set such as mnist"


def _files(folder: Path) -> tuple[dict[str, list[int]], dict[str, str], collections.Counter[str]]:
    """Files to open, with size and times of change; files not to open, with the reason; numbers of ignored files."""
    if not folder.exists():
        raise FileNotFoundError(f"there is no folder {folder}")
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is {what_is(folder)}")
    found, refused, ignored = {}, {}, collections.Counter()
    inside = folder.resolve()

    def unreadable(error: OSError) -> None:
        if Path(error.filename) == folder:
            raise PermissionError(f"{folder} cannot be read: {error.strerror.lower()}") from None
        refused[os.path.relpath(error.filename, folder)] = error.strerror.lower()

    for directory, folders, names in os.walk(folder, onerror=unreadable):
        hidden = [name for name in folders if name.startswith(".")]
        folders[:] = sorted(set(folders) - set(hidden))
        for path in (Path(directory, name) for name in hidden):  # a link may lead anywhere: it counts as one
            ignored["hidden"] += 1 if path.is_symlink() else sum(len(names) for *_, names in os.walk(path))
        linked = [Path(directory, name) for name in folders if Path(directory, name).is_symlink()]  # not followed
        refused |= {path.relative_to(folder).as_posix(): "a link to a folder" for path in linked}
        for name in sorted(names):
            path = Path(directory, name)
            relative = path.relative_to(folder).as_posix()
            if name.startswith("."):
                ignored["hidden"] += 1
                continue
            try:
                if path.is_symlink() and not path.resolve().is_relative_to(inside):
                    refused[relative] = "a link that leads out of the folder"
                    continue
                facts = path.stat()
            except (OSError, RuntimeError) as error:  # a broken link, or a loop of links
                refused[relative] = (getattr(error, "strerror", None) or "a link in circles").lower()
                continue
            if stat.S_ISREG(facts.st_mode):  # no pipes and devices: reading them may never end
                # The modification time alone is not enough: copying and unpacking may set it back.
                found[relative] = [facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns]
            else:
                ignored["pipes and devices"] += 1
    return dict(sorted(found.items())), refused, ignored


def _decode(path: Path, image_size: int, crop: str, color: tuple[int, ...], most_pixels: int = MOST_PIXELS) -> _Decoded:
    suffix = path.suffix.lower()
    try:
        image = Image.open(path, formats=[*FORMATS, *([BY_SUFFIX[suffix]] if suffix in BY_SUFFIX else [])])
    except Image.DecompressionBombError:
        return _Decoded(f"it has more than {most_pixels:,} pixels")
    except Exception as error:  # of any class: a broken file can fail anywhere in a decoder
        if suffix in UNREAD or (suffix == ".avif" and "AVIF" not in FORMATS):
            return _Decoded(f"{suffix[1:]} is not read: {', '.join(FORMATS)} are")
        if suffix not in SUFFIXES:
            return _Decoded(NO_IMAGE)
        if not _lasts(error):
            return _Decoded(_reason(error, path), lasts=False)
        is_known = not isinstance(error, Image.UnidentifiedImageError)
        return _Decoded(_reason(error, path) if is_known else "it is not an image")
    try:
        with image, _one_large if image.width * image.height > LARGE else contextlib.nullcontext():
            if image.width * image.height > most_pixels:
                return _Decoded(f"it has more than {most_pixels:,} pixels")
            is_gray = image.mode in ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "F")
            is_gray &= len(set(color)) == 1 or not (crop == "letterbox" or image.has_transparency_data)
            if crop == "head":
                image = image.crop(_head(Path(f"{path}.cat"), image.size))
            else:
                image.draft("RGB", (2 * image_size, 2 * image_size))  # decodes a large JPEG at a smaller size
            turned = b"" if image.format == "TIFF" else image.getexif().tobytes()  # Pillow turns TIFFs by itself
            image = _opaque(_reduced(image, image_size), color)
            image.info["exif"] = turned  # some of these steps drop it
            pixels = _square(ImageOps.exif_transpose(image), image_size, crop, color)
    except Exception as error:
        return _Decoded(_reason(error, path), lasts=_lasts(error))
    return _Decoded("gray image" if is_gray else "image", np.asarray(pixels))


def _lasts(error: Exception) -> bool:
    """Whether the file itself is at fault; after a disk or memory error, another try may succeed."""
    return not (isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno is not None))


def _reason(error: Exception, path: Path) -> str:
    text = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200].replace(str(path), path.name)


def _head(landmarks: Path, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The square around nine points, moved or shrunk to fit into an image of this size (before rotation by EXIF)."""
    try:
        count, *places = (int(number) for number in landmarks.read_bytes()[:1000].split()[:19])
        (left, *_, right), (top, *_, bottom) = sorted(places[::2]), sorted(places[1::2])
    except ValueError:
        count, places = 0, []
    if count != 9 or len(places) != 18 or max(map(abs, places)) > 10**5:
        raise Mistake(f"{landmarks.name} does not hold nine points")
    side = min(*size, max(8, round(HEAD * max(right - left, bottom - top))))
    x = min(max(0, (left + right - side) // 2), size[0] - side)
    y = min(max(0, (top + bottom - side) // 2), size[1] - side)
    return x, y, x + side, y + side


def _reduced(image: Image.Image, image_size: int) -> Image.Image:
    """A large image, reduced by an integer factor before any step that needs memory for its full size."""
    factor = min(image.size) // (4 * image_size)
    if factor < 2 or image.mode.startswith(("I", "F")):
        return image
    if image.mode != "L":
        image = image.convert("RGBa" if image.has_transparency_data else "RGB")  # alpha weights the mean
    image = image.reduce(factor)
    return image.convert("RGBA") if image.mode == "RGBa" else image


def _opaque(image: Image.Image, color: tuple[int, ...]) -> Image.Image:
    """The image in RGB, 8 bits per channel, composed over a color if it is transparent."""
    if image.mode.startswith("I"):  # 16-bit gray
        values = np.uint16(np.clip(image, 0, 65535)) if image.mode == "I" else np.asarray(image).astype(np.uint16)
        transparent = image.info.get("transparency")
        image = Image.fromarray(np.uint8(values - (values >> 8) + 128 >> 8))  # about values / 257
        if isinstance(transparent, int):
            image.putalpha(Image.fromarray(np.uint8(values != transparent) * np.uint8(255)))
    if image.mode == "F":  # 0…255, or 0…1
        values = np.nan_to_num(np.asarray(image))
        image = Image.fromarray(np.uint8(np.clip(values * (255 if values.max() <= 1 else 1), 0, 255)))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        below = Image.new("RGBA", image.size, (*color, 255))
        image = Image.alpha_composite(below, image)
    return image.convert("RGB")


def _square(image: Image.Image, image_size: int, crop: str, color: tuple[int, ...]) -> Image.Image:
    size = (image_size, image_size)
    if crop == "contain":
        return ImageOps.contain(image, size, Image.Resampling.LANCZOS)
    if crop == "letterbox":
        return ImageOps.pad(image, size, Image.Resampling.LANCZOS, color=color)
    return ImageOps.fit(image, size, Image.Resampling.LANCZOS)


def _read(
    found: dict[str, list[int]],
    known: _Known | None,
    cache: Path,
    decode: Callable[[str], _Decoded],
    image_size: int,
) -> _Known:
    """Decode the files that are not in the cache yet, in parallel, into a cache file: memory stays bounded."""
    from rich.console import Console
    from rich.progress import track

    again: dict[str, _Decoded] = {}
    if known and known.files == {**found, **dict.fromkeys(known.unsettled)}:  # nothing else has changed
        again = {name: decode(name) for name in known.unsettled}
        if not any(each.lasts for each in again.values()):
            return known._replace(what=known.what | {name: each.what for name, each in again.items()})
    remembered = known.rows if known else {}

    def one(name: str) -> _Decoded:
        if known and known.files.get(name) == found[name]:
            row = remembered.get(name)
            return _Decoded(known.what[name], None if row is None else known.images[row])
        return again[name] if name in again else decode(name)

    # A new name each time: the index, replaced last, names the current file, and other runs may read the old one.
    path = cache / f"images-{secrets.token_hex(4)}"
    what, unsettled = {}, set()
    try:
        with (
            # Not a memory map: there a full disk causes a fatal signal, not an error.
            path.open("wb") as images,
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool,  # Pillow decodes without the GIL
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")  # Pillow's warnings about odd metadata
            together = min(512, 1 + 2**26 // (3 * image_size**2))  # results that may wait behind a slow one
            results = itertools.chain.from_iterable(pool.map(one, chunk) for chunk in _chunks(list(found), together))
            shown = {"console": Console(stderr=True), "disable": not sys.stderr.isatty(), "transient": True}
            results = track(results, f"checking {len(found):,} files", len(found), **shown)
            for name, (kind, pixels, lasts) in zip(found, results, strict=True):
                what[name] = kind
                if pixels is not None:
                    images.write(pixels.tobytes())
                if not lasts:
                    unsettled.add(name)
        settled = {name: facts for name, facts in found.items() if name not in unsettled}
        files = {**settled, **dict.fromkeys(unsettled)}  # None: to be tried again
        with replacing(cache / "index.json") as index:
            index.write_text(json.dumps({"images": path.name, "files": files, "what": what}), encoding="utf-8")
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    for old in cache.glob("images-*"):
        if old != path:
            with contextlib.suppress(OSError):  # Windows cannot delete a file that another run has open
                old.unlink()
    return _Known(files, what, _mapped(path, image_size))


def _mapped(path: Path, image_size: int) -> np.ndarray:
    shape = (-1, image_size, image_size, 3)
    if not path.stat().st_size:
        return np.zeros((0, *shape[1:]), np.uint8)
    return np.memmap(path, np.uint8, "r").reshape(shape)


def _known(cache: Path, image_size: int) -> _Known | None:
    """The cache that an earlier run wrote; None if it is incomplete."""
    try:
        index = json.loads((cache / "index.json").read_bytes())
        known = _Known(index["files"], index["what"], _mapped(cache / Path(index["images"]).name, image_size))
        whole = known.files.keys() == known.what.keys() and len(known.rows) == len(known.images)
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return known if whole else None


def _checked(folder: Path, known: _Known, skipped: dict[str, str], ignored: dict[str, int]) -> Folder:
    """The images, if enough of them are good; in memory if they fit."""
    count = len(known.rows)
    if not count:
        raise Mistake(
            f"there are no images in {folder} ({len(known.files)} files were looked at): {', '.join(FORMATS)} are read"
        )
    broken = [f"{name} ({reason})" for name, reason in skipped.items()]
    if len(broken) > MOST_BROKEN * (count + len(broken)):
        raise Mistake(
            f"{len(broken)} of {count + len(broken)} image files in {folder} cannot be used, such as {broken[0]}: "
            "remove the broken ones first"
        )
    images = known.images[:count]
    if all(what != "image" for what in known.what.values()):
        images = images[..., :1]
    names = [_readable(name) for name in known.rows]
    return Folder(images if images.nbytes > IN_MEMORY else np.array(images), skipped, ignored, names)


def _readable(name: str) -> str:
    """A file's name as text, even if its bytes are not valid UTF-8."""
    return os.fsencode(name).decode(errors="backslashreplace")


def cache_directory() -> Path:
    """The directory for results that take long to compute: `KGAN_CACHE`; default: the system's cache directory.

    Example:
        >>> cache_directory().name
        'cache'
    """
    return Path(os.environ.get("KGAN_CACHE") or platformdirs.user_cache_dir("kgan", appauthor=False))


def _chunks(names: list[str], size: int) -> Iterator[list[str]]:
    return (names[begin : begin + size] for begin in range(0, len(names), size))
