import re
import shutil
import types

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image
from written import eagerly, write_run

import kgan
from kgan import data, latent, plots, runs
from kgan.cli.draw import _chosen_classes
from kgan.plots.layout import CAPTION_HEIGHT


@pytest.fixture(scope="module")
def small_run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("drawn") / "digits")


@pytest.fixture
def run(small_run, tmp_path_factory):
    """A copy of a small run, to draw into."""
    return shutil.copytree(small_run, tmp_path_factory.mktemp("run") / "digits")


# kgan sample


def test_sample_makes_a_grid_in_the_run_directory(run, kgan_command):
    result = kgan_command("sample", run, "--count", 9, "--seed", 5)
    assert result.stdout.strip() == str(run / "sample-9-seed-5.png")
    expected = plots.image_grid(runs.load_model(run).generate(9, seed=5))
    np.testing.assert_array_equal(iio.imread(run / "sample-9-seed-5.png"), np.asarray(expected))


def test_sample_into_an_array_and_a_folder(run, kgan_command, tmp_path):
    expected = plots.to_uint8(runs.load_model(run).generate(5, seed=2))
    for out in ("a.npy", "folder/", "plain"):
        result = kgan_command("sample", run, "--count", 5, "--seed", 2, "--out", out)
        assert result.exit_code == 0, result.output
    array = np.load("a.npy", allow_pickle=False)
    assert (array.dtype, array.shape) == (np.uint8, (5, 16, 16, 1))
    np.testing.assert_array_equal(array, expected)
    np.testing.assert_allclose(data.load("a.npy"), runs.load_model(run).generate(5, seed=2), atol=0.005)
    for folder in ("folder", "plain"):
        names = sorted(path.name for path in (tmp_path / folder).iterdir())
        assert names == [f"{number:04}.png" for number in range(1, 6)]
        pictures = [iio.imread(tmp_path / folder / name) for name in names]
        np.testing.assert_array_equal(np.stack(pictures)[..., None], expected)


# Ranked, and beside real images


def test_the_best_are_those_that_the_discriminator_ranks_first(run, kgan_command, tmp_path):
    result = kgan_command("sample", run, "--count", 4, "--seed", 5, "--best")
    assert result.stdout.strip() == str(run / "sample-4-best-of-32-seed-5.png")
    model = runs.load_model(run)
    images = model.generate(32, seed=5)
    logits = model.discriminator(images, training=False).numpy()[:, 0]
    np.testing.assert_allclose(model.score(images), logits, rtol=1e-5, atol=1e-6)
    best = plots.image_grid(images[np.argsort(logits)[::-1][:4]])
    expected = plots.captioned(best, "the best 4 of 32 by the discriminator")
    assert expected.width > best.width  # the caption is wider than so small a grid
    np.testing.assert_array_equal(iio.imread(run / "sample-4-best-of-32-seed-5.png"), np.asarray(expected))
    kgan_command("sample", run, "--count", 2, "--best", "--out", "chosen/")
    assert sorted(path.name for path in (tmp_path / "chosen").iterdir()) == ["best-0001.png", "best-0002.png"]


def test_real_images_stand_to_the_right_of_a_white_line(run, kgan_command):
    result = kgan_command("sample", run, "--count", 4, "--beside-real")
    picture = iio.imread(result.stdout.strip())
    generated = np.asarray(plots.image_grid(runs.load_model(run).generate(4), margin=0))
    side = len(generated)
    assert picture.shape == (CAPTION_HEIGHT + side, 2 * side + 8)  # here captions are shorter than the grids
    np.testing.assert_array_equal(picture[CAPTION_HEIGHT:, :side], generated)
    assert (picture[:, side : side + 8] == 255).all()
    right = picture[CAPTION_HEIGHT:, side + 8 :]
    digits = plots.to_uint8(data.load("digits", image_size=16))
    zoom = side // 32
    shown = [right[::zoom, ::zoom][top : top + 16, left : left + 16] for top in (0, 16) for left in (0, 16)]
    rows = [{int(row) for row in np.flatnonzero((digits[..., 0] == image).all((1, 2)))} for image in shown]
    assert all(rows)


# Walks


def test_interpolate_begins_and_ends_at_its_codes(run, kgan_command):
    result = kgan_command("interpolate", run, "--pairs", 2, "--steps", 3, "--seed", 4)
    assert result.stdout.split() == [str(run / f"interpolate-seed-4.{kind}") for kind in ("png", "gif")]
    model = runs.load_model(run)
    codes = latent.sample_codes(4, model.latent_dim, seed=4).numpy()
    ends = np.asarray(plots.image_grid(model.generate(codes), 2))
    picture = iio.imread(run / "interpolate-seed-4.png")
    width = ends.shape[1] // 2
    height = len(ends) + CAPTION_HEIGHT
    for top in (CAPTION_HEIGHT, height + CAPTION_HEIGHT):  # linear, spherical
        grid = picture[top : top + len(ends)]
        np.testing.assert_array_equal(grid[:, :width], ends[:, :width])
        np.testing.assert_array_equal(grid[:, -width:], ends[:, -width:])
    with Image.open(run / "interpolate-seed-4.gif") as gif:
        assert (gif.n_frames, gif.info["loop"]) == (46, 0)
        moments = []
        for frame in (1, 22, 24, 45):
            gif.seek(frame)
            moments.append(np.asarray(gif.convert("L")))
    np.testing.assert_array_equal(moments[0], moments[3])  # there and back
    np.testing.assert_array_equal(moments[1], moments[2])


def test_traverse_changes_one_unit_a_row(run, kgan_command):
    first = kgan_command("traverse", run, "--units", "0,5", "--steps", 3, "--seed", 2).stdout.strip()
    assert first == str(run / "traverse-0-5-seed-2.png")
    model = runs.load_model(run)
    codes = np.tile(latent.sample_codes(1, model.latent_dim, seed=2).numpy(), (6, 1))
    codes[:3, 0] = codes[3:, 5] = [-2, 0, 2]
    grid = np.asarray(plots.image_grid(model.generate(codes), 3))
    left = plots.with_row_labels(Image.new("L", grid.shape[::-1]), ["0", "5"]).width - grid.shape[1]
    np.testing.assert_array_equal(iio.imread(first)[CAPTION_HEIGHT:, left : left + grid.shape[1]], grid)
    kgan_command("traverse", run, "--units", "0,5", "--steps", 3, "--seed", 2, "--out", "again.png")
    np.testing.assert_array_equal(iio.imread(first), iio.imread("again.png"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["sample", "RUN", "--out", "a.jpg"], "kgan: --out is a.jpg: it must end in .png, .npy, or / for a folder"),
        (["sample", "RUN", "--out", "full"], "kgan: full holds files already"),
        (["sample", "RUN", "--count", 0], "Invalid value for '--count'"),
        (["sample", "RUN", "--beside-real", "--out", "a.npy"], "kgan: --out is a.npy: samples next to real images"),
        (["sample", "RUN", "--beside-real", "--count", 2000], "kgan: --count is 2000: there are only 1797 real images"),
        (["sample", "nowhere"], "kgan: there is no model at nowhere"),
        (["interpolate", "nowhere"], "kgan: there is no model at nowhere"),
        (["traverse", "RUN", "--units", "0,x"], "kgan: --units is '0,x': write whole numbers with commas between them"),
        (["traverse", "RUN", "--units", "8"], "kgan: unit is 8: this code has units 0 to 7"),
        (["traverse", "RUN", "--out", "a.gif"], "kgan: --out is a.gif: it must end in .png"),
        (["reconstruct", "RUN"], "digits is a DCGAN: only a CodeGAN reads codes, as codegan-digits"),
        (["reconstruct", "CODES", "--degrade", "rain"], "kgan: --degrade is 'rain': choose one of noise, blur, mask"),
        (["reconstruct", "CODES", "--images", "nowhere/"], "kgan: there is no folder"),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(arguments, sentence, run, codegan, kgan_command, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.png").touch()
    result = kgan_command(*({"RUN": run, "CODES": codegan}.get(word, word) for word in arguments))
    assert result.exit_code == 2, result.output
    assert sentence in result.output
    assert "Traceback" not in result.output
    assert [*tmp_path.rglob("*")] == [tmp_path / "full", tmp_path / "full" / "a.png"]


def test_walks_of_a_conditional_run_mix_its_classes(kgan_command, tmp_path):
    """On the spherical path as well: a class has no direction. The playground walks in the same way."""
    small = {"image_size": 8, "filters": 2, "depth": 1, "latent_dim": 4, "conditional": True}
    run = write_run(tmp_path / "run", changes=small, classes=[str(number) for number in range(10)])
    model = runs.load_model(run)
    start, end = model.sample_codes(2, seed=4, labels=None).numpy()
    assert kgan_command("interpolate", run, "--pairs", 1, "--steps", 3, "--seed", 4).exit_code == 0
    for path, top in (("linear", CAPTION_HEIGHT), ("spherical", 3 * CAPTION_HEIGHT)):
        middle = latent.interpolate(start[:4], end[:4], 3, path)[1]
        codes = np.stack([start, np.concatenate([middle, (start[4:] + end[4:]) / 2]), end])
        grid = np.asarray(plots.image_grid(model.generate(codes), 3))
        top += 0 if path == "linear" else len(grid) - CAPTION_HEIGHT
        picture = iio.imread(run / "interpolate-seed-4.png")
        np.testing.assert_array_equal(picture[top : top + len(grid), : grid.shape[1]], grid)


# CodeGANs


@pytest.fixture(scope="module")
def codegan(tmp_path_factory):
    """The directory of a small CodeGAN's run."""
    directory = tmp_path_factory.mktemp("codegan") / "run"
    small = {"batch_size": 64, "image_size": 16, "filters": 4, "latent_dim": 8, "steps_per_epoch": 2}
    with eagerly():
        kgan.train("codegan-digits", epochs=2, out=directory, verbose=0, chosen_iterations=[1, 3], **small)
    return directory


def test_a_codegan_leaves_the_figures_of_its_paper(codegan):
    assert {path.stem for path in codegan.glob("*.png")} == {"codes", "epochs", "losses", "reconstructions"}
    names = {path.name for path in (codegan / "samples").iterdir()}
    assert names == {"epoch-0001.png", "epoch-0002.png", "iteration-000001.png", "iteration-000003.png"}
    columns = iio.imread(codegan / "reconstructions.png")
    model = runs.load_model(codegan)
    codes = latent.sample_codes(8, model.latent_dim, seed=0).numpy()
    generated = model.generate(codes)
    expected = np.asarray(plots.image_grid(generated, 1, zoom=5))
    width = expected.shape[1]
    np.testing.assert_array_equal(columns[CAPTION_HEIGHT:, width + 8 : 2 * width + 8], expected)
    rebuilt = np.asarray(plots.image_grid(model.reconstruct(generated), 1, zoom=5))
    np.testing.assert_array_equal(columns[CAPTION_HEIGHT:, 3 * (width + 8) : 3 * (width + 8) + width], rebuilt)


@pytest.mark.parametrize("degrade", [None, "noise", "blur", "mask"])
def test_reconstruct(degrade, codegan, kgan_command, tmp_path):
    arguments = ["--degrade", degrade] if degrade else []
    result = kgan_command("reconstruct", codegan, "--count", 3, "--refine", 2, "--out", "a.png", *arguments)
    assert result.exit_code == 0, result.output
    errors = dict(re.findall(r"(\w+) ([\d.]+) %", result.output))
    assert set(errors) == {"read", "refined", *([degrade] if degrade else [])}
    picture = iio.imread(tmp_path / "a.png")
    assert len(picture) == CAPTION_HEIGHT + 2 + (4 if degrade else 3) * 50
    if degrade:  # the figure by hand, from the pixels in the picture
        grid = Image.new("L", (152, 202))
        left = plots.with_row_labels(grid, ["original", degrade, "read", "refined"]).width - 150
        pixels = np.int32(picture[CAPTION_HEIGHT + 2 :, left : left + 150])
        original, spoilt = (
            [pixels[row * 50 : row * 50 + 48, i * 50 : i * 50 + 48] for i in range(3)] for row in (0, 1)
        )
        measured = np.mean([np.abs(one - other).mean() for one, other in zip(original, spoilt, strict=True)]) / 2.55
        assert float(errors[degrade]) == pytest.approx(measured, abs=0.2)


def test_reconstruct_images_of_a_folder(codegan, kgan_command, tmp_path):
    (tmp_path / "mine").mkdir()
    for number in range(2):
        Image.new("L", (30, 20), 255).save(tmp_path / "mine" / f"{number}.png")
    result = kgan_command("reconstruct", codegan, "--images", "mine", "--count", 2, "--out", "a.png")
    assert result.exit_code == 0, result.output
    grid = iio.imread(tmp_path / "a.png")[CAPTION_HEIGHT + 2 :]
    assert (grid[:48] >= 250).mean() > 0.9  # two white images and their label
    assert (grid[50:98] >= 250).mean() < 0.9


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("cats, big", {"cats, big": 0}),
        ('"cats, big",dogs', {"cats, big": 0, "dogs": 1}),
        ("1, 0", {"dogs": 1, "cats, big": 0}),
        ("1 ,0 ", {"dogs": 1, "cats, big": 0}),
        (None, {"cats, big": 0, "dogs": 1}),
    ],
)
def test_names_of_classes_may_have_commas(text, chosen):
    source = types.SimpleNamespace(class_names=["cats, big", "dogs"])
    assert _chosen_classes(source, text) == chosen
    with pytest.raises(ValueError, match="--classes has '': choose from cats, big, dogs"):
        _chosen_classes(source, "")
