"""Read folders of images. What is decoded is kept in the cache until a file of the folder changes."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import dataclasses
import itertools
import json
import os
import sys
import threading
import warnings
from pathlib import Path

import filelock
import numpy as np
from PIL import ExifTags, Image, ImageColor, ImageOps, PngImagePlugin, features

from kgan.checks import check_choice
from kgan.data.arrays import Labeled, square
from kgan.errors import Mistake
from kgan.files import cache_path, replacing, stamp

CROPS = ("center", "letterbox", "head")
Image.init()
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY  # color profiles of some megabytes are common
HAS_AVIF = "AVIF" in Image.OPEN and features.check("avif")
# Only these decoders open files.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", *(["AVIF"] if HAS_AVIF else []))
SUFFIXES = {suffix for suffix, kind in Image.registered_extensions().items() if kind in (*FORMATS, "DIB", "MPO", "TGA")}
UNREAD = {".heic", ".heif", ".ico", ".psd", ".svg", ".dng", ".cr2", ".nef", ".arw", ".raw", ".jxl", ".pcx", ".eps"}
UNREAD |= set() if HAS_AVIF else {".avif"}
GRAY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "F")
# Black and white of 16-bit images and of floats. If a folder uses another part, as 12-bit data do, that part is taken.
DEPTHS = {"I": (0.0, 65535.0), "F": (0.0, 1.0)}
_TURN = Image.Transpose
TURNS = {2: _TURN.FLIP_LEFT_RIGHT, 3: _TURN.ROTATE_180, 4: _TURN.FLIP_TOP_BOTTOM, 5: _TURN.TRANSPOSE}
TURNS |= {6: _TURN.ROTATE_270, 7: _TURN.TRANSVERSE, 8: _TURN.ROTATE_90}  # by the orientation in EXIF
MOST_PIXELS = 10**8  # of an image, up to 1 GB while decoded; a file of a few bytes can claim more than fits into memory
LARGE = 10**7  # pixels: images above are decoded one at a time
HEAD = 1.4  # side of a head's square, relative to the extent of the nine points, from the ear tips to the mouth
MOST_BROKEN = 0.25  # the largest accepted fraction of broken files among the image files of a folder
IN_MEMORY = 2**28  # bytes of decoded images (training makes three copies of them); larger arrays stay on disk
TOGETHER = 2**26  # bytes of decoded images that may wait behind a slow one
FORMAT = 6  # version of the cache: with a new number, caches of earlier versions are not used
COLOR, GRAY, NO_IMAGE = "image", "gray image", "no image"  # what a file is, if nothing is wrong with it

_one_large = threading.Lock()


def load(folder: str | Path, image_size: int, *, crop: str = "center", background: str = "white") -> Labeled:
    """All images of a folder, in the order of their paths, as `kgan.data.load_labeled` describes it."""
    folder, image_size = Path(os.path.abspath(Path(folder).expanduser())), square(image_size)
    check_choice("crop", crop, CROPS)
    try:
        color = ImageColor.getrgb(str(background))[:3]
    except ValueError:
        raise Mistake(f"background is {background!r}: take a color such as white, black or #808080") from None
    files, unopened, ignored = _files(folder)
    landmarks = {f"{name}.cat" for name in files} & files.keys() if crop == "head" else set()
    ignored["landmarks"] += len(landmarks)
    cache = cache_path("folders", FORMAT, FORMATS, str(folder), image_size, crop, color)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(cache / ".lock"):  # of runs that start together, one decodes and the others wait
            kinds = _known_kinds(cache, files, image_size)
            if kinds is None:
                names = [name for name in files if name not in landmarks]
                kinds = _decode_all(cache, folder, files, names, Decoder(image_size, crop, color))
            images = _images(cache, image_size)
    except OSError as error:
        raise OSError(f"{cache} cannot be written to: {reason(error)}; KGAN_CACHE names another directory") from None

    # A name may be of bytes that are no UTF-8.
    kinds = {os.fsencode(name).decode(errors="backslashreplace"): kind for name, kind in {**kinds, **unopened}.items()}
    used = [name for name, kind in kinds.items() if kind in (COLOR, GRAY)]
    ignored.update(Path(name).suffix.lower() or "without a suffix" for name in kinds if kinds[name] == NO_IMAGE)
    skipped = {name: kind for name, kind in sorted(kinds.items()) if kind not in (COLOR, GRAY, NO_IMAGE)}
    if not used:
        looked_at = f"{len(files)} files were looked at"
        raise Mistake(f"there are no images in {folder} ({looked_at}): {', '.join(FORMATS)} are read")
    if len(skipped) > MOST_BROKEN * (len(used) + len(skipped)):
        name, kind = next(iter(skipped.items()))
        too_many = f"{len(skipped)} of {len(used) + len(skipped)} image files in {folder} cannot be used"
        raise Mistake(f"{too_many}, such as {name} ({kind}): remove the broken ones first")
    if COLOR not in kinds.values():
        images = images[..., :1]
    labels, classes = _classes(used)
    return Labeled(images if images.nbytes > IN_MEMORY else np.array(images), labels, classes, skipped, dict(+ignored))


def load_file(path: str | Path, image_size: int, *, crop: str = "center", most_pixels: int = MOST_PIXELS) -> np.ndarray:
    """One image over white, uint8, (height, width, 3): its central square, or with crop="contain" the whole image."""
    decoder = Decoder(image_size, crop, (255, 255, 255), most_pixels)
    kind, pixels = decoder.decode(Path(path))
    if decoder.adapts():
        kind, pixels = decoder.decode(Path(path))
    if pixels is None:
        raise Mistake(f"{Path(path).name} cannot be used: {'it is not an image' if kind == NO_IMAGE else kind}")
    return pixels


def about_file(file: Path) -> str:
    """The part of an error message for a file named instead of a folder: what it is, and what to do."""
    suffix = file.suffix.lower()
    if suffix in SUFFIXES | UNREAD:
        return "one image: name the folder that it is in"
    if suffix in (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"):
        return "an archive: unpack it, and name the folder"
    return "no folder: name one with images, a file that ends in .npy, .npz or .h5, or a data set such as mnist"


def reason(error: Exception) -> str:
    """The first line of an error's message; its class if there is no message."""
    return (getattr(error, "strerror", None) or str(error).strip() or type(error).__name__).splitlines()[0][:200]


def _files(folder: Path) -> tuple[dict[str, list[int]], dict[str, str], collections.Counter[str]]:
    """Files to open, with size and times of change; files not to open, with the reason; numbers of ignored files."""
    if not folder.exists():
        raise FileNotFoundError(f"there is no folder {folder}: name a folder of images")
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is {about_file(folder)}")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise PermissionError(f"{folder} cannot be read: permission denied")
    files, unopened, ignored = {}, {}, collections.Counter()
    for path in folder.rglob("*"):  # it does not follow links to folders
        name = path.relative_to(folder).as_posix()
        try:
            if name.startswith(".") or "/." in name:
                ignored["hidden"] += path.is_symlink() or not path.is_dir()
            elif path.is_dir():
                if path.is_symlink():
                    unopened[name] = "a link to a folder"
                elif not os.access(path, os.R_OK | os.X_OK):
                    unopened[name] = "permission denied"
            elif path.is_symlink() and not path.resolve(strict=True).is_relative_to(folder.resolve()):
                unopened[name] = "a link that leads out of the folder"
            elif path.is_file():
                files[name] = stamp(path)
            else:
                ignored["pipes and devices"] += 1  # reading them may never end
        except (OSError, RuntimeError) as error:  # a broken link, or a loop of links
            unopened[name] = (getattr(error, "strerror", None) or "a link in circles").lower()
    return dict(sorted(files.items())), unopened, ignored


def _classes(names: list[str]) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Labels and names of the classes, if every image is in a sub-folder and there are two or more."""
    tops = [name.split("/")[0] if "/" in name else "" for name in names]
    classes = tuple(sorted(set(tops)))
    return (None, ()) if "" in classes or len(classes) < 2 else (np.searchsorted(classes, tops), classes)


# The cache of a folder: `images` holds the pixels of all its images, `index.json` what each file is


def _images(cache: Path, image_size: int) -> np.ndarray:
    """The pixels in the cache; they stay on the disk."""
    path, shape = cache / "images", (-1, image_size, image_size, 3)
    return (np.memmap(path, np.uint8, "r") if path.stat().st_size else np.empty(0, np.uint8)).reshape(shape)


def _known_kinds(cache: Path, files: dict[str, list[int]], image_size: int) -> dict[str, str] | None:
    """What each file is; None if files have changed since an earlier run, or if the cache is not whole."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        index = json.loads((cache / "index.json").read_bytes())
        count = sum(kind in (COLOR, GRAY) for kind in index["kinds"].values())
        if index["files"] == files and len(_images(cache, image_size)) == count:
            return index["kinds"]
    return None


def _decode_all(
    cache: Path, folder: Path, files: dict[str, list[int]], names: list[str], decoder: Decoder
) -> dict[str, str]:
    """Decode these files, in parallel, into the cache: memory stays bounded. Returns what each file is."""
    from rich.console import Console
    from rich.progress import track

    kinds, paths = {}, [folder / name for name in names]
    (cache / "index.json").unlink(missing_ok=True)
    together = min(512, 1 + TOGETHER // (3 * decoder.image_size**2))
    shown = {"console": Console(stderr=True), "disable": not sys.stderr.isatty(), "transient": True}
    with (
        replacing(cache / "images") as path,
        path.open("wb") as images,  # not a memory map: there a full disk causes a fatal signal, not an error
        concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool,  # Pillow decodes without the GIL
        warnings.catch_warnings(action="ignore"),  # Pillow's warnings about odd metadata
    ):
        for _ in range(2):
            images.truncate(images.seek(0))
            chunks = (paths[begin : begin + together] for begin in range(0, len(paths), together))
            decoded = itertools.chain.from_iterable(pool.map(decoder.decode, chunk) for chunk in chunks)
            shown_names = track(names, f"checking {len(names):,} files", **shown)
            for name, (kind, pixels) in zip(shown_names, decoded, strict=True):
                kinds[name] = kind
                if pixels is not None:
                    images.write(pixels.tobytes())
            if not decoder.adapts():
                break
    if not decoder.may_pass:  # otherwise the next run tries again
        with replacing(cache / "index.json") as path:
            path.write_text(json.dumps({"files": files, "kinds": kinds}), encoding="utf-8")
    return kinds


# One image


@dataclasses.dataclass
class Decoder:
    """Makes images of one size, RGB, out of image files."""

    image_size: int
    crop: str
    color: tuple[int, ...]  # under transparent images, and around letterboxed ones
    most_pixels: int = MOST_PIXELS
    depths: dict[str, tuple[float, float]] = dataclasses.field(default_factory=DEPTHS.copy)
    seen: list[tuple[str, float, float]] = dataclasses.field(default_factory=list)
    may_pass: bool = False  # whether there was an error that another try may not meet

    def decode(self, path: Path) -> tuple[str, np.ndarray | None]:
        """What a file is, or why it cannot be used, and its pixels."""
        suffix, image = path.suffix.lower(), None
        try:
            image = Image.open(path, formats=[*FORMATS, *(["TGA"] if suffix == ".tga" else [])])
            pixels = image.width * image.height
            with image, _one_large if pixels > LARGE else contextlib.nullcontext():
                if pixels > self.most_pixels:
                    raise Image.DecompressionBombError
                return self._pixels(image, Path(f"{path}.cat"))
        except Image.DecompressionBombError:
            return f"it has more than {self.most_pixels:,} pixels", None
        except Exception as error:  # of any class: a broken file can fail anywhere in a decoder
            if image is None and suffix in UNREAD:
                return f"{suffix[1:]} is not read: {', '.join(FORMATS)} are", None
            if image is None and suffix not in SUFFIXES:
                return NO_IMAGE, None
            self.may_pass |= isinstance(error, MemoryError) or getattr(error, "errno", None) is not None
            return "it is not an image" if isinstance(error, Image.UnidentifiedImageError) else reason(error), None

    def adapts(self) -> bool:
        """Fit the depths to the images decoded since; whether this changes them, so that all must be decoded again."""
        before, self.depths = self.depths, dict(self.depths)
        for mode in self.depths:
            if ranges := [(low, high) for name, low, high in self.seen if name == mode]:
                bits = int(np.max(ranges)).bit_length()
                self.depths[mode] = min(0.0, np.min(ranges)), 2.0 ** max(8, bits) - 1 if bits > 1 else 1.0
        self.seen.clear()
        return self.depths != before

    def _pixels(self, image: Image.Image, landmarks: Path) -> tuple[str, np.ndarray]:
        """Whether an image is gray, and its pixels: turned as the camera was held, cropped and fitted."""
        shows_color = len(set(self.color)) > 1 and (self.crop == "letterbox" or image.has_transparency_data)
        palette = np.reshape(image.getpalette() or (0, 0, 0), (-1, 3))
        is_gray = image.mode in GRAY_MODES or (image.mode == "P" and (palette == palette[:, :1]).all())
        if self.crop == "head" and landmarks.is_file():
            image = image.crop(_head(landmarks, image.size))
        else:
            image.draft("RGB", (2 * self.image_size, 2 * self.image_size))  # decodes a large JPEG at a smaller size
            image.load()  # this turns TIFFs
        image = self._rgb(_turned(image))
        size = (self.image_size, self.image_size)
        if self.crop == "contain":
            image = ImageOps.contain(image, size, Image.Resampling.LANCZOS)
        elif self.crop == "letterbox":
            image = ImageOps.pad(image, size, Image.Resampling.LANCZOS, color=self.color)
        else:
            image = ImageOps.fit(image, size, Image.Resampling.LANCZOS)
        return GRAY if is_gray and not shows_color else COLOR, np.asarray(image)

    def _rgb(self, image: Image.Image) -> Image.Image:
        """The image in RGB, 8 bits per channel, composed over a color if it is transparent."""
        mode, transparent = image.mode[0], image.info.get("transparency")
        if mode in self.depths:
            values = np.asarray(image, np.float32)
            values = np.where(np.isfinite(values), values, 0)
            self.seen.append((mode, float(values.min()), float(values.max())))
            black, white = self.depths[mode]
            gray = np.round((values - black) * (255 / (white - black)))
            image = Image.fromarray(np.uint8(np.clip(gray, 0, 255)))
            if isinstance(transparent, int):
                image.putalpha(Image.fromarray(np.uint8(255 * (values != transparent))))
        if image.has_transparency_data:
            below = Image.new("RGBA", image.size, (*self.color, 255))
            image = Image.alpha_composite(below, image.convert("RGBA"))
        return image.convert("RGB")


def _turned(image: Image.Image) -> Image.Image:
    """The image as the camera was held. EXIF of odd types, which Pillow cannot write back, is no reason to lose it."""
    orientation = None
    with contextlib.suppress(Exception):
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    return image.transpose(TURNS[orientation]) if orientation in TURNS else image


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
