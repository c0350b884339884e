import importlib
import pkgutil
import re

import pytest

from kgan import latent, losses, networks, recipes
from kgan.data import folders
from kgan.recipes import shared, times


@pytest.mark.parametrize("recipe", recipes.RECIPES.values(), ids=lambda recipe: recipe.name)
def test_every_recipe_is_complete_and_builds(recipe):
    settings = recipes.resolve(recipe, {})
    assert set(recipes.RULES) >= set(settings)
    assert all(setting.why for setting in recipe.settings.values())
    for name, value in settings.items():
        assert recipes.RULES[name].holds(value), name
    model = recipes.build(
        recipe, settings, (settings["image_size"], settings["image_size"], 1), recipes.classes(recipe)
    )
    assert type(model).__name__ == recipe.model
    assert model.latent_dim == settings["latent_dim"]
    assert (model.d_steps, model.reuse_fakes) == (settings["d_steps"], settings["reuse_fakes"])


def test_numbers_that_the_papers_print():
    assert recipes.get("gan-mnist")["epochs"] == 100
    assert recipes.get("gan-mnist")["loss"] == "minimax"
    assert recipes.get("dcgan-mnist")["epochs"] == 50
    for name in ("gan-mnist", "dcgan-mnist", "dcgan-mnist-upsampling"):
        assert recipes.get(name)["data"] == "mnist"
    for name in ("dcgan-cifar10", "dcgan-stl10"):
        recipe = recipes.get(name)
        printed = {"epochs": 1000, "batch_size": 128, "image_size": 64, "latent_dim": 100, "prior": "normal"}
        printed |= {"stddev": 0.02, "d_learning_rate": 2e-4, "g_learning_rate": 2e-4, "reuse_fakes": True}
        assert {setting: recipe[setting] for setting in printed} == printed
    for name, epochs in (("dcgan-mnist-upsampling", 25), ("dcgan-flowers", 40), ("dcgan-cats", 60)):
        recipe = recipes.get(name)
        printed = {"epochs": epochs, "latent_dim": 100, "prior": "uniform", "kernel_size": 5, "upsampling": "nearest"}
        assert {setting: recipe[setting] for setting in printed} == printed
    assert recipes.get("dcgan-cats")["chosen_epochs"] == "55,60"
    assert recipes.get("dcgan-flowers")["image_size"] == recipes.get("dcgan-cats")["image_size"] == 128
    recipe = recipes.get("codegan-mnist")
    printed = {"data": "mnist", "image_size": 64, "prior": "normal", "norm": "batch", "stddev": 0.00282}
    printed |= {"code_weight": 0.012, "code_loss": "l2", "stages": 1, "chosen_iterations": "100,200,2400"}
    printed |= {"d_learning_rate": 2e-4, "g_learning_rate": 2e-4, "d_beta_1": 0.5, "g_beta_1": 0.4}
    printed |= {"epsilon": 1e-8, "weight_decay": 1e-5, "reuse_fakes": False}
    assert {setting: recipe[setting] for setting in printed} == printed
    assert recipe["epochs"] * recipe["steps_per_epoch"] == 3000


@pytest.mark.parametrize("name", ["dcgan-cifar10", "dcgan-stl10"])
def test_a_small_sibling_differs_in_size_alone(name):
    full, small = recipes.get(name), recipes.get(f"{name}-small")
    different = {setting for setting in full.settings if full[setting] != small[setting]}
    assert different <= {"filters", "epochs", "precision", "sample_every"}
    assert set(full.settings) == set(small.settings)
    assert small["filters"] < full["filters"]
    assert times.SECONDS[small.name] < 7200 < times.SECONDS[name]


@pytest.mark.parametrize(
    ("name", "plain", "data"),
    [
        ("modern-digits", "dcgan-digits", "digits"),
        ("modern-mnist", "dcgan-mnist", "mnist"),
        ("modern-folder", "dcgan-folder", "./pictures"),
    ],
)
def test_a_modern_recipe_is_the_plain_one_but_for_the_toolbox_width_and_batch(name, plain, data):
    plain, modern = recipes.get(plain), recipes.get(name)
    assert set(plain.settings) == set(modern.settings)
    different = {setting for setting in plain.settings if plain[setting] != modern[setting]}
    assert different <= {*shared.TOOLBOX, "filters", "batch_size", "epochs", "d_learning_rate", "g_learning_rate"}
    assert modern["data"] == plain["data"] == data
    assert modern["conditional"] == (name != "modern-folder"), "a folder may have no classes"


def test_every_recipe_of_two_hours_has_a_small_sibling():
    long = [name for name in recipes.RECIPES if times.SECONDS[name] > 7200]
    assert {f"{name}-small" for name in long} <= set(recipes.RECIPES)


def test_what_the_codegans_print_of_adam_reaches_each_optimizer():
    recipe = recipes.get("codegan-mnist")
    model = recipes.build(recipe, recipes.resolve(recipe, {"filters": 2}), (64, 64, 1))
    assert (model.d_optimizer.beta_1, model.g_optimizer.beta_1) == (0.5, 0.4)
    for optimizer in (model.d_optimizer, model.g_optimizer):
        assert (optimizer.epsilon, optimizer.weight_decay) == (1e-8, 1e-5)
        assert float(optimizer.learning_rate) == pytest.approx(2e-4)
    assert (model.code_weight, model.code_loss, model.stages) == (0.012, "l2", 1)


def test_settings_reach_the_model():
    recipe = recipes.get("dcgan-digits")
    changes = {"d_learning_rate": 1e-4, "g_beta_1": "0.25", "loss": "minimax", "d_steps": "2", "reuse_fakes": "no"}
    changes |= {"norm": "virtual", "depth": "1", "upsampling": "nearest", "activation": "leaky_relu"}
    model = recipes.build(recipe, recipes.resolve(recipe, {**changes, "filters": 4, "prior": "uniform"}), (16, 16, 1))
    assert float(model.d_optimizer.learning_rate) == pytest.approx(1e-4)
    assert (model.d_optimizer.beta_1, model.g_optimizer.beta_1) == (0.5, 0.25)
    assert model.generator_loss.__name__ == "minimax"
    assert (model.d_steps, model.reuse_fakes, model.prior, model.filters) == (2, False, "uniform", 4)
    assert (model.norm, model.depth, model.upsampling, model.activation) == ("virtual", 1, "nearest", "leaky_relu")


def test_every_recipe_takes_every_norm():
    for name in ("gan-digits", "dcgan-digits"):
        for norm in ("batch", "reference", "virtual", "layer", "none"):
            recipe = recipes.get(name)
            small = {"norm": norm, "hidden_units": 4} if name == "gan-digits" else {"norm": norm, "filters": 2}
            recipes.build(recipe, recipes.resolve(recipe, small), (16, 16, 1))


def test_changes_are_parsed_by_type():
    recipe = recipes.get("dcgan-digits")
    changes = {"epochs": "3", "d_learning_rate": "1e-3", "reuse_fakes": "False", "data": "mnist"}
    settings = recipes.resolve(recipe, changes)
    assert [settings[name] for name in changes] == [3, 1e-3, False, "mnist"]
    assert settings["seed"] == recipe["seed"]


def test_an_old_spelling_is_read():
    assert recipes.resolve(recipes.get("dcgan-folder"), {"crop": "centre"})["crop"] == "center"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"filtres": 3}, "dcgan-digits has no setting 'filtres': did you mean filters?"),
        ({"zzz": 3}, "has no setting 'zzz': choose one of data, split"),
        ({"hidden_units": 3}, "has no setting 'hidden_units'"),
        ({"filters": "many"}, "filters is 'many': it must be a whole number"),
        ({"filters": "1.5"}, "filters is '1.5': it must be a whole number"),
        ({"d_beta_1": "x"}, "d_beta_1 is 'x': it must be a number"),
        ({"reuse_fakes": "maybe"}, "reuse_fakes is 'maybe': it must be true or false"),
        ({"epochs": 0}, "epochs is 0: it must be 1 or more"),
        ({"latent_dim": "-4"}, "latent_dim is -4: it must be from 1 to 4096"),
        ({"epochs": 2.7}, "epochs is 2.7: it must be a whole number"),
        ({"epochs": True}, "epochs is True: it must be a whole number"),
        ({"epochs": None}, "epochs is None: it must be a whole number"),
        ({"d_learning_rate": "inf"}, "d_learning_rate is inf: it must be above 0 and finite"),
        ({"g_beta_1": 1}, "g_beta_1 is 1.0: it must be 0 or more, and less"),
        ({"loss": "minmax"}, "loss is minmax: it must be one of minimax, non_saturating"),
        ({"norm": "bach"}, "norm is bach: it must be one of batch, synchronized, reference, virtual, layer, none"),
        ({"depth": -1}, "depth is -1: it must be from 0 to 10"),
        ({"chosen_epochs": "1;2"}, "chosen_epochs is 1;2: it must be whole numbers from 1 up with commas"),
        ({"chosen_epochs": "0,2"}, "chosen_epochs is 0,2"),
        ({"label_smoothing": 0.7}, "label_smoothing is 0.7"),
        ({"seed": 2**31}, "seed is 2147483648"),
    ],
)
def test_bad_changes(changes, message):
    with pytest.raises(ValueError, match="^.*" + message.replace("?", r"\?")):
        recipes.resolve(recipes.get("dcgan-digits"), changes)


def test_unknown_recipe():
    names = "modern-digits, modern-mnist, modern-folder, dcgan-digits, gan-"
    with pytest.raises(ValueError, match=f"unknown recipe 'dcgan-minst': choose one of {names}"):
        recipes.get("dcgan-minst")


def test_choices_are_those_of_the_modules_that_have_them():
    for name, choices in (
        ("norm", networks.NORMS),
        ("upsampling", networks.UPSAMPLINGS),
        ("activation", networks.ACTIVATIONS),
        ("crop", folders.CROPS),
        ("prior", latent.PRIORS),
        ("loss", losses.LOSSES),
        ("code_loss", losses.CODE_LOSSES),
    ):
        assert set(recipes.RULES[name].sentence.removeprefix("one of ").split(", ")) == set(choices)


def test_a_new_loss_is_a_choice_at_once(monkeypatch):
    monkeypatch.setitem(losses.LOSSES, "new", losses.LOSSES["minimax"])
    assert recipes.resolve(recipes.get("dcgan-digits"), {"loss": "new"})["loss"] == "new"


def test_every_recipe_of_every_file_is_there_under_its_own_name():
    modules = [importlib.import_module(f"kgan.recipes.{each.name}") for each in pkgutil.iter_modules(recipes.__path__)]
    found = [recipe for module in modules for recipe in getattr(module, "RECIPES", ())]
    assert sorted(recipe.name for recipe in found) == sorted(recipes.RECIPES)
    assert set(recipes.RULES) == {name for recipe in found for name in recipe.settings}


# Reasons are true for the paper that a recipe names. What is printed in a paper only a reader can check; these tests
# find a reason that came from another paper with a block of settings.

NAMES = {
    recipes.DING: "Ding, Shao, Ren",
    recipes.REPORT: "laboratory report",
    recipes.ANONYMOUS: "Generating Images Using",
    recipes.STIFF: "Stiff",
    recipes.SHAO: "Shao, Li, Jiang",
}


@pytest.mark.parametrize("recipe", recipes.RECIPES.values(), ids=lambda recipe: recipe.name)
def test_a_reason_speaks_of_the_recipes_own_paper(recipe):
    papers = [paper for paper in recipe.paper.split("; ") if paper in NAMES]
    others = [name for paper, name in NAMES.items() if paper not in papers]
    for setting, (_, why) in recipe.settings.items():
        said = f"{recipe.name} {setting}: {why}"
        assert not [name for name in others if name.lower() in why.lower()], said
        assert "Algorithm 1" not in why or "Goodfellow et al. 2014" in why, said  # no paper here calls it so
        if not papers:
            assert not re.search("print|the paper", why), said
        elif len(papers) == 1:
            assert not re.search("(?<!not )printed by|both papers", why), said
        elif re.search("(?<!not )print", why.replace("not printed", "")):
            assert "both papers" in why or any(NAMES[paper] in why for paper in papers), said
            assert "the paper" not in why, said


def test_reasons_are_spelled_as_in_keras():
    reasons = " ".join(setting.why for recipe in recipes.RECIPES.values() for setting in recipe.settings.values())
    assert not re.findall(r"(?:normal|maxim|minim|initial)is|colour|centre|grey", reasons)


def test_a_setting_that_is_as_another_recipes_has_its_value():
    checked = 0
    for recipe in recipes.RECIPES.values():
        for name, setting in recipe.settings.items():
            for other in re.findall(r"^as ([a-z0-9]+-[a-z0-9-]+)", setting.why):
                assert setting.value == recipes.get(other)[name], (recipe.name, name)
                checked += 1
    assert checked


def test_weight_decay_does_as_little_as_its_reason_says():
    recipe = recipes.get("codegan-mnist")
    assert f"{recipe['d_learning_rate'] * recipe['weight_decay']:.0e}" == "2e-09"
    assert "2e-9" in recipe.settings["weight_decay"].why
