"""The manual as a site: it builds without a warning, and its pages ask nobody else for anything."""

import functools
import http.server
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

pytest.importorskip("mkdocs", reason="pip install -e '.[docs]'")
pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    for command in (
        [sys.executable, "docs/site.py"],
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", folder],
    ):
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
    return folder


def pages(site):
    return sorted(site.rglob("*.html"))


def test_there_is_a_page_for_each_guide_lesson_and_paper(site):
    names = {page.relative_to(site).parent.as_posix() for page in pages(site)}
    guides = {path.stem for path in (ROOT / "docs").glob("*.md")}
    lessons = {f"lessons/{path.stem}" for path in (ROOT / "notebooks").glob("*.ipynb")}
    papers = {f"papers/{path.stem}" for path in (ROOT / "docs" / "papers").glob("*.md")}
    assert {*guides, *lessons, *papers, "reference/models", "changelog", "security"} <= names


def test_the_reference_has_the_docstrings(site):
    page = (site / "reference" / "models" / "index.html").read_text(encoding="utf-8")
    for words in (
        "A generator and a discriminator of images, or of vectors",
        "train_step",
        "where the generator ends in tanh",
    ):
        assert words in page


def test_lessons_have_their_pictures(site):
    page = (site / "lessons" / "01_the_first_gan" / "index.html").read_text(encoding="utf-8")
    found = re.findall(r'<img[^>]*src="([^"]+)"', page)
    assert any(source.startswith("data:image/gif") for source in found)  # the run itself
    files = [source for source in found if not source.startswith("data:")]
    assert files
    assert all((site / "lessons" / "01_the_first_gan" / file).exists() for file in files)


def test_pages_load_nothing_from_elsewhere(site):
    loads = re.compile(r'<(?:script|img|iframe|source)[^>]*\ssrc="https?:|<link[^>]*rel="stylesheet"[^>]*href="https?:')
    assert pages(site)
    for page in pages(site):
        assert not loads.findall(page.read_text(encoding="utf-8")), page


def test_a_browser_opens_every_page_without_a_complaint(site, browser):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        home, complaints = f"http://127.0.0.1:{server.server_port}/", []
        page = browser.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: said.type == "error" and complaints.append(said.text))
        page.on("request", lambda request: request.url.startswith((home, "data:")) or complaints.append(request.url))
        for each in pages(site):
            page.goto(home + each.relative_to(site).as_posix())
            page.wait_for_load_state("networkidle")
        page.close()
        server.shutdown()
    assert not complaints
