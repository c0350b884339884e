"""The playground: what is drawn becomes an image of the model, and the page works in a browser."""

import contextlib
import json
import re
import socket
import sys
import time
import urllib.error
import urllib.request
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

import kgan
from kgan import data, latent, plots, pretrained
from kgan.cli import show
from kgan.errors import Mistake
from kgan.play import _features, directions, drawing, launch, playground, server

SHAPE = (28, 28, 1)
BAD_UPLOADS = [("large.png", "it has more than 16,000,000 pixels"), ("text.png", "it is not an image")]


# Drawings


def stroke(size=400, paper="white", ink="black", box=(180, 100, 220, 300)):
    picture = Image.new("RGB", (size, size), paper)
    ImageDraw.Draw(picture).rectangle(box, fill=ink)
    return picture


def digit(picture):
    return drawing.from_canvas(np.asarray(picture), SHAPE, is_digit=True)


def test_a_digit_is_20_pixels_tall_and_its_center_of_mass_in_the_middle():
    image = digit(stroke())
    assert image.dtype == np.float32
    ink = image[..., 0] > -0.5
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (4, 23, 12, 15)
    mass = image[..., 0] + 1
    assert abs((mass.sum(axis=1) @ np.arange(28)) / mass.sum() - 13.5) <= 0.5


@pytest.mark.parametrize("box", [(0, 0, 20, 100), (330, 250, 390, 390), (100, 190, 300, 200)])
def test_it_does_not_matter_where_and_how_large_a_digit_is_drawn(box):
    middle = (200 - (box[2] - box[0]) // 2, 200 - (box[3] - box[1]) // 2)
    centered = (*middle, middle[0] + box[2] - box[0], middle[1] + box[3] - box[1])
    difference = digit(stroke(box=box)) - digit(stroke(box=centered))
    assert np.abs(difference).mean() < 0.11  # a row more or less, as its center of mass is rounded


@pytest.mark.parametrize("colors", [("black", "white"), ("gray", "white"), ("gray", "black"), ("#404040", "#101010")])
def test_any_strokes_on_any_paper_are_the_same_digit(colors):
    np.testing.assert_allclose(digit(stroke(paper=colors[0], ink=colors[1])), digit(stroke()), atol=0.05)
    transparent = np.uint8(np.asarray(stroke().convert("L")) == 0)[..., np.newaxis] * np.uint8([0, 0, 0, 255])
    np.testing.assert_allclose(digit(transparent), digit(stroke()), atol=0.01)


@pytest.mark.parametrize("size", [(120, 200), (200, 120)])
def test_a_file_need_not_be_square(size, tmp_path):
    """With white margins, a white digit on black would be taken for black paper on white."""
    for paper, ink in (("black", "white"), ("white", "black")):
        picture = Image.new("RGB", size, paper)
        ImageDraw.Draw(picture).rectangle((50, 30, 70, 90), fill=ink)
        picture.save(tmp_path / "digit.png")
        image = drawing.from_file(tmp_path / "digit.png", SHAPE, is_digit=True)
        assert np.abs(image - digit(stroke(box=(180, 100, 240, 280)))).mean() < 0.05


def test_a_real_digit_comes_out_as_it_went_in():
    """Enlarged and turned to dark on light: MNIST's preparation undoes that."""
    for image in data.load("digits")[:20]:
        large = Image.fromarray(255 - plots.to_uint8(image[..., 0])).resize((400, 400), Image.Resampling.BICUBIC)
        assert np.corrcoef(image.ravel(), digit(large.convert("RGB")).ravel())[0, 1] > 0.7


@pytest.mark.parametrize("canvas", [None, np.full((50, 50, 3), 255, np.uint8), np.zeros((50, 50, 4), np.uint8)])
def test_an_empty_drawing_gets_a_sentence(canvas):
    with pytest.raises(Mistake, match="nothing is drawn"):
        drawing.from_canvas(canvas, SHAPE, True)


def test_files_are_read_as_training_images_are_and_bounded(tmp_path):
    Image.new("RGB", (90, 60), (255, 0, 0)).save(tmp_path / "red.jpg")
    color = drawing.from_file(tmp_path / "red.jpg", (16, 16, 3), is_digit=False)
    np.testing.assert_allclose(color, np.full((16, 16, 3), [1, -1, -1]), atol=0.05)
    spoil(tmp_path)
    for name, reason in BAD_UPLOADS:
        with pytest.raises(Mistake, match=f"{name} cannot be used: {reason}"):
            drawing.from_file(tmp_path / name, SHAPE, True)


def spoil(directory):
    Image.new("1", (10_000, 5_000)).save(directory / "large.png")
    (directory / "text.png").write_text("no image")


# Directions


def test_directions_change_images_more_than_others_do():
    model = pretrained.load("dcgan-digits")
    found, variance = directions(model)
    assert found.shape == (8, model.latent_dim)
    assert (np.diff(variance) <= 0).all()
    codes = model.sample_codes(50, seed=9).numpy()
    length = np.linalg.norm(found[0])
    other = np.random.default_rng(0).normal(size=(8, model.latent_dim))
    other *= length / np.linalg.norm(other, axis=1, keepdims=True)

    def change(direction):
        return np.abs(model.generate(codes + 2 * direction) - model.generate(codes - 2 * direction)).mean()

    assert change(found[0]) > 1.2 * np.mean([change(each) for each in np.float32(other)])


def test_features_are_those_of_the_last_hidden_layer():
    codes = np.zeros((3, 100), np.float32)
    assert _features(pretrained.load("dcgan-digits"), codes).shape == (3, 14 * 14 * 64 // 4)  # one unit of four
    model = kgan.GAN(kgan.networks.dense_generator((8, 8, 1), 100, 6), kgan.networks.dense_discriminator((8, 8, 1), 6))
    assert _features(model, codes).shape == (3, 6)
    assert directions(model)[0].shape == (6, 100)
    conditional = kgan.DCGAN((8, 8, 1), latent_dim=5, filters=2, classes=3)
    assert directions(conditional, count=3)[0].shape == (3, 5)  # of z alone


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_directions_of_a_code_of_few_units():
    codes = latent.sample_codes(500, 2, seed=1).numpy()
    found, variance = latent.principal_directions(codes, np.c_[3 * codes[:, 0], codes[:, 1]], 2)
    np.testing.assert_allclose(np.abs(found), np.eye(2), atol=0.2)
    assert variance[0] == pytest.approx(0.9, abs=0.03)
    assert (latent.principal_directions(codes, np.ones_like(codes), 2)[1] == 0).all()  # of a collapsed generator
    for features, count, sentence in ((codes, 3, "cannot find 3 directions"), (codes * np.nan, 2, "hold NaN or infin")):
        with pytest.raises(Mistake, match=sentence):
            latent.principal_directions(codes, features, count)


# The command


@pytest.fixture(scope="module")
def address():
    """Where a playground is served."""
    pytest.importorskip("gradio", reason="pip install gradio, for the playground")
    page = playground(pretrained.load("codegan-digits"), "codegan-digits")
    yield launch(page)
    page.close(verbose=False)


def test_the_command_serves_until_ctrl_c(address, kgan_command, monkeypatch):
    """A page of color images, besides that of digits."""
    answers = []

    def launched(page, host, port):
        answers.append(launch(page, host, port))
        return answers[0]

    def interrupt(seconds):
        with urllib.request.urlopen(answers[0]) as answer:
            answers.append(answer.read())
        raise KeyboardInterrupt

    monkeypatch.setattr(pretrained, "load", lambda name: kgan.DCGAN((8, 8, 3), filters=2))
    monkeypatch.setattr(server, "launch", launched)
    monkeypatch.setattr(show, "time", SimpleNamespace(sleep=interrupt))
    result = kgan_command("play", "--pretrained", "gan-digits")
    assert result.exit_code == 0, result.output
    assert result.output.startswith("http://127.0.0.1:")
    assert "only this machine can open it" in result.output
    assert b"kgan: gan-digits" in answers[1]
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(answers[0])


def test_other_machines_are_refused(address):
    port = int(re.search(r":(\d+)", address.removeprefix("http:"))[1])
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), port, socket.AF_INET)}
    for host in others - {"127.0.0.1"}:
        with pytest.raises(ConnectionError), socket.create_connection((host, port), timeout=5):
            pass


def test_pages_of_other_sites_are_refused(address):
    for headers in ({"Host": "evil.example:7860"}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(urllib.request.Request(address, headers=headers))


def test_nothing_is_reported_and_nothing_is_left_open(address):
    with urllib.request.urlopen(f"{address}config") as answer:
        config = json.loads(answer.read())
    assert not config.get("run_history")
    assert not config["analytics_enabled"]
    assert all(each["api_visibility"] == "private" for each in config["dependencies"])


def test_vectors_are_not_shown():
    vectors = kgan.GAN(kgan.networks.dense_generator((2,), 3, 4), kgan.networks.dense_discriminator((2,), 4))
    with pytest.raises(ValueError, match=r"points draws data of shape \(2,\): a playground shows images"):
        playground(vectors, "points")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--port", "PORT"], "cannot listen on port PORT of 127.0.0.1: it is in use"),
        (["--host", "203.0.113.7"], "cannot listen on any port of 203.0.113.7 from 7860 to 7959: it is in use, or is"),
    ],
)
def test_an_address_that_cannot_be_used_gets_a_sentence(arguments, sentence, address, kgan_command):
    port = re.search(r":(\d+)", address.removeprefix("http:"))[1]
    result = kgan_command("play", "--pretrained", "gan-digits", *(word.replace("PORT", port) for word in arguments))
    assert result.exit_code == 2
    assert f"kgan: {sentence.replace('PORT', port)}" in result.output


def test_without_gradio_it_says_what_to_install(kgan_command, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    server.gradio_module.cache_clear()
    result = kgan_command("play", "--pretrained", "gan-digits")
    assert result.exit_code == 2
    assert "the playground needs Gradio: pip install 'kgan[play]'" in result.output


# In a browser


@pytest.fixture
def opened(browser, address):
    context = browser.new_context()
    page = context.new_page()
    page.asked, page.complaints = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto(address)
    page.wait_for_selector("#generated img")
    yield page
    assert not page.complaints
    elsewhere = [url for url in page.asked if not url.startswith((address, "data:", "blob:"))]
    assert not elsewhere
    context.close()


def source(page, place):
    return page.get_attribute(f"{place} img", "src")


def changed(page, place, before):
    """Wait until a picture is another."""
    for _ in range(200):
        with contextlib.suppress(Exception):
            if (now := source(page, place)) != before:
                return now
        page.wait_for_timeout(50)
    raise AssertionError(f"{place} shows what it showed before")


def test_sliders_change_the_picture_by_keyboard(opened):
    before = source(opened, "#generated")
    opened.get_by_label(re.compile("range slider for Direction 1")).first.focus()
    for _ in range(20):
        opened.keyboard.press("ArrowRight")
    changed(opened, "#generated", before)
    time.sleep(1)
    moved = source(opened, "#generated")
    opened.get_by_role("button", name="Another code").click()
    changed(opened, "#generated", moved)


def test_the_path_has_its_ends(opened):
    opened.get_by_role("tab", name="From one code to another").click()
    opened.wait_for_selector("#on-the-way img")
    before = source(opened, "#on-the-way")
    opened.get_by_label(re.compile("range slider for Place")).first.focus()
    opened.keyboard.press("Home")
    changed(opened, "#on-the-way", before)


def test_a_drawing_is_read(opened):
    opened.get_by_role("tab", name="Read and rebuild").click()
    canvas = opened.locator("#canvas canvas").first
    canvas.wait_for()
    opened.wait_for_timeout(1000)
    opened.get_by_role("button", name="Brush").click()
    before = source(opened, "#rebuilt")
    box = canvas.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    opened.mouse.move(x, y - 100)
    opened.mouse.down()
    opened.mouse.move(x, y + 100, steps=10)
    opened.mouse.up()
    opened.get_by_role("button", name="Read the drawing").click()
    changed(opened, "#rebuilt", before)


def test_a_class_is_chosen(browser):
    conditional = playground(pretrained.load("modern-digits"), "modern-digits")
    page = browser.new_context().new_page()
    page.goto(launch(conditional))
    page.wait_for_selector("#generated img")
    before = source(page, "#generated")
    page.get_by_label("Class", exact=True).click()
    page.get_by_role("option", name="7").click()
    changed(page, "#generated", before)
    page.context.close()
    conditional.close(verbose=False)


def test_an_upload_is_read(opened, tmp_path):
    ImageOps.expand(stroke(), 20, "white").save(tmp_path / "one.png")
    opened.get_by_role("tab", name="Read and rebuild").click()
    opened.wait_for_selector("#rebuilt img")
    before = source(opened, "#rebuilt")
    opened.locator("#upload input[type=file]").first.set_input_files(tmp_path / "one.png")
    changed(opened, "#rebuilt", before)


@pytest.mark.parametrize(("name", "reason"), BAD_UPLOADS)
def test_bad_uploads_are_refused_in_a_sentence(name, reason, opened, tmp_path):
    spoil(tmp_path)
    opened.get_by_role("tab", name="Read and rebuild").click()
    opened.locator("#upload input[type=file]").first.set_input_files(tmp_path / name)
    opened.get_by_text(f"{name} cannot be used: {reason}").wait_for(timeout=30_000)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everyone_can_use_it(scheme, browser, address):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install axe-playwright-python").Axe()
    page = browser.new_context(color_scheme=scheme).new_page()
    page.goto(address)
    page.wait_for_selector("#generated img")
    for tab in ("Directions", "From one code to another", "Read and rebuild"):
        page.get_by_role("tab", name=tab).click()
        page.wait_for_timeout(1000)
        faults = [each for each in axe.run(page).response["violations"] if each["impact"] in ("serious", "critical")]
        assert not [(each["id"], each["nodes"][0]["html"]) for each in faults]
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.context.close()
