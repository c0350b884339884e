"""Files of images: what they hold is loaded, and what they only claim takes no memory."""

import io
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from kgan import data

PIXELS = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 3)).astype("uint8")
FLOATS = np.float32(PIXELS / 127.5 - 1)


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
    ("save", "name"), [(npz, "a.npz"), (compressed, "a.NPZ"), (hdf5, "a.h5"), (gzipped, "a.hdf5"), (hdf5, "a.H5")]
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


def bzipped(path):
    file = io.BytesIO()
    np.save(file, PIXELS)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("images.npy", file.getvalue())


def padded(path):
    """Claims 10 MB, of which nothing was written, and is large enough for that."""
    with h5py.File(path, "w") as file:
        file.create_dataset("images", (10**5, 10, 10, 1), "u1", chunks=(100, 10, 10, 1))
        file["other"] = np.zeros(10**6, np.uint8)


def bomb(path):
    """Of 640 bytes that the chunk should hold gzip makes 300 MB."""
    with h5py.File(path, "w") as file:
        chunked = {"chunks": (10, 8, 8, 1), "compression": "gzip", "shuffle": True, "fletcher32": True}
        images = file.create_dataset("images", (10, 8, 8, 1), "u1", **chunked)
        images.id.write_direct_chunk((0, 0, 0, 0), zlib.compress(bytes(3 * 10**8)) + b"sum.")


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
        ("a.npz", bzipped, "is compressed in a way that numpy.savez_compressed does not use"),
        ("a.h5", padded, "says that it holds 10,000,000 bytes of images, which it does not"),
        ("a.h5", bomb, "has chunks that hold more than the 640 bytes that they should"),
        ("a.h5", linked, "holds no array"),
        ("a.h5", outside, "keeps its images in other files"),
        ("a.npz", lambda path: npz(path, images=PIXELS[..., 0]), r"holds an array of shape \(50, 8, 8\)"),
        ("a.h5", lambda path: hdf5(path, images=PIXELS[:0]), "holds no images"),
        ("a.h5", lambda path: hdf5(path, images=FLOATS * 2), "holds float32 from -2 to 2: images are uint8"),
        ("a.npz", lambda path: npz(path, images=FLOATS * np.nan), "holds float32 from nan"),
        ("a.npz", lambda path: path.write_bytes(b"PK"), "is not an array of images, or it is damaged"),
        ("a.h5", lambda path: path.write_bytes(b"\x89HDF"), "is not an array of images, or it is damaged"),
        ("a.npz", lambda path: npz(path, images=np.asfortranarray(PIXELS)), "Fortran's order"),
    ],
)
def test_what_is_refused(name, write, sentence, tmp_path):
    write(tmp_path / name)
    with pytest.raises(ValueError, match=sentence) as refused:
        data.load(tmp_path / name)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there(tmp_path):
    for name in ("a.npy", "a.npz", "a.h5"):
        with pytest.raises(FileNotFoundError):
            data.load(tmp_path / name)


# Bytes of good files are changed at random, within an address space of 100 MB more than there is. Loaded or refused:
# both are right; a MemoryError, a crash or another error is not.
FUZZ = """
import pathlib, random, resource, sys, tempfile
import h5py, numpy as np
from kgan.data import arrays

sys.path.insert(0, sys.argv[1])
import test_array_files as good

size = [int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmSize")][0]
resource.setrlimit(resource.RLIMIT_AS, (size * 1024 + 100_000_000,) * 2)
directory = pathlib.Path(tempfile.mkdtemp())
draw, refused, loaded = random.Random(0), 0, 0
for number in range(900):
    name, save = draw.choice([("a.npy", None), ("a.npz", good.npz), ("b.npz", good.compressed), ("a.h5", good.hdf5),
                              ("b.h5", good.gzipped)])
    file = directory / name
    if save:
        save(file, images=good.PIXELS)
    else:
        np.save(file, good.PIXELS)
    content = bytearray(file.read_bytes())
    for _ in range(draw.choice([1, 2, 8])):
        where = draw.randrange(min(len(content), draw.choice([128, 1024, 10**9])))
        content[where] = draw.choice([0, 255, 127, draw.randrange(256), ord("9")])
    if draw.random() < 0.2:
        del content[draw.randrange(len(content)):]
    file.write_bytes(content)
    try:
        arrays.load_array(file)
        loaded += 1
    except (ValueError, OSError) as error:
        assert "\\n" not in str(error)
        refused += 1
print(loaded, refused)
"""


def test_damaged_files_take_no_memory(tmp_path):
    pytest.importorskip("resource")
    if not sys.platform.startswith("linux"):
        pytest.skip("the size of the address space is read from /proc")
    here = str(Path(__file__).parent)
    result = subprocess.run([sys.executable, "-c", FUZZ, here], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr[-2000:]
    loaded, refused = map(int, result.stdout.split())
    assert loaded > 50
    assert refused > 200
