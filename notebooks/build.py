"""Write the notebooks from their sources: `python notebooks/build.py [NAME …]`.

A lesson is written in `src/NAME.py`, plain Python in the percent format that editors and jupytext know; this runs it
in a Jupyter kernel, in its full setting, and writes `NAME.ipynb` with its outputs. Where only prose was changed the
outputs are kept, and nothing is run; `--run` runs all the same.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from pathlib import Path

import nbformat

HERE = Path(__file__).parent
SOURCES = sorted((HERE / "src").glob("*.py"))
MOST_BYTES = 2_000_000
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}

WHEEL = ""  # where kgan's wheel is: an address, once it has one. Until then Colab asks for the file
# After the title of each. The badge opens Colab, where the notebook is uploaded: that needs no address of a repository.
COLAB = f"""\
# %% [markdown]
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/)
# In Colab choose *File → Upload notebook* and this file. The next cell installs kgan there: it asks for the wheel that
# `pip wheel --no-deps .` leaves in a clone. Anywhere else it does nothing: `pip install -e '.[notebooks]'` has done it.

# %%
import importlib.util
import sys

WHEEL = "{WHEEL}"  # a file or an address; where it is empty, Colab asks for the file
if "google.colab" in sys.modules and importlib.util.find_spec("kgan") is None:
    if not WHEEL:
        from google.colab import files

        WHEEL = next(iter(files.upload()))  # kgan-VERSION-py3-none-any.whl
    %pip install --quiet {{WHEEL}}
"""


def parsed(text: str) -> list[tuple[str, str]]:
    """The cells of a source, (kind, text): a line `# %%` begins code, `# %% [markdown]` prose in comments."""
    cells = []
    for kind, body in re.findall(r"^# %%( \[markdown\])?\n(.*?)(?=^# %%|\Z)", text, re.DOTALL | re.MULTILINE):
        body = body.strip("\n")
        cells.append(("markdown", re.sub(r"^# ?", "", body, flags=re.MULTILINE)) if kind else ("code", body))
    return cells


def cells(source: Path) -> list[tuple[str, str]]:
    """The cells of a lesson, with those for Colab after its title."""
    title, *rest = parsed(source.read_text(encoding="utf-8"))
    return [title, *parsed(COLAB), *rest]


def notebook(source: Path) -> nbformat.NotebookNode:
    """A lesson without outputs."""
    made = nbformat.v4.new_notebook()
    made.metadata = dict(METADATA)
    for number, (kind, text) in enumerate(cells(source)):
        new = nbformat.v4.new_markdown_cell if kind == "markdown" else nbformat.v4.new_code_cell
        made.cells.append(new(text, id=f"cell-{number:02}"))
    return made


def code(of: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in of.cells if cell.cell_type == "code"]


def run(made: nbformat.NotebookNode) -> None:
    """Fill in the outputs, from an empty directory."""
    import nbclient

    os.environ.pop("KGAN_NOTEBOOKS", None)
    with tempfile.TemporaryDirectory() as directory:
        where = {"metadata": {"path": directory}}
        nbclient.NotebookClient(made, timeout=None, kernel_name="python3", resources=where).execute()
    made.metadata = dict(METADATA)  # without the version of this Python
    for cell in made.cells:
        cell.metadata.pop("execution", None)  # when each began and ended
        if "outputs" in cell:
            cell.outputs = joined(cell.outputs)
        for output in cell.get("outputs", ()):
            pictures = output.get("data", {})
            if "image/png" in pictures:
                pictures.pop("image/jpeg", None)  # Pillow offers both
            elif "image/gif" in pictures:  # which nbconvert leaves out; a browser goes by the bytes, not by the name
                pictures["image/png"] = pictures.pop("image/gif")


def joined(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Outputs with prints that follow each other made one: they arrive in pieces, of another size each time."""
    found: list[nbformat.NotebookNode] = []
    for output in outputs:
        before = found[-1] if found else None
        if before and output.output_type == before.output_type == "stream" and output.name == before.name:
            before.text += output.text
        else:
            found.append(output)
    return found


def complaints(made: nbformat.NotebookNode) -> list[str]:
    """What a reader should not see in the outputs, and anything that did not run."""
    found = []
    for cell in code(made):
        where = f"cell {cell.id}"
        if not cell.execution_count:
            found.append(f"{where} has not run")
        for output in cell.outputs:
            if output.output_type == "error" or output.get("name") == "stderr":
                found.append(f"{where} has a message: {output.get('text') or output.get('evalue')}")
            text = output.get("text") or output.get("data", {}).get("text/plain", "")
            if re.search(r"0x[0-9a-f]{6}|/home/|/tmp/|[\b\r\x1b]|Warning", text):
                found.append(f"{where} tells of the machine: {text}")
    size = len(nbformat.writes(made).encode())
    if size > MOST_BYTES:
        found.append(f"it takes {size:,} bytes, more than {MOST_BYTES:,}")
    return found


def build(source: Path, run_again: bool) -> list[str]:
    """Write a lesson's notebook; give its complaints."""
    made, path = notebook(source), HERE / f"{source.stem}.ipynb"
    before = nbformat.read(path, as_version=4) if path.exists() else None
    same = before is not None and [c.source for c in code(before)] == [c.source for c in code(made)]
    if same and not run_again:
        for new, old in zip(code(made), code(before), strict=True):
            new.outputs, new.execution_count = old.outputs, old.execution_count
    else:
        run(made)
    nbformat.validate(made)
    nbformat.write(made, path)
    return complaints(made)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="such as 02; all unless given")
    parser.add_argument("--run", action="store_true", help="run, though no code was changed")
    arguments = parser.parse_args()
    chosen = [each for each in SOURCES if not arguments.names or each.stem.startswith(tuple(arguments.names))]
    found = [f"{source.stem}: {each}" for source in chosen for each in build(source, arguments.run)]
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
