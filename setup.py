"""Everything is in setup.cfg, but for what a package index shows of the README."""

import re
from pathlib import Path

from setuptools import setup

ADDRESS = ""  # of the files, once the repository has one, such as https://example.org/kgan/blob/main/


def for_an_index(readme: str) -> str:
    """The README where links that are relative lead nowhere: absolute ones, or without an address their text alone."""
    if ADDRESS:
        return re.sub(r"(\[[^\[\]]*\]\()(?!https?:|#)", rf"\g<1>{ADDRESS}", readme)
    # Images, with the paragraphs that announce them.
    readme = re.sub(r"(?:(?:[^\n]+\n)*[^\n]*:\n+)?!\[[^\[\]]*\]\((?!https?:)[^)]*\)\n*", "", readme)
    return re.sub(r"\[([^\[\]]*)\]\((?!https?:|#)[^)]*\)", r"\1", readme)


README = (Path(__file__).parent / "README.md").read_text(encoding="utf-8")
setup(long_description=for_an_index(README), long_description_content_type="text/markdown")
