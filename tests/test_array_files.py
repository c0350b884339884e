"""Files of images: what they hold is loaded, and what they only claim takes no memory."""

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


def npz(path, **arrays):
    np.savez(path, **arrays)


def compressed(path, **arrays):
    np.savez_compressed(path, **arrays)


def hdf5(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array


def gzipped(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array, chunks=True, compression="gzip", shuffle=True, fletcher32=True)


@pytest.mark.parametrize(
    ("save", "name"),
    [(npy, "a.npy"), (npz, "a.npz"), (compressed, "a.NPZ"), (hdf5, "a.h5"), (gzipped, "a.hdf5"), (hdf5, "a.H5")],
)
@pytest.mark.parametrize("images", [PIXELS, FLOATS, np.float16(FLOATS)], ids=lambda images: str(images.dtype))
def test_what_is_loaded(save, name, images, tmp_path):
    expected = PIXELS if images.dtype != "float16" else np.uint8(np.round((images + 1) * 127.5))
    with (tmp_path / name).open("wb") as file:
        save(file, anything=images)
    np.testing.assert_array_equal(data.load(tmp_path / name, dtype="uint8"), expected)
    with (tmp_path / name).open("wb") as file:
        save(file, labels=np.zeros(50), images=images)
    np.testing.assert_array_equal(data.load(tmp_path / name, dtype="uint8"), expected)


def test_it_is_read_piece_by_piece(tmp_path, monkeypatch):
    monkeypatch.setattr(data.arrays, "PIECE", 1000)  # 5 images
    np.save(tmp_path / "fortran.npy", np.asfortranarray(FLOATS))
    for save, name in ((npz, "a.npz"), (gzipped, "a.h5")):
        save(tmp_path / name, images=FLOATS)
    for name in ("fortran.npy", "a.npz", "a.h5"):
        np.testing.assert_array_equal(data.load(tmp_path / name, dtype="uint8"), PIXELS)


def claims(shape, dtype="|u1"):
    """A `.npy` that says it holds such an array, and holds nothing."""
    file = io.BytesIO()
    np.lib.format.write_array_header_2_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
    return file.getvalue()


HUGE = (10**9, 96, 96, 3)  # 27 TB


def zipped(content, **entries):
    def write(path):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, each in {"images.npy": content, **entries}.items():
                archive.writestr(name, each)

    return write


def empty_hdf5(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("images", HUGE, "u1", chunks=(1, 96, 96, 3))


def large_chunks(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("images", (1, 30000, 30000, 3), "u1", chunks=(1, 30000, 30000, 3), compression="gzip")


def padded(path):
    """Claims 10 MB, of which nothing was written, and is large enough for that."""
    with h5py.File(path, "w") as file:
        file.create_dataset("images", (10**5, 10, 10, 1), "u1", chunks=(100, 10, 10, 1))
        file["other"] = np.zeros(10**6, np.uint8)


def linked(path):
    hdf5(path.with_name("other.h5"), images=PIXELS)
    with h5py.File(path, "w") as file:
        file["images"] = h5py.ExternalLink("other.h5", "images")


def outside(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("images", (3, 8, 8, 1), "u1", external=[("/etc/passwd", 0, 192)])


@pytest.mark.parametrize(
    ("name", "write", "sentence"),
    [
        ("a.npy", lambda path: path.write_bytes(claims(HUGE)), "says that it holds 27,648,000,000,000 bytes of images"),
        ("a.npz", zipped(claims(HUGE)), "says that it holds 27,648,000,000,000 bytes of images, which it does not"),
        ("a.h5", empty_hdf5, "says that it holds 27,648,000,000,000 bytes of images, which it does not"),
        ("a.h5", large_chunks, "says that it holds 2,700,000,000 bytes of images"),
        ("a.npz", zipped(claims((5, 8, 8, 1))), "says that it holds 320 bytes of images, which it does not"),
        ("a.npz", zipped(claims((5, 8, 8, 1), "|O")), "holds Python objects, which could run anything"),
        ("a.npz", zipped(b"text"), "is not an array of images, or it is damaged"),
        ("a.npz", lambda path: npz(path, x=PIXELS, y=PIXELS), "holds the arrays x, y: name the one with the images"),
        ("a.h5", lambda path: hdf5(path, x=PIXELS, y=PIXELS), "holds the arrays x, y: name the one with the images"),
        ("a.npz", lambda path: npz(path), "holds no array"),
        ("a.h5", lambda path: hdf5(path), "holds no array"),
        ("a.h5", lambda path: hdf5(path, images=np.bytes_("x")), r"holds \|S1"),
        ("a.h5", padded, "says that it holds 10,000,000 bytes of images, which it does not"),
        ("a.h5", linked, "holds no array"),
        ("a.h5", outside, "keeps its images in other files"),
        ("a.npz", lambda path: npz(path, images=PIXELS[..., 0]), r"holds an array of shape \(50, 8, 8\)"),
        ("a.h5", lambda path: hdf5(path, images=PIXELS[:0]), "holds no images"),
        ("a.h5", lambda path: hdf5(path, images=FLOATS * 2), "holds float32 from -2 to 2: images are uint8"),
        ("a.npz", lambda path: npz(path, images=FLOATS * np.nan), "holds float32 from nan"),
        ("a.npz", lambda path: path.write_bytes(b"PK"), "is not an array of images, or it is damaged"),
        ("a.h5", lambda path: path.write_bytes(b"\x89HDF"), "is not an array of images, or it is damaged"),
        (
            "a.npy",
            lambda path: np.save(path, np.zeros((5, 8, 8, 4), "u1")),
            r"images are \(count, height, width, 1 or 3\)",
        ),
        ("a.npy", lambda path: np.save(path, np.zeros((5, 8, 8, 1), "i8")), "holds int64 from 0 to 0"),
        ("a.npy", lambda path: np.save(path, np.full((5, 8, 8, 1), "text")), "is not an array of images: it holds <U4"),
        ("a.npy", lambda path: np.save(path, np.array([{}]), allow_pickle=True), "holds Python objects"),
        ("a.npy", lambda path: path.touch(), "a.npy is not an array of images, or it is damaged"),
        ("a.npy", lambda path: path.write_text("images"), "a.npy is not an array of images, or it is damaged"),
    ],
)
def test_what_is_refused(name, write, sentence, tmp_path):
    write(tmp_path / name)
    with pytest.raises(Mistake, match=sentence) as refused:
        data.load(tmp_path / name)
    assert "\n" not in str(refused.value)


def test_the_content_says_what_a_file_is(tmp_path):
    npz(tmp_path / "a.npz", images=np.asfortranarray(PIXELS))
    (tmp_path / "a.npz").rename(tmp_path / "a.npy")
    np.testing.assert_array_equal(data.load(tmp_path / "a.npy", dtype="uint8"), PIXELS)


def test_a_file_that_is_not_there(tmp_path):
    for name in ("a.npy", "a.npz", "a.h5"):
        with pytest.raises(FileNotFoundError):
            data.load(tmp_path / name)


@pytest.mark.skipif(sys.platform != "linux", reason="the size of the address space is read from /proc")
def test_damaged_files_take_no_memory(tmp_path):
    """Bytes of good files are changed at random, within an address space of 200 MB more than there is.

    Loaded or refused: both are right; a MemoryError, a crash or another error is not.
    """
    import resource

    draw, refused, loaded = random.Random(0), [], 0
    kinds = {"a.npy": npy, "a.npz": npz, "b.npz": compressed, "a.h5": hdf5, "b.h5": gzipped}
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
