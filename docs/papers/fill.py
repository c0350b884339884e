"""Puts the numbers of `results/` and the settings of the recipes into the pages of docs and the README.

    python docs/papers/fill.py

A number is a link to the file that it comes from, with its place there as the title:
`[19.7 ± 0.3](results/gan-mnist/quality.json "metrics.frechet")`; with ` %` behind the place it is a percentage. Of a
table, the place is `row.column`, where `-1` is the last row. The table of a benchmark stands between
`<!-- table: ablation results/toolbox/digits.json -->` and `<!-- end -->`. Settings stand in one table between
`<!-- recipes: NAME, NAME -->` and `<!-- end -->`, and how long a recipe takes in
`[19 min](kgan/recipes/times.py "NAME")`. A test fails where page and files disagree.
"""

import csv
import json
import re
import runpy
import sys
from pathlib import Path

from kgan import quality, recipes
from kgan.recipes import shared, times
from kgan.units import duration
from kgan.units import number as written

HERE = Path(__file__).parent
BENCHMARKS = HERE.parents[1] / "benchmarks"
PAGES = (*sorted(HERE.glob("*.md")), *sorted(HERE.parent.glob("*.md")), HERE.parents[1] / "README.md")
NUMBER = re.compile(r'\[[^\[\]]*\]\(((?:(?:docs/)?papers/)?(results/[^)\s]+)) "([^"]+)"\)')
RECIPES = re.compile(r"(<!-- recipes: ([^>]+) -->\n).*?(<!-- end -->)", re.DOTALL)
TABLE = re.compile(r"(<!-- table: (\w+) (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
TIME = re.compile(r'\[[^\[\]]*\]\(((?:\.\./)*kgan/recipes/times\.py) "([^"]+)"\)')


def filled(page: str) -> str:
    """The page with the numbers and settings that belong there."""
    page = NUMBER.sub(lambda found: f'[{number(found[2], found[3])}]({found[1]} "{found[3]}")', page)
    page = TIME.sub(lambda found: f'[{duration(times.SECONDS[found[2]])}]({found[1]} "{found[2]}")', page)
    page = TABLE.sub(lambda found: found[1] + table(found[2], found[3]) + found[4], page)
    return RECIPES.sub(lambda found: found[1] + settings(found[2].split(", ")) + found[3], page)


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


def table(benchmark: str, file: str) -> str:
    """The table that a benchmark makes of its results."""
    sys.path.insert(0, str(BENCHMARKS))  # one may use another
    try:
        made = runpy.run_path(str(BENCHMARKS / f"{benchmark}.py"))["table"]
    finally:
        sys.path.remove(str(BENCHMARKS))
    return f"\n{made(json.loads((HERE / file).read_text(encoding='utf-8'))['results'])}\n\n"


def is_number(text: str) -> bool:
    return bool(re.fullmatch(r"-?\d+(\.\d+)?(e[+-]?\d+)?", text))


def settings(names: list[str]) -> str:
    """Recipes as one table: each setting, its value in each recipe, and the reason, once where it is the same."""
    chosen = [recipes.get(name) for name in names]
    keys = dict.fromkeys(key for recipe in chosen for key in recipe.settings)
    headings = [f"`{name}`" for name in names] if len(names) > 1 else ["value"]
    rows = [["setting", *headings, "reason"], ["---"] * (len(names) + 2)]
    for key in keys:
        found = {recipe.name: recipe.settings[key] for recipe in chosen if key in recipe.settings}
        off = shared.TOOLBOX.get(key)
        if off and all(setting.value == off.value for setting in found.values()):
            continue  # of later than the papers
        values = [str(found[name].value) if name in found else "" for name in names]
        rows.append([f"`{key}`", *values, _reasons({name: setting.why for name, setting in found.items()})])
    return "\n" + "".join(f"| {' | '.join(row)} |\n" for row in rows) + "\n"


def _reasons(reasons: dict[str, str]) -> str:
    """Each reason, with the recipes that have it where there are several."""
    different = dict.fromkeys(reasons.values())
    if len(different) == 1:
        return next(iter(different))
    of = {why: ", ".join(f"`{name}`" for name in reasons if reasons[name] == why) for why in different}
    return "; ".join(f"{names}: {why}" for why, names in of.items())


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
