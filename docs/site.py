"""What the site has beside the pages in here: README, changelog, contributing page, and lessons with their pictures.

MkDocs calls these functions (`hooks` in mkdocs.yml). Links to files that are not part of the site, such as the source
code, become plain text: they lead somewhere only in a clone.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File
from nbconvert import MarkdownExporter

ROOT = Path(__file__).parents[1]
PAGES = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
BADGE = re.compile(r"!\[[^\]]*\]\(https?://[^)]*\)")
LINK = re.compile(r'(!?)\[((?:[^\[\]]|!\[[^\]]*\])*)\]\(([^)\s]+)((?:\s+"[^"]*")?)\)')


def on_files(files, config):
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=moved(ROOT / source, page)))
    exporter = MarkdownExporter()
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        text, resources = exporter.from_filename(str(notebook))
        for name, content in resources["outputs"].items():
            files.append(File.generated(config, f"lessons/{notebook.stem}/{name}", content=content))
            text = text.replace(f"]({name})", f"]({notebook.stem}/{name})")
        text = BADGE.sub("Open in Colab", text)  # a picture from elsewhere: no request leaves the site
        page = f"lessons/{notebook.stem}.md"
        files.append(File.generated(config, page, content=relinked(text, notebook, page)))
    return files


def on_page_markdown(markdown, page, config, files):
    source = page.file.abs_src_path
    return relinked(markdown, Path(source), page.file.src_uri) if source else markdown


def moved(source, page):
    """The text of a file that becomes a page elsewhere."""
    return relinked(source.read_text(encoding="utf-8"), source, page)


def relinked(text, source, page):
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


def place(path):
    """Where a file of the repository is in the site, if it is."""
    if path.is_relative_to(ROOT):
        name = path.relative_to(ROOT).as_posix()
        if name in PAGES:
            return PAGES[name]
        if path.suffix == ".ipynb":
            return f"lessons/{path.stem}.md"
        if name.startswith("docs/") and path.is_file() and path.suffix not in (".py", ".csv"):
            return name.removeprefix("docs/")
    return None
