"""The models that come with the package: whole, small, and able to draw digits."""

import json

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

import kgan
from kgan import data, plots, pretrained, recipes

NAMES = [f"{kind}-{source}" for kind in ("codegan", "dcgan", "gan", "modern") for source in ("digits", "mnist")]


@pytest.fixture(scope="module")
def neighbors():
    """Says which digits images of 28 × 28 pixels are."""
    real = data.load_labeled("digits")
    return KNeighborsClassifier(3).fit(np.float32(real.images.reshape(len(real.images), -1)), real.labels)


def digits(neighbors, images):
    return neighbors.predict(np.float32(plots.to_uint8(images).reshape(len(images), -1)))


def test_all_that_are_promised_are_there():
    assert sorted(NAMES) == list(pretrained.NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_is_small_and_draws(name):
    assert (pretrained.FOLDER / f"{name}.npz").stat().st_size < 1e6
    model, made = pretrained.load(name), pretrained.record(name)
    images = model.generate(64, seed=3)
    assert images.shape == (64, *made["image_shape"])
    assert np.isfinite(images).all()
    assert images.min() < -0.9
    assert images.max() > 0.9
    assert np.std(images, axis=0).max() > 0.3  # they differ
    np.testing.assert_array_equal(images, pretrained.load(name).generate(64, seed=3))
    assert made["recipe"] == name
    resolved = recipes.resolve(recipes.get(name), made["settings"])
    assert {setting: resolved[setting] for setting in made["settings"]} == made["settings"]


@pytest.mark.parametrize("name", ["modern-digits", "modern-mnist"])
def test_conditional_ones_draw_what_is_asked(name, neighbors):
    asked = np.repeat(np.arange(10), 20)
    model = pretrained.load(name)
    assert pretrained.record(name)["classes"] == [str(digit) for digit in range(10)]
    # The 1,797 embedded digits have 8 × 8 pixels: as neighbors of MNIST's digits they are often wrong.
    least = {"modern-digits": 0.9, "modern-mnist": 0.5}[name]
    assert (digits(neighbors, model.generate(labels=asked)) == asked).mean() > least


def test_the_discriminator_comes_with_the_generator():
    """It tells real digits from noise, and that of a CodeGAN reads codes."""
    real = data.load("digits")[:200]
    noise = np.float32(np.random.default_rng(0).uniform(-1, 1, real.shape))
    model = pretrained.load("codegan-digits")
    assert np.median(model.score(real)) > np.median(model.score(noise))
    codes = model.sample_codes(500, seed=1).numpy()
    read = model.encode(model.generate(codes))
    assert np.mean((read - codes) ** 2) < 0.8 * np.mean(codes**2)  # 1 is what guessing 0 would give


def test_one_is_trained_further():
    model = pretrained.load("gan-digits")
    model.compile()
    before = model.generate(2)
    model.fit(data.load("digits")[:64], batch_size=32, verbose=0)
    assert not np.array_equal(before, model.generate(2))


def written_and_read(path, name, change=lambda model: None, **changes):
    """A new model of a recipe, changed, and the same out of a file."""
    settings = recipes.resolve(recipes.get(name), changes)
    model = recipes.build_uncompiled(recipes.get(name), settings, (28, 28, 1))
    change(model)
    pretrained.write(path, model, {"recipe": name, "settings": settings, "classes": []})
    return model, pretrained.read(path)


def test_weights_come_back_to_half_a_step(tmp_path):
    model, again = written_and_read(tmp_path / "a.npz", "dcgan-digits", filters=4, latent_dim=5, seed=7)
    for network in ("generator", "discriminator"):
        pairs = zip(getattr(model, network).weights, getattr(again, network).weights, strict=True)
        for before, after in ((a.numpy(), b.numpy()) for a, b in pairs):
            if before.ndim < 2:
                np.testing.assert_array_equal(after, before)
            else:
                step = np.abs(before).reshape(-1, before.shape[-1]).max(axis=0) / 127
                assert (np.abs(after - before) <= step / 2 * 1.0001).all()


def test_rounding_by_hand():
    weight, scale = pretrained._reduced(np.float32([[1.27, -0.5, 0], [0.126, 0.25, 0]]))
    np.testing.assert_allclose(scale, [0.01, 0.5 / 127, 0], rtol=1e-6)
    assert weight.tolist() == [[127, -127, 0], [13, 64, 0]]
    assert weight.dtype == np.int8


def test_an_average_becomes_the_generator(tmp_path):
    def change(model):
        model.average_generator.weights[0].assign(model.average_generator.weights[0] + 1)

    model, again = written_and_read(tmp_path / "a.npz", "gan-digits", change, hidden_units=4, ema=0.9)
    assert again.average_generator is None
    np.testing.assert_allclose(again.generate(3), model.generate(3), atol=0.02)


# The command line


@pytest.mark.parametrize(
    ("command", "made"),
    [
        (["sample", "--pretrained", "modern-digits", "--classes", "7", "--count", 4], "sample-4-classes-7-seed-0.png"),
        (["sample", "--pretrained", "dcgan-mnist", "--best", "--count", 4], "sample-4-best-of-32-seed-0.png"),
        (["sample", "--pretrained", "dcgan-digits", "--beside-real", "--count", 4], "sample-4-beside-real-seed-0.png"),
        (["interpolate", "--pretrained", "gan-digits", "--pairs", 1], "interpolate-seed-0.png"),
        (["traverse", "--pretrained", "dcgan-digits", "--units", "1"], "traverse-1-seed-0.png"),
        (["reconstruct", "--pretrained", "codegan-digits", "--refine", 2], "reconstruct-seed-0.png"),
    ],
)
def test_pictures_without_a_run(command, made, kgan_command, tmp_path):
    result = kgan_command(*command)
    assert result.exit_code == 0, result.output
    assert f"{command[2]}-{made}" in result.stdout.splitlines()
    assert {path.stem for path in tmp_path.iterdir()} == {f"{command[2]}-{made}".removesuffix(".png")}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--pretrained", "stylegan"], "pretrained model is 'stylegan': choose one of codegan-digits, "),
        (["runs/a", "--pretrained", "gan-mnist"], "runs/a and --pretrained gan-mnist are two models: name one of them"),
        ([], "name a run directory, or a model that comes with kgan by --pretrained: codegan-digits, "),
        (["--pretrained", "dcgan-mnist", "--classes", "7"], "--classes is 7, but the pretrained dcgan-mnist knows no"),
    ],
)
def test_mistakes(arguments, sentence, kgan_command):
    result = kgan_command("sample", *arguments)
    assert result.exit_code == 2
    assert f"kgan: {sentence}" in result.output
    assert "Traceback" not in result.output


def test_a_file_holds_no_code(tmp_path):
    np.savez(tmp_path / "evil.npz", record=np.array([object()]))
    with pytest.raises(ValueError, match="allow_pickle"):
        pretrained.read(tmp_path / "evil.npz")


def test_the_record_is_that_of_the_recorded_results():
    """The table of the manual speaks of these files."""
    results = kgan.pretrained.FOLDER.parents[1] / "docs" / "papers" / "results" / "pretrained.json"
    for result in json.loads(results.read_text(encoding="utf-8"))["results"]:
        path = pretrained.FOLDER / f"{result['name']}.npz"
        assert round(path.stat().st_size / 1000) == result["kilobytes"]
        assert result["after"]["frechet"] < 1.2 * result["before"]["frechet"] + 1
