"""The page of a run: what is on it, that it is whole and harmless, and that it works in a browser."""

import json
import re

import numpy as np
import pytest
from written import write_history, write_run

import kgan
from kgan import quality, recipes, runs
from kgan.report import last_measured, report, write_report

METRICS = {"frechet": {"value": 11.2, "spread": 2.5, "baseline": 8.86}, "recall": {"value": 0.866, "baseline": 0.956}}


def written(directory, epochs=3, recipe="dcgan-digits", **changes):
    """A run directory with quality and without a model."""
    write_run(directory, recipe, changes, epochs, has_model=False)
    classes = {"names": ["0", "1"], "real": [0.5, 0.5], "fake": [0.9, 0.1]}
    runs.write_json(directory / "quality.json", {"metrics": METRICS, "classes": classes, "count": 9, "features": "f"})
    return directory


def page_data(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_a_report_holds_the_run_and_loads_nothing(tmp_path):
    page = report([written(tmp_path / "run", batch_size=64)])
    data = page_data(page)
    assert data["epochs"] == [1, 2, 3]
    frames = data["runs"][0]["frames"]
    assert [epoch for epoch, _ in frames] == [1, 2, 3]
    assert len({source for _, source in frames}) == 3
    places = [data["runs"][0]["places"][str(epoch)] for epoch in data["epochs"]]
    assert 0 < places[0] < places[1] < places[2] < 1
    for text in ("11.2 ± 2.5", "8.86", "Epoch 2: all are alike. Do less", "changed from 32", "90.0 %", "a paper"):
        assert text in page
    assert "probability of being real" in page
    assert "Finished, 3 epochs, 12 seconds, on CPU" in page
    assert "image/webp" in frames[0][1]
    assert "default-src 'none'" in page
    assert not re.findall(r'(?:src|href|url\()\s*=?\s*["\']?(?!data:|#|\{)([a-z]+:[^"\'\s)]*)', page)


def test_a_report_of_many_epochs_is_below_5_megabytes_and_ends_with_the_last(tmp_path, monkeypatch):
    assert kgan.report.ROOM < 5e6 - 1e6  # for all that is not a grid
    monkeypatch.setattr(kgan.report, "ROOM", 60_000)
    page = report([written(tmp_path / "run", epochs=24)])  # noise is the worst that there can be
    frames = page_data(page)["runs"][0]["frames"]
    assert 30_000 < sum(len(source) for _, source in frames) <= 60_000
    epochs = [epoch for epoch, _ in frames]
    assert epochs[-1] == 24
    assert len(set(np.diff(epochs))) == 1


def test_claims_stand_beside_what_was_measured(tmp_path):
    run = written(tmp_path / "run", recipe="dcgan-mnist-upsampling")
    assert "classes not measured; low confidence not measured" in report([run])
    metrics = {"classes": {"value": 9.0, "baseline": 10.0}, "low_confidence": {"value": 0.294, "spread": 0.003}}
    runs.write_json(run / "quality.json", {"metrics": metrics, "count": 9, "features": "f"})
    assert "classes 9 (real images: 10); low confidence 0.294 ± 0.003<" in report([run])
    losses = "d loss 1.3 at first, 0.433 at last; g loss 0.7 at first, 0.7 at last; d fake 0.4 at first, 0.4 at last"
    assert losses in report([written(tmp_path / "cats", recipe="dcgan-cats")])


def test_a_loss_without_probabilities_has_none_in_the_report(tmp_path):
    assert "probability of being real" not in report([written(tmp_path / "hinge", loss="hinge")])


def test_claims_name_what_is_measured():
    known = {*quality.METRICS, "d_loss", "g_loss", "d_real", "d_fake", "code_loss"}
    for recipe in recipes.RECIPES.values():
        assert recipe.claims or recipe["data"] in ("digits", "./pictures") or recipe.name.startswith("modern")
        for names in recipe.claims.values():
            assert set(names.split()) <= known


def test_runs_are_compared_in_step(tmp_path):
    """Of metrics, the value that was measured last counts."""
    one, other = written(tmp_path / "one"), written(tmp_path / "other", epochs=5, batch_size=99)
    for run in (one, other):
        runs.write_json(run / "quality.json", {})
    write_history(one, 3, frechet=[90.0, 40.5, ""])
    write_history(other, 5, frechet=[""] * 5)
    page = report([one, other])
    assert page_data(page)["epochs"] == [1, 2, 3, 4, 5]
    assert [run["name"] for run in page_data(page)["runs"]] == ["one", "other"]
    for name, values in {"batch_size": ["32", "99"], "frechet": ["40.5", ""]}.items():
        row = re.search(rf"<th scope=\"row\">{name}</th>(.*?)</tr>", page)[1]
        assert re.findall(r">([\d.]*)</td>", row) == values
    assert last_measured(runs.read_history(one / "history.csv"))["frechet"] == 40.5


def test_files_that_anybody_wrote_spoil_nothing(tmp_path):
    run = written(tmp_path / "run", data="</script><script>alert(1)</script>")
    (run / "history.csv").write_text("epoch,d_loss,seconds\n1,1.3,1\n,1.2,1\n")
    odd = {"frechet": {"value": 1.0, "spread": "x", "baseline": []}, "recall": 3, "kid": {"value": None}}
    runs.write_json(run / "quality.json", {"metrics": odd, "classes": {"names": ["0"], "real": ["x"], "fake": [None]}})
    for name in ("samples/epoch-0002.png", "walk.png", ".part-1-walk.png"):
        (run / name).write_bytes(b"no picture")
    (run / "link.png").symlink_to(run / "samples" / "epoch-0001.png")
    page = report([run])
    assert page_data(page)["epochs"] == [1, 3]
    assert "<svg" not in page
    assert "walk" not in page
    assert "<script>alert" not in page
    assert "&lt;/script&gt;" in page


@pytest.mark.parametrize("content", [{}, {"recipe": ["x"], "settings": [], "findings": 7, "environment": "x"}])
def test_a_run_that_has_hardly_begun_has_a_report(content, tmp_path):
    runs.write_json(tmp_path / "run.json", content)
    page = report([tmp_path])
    assert "No samples are drawn yet" in page
    assert "Not measured yet" in page
    assert "Begun, 0 epochs, 0 seconds" in page


def test_the_command(tmp_path, kgan_command):
    run = written(tmp_path / "run")
    result = kgan_command("report", run)
    assert result.exit_code == 0
    assert result.output.strip() == str(run / "report.html")
    assert (run / "report.html").read_text(encoding="utf-8") == report([run])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], "there is no run in nowhere: it has no run.json"),
        (["run", "run"], "several runs have no directory in common: name the file with --out FILE.html"),
        (["run", "--out", "page.txt"], "--out is page.txt: it must end in .html"),
    ],
)
def test_mistakes(arguments, sentence, tmp_path, kgan_command):
    written(tmp_path / "run")
    result = kgan_command("report", *arguments)
    assert (result.exit_code, result.output) == (2, f"kgan: {sentence}\n")


# In a browser


@pytest.fixture
def opened(browser, tmp_path):
    """The page of two runs, from disk, without a network; what it asks for and complains of."""
    write_report([written(tmp_path / "one"), written(tmp_path / "two", epochs=5)], tmp_path / "page.html")
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.complaints = []
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("requestfailed", lambda request: page.complaints.append(request.url[:80]))
    page.goto((tmp_path / "page.html").as_uri())
    yield page
    assert not page.complaints
    context.close()


def sources(page):
    return [image.get_attribute("src") for image in page.query_selector_all(".grid img")]


def test_the_slider_changes_pictures_and_the_marker(opened):
    last = sources(opened)
    opened.focus("#epoch")
    opened.keyboard.press("Home")
    first = sources(opened)
    assert all(a != b for a, b in zip(first, last, strict=True))
    assert opened.inner_text("#now") == "1"
    assert "after epoch 1" in opened.query_selector(".grid img").get_attribute("alt")
    marker = opened.eval_on_selector(".marker", "each => each.style.left")
    opened.keyboard.press("ArrowRight")
    assert opened.inner_text("#now") == "2"
    assert opened.eval_on_selector(".marker", "each => each.style.left") != marker
    opened.keyboard.press("End")
    assert sources(opened) == last


def test_play_runs_to_the_end(opened):
    opened.focus("#play")
    opened.keyboard.press("Space")
    assert opened.inner_text("#play") == "Pause"
    for _ in range(100):  # the page forbids the evaluation of strings, by which a browser could wait
        if opened.inner_text("#play") == "Play":
            break
        opened.wait_for_timeout(100)
    assert opened.inner_text("#now") == "5"


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_screen(width, scheme, opened):
    opened.emulate_media(color_scheme=scheme)
    opened.set_viewport_size({"width": width, "height": 800})
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    back, text = (opened.evaluate(f"getComputedStyle(document.body).{name}") for name in ("backgroundColor", "color"))
    luminance = [sum(map(int, re.findall(r"\d+", each)[:3])) for each in (back, text)]
    assert (luminance[0] > luminance[1]) == (scheme == "light")
