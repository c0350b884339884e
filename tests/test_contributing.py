"""CONTRIBUTING, followed to the letter: its lines are added to a copy of the package, its commands run there."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent.parent
PAGE = (HERE / "CONTRIBUTING.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
PLACE = re.compile(r"# (\S+), (before|after) the line: (.*)\n")  # first line of code that goes into a file


def blocks(section, kind):
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", SECTIONS[section], re.DOTALL | re.MULTILINE)
    return [text for its_kind, text in fenced if its_kind == kind]


def put_in(block, package):
    """Code of the page, put where its first line says."""
    place = PLACE.match(block)
    file, side, anchor = package / place[1], place[2], place[3]
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines.count(anchor) == 1, f"{place[1]} has the line {anchor!r} {lines.count(anchor)} times"
    at = lines.index(anchor) + (side == "after")
    lines[at:at] = block[place.end() :].splitlines()
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


# What a program of the page must have done.
EFFECTS = {
    "A new penalty": 'assert model.history.history["d_penalty"][0] > 0',
    "A new augmentation": "assert [each.function for each in model.augmentations] == [kgan.augment.flip]",
}


@pytest.mark.slow
@pytest.mark.parametrize("section", ["A new loss", "A new penalty", "A new augmentation", "A new recipe"])
def test_the_changes_and_commands_of_the_page(section, tmp_path):
    """A new thing takes one function, at most two, and one line."""
    shutil.copytree(HERE / "kgan", tmp_path / "kgan", ignore=shutil.ignore_patterns("__pycache__"))
    additions = [block for block in blocks(section, "python") if PLACE.match(block)]
    assert additions
    for block in additions:
        put_in(block, tmp_path)
    commands = [["-m", *shlex.split(line)] for block in blocks(section, "") for line in block.splitlines()]
    if section in EFFECTS:
        (program,) = (block for block in blocks(section, "python") if not PLACE.match(block))
        commands.append(["-c", program + EFFECTS[section]])
    assert commands
    for command in commands:
        arguments = [sys.executable, *command]
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        result = subprocess.run(arguments, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr


def test_the_loss_of_the_page_trains():
    (program,) = (block for block in blocks("A new loss", "python") if not PLACE.match(block))
    names = {}
    exec(program, names)
    assert float(names["generator_loss"](*[names["tf"].ones((4, 1))] * 2)) == 0.5


def test_the_layout_of_the_page_is_the_one_that_stands():
    first_column = " ".join(re.findall(r"^\| (.*?) \|", SECTIONS["Layout"], re.MULTILINE))
    named = {place if "/" in place else f"kgan/{place}" for place in re.findall(r"`(.*?)`", first_column)}
    assert all((HERE / place).exists() for place in named), named
    modules = {path.name for path in (HERE / "kgan").iterdir() if not path.name.startswith(("_", "py.typed"))}
    assert modules == {Path(place).name for place in named if place.startswith("kgan/")}
