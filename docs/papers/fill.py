"""Puts the numbers of `results/` and the settings of the recipes into the pages of this folder, and into the README.

    python docs/papers/fill.py

A number is a link to the file that it comes from, with its place there as the title:
`[19.7 ± 0.3](results/gan-mnist/quality.json "metrics.frechet")`; with ` %` behind the place it is a percentage. Of a
table, the place is `row.column`, where `-1` is the last row. A recipe's settings stand between `<!-- recipe: NAME -->`
and `<!-- end -->`. A test fails where page and files disagree.
"""

import csv
import json
import re
from pathlib import Path

from kgan import quality, recipes
from kgan.cli.console import number as written

HERE = Path(__file__).parent
PAGES = (*sorted(HERE.glob("*.md")), HERE.parents[1] / "README.md")
NUMBER = re.compile(r'\[[^\[\]]*\]\(((?:docs/papers/)?(results/[^)\s]+)) "([^"]+)"\)')
RECIPE = re.compile(r"(<!-- recipe: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(page: str) -> str:
    """The page with the numbers and settings that belong there."""
    page = NUMBER.sub(lambda found: f'[{number(found[2], found[3])}]({found[1]} "{found[3]}")', page)
    return RECIPE.sub(lambda found: found[1] + settings(found[2]) + found[3], page)


def number(file: str, place: str) -> str:
    """A value of a result, with its spread where it has one."""
    keys, scale, unit = place.split("."), 1, ""
    if place.endswith(" %"):
        keys, scale, unit = place[:-2].split("."), 100, " %"
    value = content(HERE / file)
    for key in keys:
        value = value[int(key)] if isinstance(value, list) else value[key]
    if isinstance(value, dict):
        spread = value.get("spread")
        return written(value["value"] * scale) + (f" ± {written(spread * scale)}" if spread else "") + unit
    return value if isinstance(value, str) and not is_number(value) else written(float(value) * scale) + unit


def content(file: Path) -> object:
    """What a result holds, under today's names: earlier versions of kgan wrote others."""
    if file.suffix == ".csv":
        with file.open(newline="", encoding="utf-8") as table:
            return quality.current_names(list(csv.DictReader(table)))
    return quality.current_names(json.loads(file.read_text(encoding="utf-8")))


def is_number(text: str) -> bool:
    return bool(re.fullmatch(r"-?\d+(\.\d+)?(e[+-]?\d+)?", text))


def settings(name: str) -> str:
    """A recipe as a table: each setting, its value and the reason."""
    rows = [f"| `{key}` | {setting.value} | {setting.why} |\n" for key, setting in recipes.get(name).settings.items()]
    return "\n| setting | value | reason |\n| --- | --- | --- |\n" + "".join(rows) + "\n"


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
