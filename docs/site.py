"""Writes the pages of the site as plain Markdown: those in here, README, CHANGELOG and the like, lessons with pictures.

    python docs/site.py [FOLDER]

They go to build/docs unless another folder is given. Any generator of sites can read them there; mkdocs.yml is for
MkDocs. Links to files that are not part of the site, such as the source code, become plain text: they lead somewhere
only in a clone.
"""

import posixpath
import re
import shutil
import sys
from pathlib import Path

from nbconvert import MarkdownExporter

ROOT = Path(__file__).parents[1]
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
NO_PAGES = (".py", ".csv")  # of docs/
BADGE = re.compile(r"!\[[^\]]*\]\(https?://[^)]*\)")
LINK = re.compile(r'(!?)\[((?:[^\[\]]|!\[[^\]]*\])*)\]\(([^)\s]+)((?:\s+"[^"]*")?)\)')


def main(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for source in sorted((ROOT / "docs").rglob("*")):
        page = place(source)
        if page and source.suffix == ".md":
            write(folder / page, relinked(source.read_text(encoding="utf-8"), source, page))
        elif page:
            write(folder / page, source.read_bytes())
    for name, page in PAGES.items():
        write(folder / page, relinked((ROOT / name).read_text(encoding="utf-8"), ROOT / name, page))
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        write_lesson(folder, notebook)


def write_lesson(folder: Path, notebook: Path) -> None:
    text, resources = MarkdownExporter().from_filename(str(notebook))
    for name, picture in resources["outputs"].items():
        write(folder / "lessons" / notebook.stem / name, picture)
        text = text.replace(f"]({name})", f"]({notebook.stem}/{name})")
    text = BADGE.sub("Open in Colab", text)  # a picture from elsewhere: no request leaves the site
    page = f"lessons/{notebook.stem}.md"
    write(folder / page, relinked(text, notebook, page))


def write(file: Path, content: str | bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)


def relinked(text: str, source: Path, page: str) -> str:
    """The text with links as the page needs them; those that lead out of the site become plain text."""

    def link(found):
        mark, label, target, title = found.groups()
        target, _, anchor = target.partition("#")
        if not target or re.match(r"[a-z]+:", target):
            return found[0]
        path = (source.parent / target).resolve()
        inside = place(path)
        if inside is None:
            lesson = posixpath.join(posixpath.dirname(page), target)  # a picture of a lesson, which is no file
            return found[0] if lesson.startswith("lessons/") and not path.exists() else label
        there = posixpath.relpath(inside, posixpath.dirname(page) or ".")
        return f"{mark}[{label}]({there}{'#' + anchor if anchor else ''}{title})"

    return LINK.sub(link, text)


def place(path: Path) -> str | None:
    """Where a file of the repository is in the site, if it is."""
    if path.is_relative_to(ROOT):
        name = path.relative_to(ROOT).as_posix()
        if name in PAGES:
            return PAGES[name]
        if path.suffix == ".ipynb":
            return f"lessons/{path.stem}.md"
        if name.startswith("docs/") and path.is_file() and path.suffix not in NO_PAGES:
            return name.removeprefix("docs/")
    return None


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "docs")
