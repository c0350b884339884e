"""The command on every console: any encoding, and streams that are closed, full, or read by nobody."""

import io
import itertools
import os
import shutil
import subprocess
import sys
from unittest import mock

import pytest
from conftest import SMALL_SETTINGS
from written import write_run

from kgan import cli, quality, recipes
from kgan.cli import console

ENCODINGS = ["cp1251", "cp437", "cp932", "ascii", "latin-1"]
DESTINATIONS = ["closed", "nobody reads", "full"]
TRAIN = ["train", "gan-digits", "--epochs", "1", *SMALL_SETTINGS[:4], "--set", "hidden_units=8", "--out", "run"]


@pytest.fixture
def kgan(tmp_path, monkeypatch):
    """Runs the command by its entry point, in an empty directory: its exit code, and the bytes of both streams."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KGAN_DEBUG", "0")  # which puts back what the command itself sets

    def stream(destination, encoding, file):
        file.write_bytes(b"")
        if destination == "closed":
            return None
        if destination == "full" and not os.path.exists("/dev/full"):
            pytest.skip("there is no /dev/full here")
        opened = {"file": file, "full": "/dev/full"}.get(destination)
        if destination == "nobody reads":
            ours, opened = os.pipe()
            os.close(ours)
        return io.TextIOWrapper(open(opened, "wb"), encoding=encoding)

    def run(*arguments, encoding="utf-8", out="file", err="file"):
        files = {"stdout": tmp_path.parent / "stdout", "stderr": tmp_path.parent / "stderr"}
        streams = [stream(kind, encoding, file) for kind, file in zip((out, err), files.values(), strict=True)]
        monkeypatch.setattr(sys, "argv", ["kgan", *map(str, arguments)])
        for name, opened in zip(files, streams, strict=True):
            monkeypatch.setattr(sys, name, opened)
        with pytest.raises(SystemExit) as end:
            cli.main()
        for opened in filter(None, streams):
            opened.close()
        return end.value.code, *(file.read_bytes() for file in files.values())

    return run


COMMANDS = {  # what is typed, and its exit code where all is well
    "recipes": (["recipes"], 0),
    "recipes NAME": (["recipes", "gan-mnist"], 0),
    "--help": (["--help"], 0),
    "train --help": (["train", "--help"], 0),
    "mistake": (["train", "dcgan-minst"], 2),
    "mistake of the command": (["nosuch"], 2),
    "sample": (["sample", "one", "--count", "4", "--out", "sample.png"], 0),
    "train": (TRAIN, 0),
    "evaluate": (["evaluate", "one", "--count", "40", "--seeds", "1", "--features", "pixels"], 0),
    "compare": (["compare", "one", "another", "--out", "compared"], 0),
}
QUICK, SLOW = list(COMMANDS)[:6], list(COMMANDS)[6:]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("console") / "run", "gan-digits", {"image_size": 16, "hidden_units": 8})


@pytest.fixture
def _runs(monkeypatch, run, tmp_path):
    """Two runs here, measured quickly."""
    for name in ("one", "another"):
        shutil.copytree(run, tmp_path / name)
    monkeypatch.setattr(quality.evaluation, "real_vs_fake_accuracy", lambda real, fake: 0.5)
    monkeypatch.setattr("kgan.speed.milliseconds_a_step", lambda models, sizes: [1.0] * len(models))
    monkeypatch.setattr("kgan.speed.images_a_second", lambda models, batch: [1.0] * len(models))


@pytest.mark.usefixtures("_runs")
@pytest.mark.parametrize(
    ("name", "encoding"), [*itertools.product(QUICK, ENCODINGS), *((name, "ascii") for name in SLOW)]
)
def test_every_encoding(name, encoding, kgan):
    arguments, expected = COMMANDS[name]
    code, out, err = kgan(*arguments, encoding=encoding)
    assert code == expected
    text, errors = (output.decode(encoding) for output in (out, err))
    assert "Traceback" not in text + errors
    assert bool(text) == (expected == 0)
    if name != "train":  # which warns of what it finds
        assert bool(errors) == (expected != 0)


@pytest.mark.parametrize("encoding", ENCODINGS[:4])
def test_tables_are_whole(encoding, kgan):
    """With as many lines as on a console that can show everything, and columns that are straight."""
    lines, usual = (kgan("recipes", "dcgan-cats", encoding=each)[1].decode(each) for each in (encoding, "utf-8"))
    lines = lines.splitlines()
    assert len(lines) == len(usual.splitlines())
    heading = next(line for line in lines if line.startswith("setting"))
    for setting in recipes.get("dcgan-cats").settings:
        line = next(line for line in lines if line.startswith(f"{setting} "))
        for column in ("value", "reason"):
            assert line[heading.index(column) - 1] == " " != line[heading.index(column)]


@pytest.mark.usefixtures("_runs")
@pytest.mark.parametrize(
    ("name", "out"),
    [*itertools.product(QUICK, DESTINATIONS), ("sample", "full"), ("train", "nobody reads")],
)
def test_a_stdout_that_takes_nothing(name, out, kgan, tmp_path):
    arguments, expected = COMMANDS[name]
    code, _, err = kgan(*arguments, out=out)
    lost = out == "full" and expected == 0
    assert code == (1 if lost else expected)
    assert ("what it printed was lost: No space left on device" in err.decode()) == lost
    assert b"Traceback" not in err
    if name == "train":  # to the end
        assert (tmp_path / "run" / "model.keras").exists()


@pytest.mark.parametrize("err", DESTINATIONS)
@pytest.mark.parametrize("name", QUICK)
def test_a_stderr_that_takes_nothing(name, err, kgan):
    arguments, expected = COMMANDS[name]
    assert kgan(*arguments, err=err)[0] == expected


def test_streams_that_are_closed_stay_apart_from_files(tmp_path):
    """Otherwise the first file to be opened would be number 1, and hold what is printed."""
    command = f"{sys.executable} -m kgan recipes >&- 2>&-"
    result = subprocess.run(command, shell=True, cwd=tmp_path)
    assert result.returncode == 0


@pytest.mark.parametrize("text", ["a\x1b[31mb", "a\rb", "a\u202eb", "a\x07", "a\x9bb", "\udcffname"])
def test_control_characters_do_not_reach_a_terminal(text, kgan):
    shown = console.printable(text)
    assert shown.isprintable()
    _, out, err = kgan("sample", text)
    for byte in (b"\x1b", b"\r", b"\x07", "\u202e".encode(), "\x9b".encode()):
        assert byte not in out + err
    _, out, err = kgan(text)  # the command's own message
    assert b"\x1b" not in out + err


@pytest.mark.parametrize(
    ("text", "encoding", "expected"),
    [
        ("16 × 16 ± 0.5 …", "ascii", "16 x 16 +- 0.5 ..."),
        ("16 × 16", "cp1251", "16 x 16"),
        ("16 × 16 — Fréchet", "latin-1", "16 × 16 - Fréchet"),
        ("Fréchet", "ascii", "Frechet"),
        ("кот", "ascii", "\\u043a\\u043e\\u0442"),
        ("кот", "cp1251", "кот"),
    ],
)
def test_plain_equivalents(text, encoding, expected):
    assert text.encode(encoding, "plain").decode(encoding) == expected


# Mistakes and bugs


def test_a_bug_is_told_from_a_mistake(kgan, monkeypatch):
    monkeypatch.setattr(recipes, "get", lambda name: int("x"))
    code, out, err = kgan("recipes", "gan-mnist")
    assert (code, out) == (70, b"")
    assert err.decode().startswith(
        "kgan: this is a bug in kgan: ValueError: invalid literal for int() with base 10: 'x'; "
    )
    assert err.count(b"\n") == 1
    for debug in (["--debug", "recipes", "gan-mnist"], ["recipes", "gan-mnist", "--debug"]):
        code, out, err = kgan(*debug)
        assert code == 70
        assert b"Traceback" in err
        monkeypatch.setenv("KGAN_DEBUG", "0")


@pytest.mark.parametrize("debug", ["0", "1"])
def test_the_traceback_of_a_mistake_can_be_seen(debug, kgan, monkeypatch):
    monkeypatch.setenv("KGAN_DEBUG", debug)
    code, _, err = kgan("recipes", "nosuch")
    assert (code, b"Traceback" in err, err.count(b"\n") == 1) == (2, debug == "1", debug == "0")


@pytest.mark.parametrize(("error", "expected"), [(MemoryError, 1), (KeyboardInterrupt, 130)])
def test_too_little_memory_and_ctrl_c_are_no_tracebacks(error, expected, kgan, monkeypatch):
    monkeypatch.setattr(recipes, "get", mock.Mock(side_effect=error))
    code, _, err = kgan("recipes", "gan-mnist")
    assert code == expected
    assert b"Traceback" not in err
