"""The pages of the papers, and the README, say what the recorded runs and the recipes say."""

import json
import re
import runpy
from pathlib import Path

import pytest

from kgan import diagnosis, recipes

PAPERS = Path(__file__).parent.parent / "docs" / "papers"
FILL = runpy.run_path(str(PAPERS / "fill.py"))
PAGES = FILL["PAGES"]


def test_there_is_a_page_for_each_paper_of_the_recipes():
    titles = [page.read_text(encoding="utf-8").splitlines()[0].lower() for page in PAGES]
    of_papers = [file for file in recipes.FILES if file not in (recipes.modern, recipes.offline)]
    papers = {name for file in of_papers for recipe in file.RECIPES for name in recipe.paper.split("; ")}
    assert len(papers) == 5
    for paper in papers:
        assert any(paper.split(": ")[-1].lower() in title for title in titles), paper


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_numbers_and_settings_are_those_of_the_files(page):
    text = page.read_text(encoding="utf-8")
    assert FILL["filled"](text) == text, "run docs/papers/fill.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_all_that_a_page_links_to_is_there(page):
    for target in re.findall(r"\]\(([^)\s#:]+)[)\s]", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_a_changed_number_is_found():
    result = next(iter(PAPERS.glob("results/*/run.json")))
    place = result.relative_to(PAPERS).as_posix()
    wrong = f'trained for [0 s]({place} "seconds")'
    seconds = json.loads(result.read_text(encoding="utf-8"))["seconds"]
    assert FILL["filled"](wrong) == f'trained for [{FILL["written"](seconds)}]({place} "seconds")'


def test_the_doctors_threshold_is_the_one_that_a_page_names():
    page = (PAPERS / "image-generation-using-dcgans.md").read_text(encoding="utf-8")
    assert f"more than {diagnosis.MOST_IMBALANCE:.0f} times the other for ten epochs" in page
    (rule,) = (rule for rule in diagnosis.RULES if rule.disease == "imbalance")
    assert rule.epochs == 10


def test_results_name_no_path_of_a_machine_and_are_small_enough_for_every_clone():
    for file in PAPERS.glob("results/*/*"):
        assert file.stat().st_size <= 300_000, file
        assert file.suffix != ".json" or not re.search(r'"/|\\\\', file.read_text(encoding="utf-8")), file


RECORDED = {  # where a run has another name, a smaller size, or is of the recipe that improves this one
    "dcgan-cats": "dcgan-cats-whole-570",
    "dcgan-folder": "modern-folder",
    "dcgan-cifar10": "dcgan-cifar10-small",
    "dcgan-stl10": "dcgan-stl10-small",
}


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_each_recipe_was_run_to_its_end(name):
    run = PAPERS / "results" / RECORDED.get(name, name)
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert record["status"] == "finished"
    assert record["epochs"] == recipes.get(record["recipe"])["epochs"]
    rows = (run / "history.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert len(rows) == record["epochs"]
    assert (run / "quality.json").exists()
    assert [*run.glob("*.png"), *run.glob("*.jpg")]
