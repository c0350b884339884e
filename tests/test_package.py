"""The wheel and the sdist: whole, and able to run where there is no clone."""

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import kgan

ROOT = Path(__file__).parent.parent
NEEDED = (
    "kgan/__init__.py",
    "kgan/py.typed",
    "kgan/report/page.html",
    "kgan/recipes/ding_shao_ren.py",
    *(f"kgan/pretrained/{name}.npz" for name in kgan.pretrained.NAMES),
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The two files, built from what a clone would hold."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if files.returncode:
        pytest.skip("this is no clone")
    for name in files.stdout.strip("\0").split("\0"):
        if (ROOT / name).is_file() and not name.startswith(("docs/", "notebooks/")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "build", "--outdir", out, source]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return wheel, sdist


def test_nothing_is_missing(built):
    wheel, sdist = built
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = set(archive.namelist())
    with tarfile.open(sdist) as archive:
        in_sdist = {name.partition("/")[2] for name in archive.getnames()}
    assert set(NEEDED) <= in_wheel
    assert {*NEEDED, "setup.py", "setup.cfg", "README.md", "LICENSE"} <= in_sdist
    assert not [name for name in in_wheel if name.startswith(("tests", "benchmarks", "notebooks", "docs"))]
    assert wheel.stat().st_size < 10e6


def test_the_page_of_an_index_has_no_relative_link(built):
    with zipfile.ZipFile(built[0]) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(name).decode())
    assert metadata["Version"] == kgan.__version__
    assert "play" in metadata.get_all("Provides-Extra")
    page = metadata.get_payload()
    assert "GANs you can read in an evening" in page
    assert all(link.startswith("https://") for link in re.findall(r"\]\(([^)]*)\)", page))


def test_the_wheel_runs_without_the_clone(built, tmp_path):
    """With this environment's other packages, but kgan's own files from the wheel alone."""
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", tmp_path / "site", built[0]]
    subprocess.run(install, check=True, capture_output=True)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}

    def run(*arguments):
        command = [sys.executable, "-m", "kgan", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout

    assert run("--version") == f"kgan {kgan.__version__}\n"
    assert run("sample", "--pretrained", "modern-mnist", "--classes", "7").strip().endswith(".png")
    run("train", "gan-digits", "--epochs", "1", "--out", "run")
    assert (tmp_path / "run" / "report.html").exists()
