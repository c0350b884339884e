"""Files of images: what they hold is loaded, and what they only claim takes no memory."""

import functools
import io
import random
import sys
import zipfile

import h5py
import numpy as np
import pytest

from kgan import data
from kgan.errors import Mistake

PIXELS = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 3)).astype("uint8")
FLOATS = np.float32(PIXELS / 127.5 - 1)


def npy(path, **arrays):
    np.save(path, [*arrays.values()][-1])


def hdf5(path, options=None, **arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array, **(options or {}))


gzipped = functools.partial(hdf5, options={"chunks": True, "compression": "gzip", "shuffle": True, "fletcher32": True})


@pytest.mark.parametrize(
    ("save", "name"),
    [
        (npy, "a.npy"),
        (np.savez, "a.npz"),
        (np.savez_compressed, "a.NPZ"),
        (hdf5, "a.h5"),
        (gzipped, "a.hdf5"),
        (hdf5, "a.H5"),
    ],
)
@pytest.mark.parametrize("images", [PIXELS, FLOATS, np.float16(FLOATS)], ids=lambda images: str(images.dtype))
def test_what_is_loaded(save, name, images, tmp_path, monkeypatch):
    expected = PIXELS if images.dtype != "float16" else np.uint8(np.round((images + 1) * 127.5))
    for arrays in ({"anything": images}, {"labels": np.zeros(50), "images": np.asfortranarray(images)}):
        with (tmp_path / name).open("wb") as file:
            save(file, **arrays)
        np.testing.assert_array_equal(data.load(tmp_path / name, dtype="uint8"), expected)
        monkeypatch.setattr(data.arrays, "PIECE", 1000)  # fewer than all images at a time


def claims(shape, dtype="|u1"):
    """A `.npy` that says it holds such an array, and holds nothing."""
    file = io.BytesIO()
    np.lib.format.write_array_header_2_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
    return file.getvalue()


HUGE = (10**9, 96, 96, 3)  # 27 TB


def written(content):
    return lambda path: path.write_bytes(content)


def zipped(content):
    def write(path):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("images.npy", content)

    return write


def saved(save, images=PIXELS, **arrays):
    return lambda path: save(path, images=images, **arrays)


def hdf5_of(shape, beside=0, **options):
    """One in which nothing was written; with some bytes beside it, it is large enough for what it claims."""

    def write(path):
        with h5py.File(path, "w") as file:
            file.create_dataset("images", shape, "u1", **options)
            file["other"] = np.zeros(beside, np.uint8)

    return write


def linked(path):
    hdf5(path.with_name("other.h5"), images=PIXELS)
    with h5py.File(path, "w") as file:
        file["images"] = h5py.ExternalLink("other.h5", "images")


DAMAGED = "is not an array of images of one size, or it is damaged"
MORE = "says that it holds more than fits into memory"
TWO = "holds the arrays x, y: name the one with the images"


@pytest.mark.parametrize(
    ("name", "write", "sentence"),
    [
        ("a.npy", written(claims(HUGE)), DAMAGED),
        ("a.npz", zipped(claims(HUGE)), f"{MORE}|{DAMAGED}"),  # as the system promises memory
        ("a.h5", hdf5_of(HUGE, chunks=(1, 96, 96, 3)), "says that it holds 27,648,000,000,000 bytes of images, which"),
        (
            "a.h5",
            hdf5_of((1, 30000, 30000, 3), chunks=(1, 30000, 30000, 3), compression="gzip"),
            "says that it holds 2,700,000,000 bytes of images",
        ),
        (
            "a.h5",
            hdf5_of((10**5, 10, 10, 1), beside=10**6, chunks=(100, 10, 10, 1)),
            "says that it holds 10,000,000 bytes of images, which it does not",
        ),
        ("a.npz", zipped(claims((5, 8, 8, 1))), DAMAGED),
        ("a.npz", zipped(claims((5, 8, 8, 1), "|O")), DAMAGED),
        ("a.npz", zipped(b"text"), DAMAGED),
        ("a.npz", functools.partial(np.savez, x=PIXELS, y=PIXELS), TWO),
        ("a.h5", functools.partial(hdf5, x=PIXELS, y=PIXELS), TWO),
        ("a.npz", np.savez, "holds no array"),
        ("a.h5", hdf5, "holds no array"),
        ("a.h5", saved(hdf5, np.bytes_("x")), r"holds \|S1"),
        ("a.h5", linked, "holds no array"),
        ("a.h5", hdf5_of((3, 8, 8, 1), external=[("/etc/passwd", 0, 192)]), "keeps its images in other files"),
        ("a.npz", saved(np.savez, PIXELS[..., 0]), r"holds an array of shape \(50, 8, 8\)"),
        ("a.h5", saved(hdf5, PIXELS[:0]), "holds no images"),
        ("a.h5", saved(hdf5, FLOATS * 2), "holds float32 from -2 to 2: images are uint8"),
        ("a.npz", saved(np.savez, FLOATS * np.nan), "holds float32 from nan"),
        ("a.npz", written(b"PK"), DAMAGED),
        ("a.h5", written(b"\x89HDF"), DAMAGED),
        ("a.npy", saved(npy, np.zeros((5, 8, 8, 4), "u1")), r"images are \(count, height, width, 1 or 3\)"),
        ("a.npy", saved(npy, np.zeros((5, 8, 8, 1), "i8")), "holds int64 from 0 to 0"),
        ("a.npy", saved(npy, np.full((5, 8, 8, 1), "text")), "is not an array of images: it holds <U4"),
        ("a.npy", saved(npy, np.array([{}])), DAMAGED),
        ("a.npy", written(b""), DAMAGED),
        ("a.npy", written(b"images"), DAMAGED),
    ],
)
def test_what_is_refused(name, write, sentence, tmp_path):
    write(tmp_path / name)
    with pytest.raises(Mistake, match=sentence) as refused:
        data.load(tmp_path / name)
    assert "\n" not in str(refused.value)


def test_the_content_says_what_a_file_is(tmp_path):
    np.savez(tmp_path / "a.npz", images=PIXELS)
    (tmp_path / "a.npz").rename(tmp_path / "a.npy")
    np.testing.assert_array_equal(data.load(tmp_path / "a.npy", dtype="uint8"), PIXELS)


@pytest.mark.parametrize("name", ["a.npy", "a.h5"])
def test_a_file_that_is_not_there(name, tmp_path):
    with pytest.raises(FileNotFoundError):
        data.load(tmp_path / name)


@pytest.mark.skipif(sys.platform != "linux", reason="the size of the address space is read from /proc")
def test_damaged_files_take_no_memory(tmp_path):
    """Bytes of good files are changed at random, within an address space of 200 MB more than there is.

    Loaded or refused: both are right; a MemoryError, a crash or another error is not.
    """
    import resource

    draw, refused, loaded = random.Random(0), [], 0
    kinds = {"a.npy": npy, "a.npz": np.savez, "b.npz": np.savez_compressed, "a.h5": hdf5, "b.h5": gzipped}
    for name, save in kinds.items():
        save(tmp_path / name, images=PIXELS)
    good = {name: (tmp_path / name).read_bytes() for name in kinds}
    with open("/proc/self/status") as status:
        size = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmSize"))
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size + 200_000_000, limits[1]))
    try:
        for _ in range(600):
            name = draw.choice(list(kinds))
            content = bytearray(good[name])
            for _ in range(draw.choice([1, 2, 8])):
                place = draw.randrange(min(len(content), draw.choice([128, 1024, 10**9])))
                content[place] = draw.choice([0, 255, 127, draw.randrange(256), ord("9")])
            if draw.random() < 0.2:
                del content[draw.randrange(len(content)) :]
            (tmp_path / name).write_bytes(content)
            try:
                data.arrays.load_array(tmp_path / name)
                loaded += 1
            except Mistake as mistake:
                refused.append(str(mistake))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
    assert loaded > 40
    assert len(refused) > 150
    assert not any("\n" in sentence for sentence in refused)
