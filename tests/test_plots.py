import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import pyplot
from PIL import Image, ImageSequence

from kgan import plots

HISTORY = {"d_loss": [1.4, 1.2], "g_loss": [0.7, 0.9], "d_real": [0.5, 0.6], "d_fake": [0.5, 0.4]}


def frames(path):
    with Image.open(path) as gif:
        return [(frame.convert("RGB"), frame.info["duration"]) for frame in ImageSequence.Iterator(gif)]


def grays(path, place=(0, 0)):
    return [frame.getpixel(place)[0] for frame, _ in frames(path)]


def drawn_gif(path, *shades):
    gif = plots.GIF(path)
    for gray in shades:
        gif.append(Image.new("L", (8, 8), gray))
    return gif


def test_pixels_by_hand():
    np.testing.assert_array_equal(
        plots.to_uint8([-1, -0.5, 0, 0.5, 1, -9, 9, np.nan]), [0, 64, 128, 191, 255, 0, 255, 128]
    )
    every = np.arange(256, dtype=np.uint8)  # survives the way there and back
    for images in (np.float32(every) / np.float32(127.5) - 1, every):
        np.testing.assert_array_equal(plots.to_uint8(images), every)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 5), st.sampled_from([1, 3]), st.integers(1, 3))
def test_each_image_stands_in_its_place(count, columns, channels, zoom):
    images = np.random.default_rng(0).uniform(-1, 1, (count, 5, 4, channels))
    grid = np.asarray(plots.image_grid(images, columns, zoom=zoom))
    grid = grid.reshape(*grid.shape[:2], channels)
    seen = np.zeros(grid.shape[:2], bool)
    for i, image in enumerate(plots.to_uint8(images)):
        top = 2 + i // columns * (5 * zoom + 2)
        left = 2 + i % columns * (4 * zoom + 2)
        place = np.s_[top : top + 5 * zoom, left : left + 4 * zoom]
        np.testing.assert_array_equal(grid[place][::zoom, ::zoom], image)
        seen[place] = True
    assert (grid[~seen] == 255).all()  # margins, and places left empty
    assert grid.shape[0] == 2 + -(-count // columns) * (5 * zoom + 2)


def test_grids_are_square_and_gray_or_color():
    assert plots.image_grid(np.zeros((64, 28, 28, 1))).size == (466, 466)  # zoomed to 56 pixels an image
    assert plots.image_grid(np.zeros((4, 8, 8, 1))).mode == "L"
    assert plots.image_grid(np.zeros((4, 8, 8, 3))).mode == "RGB"


@pytest.mark.parametrize(
    ("shape", "arguments", "message"),
    [
        ((4, 8, 8, 1), {"columns": 0}, "columns is 0: it must be 1 or more"),
        ((4, 8, 8, 1), {"zoom": -1}, "zoom is -1: it must be 1 or more"),
        *((shape, {}, "a grid shows") for shape in [(28, 28, 1), (4, 28, 28), (4, 28, 28, 2), (0, 28, 28, 1)]),
    ],
)
def test_grid_refuses(shape, arguments, message):
    with pytest.raises(ValueError, match=message):
        plots.image_grid(np.zeros(shape), **arguments)


def test_captions_leave_the_picture_as_it_is():
    picture = plots.image_grid(np.random.default_rng(0).uniform(-1, 1, (4, 28, 28, 3)))
    first, second = (np.asarray(plots.captioned(picture, f"epoch {epoch}")) for epoch in (12, 13))
    np.testing.assert_array_equal(first[-picture.height :], np.asarray(picture))
    assert first[: -picture.height].min() < 100  # ink
    assert (first != second).any()
    # Frames of all epochs are of one size, even where the picture is narrower than its caption.
    sizes = {plots.captioned(Image.new("L", (60, 60)), f"epoch {epoch}").size for epoch in (1, 10, 100, 1000, 99999)}
    assert len(sizes) == 1


def test_side_by_side():
    pictures = [Image.new("L", (60, 40), gray) for gray in (0, 100, 200)]
    row = np.asarray(plots.side_by_side(pictures, ["1", "10", "100"]))
    assert row.shape == (40 + 22, 3 * 60 + 2 * 8)
    assert [row[50, left] for left in (30, 98, 166)] == [0, 100, 200]
    with pytest.raises(ValueError, match="zip"):
        plots.side_by_side(pictures, ["1"])
    unlike = plots.side_by_side([Image.new("L", (60, 40), 100), Image.new("RGB", (30, 50), "red")], ["a", "b"])
    assert (unlike.mode, unlike.size) == ("RGB", (60 + 8 + 30, 50 + 22))
    places = (30, 30), (80, 60), (30, 68)
    assert [unlike.getpixel(place) for place in places] == [(100,) * 3, (255, 0, 0), (255,) * 3]


def test_epochs_in_step(tmp_path):
    """The short run holds its last picture; the one that begins later is white before."""

    def saved(run, grays, size=(90, 40), mode="L"):
        for epoch, gray in grays.items():
            Image.new(mode, size, gray).save(tmp_path / f"{run}-{epoch}.png")
        return {epoch: tmp_path / f"{run}-{epoch}.png" for epoch in grays}

    series = {"short": saved("short", {1: 10, 2: 20}), "late": saved("late", {2: 20, 10: 100}, (95, 50))}
    frames = list(plots.epochs_in_step(series))
    assert {frame.size for frame in frames} == {frames[0].size}
    right = frames[0].width - 95 + 5
    drawn = [(frame.getpixel((5, 30)), frame.getpixel((right, 30))) for frame in frames]
    assert drawn == [(10, 255), (20, 20), (20, 100)]
    many = {"long": saved("long", {epoch: 2 * epoch for epoch in range(1, 102)})}
    shown = [frame.getpixel((5, 30)) // 2 for frame in plots.epochs_in_step(many, at_most=11)]
    assert shown == [*range(1, 102, 10)]
    frame = next(plots.epochs_in_step({"gray": saved("gray", {1: 100}), "red": saved("red", {1: "red"}, mode="RGB")}))
    assert [frame.getpixel((place, 40)) for place in (5, frame.width - 70)] == [(100,) * 3, (255, 0, 0)]


def test_distance_curves_by_epoch_and_by_time():
    nan = float("nan")
    histories = [{"epoch": [1, 2, 3], "seconds": [400, 100, 400], "frechet": [nan, 50, shift]} for shift in (30, 20)]
    short = {"epoch": [1], "seconds": [60], "frechet": [90]}
    by_epoch, by_time = plots.distance_curves({"seeds": histories, "short": [short]}).axes
    assert by_time.get_xlabel() == "training time in minutes"
    assert [line.get_xydata().tolist() for line in by_epoch.lines] == [
        [[2, 50], [3, 30]],
        [[2, 50], [3, 20]],
        [[1, 90]],
    ]
    assert [line.get_xydata().tolist() for line in by_time.lines][1:] == [[[500 / 60, 50], [15, 20]], [[1, 90]]]
    colors = [line.get_color() for line in by_epoch.lines]
    assert colors[0] == colors[1] != colors[2]
    assert [text.get_text() for text in by_epoch.get_legend().get_texts()] == ["seeds", "short"]


def test_loss_curves_show_the_history():
    losses, probabilities = plots.loss_curves(HISTORY, epochs=[3, 4]).axes
    drawn = {line.get_label(): line.get_xydata().tolist() for axis in (losses, probabilities) for line in axis.lines}
    assert drawn["discriminator"] == [[3, 1.4], [4, 1.2]]
    assert drawn["generator"] == [[3, 0.7], [4, 0.9]]
    assert drawn["of real images"] == [[3, 0.5], [4, 0.6]]
    assert drawn["of fake images"] == [[3, 0.5], [4, 0.4]]
    assert {y for _, y in drawn["cannot tell (0.5)"]} == {0.5}


def test_loss_curves_show_no_probability_where_the_loss_has_none():
    figure = plots.loss_curves({key: [0.5] for key in HISTORY}, has_probabilities=False)
    assert figure.axes[1].get_ylabel() == "sigmoid of the logits"
    assert [line.get_label() for line in figure.axes[1].lines] == ["of real images", "of fake images"]
    figure.savefig(io.BytesIO())
    assert not pyplot.get_fignums()  # pyplot would keep all figures


# GIF


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK"])
def test_a_gif_is_whole_after_every_frame(mode, tmp_path):
    gif = plots.GIF(tmp_path / "new" / "progress.gif", milliseconds=100, hold=2000)
    colors = [(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)]  # one comes twice
    shown = [Image.new("RGB", (30, 20), color).convert(mode) for color in colors]
    for count, frame in enumerate(shown, start=1):
        gif.append(frame)
        written = frames(gif.path)
        assert [duration for _, duration in written] == [100] * (count - 1) + [2000]
        for (drawn, _), original in zip(written, shown, strict=False):
            difference = np.abs(np.int32(drawn) - np.int32(original.convert("RGB")))
            assert difference.max() <= 19  # half of a step of 8 grays
    assert [path.name for path in gif.path.parent.iterdir()] == ["progress.gif"]


def test_frames_of_another_size_are_fitted_and_transparent_ones_lie_on_white(tmp_path):
    gif = plots.GIF(tmp_path / "progress.gif")
    for frame in (Image.new("L", (20, 20)), Image.new("RGBA", (20, 20), (0, 0, 0, 0)), Image.new("L", (40, 20))):
        gif.append(frame)
    assert (grays(gif.path, (10, 1)), grays(gif.path, (10, 10))) == ([0, 255, 255], [0, 255, 0])
    gif.append(Image.new("RGBA", (40, 20), (0, 0, 0, 0)))
    gif.append(Image.new("RGB", (40, 20), "red").convert("P"))
    *_, transparent, palette = (frame for frame, _ in frames(gif.path))
    for frame, inside in ((transparent, (255, 255, 255)), (palette, (255, 0, 0))):
        assert (frame.getpixel((10, 1)), frame.getpixel((10, 10))) == ((255, 255, 255), inside)


def test_a_gif_replaces_its_last_frame(tmp_path):
    gif = plots.GIF(tmp_path / "progress.gif")
    for gray, instead in ((0, False), (34, False), (68, True), (102, True), (221, False)):
        gif.append(Image.new("L", (8, 8), gray), instead=instead)
    assert grays(gif.path) == [0, 102, 221]


def test_a_gif_survives_a_frame_that_could_not_be_written(tmp_path):
    """By a limit on the size of files."""
    resource = pytest.importorskip("resource")
    gif = drawn_gif(tmp_path / "progress.gif", 0, 68)
    before = gif.path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            gif.append(Image.new("L", (8, 8), 102))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert gif.path.read_bytes() == before
    gif.append(Image.new("L", (8, 8), 221))
    assert grays(gif.path) == [0, 68, 102, 221]


@pytest.mark.parametrize(
    "happens",
    [
        lambda gif: None,
        lambda gif: gif.append(Image.new("L", (8, 8), 34)),
        lambda gif: gif.append(Image.new("L", (8, 8), 34), instead=True),
        lambda gif: [gif.append(Image.new("L", (8, 8), gray)) for gray in (34, 221, 153)],
        lambda gif: gif.path.write_bytes(gif.path.read_bytes()[:-3]),  # half a frame
    ],
    ids=["nothing", "a frame more", "another last frame", "three more", "half a frame"],
)
def test_a_gif_of_another_process_continues_where_its_state_says(happens, tmp_path):
    gif = drawn_gif(tmp_path / "progress.gif", 0, 68, 102)
    before, state = gif.path.read_bytes(), gif.get_state()
    assert state["last"].nbytes < len(before)
    happens(gif)
    other = plots.GIF(gif.path)
    other.set_state(state)
    assert other.path.read_bytes() == before
    other.append(Image.new("L", (8, 8), 221))
    assert other.path.read_bytes() == drawn_gif(tmp_path / "straight.gif", 0, 68, 102, 221).path.read_bytes()


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(path.read_bytes()[:30]),
        lambda path: path.write_bytes(bytes(len(path.read_bytes()))),
    ],
    ids=["gone", "cut", "zeros"],
)
def test_a_gif_that_is_gone_or_damaged_begins_anew_with_a_warning(damage, tmp_path):
    gif = drawn_gif(tmp_path / "progress.gif", 0, 68, 102)
    state = gif.get_state()
    damage(gif.path)
    other = plots.GIF(gif.path)
    with pytest.warns(UserWarning, match="is no longer the file of this run: a new GIF begins"):
        other.set_state(state)
    other.append(Image.new("L", (8, 8), 221))
    assert grays(gif.path) == [102, 221]


def test_a_gif_does_not_write_through_a_link(tmp_path):
    gif = drawn_gif(tmp_path / "progress.gif", 0, 68)
    state = gif.get_state()
    gif.path.rename(tmp_path / "elsewhere.gif")
    gif.path.symlink_to(tmp_path / "elsewhere.gif")
    before = (tmp_path / "elsewhere.gif").read_bytes()
    gif.append(Image.new("L", (8, 8), 221))
    assert (tmp_path / "elsewhere.gif").read_bytes() == before
    gif.path.unlink()
    gif.path.symlink_to(tmp_path / "elsewhere.gif")
    with pytest.warns(UserWarning, match="a new GIF begins"):
        plots.GIF(gif.path).set_state(state)
    assert (tmp_path / "elsewhere.gif").read_bytes() == before


def test_a_gif_loops_for_ever_and_is_small(tmp_path):
    gif = plots.GIF(tmp_path / "progress.gif")
    images = np.random.default_rng(0).uniform(-1, 1, (64, 28, 28, 1))
    for _ in range(10):
        gif.append(plots.image_grid(images))
    with Image.open(gif.path) as written:
        assert written.info["loop"] == 0
    assert gif.path.stat().st_size < 10 * 466 * 466 * 0.4  # noise, the worst there is, at 3.2 bits a pixel


@pytest.mark.parametrize("milliseconds", [1, 5, 125.0])
def test_gif_with_odd_durations(milliseconds, tmp_path):
    gif = plots.GIF(tmp_path / "a.gif", milliseconds=milliseconds, hold=milliseconds)
    for gray in (0, 119, 238):
        gif.append(Image.new("L", (20, 20), gray))
    assert grays(gif.path) == [0, 119, 238]


@pytest.mark.parametrize("size", [(40, 20), (466, 466), (1042, 1042)])
def test_a_dashboard_is_of_one_size_whatever_the_grid(size):
    board = plots.dashboard(Image.new("RGB", size, "red"), HISTORY, note="All is well. " * 40)
    assert board.size == (1017, 22 + 466 + 44)
    red = np.argwhere((np.asarray(board) == (255, 0, 0)).all(-1))
    assert red.min(0).tolist() == [22, 0]
    assert red.max(0).tolist() == [21 + 466 * size[1] // size[0], 465]
    black = np.argwhere(np.asarray(board.convert("L"))[488:] < 100)
    assert black[:, 1].max() < 1017 - 2  # the note is not cut off at the right, and its two lines are there
    assert black[:, 0].min() < 22 < black[:, 0].max()


def test_a_dashboard_before_the_first_epoch():
    assert plots.dashboard(Image.new("L", (9, 9)), {key: [] for key in HISTORY}, []).size == (1017, 488)
