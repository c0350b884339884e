"""Folders of images as people have them: any mix of formats, sizes and color modes, with broken files among them.

Every file is checked and decoded once; the result is remembered, by path, size and time of change, in a cache
directory (`KGAN_CACHE`, by default that of the system), so that the next run starts at once.
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

from kgan.files import replacing

CROPS = ("center", "letterbox", "head")
Image.init()
# These decoders and no others see a file; which of the last two there are, depends on how Pillow was built.
FORMATS = tuple(
    name
    for name in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")
    if name in Image.OPEN and (name != "AVIF" or features.check("avif"))
)
BY_SUFFIX = {".tga": "TGA"}  # whose content cannot be told from anything else's
SUFFIXES = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"}
SUFFIXES |= {".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".jpx", ".avif", *BY_SUFFIX}
UNREAD = {".heic", ".heif", ".ico", ".psd", ".svg", ".dng", ".cr2", ".nef", ".arw", ".raw", ".jxl", ".pcx", ".eps"}
MOST_PIXELS = 10**8  # of an image, up to 1 GB while decoded: a few bytes can ask for more than there is memory
LARGE = 10**7  # pixels: images above are decoded one at a time
HEAD = 1.4  # side of a head's square, in extents of the nine points, which end at the tips of the ears and the mouth
MOST_BROKEN = 0.25  # of a folder's image files
IN_MEMORY = 2**28  # bytes of decoded images, of which training takes three copies; more stay on disk
NO_IMAGE = "no image"
FORMAT = 4  # of the cache: another number, and nothing remembered by earlier versions is used

_one_large = threading.Lock()


class Folder(NamedTuple):
    """What was found in a folder.

    Attributes:
        images: uint8, (count, image_size, image_size, 3), or 1 channel where all images are gray; in the order of
            their paths. More than 256 MB of them stay on disk (a `numpy.memmap`).
        skipped: the reason by path, for each image file that could not be used.
        ignored: how many files are no images and do not claim to be, by kind: ".txt", "hidden", "landmarks", …
        names: the path of each image within the folder.
    """

    images: np.ndarray
    skipped: dict[str, str]
    ignored: dict[str, int]
    names: list[str]


def load(folder: str | Path, image_size: int, *, crop: str = "center", background: str = "white") -> Folder:
    """Read all images of a folder and its sub-folders, as squares of one size.

    PNG, JPEG, WEBP, GIF (the first frame), BMP, TIFF, PPM and its kin, JPEG 2000 and, where Pillow has it, AVIF,
    whatever their names say; TGA by its name; palettes, gray, 16 bits, CMYK and rotation by EXIF are understood,
    transparency is composed over a color. Every other file is counted: as skipped where its name is that of an image,
    else as ignored, as are hidden files.

    With crop="head" an image that has a file of landmarks beside it (`cat.jpg.cat`, as in the CAT data set: the number
    9 and the x and y of the eyes, the mouth and three points of each ear) is cut to the head; others to the center.

    Args:
        folder: with images, in it or in sub-folders.
        image_size: height and width wanted.
        crop: "center" cuts the central square; "letterbox" keeps all of an image and fills up with `background`;
            "head" cuts the square around a cat's head.
        background: a color, by name or as #rrggbb.

    Raises:
        FileNotFoundError, NotADirectoryError, PermissionError: where there is no such folder, or it cannot be read.
        ValueError: without images, with more than a quarter of them broken, or for an unknown crop or color.
        OSError: where the cache cannot be written, as on a full disk.

    Example:
        >>> load("pictures", image_size=32).images.shape
        (2, 32, 32, 3)
    """
    folder = Path(os.path.abspath(folder))
    if image_size < 1:
        raise ValueError(f"image_size is {image_size}: it is 1 or more")
    crop = "center" if crop == "centre" else crop  # as earlier versions spelled it
    if crop not in CROPS:
        raise ValueError(f"crop is {crop!r}: choose one of {', '.join(CROPS)}")
    try:
        color = ImageColor.getrgb(str(background))[:3]
    except ValueError:
        raise ValueError(f"background is {background!r}: take a color such as white, black or #808080") from None
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
        with filelock.FileLock(cache / ".lock"):  # of runs that begin together one checks, the others wait for it
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
        raise ValueError(f"{Path(path).name} cannot be used: {reason}")
    return decoded.pixels


class _Known(NamedTuple):
    """What is remembered of a folder: size and times of change of each file, what it is, and the decoded images."""

    files: dict[str, list[int] | None]
    what: dict[str, str]
    images: np.ndarray

    @property
    def unsettled(self) -> list[str]:
        """Files that could not be read because a disk or memory failed: to be looked at again."""
        return [name for name, facts in self.files.items() if facts is None]

    @property
    def rows(self) -> dict[str, int]:
        """Where in `images` a file's image is."""
        names = (name for name, what in self.what.items() if what in ("image", "gray image"))
        return {name: row for row, name in enumerate(names)}


class _Decoded(NamedTuple):
    """What a file is ("image", "gray image", or what is wrong with it), its pixels, and whether to remember that."""

    what: str
    pixels: np.ndarray | None = None
    lasts: bool = True


def what_is(file: Path) -> str:
    """What a file is that was named in place of a folder, and what to do."""
    suffix = file.suffix.lower()
    if suffix in SUFFIXES | UNREAD:
        return "one image: name the folder that it is in"
    if suffix in (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"):
        return "an archive: unpack it, and name the folder"
    return "no folder: name one with images, a file that ends in .npy, .npz or .h5, or a data set such as mnist"


def _files(folder: Path) -> tuple[dict[str, list[int]], dict[str, str], collections.Counter[str]]:
    """All files under a folder with size and times of change; those that are not to be opened; those not looked at."""
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
        for path in (Path(directory, name) for name in hidden):  # a link might lead anywhere
            ignored["hidden"] += 1 if path.is_symlink() else sum(len(names) for *_, names in os.walk(path))
        linked = [Path(directory, name) for name in folders if Path(directory, name).is_symlink()]  # not walked into
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
            except (OSError, RuntimeError) as error:  # a link to nowhere, or in circles
                refused[relative] = (getattr(error, "strerror", None) or "a link in circles").lower()
                continue
            if stat.S_ISREG(facts.st_mode):  # no pipes and devices, which might never end
                # Not the time of its content alone, which copying and unpacking may set back.
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
    except Exception as error:  # of many classes: a broken file can break a decoder anywhere
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
                image.draft("RGB", (2 * image_size, 2 * image_size))  # a large JPEG is decoded smaller
            turned = b"" if image.format == "TIFF" else image.getexif().tobytes()  # Pillow turns TIFFs by itself
            image = _opaque(_reduced(image, image_size), color)
            image.info["exif"] = turned  # which not all of that keeps
            pixels = _square(ImageOps.exif_transpose(image), image_size, crop, color)
    except Exception as error:
        return _Decoded(_reason(error, path), lasts=_lasts(error))
    return _Decoded("gray image" if is_gray else "image", np.asarray(pixels))


def _lasts(error: Exception) -> bool:
    """Whether the file itself is at fault: a disk or memory that failed may work the next time."""
    return not (isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno is not None))


def _reason(error: Exception, path: Path) -> str:
    text = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200].replace(str(path), path.name)


def _head(landmarks: Path, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The square around nine points, moved or made smaller to lie within an image of that size (as it is stored)."""
    try:
        count, *places = (int(number) for number in landmarks.read_bytes()[:1000].split()[:19])
        (left, *_, right), (top, *_, bottom) = sorted(places[::2]), sorted(places[1::2])
    except ValueError:
        count, places = 0, []
    if count != 9 or len(places) != 18 or max(map(abs, places)) > 10**5:
        raise ValueError(f"{landmarks.name} does not hold nine points")
    side = min(*size, max(8, round(HEAD * max(right - left, bottom - top))))
    x = min(max(0, (left + right - side) // 2), size[0] - side)
    y = min(max(0, (top + bottom - side) // 2), size[1] - side)
    return x, y, x + side, y + side


def _reduced(image: Image.Image, image_size: int) -> Image.Image:
    """A large image reduced by a whole factor, before any step that takes memory of its full size."""
    factor = min(image.size) // (4 * image_size)
    if factor < 2 or image.mode.startswith(("I", "F")):
        return image
    if image.mode != "L":
        image = image.convert("RGBa" if image.has_transparency_data else "RGB")  # alpha counts in the mean
    image = image.reduce(factor)
    return image.convert("RGBA") if image.mode == "RGBa" else image


def _opaque(image: Image.Image, color: tuple[int, ...]) -> Image.Image:
    """The image in RGB, 8 bits a channel, composed over a color where it is transparent."""
    if image.mode.startswith("I"):  # gray of 16 bits
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
    """Decode what is not known yet, in parallel, into a file of the cache, so that memory stays bounded."""
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

    # A new name each time: the index, replaced last, says which file it speaks of, and other runs may read the old one.
    path = cache / f"images-{secrets.token_hex(4)}"
    what, unsettled = {}, set()
    try:
        with (
            # Written as any file: in a memory map, a full disk would be a deadly signal and no error.
            path.open("wb") as images,
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool,  # Pillow decodes without Python's lock
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")  # Pillow's, of odd metadata
            together = min(512, 1 + 2**26 // (3 * image_size**2))  # results that may wait for a slow one before them
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
        files = {**settled, **dict.fromkeys(unsettled)}  # None: to be looked at again
        with replacing(cache / "index.json") as index:
            index.write_text(json.dumps({"images": path.name, "files": files, "what": what}), encoding="utf-8")
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    for old in cache.glob("images-*"):
        if old != path:
            with contextlib.suppress(OSError):  # Windows keeps what another run has open
                old.unlink()
    return _Known(files, what, _mapped(path, image_size))


def _mapped(path: Path, image_size: int) -> np.ndarray:
    shape = (-1, image_size, image_size, 3)
    if not path.stat().st_size:
        return np.zeros((0, *shape[1:]), np.uint8)
    return np.memmap(path, np.uint8, "r").reshape(shape)


def _known(cache: Path, image_size: int) -> _Known | None:
    """What an earlier run remembered; None where that is incomplete."""
    try:
        index = json.loads((cache / "index.json").read_bytes())
        known = _Known(index["files"], index["what"], _mapped(cache / Path(index["images"]).name, image_size))
        whole = known.files.keys() == known.what.keys() and len(known.rows) == len(known.images)
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return known if whole else None


def _checked(folder: Path, known: _Known, skipped: dict[str, str], ignored: dict[str, int]) -> Folder:
    """The images, if enough of them are good; in memory where they fit."""
    count = len(known.rows)
    if not count:
        raise ValueError(
            f"there are no images in {folder} ({len(known.files)} files were looked at): {', '.join(FORMATS)} are read"
        )
    broken = [f"{name} ({reason})" for name, reason in skipped.items()]
    if len(broken) > MOST_BROKEN * (count + len(broken)):
        raise ValueError(
            f"{len(broken)} of {count + len(broken)} image files in {folder} cannot be used, such as {broken[0]}: "
            "remove the broken ones first"
        )
    images = known.images[:count]
    if all(what != "image" for what in known.what.values()):
        images = images[..., :1]
    names = [_readable(name) for name in known.rows]
    return Folder(images if images.nbytes > IN_MEMORY else np.array(images), skipped, ignored, names)


def _readable(name: str) -> str:
    """A file's name as text, whatever bytes it is made of."""
    return os.fsencode(name).decode(errors="backslashreplace")


def cache_directory() -> Path:
    """Where kgan keeps results that take long to compute: `KGAN_CACHE`, by default the system's cache directory.

    Example:
        >>> cache_directory().name
        'cache'
    """
    return Path(os.environ.get("KGAN_CACHE") or platformdirs.user_cache_dir("kgan", appauthor=False))


def _chunks(names: list[str], size: int) -> Iterator[list[str]]:
    return (names[begin : begin + size] for begin in range(0, len(names), size))
