"""The commands whose tests have no file of their own: `kgan recipes`, `kgan evaluate`, help and version."""

import pytest
from PIL import Image
from written import write_run

import kgan
from kgan import recipes
from kgan.recipes import times
from kgan.units import duration


def test_recipes_are_listed_with_whole_names(kgan_command):
    result = kgan_command("recipes")
    assert result.exit_code == 0
    for recipe in recipes.RECIPES.values():
        line = next(line for line in result.stdout.splitlines() if line.startswith(recipe.name))
        assert recipe.paper in line
        assert str(recipe["epochs"]) in line
        assert str(recipe["data"]) in line
        assert f" {duration(times.SECONDS[recipe.name])} " in line
    assert result.stdout.splitlines()[-1].startswith(f"time: of all epochs, on {times.MACHINE}")


def test_recipes_name_shows_every_setting_with_its_reason(kgan_command):
    result = kgan_command("recipes", "gan-mnist")
    recipe = recipes.get("gan-mnist")
    for name, setting in recipe.settings.items():
        line = next(line for line in result.stdout.splitlines() if line.startswith(f"{name} "))
        assert str(setting.value) in line
        assert setting.why in line
    assert kgan_command("recipes", "nosuch").exit_code == 2


def test_recipes_name_draws_the_networks(kgan_command):
    lines = [line.split() for line in kgan_command("recipes", "dcgan-cats").stdout.splitlines()]
    # generator: 100 · 8192 + 4 · 128, the last convolution 25 · 16 · 3 + 3; discriminator: 25 · 3 · 16 + 16
    for row in (
        "dense · reshape · batch norm · leaky ReLU 0.2 8 × 8 × 128 819,712",
        "upsampling × 2 and 5 × 5 convolution, stride 1 · tanh 128 × 128 × 3 1,203",
        "5 × 5 convolution, stride 2 · leaky ReLU 0.2 64 × 64 × 16 1,216",
    ):
        assert row.split() in lines
    assert [line for line in lines if len(line) == 1][-2:] == [["1,090,163"], ["279,105"]]


@pytest.mark.parametrize("command", [[], ["sample"], ["interpolate"], ["traverse"], ["compare"], ["recipes"]])
def test_every_command_has_help(command, kgan_command):
    result = kgan_command(*command, "--help")
    assert result.exit_code == 0
    assert "--help" in result.stdout


def test_the_version(kgan_command):
    assert kgan_command("--version").stdout == f"kgan {kgan.__version__}\n"


def test_a_folder_that_has_lost_its_labels_gets_a_sentence(kgan_command, tmp_path):
    for name in ("dark/1.png", "dark/2.png", "light/1.png", "light/2.png"):
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16)).save(tmp_path / "images" / name)
    small = {"image_size": 16, "filters": 2, "depth": 1, "latent_dim": 4, "batch_size": 2, "conditional": True}
    write_run(tmp_path / "run", "dcgan-folder", {**small, "data": str(tmp_path / "images")}, classes=["dark", "light"])
    Image.new("RGB", (16, 16)).save(tmp_path / "images" / "new.png")  # now its folders are no classes
    result = kgan_command("evaluate", "run", "--count", 2)
    assert result.exit_code == 2, result.output
    sentence = "this model is conditional, but the real images have no labels: put each class into a folder"
    assert result.stderr.splitlines()[-1] == f"kgan: {sentence}"
