"""The notebooks are what their sources say, and as a reader should find them; CI runs them as well."""

import ast
import importlib.util
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
spec = importlib.util.spec_from_file_location("build", ROOT / "notebooks" / "build.py")
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)


@pytest.fixture(params=build.SOURCES, ids=lambda source: source.stem)
def source(request):
    return request.param


@pytest.fixture
def notebook(source):
    return nbformat.read(ROOT / "notebooks" / f"{source.stem}.ipynb", as_version=4)


def test_every_notebook_has_its_source():
    assert {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")} == {path.stem for path in build.SOURCES}


def test_a_source_by_hand():
    text = "# %% [markdown]\n# # Title\n#\n# Prose.\n\n# %%\nx = 1  # %% no cell\n\n\ndef f(): ...\n\n# %%\nx\n"
    assert build.parsed(text) == [
        ("markdown", "# Title\n\nProse."),
        ("code", "x = 1  # %% no cell\n\n\ndef f(): ..."),
        ("code", "x"),
    ]


def test_prints_that_arrive_in_pieces_are_joined():
    def printed(text, name="stdout"):
        return nbformat.v4.new_output("stream", name=name, text=text)

    shown = nbformat.v4.new_output("display_data")
    found = build.joined([printed("a\n"), printed("b\n"), shown, printed("c\n"), printed("d\n", "stderr")])
    assert [each.get("text") for each in found] == ["a\nb\n", None, "c\n", "d\n"]


def test_cells_are_those_of_the_source(source, notebook):
    assert [(cell.cell_type, cell.source) for cell in notebook.cells] == build.cells(source)


def test_outputs_are_those_of_one_whole_run_without_chatter(notebook):
    assert build.complaints(notebook) == []
    code = build.code(notebook)
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    pictures = [output for cell in code for output in cell.outputs if "image/png" in output.get("data", {})]
    assert len(pictures) >= 4


def test_each_is_a_lesson(source, notebook):
    prose = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    assert all(word in prose[0] for word in ("**What you will see:**", "**How long it takes:**"))
    whole = "\n".join(prose)
    for part in ("## Questions to think about", "## Exercises", "<summary>Solution</summary>", "## What to try next"):
        assert part in whole
    assert whole.count("<details>") == whole.count("</details>")
    assert "$$" in whole
    for linked in re.findall(r"\]\((\w+\.ipynb)\)", whole):
        assert (ROOT / "notebooks" / linked).exists()


def test_solutions_are_python(notebook):
    for cell in notebook.cells:
        for block in re.findall(r"```python\n(.*?)```", cell.source, re.DOTALL) if cell.cell_type == "markdown" else ():
            ast.parse(block)


def test_complaints_by_hand():
    made = build.notebook(build.SOURCES[0])
    assert "has not run" in build.complaints(made)[0]
    made.cells = [nbformat.v4.new_code_cell("x", execution_count=1)]
    assert build.complaints(made) == []
    made.cells[0].outputs = [nbformat.v4.new_output("stream", name="stderr", text="oops")]
    assert "has a message: oops" in build.complaints(made)[0]
    made.cells[0].outputs = [nbformat.v4.new_output("stream", text="\r 3/56")]
    assert "tells of the machine" in build.complaints(made)[0]
    made.cells[0].outputs = [nbformat.v4.new_output("stream", text="x" * 2_000_000)]
    assert "it takes 2,000" in build.complaints(made)[0]
