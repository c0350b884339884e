import importlib
import pkgutil
import re

import pytest

from kgan import augment, latent, losses, networks, penalties, recipes
from kgan.data import folders
from kgan.errors import Mistake
from kgan.recipes import shared, times


@pytest.mark.parametrize("recipe", recipes.RECIPES.values(), ids=lambda recipe: recipe.name)
def test_every_recipe_is_complete_and_builds(recipe):
    assert all(setting.why for setting in recipe.settings.values())
    values = {name: setting.value for name, setting in recipe.settings.items()}
    assert recipes.resolve(recipe, values) == recipes.resolve(recipe, {}) == values
    small = recipes.resolve(recipe, {"hidden_units" if recipe.model == "GAN" else "filters": 2})
    model = recipes.build(recipe, small, recipes.image_shape(recipe), recipes.classes(recipe))
    assert type(model).__name__ == recipe.model
    assert model.latent_dim == recipe["latent_dim"]
    assert (model.d_steps, model.reuse_fakes) == (recipe["d_steps"], recipe["reuse_fakes"])


def test_numbers_that_the_papers_print():
    radford = {"epochs": 1000, "batch_size": 128, "image_size": 64, "latent_dim": 100, "prior": "normal"}
    radford |= {"stddev": 0.02, "d_learning_rate": 2e-4, "g_learning_rate": 2e-4, "reuse_fakes": True}
    upsampling = {"latent_dim": 100, "prior": "uniform", "kernel_size": 5, "upsampling": "nearest"}
    codegan = {"data": "mnist", "image_size": 64, "prior": "normal", "norm": "batch", "stddev": 0.00282}
    codegan |= {"code_weight": 0.012, "code_loss": "l2", "stages": 1, "chosen_iterations": "100,200,2400"}
    codegan |= {"d_learning_rate": 2e-4, "g_learning_rate": 2e-4, "d_beta_1": 0.5, "g_beta_1": 0.4}
    codegan |= {"epsilon": 1e-8, "weight_decay": 1e-5, "reuse_fakes": False, "epochs": 30, "steps_per_epoch": 100}
    printed = {
        "gan-mnist": {"data": "mnist", "epochs": 100, "loss": "minimax"},
        "dcgan-mnist": {"data": "mnist", "epochs": 50},
        "dcgan-mnist-upsampling": {"data": "mnist", "epochs": 25, **upsampling},
        "dcgan-flowers": {"epochs": 40, "image_size": 128, **upsampling},
        "dcgan-cats": {"epochs": 60, "image_size": 128, "chosen_epochs": "55,60", **upsampling},
        "dcgan-cifar10": radford,
        "dcgan-stl10": radford,
        "codegan-mnist": codegan,
    }
    for name, settings in printed.items():
        assert {setting: recipes.get(name)[setting] for setting in settings} == settings, name


def differences(one, other):
    """The settings in which two recipes differ."""
    assert set(one.settings) == set(other.settings)
    return {setting for setting in one.settings if one[setting] != other[setting]}


@pytest.mark.parametrize("name", [name for name in recipes.RECIPES if times.SECONDS[name] > 7200])
def test_a_recipe_of_two_hours_has_a_small_sibling_that_differs_in_size_alone(name):
    full, small = recipes.get(name), recipes.get(f"{name}-small")
    assert differences(full, small) <= {"filters", "epochs", "precision", "sample_every"}
    assert small["filters"] < full["filters"]
    assert times.SECONDS[small.name] < 7200


@pytest.mark.parametrize(("data", "name"), [("digits", "digits"), ("mnist", "mnist"), ("./pictures", "folder")])
def test_a_modern_recipe_is_the_plain_one_but_for_the_toolbox_width_and_batch(data, name):
    plain, modern = recipes.get(f"dcgan-{name}"), recipes.get(f"modern-{name}")
    may_differ = {*shared.TOOLBOX, "filters", "batch_size", "epochs", "d_learning_rate", "g_learning_rate"}
    assert differences(plain, modern) <= may_differ
    assert modern["data"] == plain["data"] == data
    assert modern["conditional"] == (name != "folder"), "a folder may have no classes"


def test_what_the_codegans_print_of_adam_reaches_each_optimizer():
    recipe = recipes.get("codegan-mnist")
    model = recipes.build(recipe, recipes.resolve(recipe, {"filters": 2}), (64, 64, 1))
    assert (model.d_optimizer.beta_1, model.g_optimizer.beta_1) == (0.5, 0.4)
    for optimizer in (model.d_optimizer, model.g_optimizer):
        assert (optimizer.epsilon, optimizer.weight_decay) == (1e-8, 1e-5)
        assert float(optimizer.learning_rate) == pytest.approx(2e-4)
    assert (model.code_weight, model.code_loss, model.stages) == (0.012, "l2", 1)
    # Weight decay does as little as its reason says.
    assert f"{recipe['d_learning_rate'] * recipe['weight_decay']:.0e}" == "2e-09"
    assert "2e-9" in recipe.settings["weight_decay"].why


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


def test_a_dense_recipe_takes_every_norm():
    recipe = recipes.get("gan-digits")
    for norm in networks.NORMS:
        model = recipes.build(recipe, recipes.resolve(recipe, {"norm": norm, "hidden_units": 4}), (16, 16, 1))
        assert model.generate(2).shape == (2, 16, 16, 1)


def test_changes_are_parsed_by_type():
    recipe = recipes.get("dcgan-digits")
    changes = {"epochs": "3", "d_learning_rate": "1e-3", "reuse_fakes": "False", "data": "mnist"}
    settings = recipes.resolve(recipe, changes)
    assert [settings[name] for name in changes] == [3, 1e-3, False, "mnist"]
    assert settings["seed"] == recipe["seed"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"filtres": 3}, "dcgan-digits has no setting 'filtres': did you mean filters?"),
        ({"zzz": 3}, "has no setting 'zzz': choose one of data, split"),
        ({"hidden_units": 3}, "has no setting 'hidden_units'"),
        ({"filters": "1.5"}, "filters is '1.5': it must be a whole number"),
        ({"d_beta_1": "x"}, "d_beta_1 is 'x': it must be a number"),
        ({"reuse_fakes": "maybe"}, "reuse_fakes is 'maybe': choose one of true, yes, 1, false, no, 0"),
        ({"epochs": 0}, "epochs is 0: it must be 1 or more"),
        ({"latent_dim": "-4"}, "latent_dim is -4: it must be from 1 to 4096"),
        ({"epochs": 2.7}, "epochs is 2.7: it must be a whole number"),
        ({"epochs": True}, "epochs is True: it must be a whole number"),
        ({"epochs": None}, "epochs is None: it must be a whole number"),
        ({"d_learning_rate": "inf"}, "d_learning_rate is inf: it must be above 0 and finite"),
        ({"g_beta_1": 1}, "g_beta_1 is 1.0: it must be 0 or more, and less"),
        ({"depth": -1}, "depth is -1: it must be from 0 to 10"),
        ({"chosen_epochs": "1;2"}, "chosen_epochs is 1;2: it must be whole numbers from 1 up with commas"),
        ({"chosen_epochs": "0,2"}, "chosen_epochs is 0,2"),
        ({"label_smoothing": 0.7}, "label_smoothing is 0.7"),
        ({"seed": 2**31}, "seed is 2147483648"),
    ],
)
def test_bad_changes(changes, message):
    with pytest.raises(Mistake, match="^.*" + message.replace("?", r"\?")):
        recipes.resolve(recipes.get("dcgan-digits"), changes)


@pytest.mark.parametrize(
    ("recipe", "setting", "choices"),
    [
        ("dcgan-digits", "norm", networks.NORMS),
        ("dcgan-digits", "d_norm", ("same", *networks.D_NORMS)),
        ("dcgan-digits", "upsampling", networks.UPSAMPLINGS),
        ("dcgan-digits", "activation", networks.ACTIVATIONS),
        ("dcgan-digits", "crop", folders.CROPS),
        ("dcgan-digits", "prior", latent.PRIORS),
        ("dcgan-digits", "loss", losses.LOSSES),
        ("codegan-digits", "code_loss", losses.CODE_LOSSES),
        ("dcgan-digits", "augment", augment.AUGMENTATIONS),
        ("dcgan-digits", "penalty", penalties.PENALTIES),
        ("dcgan-digits", "precision", ("float32", "bfloat16", "auto")),
    ],
)
def test_choices_are_those_of_the_modules_that_have_them(recipe, setting, choices):
    with pytest.raises(Mistake, match=f"{setting} is 'x': choose one of {', '.join(choices)}$"):
        recipes.resolve(recipes.get(recipe), {setting: "x"})


def test_every_recipe_of_every_file_is_there_under_its_own_name():
    modules = [importlib.import_module(f"kgan.recipes.{each.name}") for each in pkgutil.iter_modules(recipes.__path__)]
    found = [recipe for module in modules for recipe in getattr(module, "RECIPES", ())]
    assert sorted(recipe.name for recipe in found) == sorted(recipes.RECIPES)


# Reasons are true for the paper that a recipe names. What is printed in a paper only a reader can check; these tests
# find a reason that came from another paper with a block of settings.

BEGINNINGS = ("Ding, Shao, Ren", "laboratory report", "Generating Images Using", "Stiff", "Shao, Li, Jiang")
PAPERS = {paper for recipe in recipes.RECIPES.values() for paper in recipe.paper.split("; ")}
NAMES = {paper: name for paper in PAPERS for name in BEGINNINGS if paper.startswith(name)}


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
