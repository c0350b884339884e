import io
import os
import shutil
import struct
import sys
import time
import types

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin
from typer.testing import CliRunner

from kgan import data, runs
from kgan.cli import app
from kgan.data import folders
from kgan.files import cache_directory

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 20), np.uint8))
RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
KINDS = "png jpg webp gif bmp tif tiff ppm pgm pnm tga jp2 j2k ico pcx eps"


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("KGAN_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def folder(tmp_path):
    """A function that saves pictures by name, and gives the folder."""

    def make(**pictures):
        for name, picture in pictures.items():
            path = tmp_path / "pictures" / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path) if isinstance(picture, Image.Image) else path.write_bytes(picture)
        return tmp_path / "pictures"

    return make


def plain(color, size=(10, 10), mode="RGB"):
    return Image.new(mode, size, color)


def encoded(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def colors(found):
    """The middle pixel of each image."""
    return [tuple(int(value) for value in image[4, 4]) for image in found.images]


# What is read


def test_formats_whatever_the_name_says(folder):
    kinds = ("PNG", "WEBP", "GIF", "BMP", "JPEG")
    files = {f"{kind}{suffix}": encoded(plain(RED), kind) for kind in kinds for suffix in ("_png", "")}
    found = folders.load(folder(**files), 8)
    assert found.images.shape == (10, 8, 8, 3)
    assert np.abs(np.int32(colors(found)) - RED).max() <= 2
    assert found.skipped == {}


def transparent(mode):
    picture = plain(RED, mode="RGBA")
    picture.putalpha(0)
    return picture if mode == "RGBA" else picture.convert(mode)


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (plain(RED).convert("P"), RED),
        (plain(128, mode="L"), (128,)),
        (plain(1, mode="1"), (255,)),
        (plain((128, 255), mode="LA"), (128, 128, 128)),  # it might show what is under it, which is blue
        (plain((0, 0), mode="LA"), BLUE),
        (transparent("RGBA"), BLUE),
        (plain((0, 255, 255, 0), mode="CMYK"), (254, 0, 0)),
        (Image.fromarray(np.full((10, 10), 0x8080, np.uint16)), (128,)),
        (Image.fromarray(np.full((10, 10), 0xFF00, np.uint16)), (254,)),
        (Image.fromarray(np.full((10, 10), 1, np.float32)), (255,)),  # floats of 0 to 1 are not black
    ],
)
def test_color_modes(picture, expected, folder):
    kind = {"CMYK": "JPEG", "F": "TIFF"}.get(picture.mode, "PNG")
    found = folders.load(folder(a_png=encoded(picture, kind)), 8, background="blue")
    assert found.images.shape == (1, 8, 8, len(expected))
    assert np.abs(np.int32(colors(found)[0]) - expected).max() <= 2


def test_large_images_look_the_same(folder):
    """A disc on a transparent ground, in 40 times the size wanted."""
    pixels = np.zeros((320, 320, 4), np.uint8)
    pixels[np.hypot(*np.ogrid[-160:160, -160:160]) < 120] = (200, 30, 60, 255)
    image = Image.fromarray(pixels)
    (found,) = folders.load(folder(a_png=image), 8, background="blue").images
    below = Image.new("RGBA", image.size, "blue")
    expected = Image.alpha_composite(below, image).convert("RGB").resize((8, 8), Image.Resampling.LANCZOS)
    difference = np.abs(np.int32(found) - np.asarray(expected))
    assert difference.max() <= 12
    assert difference.mean() <= 3


def test_gray_images_have_one_channel_only_among_themselves(folder):
    directory = folder(a_png=plain(7, (30, 10), "L"), b_png=plain(9, mode="L"))
    assert folders.load(directory, 9).images.shape == (2, 9, 9, 1)
    boxed = folders.load(directory, 9, crop="letterbox", background="blue").images[0]  # beside a colored margin
    assert (boxed[0] == BLUE).all()
    assert (boxed[4] == 7).all()
    folder(c_png=plain(RED))
    assert colors(folders.load(directory, 8)) == [(7, 7, 7), (9, 9, 9), RED]


def test_sub_folders_are_classes_if_every_image_is_in_one(folder):
    """And the order is that of the paths."""
    found = folders.load(folder(cats__z_png=plain(RED), ants__a_png=plain(GREEN), cats__b__c_png=plain(BLUE)), 8)
    assert (found.names, found.labels.tolist()) == (("ants", "cats"), [0, 1, 1])
    assert colors(found) == [GREEN, BLUE, RED]
    found = folders.load(folder(top_png=plain(RED)), 8)
    assert (found.names, found.labels) == ((), None)


def exif(kind=3, value=b"\x48\0\0\0", beside=b""):
    """EXIF of a camera that was held sideways, with XResolution of this type."""
    entries = struct.pack("<HHHLHH", 2, 0x0112, 3, 1, 6, 0) + struct.pack("<HHL", 0x011A, kind, 1) + value
    return b"Exif\0\0II*\0" + struct.pack("<L", 8) + entries + struct.pack("<L", 0) + beside


@pytest.mark.parametrize(
    ("kind", "mode", "size", "odd"),
    [
        ("PNG", "RGB", 10, exif()),
        ("PNG", "RGBA", 200, exif(10, struct.pack("<L", 38), struct.pack("<ll", -1, 0))),  # -1/0
        ("JPEG", "RGB", 40, exif(2, b"72\0\0")),  # a text
        ("TIFF", "RGB", 40, exif()),
    ],
)
def test_the_camera_was_held_sideways(kind, mode, size, odd, folder):
    """A TIFF, which Pillow turns by itself, is turned once; and EXIF that Pillow cannot write back does not matter."""
    picture = plain(RED, (size, size // 2), mode)
    picture.paste(GREEN, (0, 0, size // 2, size // 2))  # left; upright it is above
    (found,) = folders.load(folder(a=encoded(picture, kind, exif=odd)), 8, crop="letterbox").images
    assert np.abs(np.int32(found[1, 4]) - GREEN).max() < 10  # JPEG's colors are not exact
    assert np.abs(np.int32(found[6, 4]) - RED).max() < 10


def with_text(color):
    text = PngImagePlugin.PngInfo()
    text.add_text("workflow", "x" * 2**21, zip=True)
    return encoded(plain(color), "PNG", pnginfo=text, icc_profile=bytes(2**21))


def test_megabytes_of_text_and_profiles_and_exif_that_is_none(folder):
    files = {"a_png": with_text(RED), "b_png": encoded(plain(GREEN), "PNG", exif=b"Exif\0\0no EXIF")}
    assert colors(folders.load(folder(**files), 8)) == [RED, GREEN]


def test_gray_palettes_are_gray(folder):
    directory = folder(a_gif=encoded(plain(77, mode="L"), "GIF"), b_png=plain(9, mode="L").convert("P"))
    assert colors(folders.load(directory, 8)) == [(77,), (9,)]


@pytest.mark.parametrize(
    ("low", "high", "kind", "expected"),
    [
        (0, 4095, np.uint16, 255),  # 12 bits
        (0, 1000, np.uint16, 249),  # 10 bits
        (0, 65535, np.uint16, 255),
        (0, 4095, np.float32, 255),  # as ImageJ saves them
        (0, 255, np.float32, 255),
        (0, 1, np.float32, 255),
        (-1, 1, np.float32, 255),
        (-1000, 3000, np.int32, 200),  # the densities of a CT: white is 4095
    ],
)
def test_images_of_any_depth_keep_their_contrast(low, high, kind, expected, folder):
    """All images of a folder are scaled alike: the second one is half as bright."""
    whole, half = (np.full((8, 8), value, kind) for value in (high, (low + high) / 2))
    whole[:, :4] = low
    found = folders.load(folder(a_tif=encoded(Image.fromarray(whole), "TIFF"), b_tif=Image.fromarray(half)), 8)
    assert found.images[0, 4, [0, 7], 0].tolist() == [0, expected]
    assert found.images[1, 4, 4, 0] == pytest.approx(expected / 2, abs=0.6)


def test_crops_of_images_of_any_size(folder):
    sizes = [(30, 10), (1, 1), (1, 500), (3000, 20)]
    directory = folder(**{f"{place}_png": plain(RED, size) for place, size in enumerate(sizes)}, **good(9))
    assert (folders.load(directory, 9).images == RED).all()
    boxed = folders.load(directory, 9, crop="letterbox", background="#0000ff").images[0]
    assert (boxed[[0, 1, 2, 6, 7, 8]] == BLUE).all()
    assert (boxed[3:6] == RED).all()


def nine(*points):
    return " ".join(map(str, [9, *(number for point in points for number in point)])).encode()


def test_heads_are_cut_out_by_their_nine_points(folder):
    picture = plain(GREEN, (200, 100))
    picture.paste(RED, (20, 30, 70, 80))
    # The points' extent is 30 × 24 around (45, 55); 1.4 times 30 is 42, all of it red.
    points = nine((30, 43), (60, 67), *[(45, 55)] * 7)
    directory = folder(a_png=picture, a_png_cat=points, b_png=picture)
    found = folders.load(directory, 8, crop="head")
    assert (found.images[0] == RED).all()
    assert (found.images[1] == GREEN).mean() > 0.5  # the center, where there are no points
    assert (found.skipped, found.ignored) == ({}, {"landmarks": 1})
    assert folders.load(directory, 8).ignored == {".cat": 1}


def test_heads_at_the_edge_and_points_beyond_it(folder):
    points = {"a_png_cat": nine(*[(0, 0)] * 9), "b_png_cat": nine((-900, 5), *[(9000, 9000)] * 8)}
    directory = folder(a_png=plain(RED, (20, 20)), b_png=plain(RED, (20, 20)), **points)
    assert (folders.load(directory, 8, crop="head").images == RED).all()


def test_landmarks_that_are_none(folder):
    contents = [b"", b"9 1 2", b"8 " + b"1 " * 18, b"9 " + b"x " * 18, b"9 " + b"9" * 99, b"\xff"]
    names = [f"{place}_png" for place in range(len(contents))]
    points = {f"{name}_cat": content for name, content in zip(names, contents, strict=True)}
    found = folders.load(folder(**dict.fromkeys(names, plain(RED)), **points, **good(20)), 8, crop="head")
    assert found.skipped == {f"{place}.png": f"{place}.png.cat does not hold nine points" for place in range(6)}


# What is skipped


def good(count):
    return {f"good{number}_png": plain(RED) for number in range(count)}


def test_what_is_broken_is_skipped_with_its_reason(folder, tmp_path):
    whole = encoded(NOISE.resize((64, 64)), "PNG")
    broken = {"cut_png": whole[: len(whole) // 2], "empty_png": b"", "text_jpg": b"hello", "b_bmp": b"BMW and others"}
    broken["bomb_png"] = encoded(plain(0, (20_000, 5_001), "1"), "PNG")
    directory = folder(**good(30), **broken, notes_txt=b"BMW and others", _hidden_png=b"hello")
    (tmp_path / "secret.png").write_bytes(whole)
    links = {"out.png": tmp_path / "secret.png", "nowhere.png": tmp_path / "nowhere.png", "elsewhere": tmp_path}
    links |= {"round.png": directory / "about.png", "about.png": directory / "round.png", ".link": tmp_path}
    for name, target in links.items():
        (directory / name).symlink_to(target)
    os.mkfifo(directory / "pipe.png")
    found = folders.load(directory, 8)
    assert len(found.images) == 30
    assert found.ignored == {"hidden": 2, "pipes and devices": 1, ".txt": 1}  # `.link` counts as one
    names = {"cut.png", "empty.png", "bomb.png", "text.jpg", "b.bmp"} | links.keys() - {".link"}
    assert found.skipped.keys() == names
    assert found.skipped["elsewhere"] == "a link to a folder"
    assert found.skipped["text.jpg"] == "it is not an image"
    assert found.skipped["bomb.png"] == "it has more than 100,000,000 pixels"
    assert found.skipped["out.png"] == "a link that leads out of the folder"
    assert all(found.skipped.values())


def test_every_file_is_read_skipped_or_ignored(folder, tmp_path, monkeypatch):
    """20 formats, as Pillow writes them, and what else lies about in folders."""
    directory = folder(**good(8), photo_heic=b"ftypheic", drawing_svg=b"<svg/>", _git__config=b"x", README=b"x")
    for kind in [*KINDS.split(), *(["avif"] if "AVIF" in folders.FORMATS else [])]:
        (plain(128, mode="L") if kind == "pgm" else plain(RED)).save(directory / f"of-{kind}.{kind}")
    for name in ("notes.txt", "Thumbs.db", ".DS_Store"):
        (directory / name).write_text("x")
    if hasattr(os, "mkfifo"):
        os.mkfifo(directory / "pipe.png")
    there = sum(len(names) for _, _, names in os.walk(directory))
    found = folders.load(directory, 8)
    assert set(found.skipped) == {"of-ico.ico", "of-pcx.pcx", "of-eps.eps", "photo.heic", "drawing.svg"}
    assert found.skipped["photo.heic"] == f"heic is not read: {', '.join(folders.FORMATS)} are"
    assert {".txt": 1, ".db": 1, "hidden": 2, "without a suffix": 1}.items() <= found.ignored.items()
    images, ignored = len(found.images), sum(found.ignored.values())
    assert images + len(found.skipped) + ignored == there
    # The command counts them too, lists what it skipped, and keeps the folder's absolute path, to resume from anywhere.
    monkeypatch.chdir(tmp_path)
    small = ["--batch-size", "8", "--set", "filters=2", "--set", "latent_dim=4", "--set", "crop=letterbox"]
    command = ["train", "dcgan-folder", "--data", "pictures", "--image-size", "8", "--epochs", "1", *small]
    with pytest.warns(UserWarning, match="5 image files were skipped, such as drawing.svg .svg is not read: "):
        result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert f"\n{there} files: {images} images, 5 skipped, {ignored} ignored (2 hidden, " in result.output
    assert f"dcgan-folder: {images} images of 8 × 8 × 3 from pictures" in result.output
    record = runs.read_json(tmp_path / "runs" / "dcgan-folder" / "run.json")
    assert (record["skipped"], record["settings"]["data"]) == (found.skipped, str(directory))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere file names are text")
def test_names_that_are_no_text(folder, tmp_path):
    directory = folder(**good(9))
    (directory / os.fsdecode(b"bad\xff.png")).write_bytes(b"hello")
    found = folders.load(directory, 8)
    assert list(found.skipped) == ["bad\\xff.png"]
    runs.write_json(tmp_path / "run.json", {"data": os.fsdecode(b"bad\xff.png"), **found._asdict(), "images": 9})
    assert runs.read_json(tmp_path / "run.json")["data"] == os.fsdecode(b"bad\xff.png")


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(change=st.data())
def test_any_file_is_read_or_counted(change, folder):
    """Valid images with random bytes changed, cut and renamed."""
    directory = folder(**good(20))
    kind = change.draw(st.sampled_from(["PNG", "WEBP", "GIF", "BMP", "JPEG"]))
    content = bytearray(encoded(NOISE, kind))
    for place in change.draw(st.lists(st.integers(0, len(content) - 1), max_size=5)):
        content[place] = change.draw(st.integers(0, 255))
    path = directory / ("x" + change.draw(st.sampled_from([".png", ".jpg", ".webp", ".txt", "", ".gif.png"])))
    path.write_bytes(content[: change.draw(st.integers(0, len(content)))])
    found = folders.load(directory, 8)
    assert len(found.images) + len(found.skipped) + sum(found.ignored.values()) == 21
    assert len(found.images) >= 20
    path.unlink()


def test_what_stops_a_run(folder):
    directory = folder(a_txt=b"hello")
    for name, error, sentence in (
        (".", ValueError, r"there are no images in .* \(1 files were looked at\): PNG, JPEG, WEBP, GIF, BMP, TIFF"),
        ("a.txt", NotADirectoryError, "is no folder"),
        ("nowhere", FileNotFoundError, r"there is no folder .*: name a folder of images"),
    ):
        with pytest.raises(error, match=sentence):
            folders.load(directory / name, 8)
    folder(**good(2), bad_png=b"hello")
    with pytest.raises(ValueError, match=r"1 of 3 image files in .* cannot be used, such as bad.png \(it is not an im"):
        folders.load(directory, 8)


def test_a_folder_that_may_not_be_read(folder, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PermissionError, match="pictures cannot be read: permission denied"):
        folders.load(folder(a_png=plain(RED)), 8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"crop": "left"}, "crop is 'left': choose one of center, letterbox, head"),
        ({"background": 5}, "background is 5: take a color"),
        ({"background": "whitish"}, "background is 'whitish': take a color such as white"),
    ],
)
def test_bad_arguments(arguments, message, folder):
    with pytest.raises(ValueError, match=message):
        folders.load(folder(a_png=plain(RED)), **{"image_size": 8, **arguments})


# What is remembered


@pytest.fixture
def decoded(monkeypatch):
    """The names of the files that were decoded."""
    names, decode = [], folders.Decoder.decode
    monkeypatch.setattr(folders.Decoder, "decode", lambda self, path: names.append(path.name) or decode(self, path))
    return names


def test_a_folder_is_decoded_again_only_if_a_file_has_changed(folder, decoded):
    directory = folder(a_png=plain(RED), b_png=plain(GREEN), c_txt=b"hello")
    first = folders.load(directory, 8)
    assert sorted(decoded) == ["a.png", "b.png", "c.txt"]
    decoded.clear()
    np.testing.assert_array_equal(folders.load(directory, 8).images, first.images)
    assert decoded == []
    time.sleep(0.01)
    folder(aa_png=plain(BLUE), b_png=plain(BLUE))
    assert colors(folders.load(directory, 8)) == [RED, BLUE, BLUE]
    (directory / "a.png").unlink()
    assert colors(folders.load(directory, 8)) == [BLUE, BLUE]
    assert len(list(cache_directory().rglob("images"))) == 1  # nothing is left of what changed
    decoded.clear()
    folders.load(directory, 9)  # another size is another matter
    folders.load(directory, 8)
    assert sorted(decoded) == ["aa.png", "b.png", "c.txt"]


def test_a_changed_landmark_file_and_a_file_set_back_in_time_are_changes(folder, decoded):
    points = {"a_png_cat": nine(*[(5, 5)] * 9)}
    directory = folder(a_png=plain(RED), **points)
    folders.load(directory, 8, crop="head")
    folders.load(directory, 8, crop="head")
    assert decoded == ["a.png"]
    time.sleep(0.01)
    folders.load(folder(**points), 8, crop="head")
    assert decoded == ["a.png"] * 2
    path, time_of_change = directory / "a.png", (directory / "a.png").stat().st_mtime_ns
    time.sleep(0.01)
    path.write_bytes(path.read_bytes())
    os.utime(path, ns=(time_of_change, time_of_change))
    folders.load(directory, 8, crop="head")
    assert decoded == ["a.png"] * 3


def test_what_may_pass_is_not_remembered(folder, monkeypatch, decoded):
    directory, opened = folder(a_png=plain(RED), **good(5)), Image.open

    def fail(path, *rest, **options):
        if os.path.basename(path) == "a.png":
            raise OSError(5, "Input/output error")
        return opened(path, *rest, **options)

    with monkeypatch.context() as context:
        context.setattr(Image, "open", fail)
        assert folders.load(directory, 8).skipped == {"a.png": "Input/output error"}
    for _ in range(2):
        assert folders.load(directory, 8).skipped == {}
    assert decoded.count("a.png") == 2  # and not again the third time


def test_a_full_disk_is_one_sentence(folder):
    resource = pytest.importorskip("resource")
    directory, limits = folder(**good(20)), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(OSError, match="cannot be written to: File too large; KGAN_CACHE names another directory"):
            folders.load(directory, 64)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(cache_directory().rglob("*images"))
    assert len(folders.load(directory, 64).images) == 20


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"files": {}, "kinds": {"a.png": "image"}}', b"[1"])
def test_a_damaged_cache_is_made_anew(damage, folder):
    directory = folder(a_png=plain(RED))
    for name in ("index.json", "images"):
        folders.load(directory, 8)
        next(cache_directory().rglob(name)).write_bytes(damage)
        assert colors(folders.load(directory, 8)) == [RED]


# The CAT data set


def kagglehub(download):
    return types.SimpleNamespace(dataset_download=download)


def test_cats_are_fetched_and_taken_once(folder, monkeypatch):
    directory, asked = folder(CAT_00__a_png=plain(RED), cats__CAT_00__a_png=plain(RED)), []
    monkeypatch.setitem(sys.modules, "kagglehub", kagglehub(lambda name: asked.append(name) or str(directory)))
    assert data.load("cat-dataset", image_size=8).shape == (1, 8, 8, 3)
    assert asked == ["crawford/cat-dataset"]


def no_network(name):
    raise ConnectionError("Max retries exceeded")


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        (None, r"pip install 'kgan\[cats\]' .*https://www.kaggle.com/datasets/crawford/cat-dataset"),
        (kagglehub(no_network), r"cannot download the CAT data set \(Kaggle does not answer\): get it from"),
    ],
)
def test_where_cats_cannot_be_fetched_it_is_said_how_to_get_them(module, sentence, monkeypatch):
    monkeypatch.setitem(sys.modules, "kagglehub", module)
    with pytest.raises((ImportError, OSError), match=sentence):
        data.load("cat-dataset", image_size=8)


def test_what_does_not_fit_into_memory_stays_on_disk(folder, monkeypatch):
    """From there, `Batches` gives the same batches: see test_data."""
    monkeypatch.setattr(folders, "IN_MEMORY", 100)
    found = folders.load(folder(a_png=plain(RED), b_png=plain(GREEN), c_png=plain(BLUE)), 8)
    assert isinstance(found.images, np.memmap)
    assert colors(found) == [RED, GREEN, BLUE]


# With the rest


def test_load_takes_folders(folder, monkeypatch):
    directory = folder(a_png=plain(RED))
    np.testing.assert_array_equal(data.load(directory, image_size=8), np.float32([[[[1, -1, -1]] * 8] * 8]))
    with pytest.raises(ValueError, match="may have many sizes: choose one with image_size"):
        data.load(directory)
    monkeypatch.chdir(directory.parent)
    assert data.is_folder("pictures")
    os.rename("pictures", "mnist")
    names = ["./mnist", "no/such/folder", "mnist", "", "mnist/3.0.1"]  # "mnist" is the data set
    assert [data.is_folder(name) for name in names] == [True, True, False, False, False]


@pytest.fixture
def unpacked(tmp_path):
    """A function that unpacks an archive of real images."""
    archives = os.environ.get("KGAN_TEST_DATA")
    if not archives:
        pytest.skip("KGAN_TEST_DATA names no directory with real images")

    def unpack(name):
        shutil.unpack_archive(os.path.join(archives, f"{name}.tar"), tmp_path / "real", filter="data")
        return tmp_path / "real"

    return unpack


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "count"),
    [("monsters", 772), ("cats", 1000), ("dirty-cats", 100), ("stl10", 246)],
)
def test_real_folders(name, count, unpacked):
    found = folders.load(unpacked(name), 32)
    assert (found.images.shape, found.skipped) == ((count, 32, 32, 3), {})
    assert 40 < found.images.mean() < 220


@pytest.mark.data
def test_a_real_cat_is_cut_to_its_head(unpacked):
    directory = unpacked("cat-landmarks")
    (whole,), (head,) = (folders.load(directory, 32, crop=crop).images for crop in ("center", "head"))
    # The ginger cat is small before a brown wall; its head fills the square.
    ginger = [np.mean(np.int32(image[..., 0]) - image[..., 2] > 80) for image in (whole, head)]
    assert ginger[1] > 0.4 > 4 * ginger[0]
