"""What each piece of the toolbox buys at equal wall time: one knob of a recipe at a time, several seeds, the same data.

    python benchmarks/ablation.py dcgan-digits --seconds 60 --seeds 3 --out digits.json
    python benchmarks/ablation.py dcgan-mnist --seconds 300 --seeds 3 --out mnist.json --only plain --only conditional

Every knob is trained for the same seconds. Only the time of training steps counts, without the first step, in which
TensorFlow compiles. Learning rates that fall do so over the epochs that fit into this time. `kgan.quality.evaluate`
then measures the model as `kgan evaluate` does. Knobs take turns, all of them with one seed before any has the next, so
that other work of the machine affects all of them equally; still, nothing else should run. Results that are in the file
already are not computed again, so the same command resumes a benchmark that was stopped.

    python benchmarks/ablation.py dcgan-digits --out digits.json --only plain --also "all: modern-digits" --gif race.gif

makes an animation of the first seed's samples, side by side, and a picture of its last frame (race.png). All frames
show the same codes; for a conditional model, each column is a class.
"""

import argparse
import json
import math
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

import kgan
from kgan import data, plots, quality, recipes, runs
from kgan._backend import keras
from kgan.forecast import forecast
from kgan.recipes import shared

KNOBS = {
    "plain": {},
    "conditional": {"conditional": True},
    "label_smoothing 0.1": {"label_smoothing": 0.1},
    "least_squares": {"loss": "least_squares"},
    "hinge": {"loss": "hinge"},
    "hinge, spectral": {"loss": "hinge", "d_norm": "spectral"},
    "wasserstein, gradient penalty": {
        "loss": "wasserstein",
        "d_norm": "none",
        "penalty": "gradient_penalty",
        "penalty_weight": 10.0,
    },
    "d_norm none": {"d_norm": "none"},
    "r1": {"d_norm": "none", "penalty": "r1"},
    "relativistic, r1 and r2": {"loss": "relativistic", "d_norm": "none", "penalty": "r1,r2"},
    "relativistic, lazy r1": {"loss": "relativistic", "d_norm": "none", "penalty": "r1", "penalty_every": 8},
    "relativistic": {"loss": "relativistic"},
    "ema 0.99": {"ema": 0.99},
    "ema 0.999": {"ema": 0.999},
    "translation": {"augment": "translation"},
    "translation, cutout": {"augment": "translation,cutout"},
    "packing 2": {"packing": 2},
    "top_k 0.5": {"top_k": 0.5},
    "simultaneous": {"simultaneous": True},
    "cosine": {"learning_rate_schedule": "cosine"},
    "batch 32": {"batch_size": 32},
    "batch 16": {"batch_size": 16},
    "rates × 2": {"d_learning_rate": 4e-4, "g_learning_rate": 4e-4},
    "half as wide": {"filters": 32},
    "a quarter as wide": {"filters": 16},
}
KNOWN = (*shared.DCGAN, "batch_size")  # settings that are taken from another recipe
NEVER = 10**6  # epochs, or minutes
BARE = {"sample_every": NEVER, "chosen_epochs": str(NEVER), "checkpoint_every": NEVER, "checkpoint_minutes": NEVER}
FRAMES, ROWS, COLUMNS = 24, 5, 10  # of the animation
SHOWN = ("frechet", "precision", "recall", "coverage", "low_confidence", "class_accuracy")


class StopAfter(keras.callbacks.Callback):
    """Ends training after so many seconds of training steps, or so many steps; draws `count` frames on the way."""

    def __init__(self, seconds, count, steps):
        super().__init__()
        self.seconds, self.count, self.steps = seconds, count, steps
        self.trained, self.began, self.frames = 0.0, None, []

    def on_epoch_begin(self, epoch, logs=None):
        if epoch:  # pictures and files between epochs do not count
            self.began = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        float(logs["d_loss"])  # a GPU runs asynchronously: wait for it
        if self.began is not None:  # the first step compiles
            self.trained += time.perf_counter() - self.began
        if self.count and self.trained >= len(self.frames) * self.seconds / self.count:
            self.draw()
        self.model.stop_training = self.trained > self.seconds or int(self.model.step.numpy()) >= self.steps
        self.began = time.perf_counter()

    def draw(self):
        labels = np.arange(ROWS * COLUMNS) % self.model.classes if self.model.classes else None
        images = self.model.generate(self.model.sample_codes(ROWS * COLUMNS, 0, labels))
        self.frames.append(plots.image_grid(images, COLUMNS, zoom=1))


def trained(recipe, source, changes, seconds, seed, frames=0, most_steps=math.inf):
    """A model of the recipe with some settings changed, trained for so many seconds, and frames of its samples.

    Args:
        source: other data than the recipe's, as `kgan.train` takes them; None: the recipe's.
    """
    settings, epochs = {**changes, "data": source, "seed": seed}, NEVER
    stop = StopAfter(seconds, frames, most_steps)
    with tempfile.TemporaryDirectory() as directory:
        how = {"out": Path(directory) / "run", "doctor": False}
        if settings.get("learning_rate_schedule", "constant") != "constant":
            found = forecast(recipe.name, **how, **settings)
            epochs = max(1, round(min(seconds / found.step, most_steps) / found.steps_per_epoch))
        settings = {**BARE, **settings, "epochs": epochs}
        run = kgan.train(recipe.name, callbacks=[stop], verbose=0, **how, **settings)
    return run.model, stop.frames


def real_images(recipe, instead=None):
    """The recipe's images, or others instead."""
    source = {name: recipe[name] for name in ("split", "image_size", "crop", "background")}
    return data.load_labeled(instead or recipe["data"], **source)


def measured(model, real, features, count):
    """The metrics of `kgan evaluate`, of one seed of the samples."""

    def asked(count, seed):
        return real.labels[np.random.default_rng(seed).integers(len(real.labels), size=count)]

    def drawn(count, seed):
        return model.generate(model.sample_codes(count, seed, asked(count, seed) if model.classes else None))

    asks = asked if model.classes else None
    report = quality.evaluate(drawn, real, features=features, asked=asks, count=count, seeds=[0]).report
    return {name: report["metrics"][name]["value"] for name in SHOWN if name in report["metrics"]}


def of_your_own(text, recipe):
    """A knob's name and changes, of "no average: modern-digits ema=0": here another recipe's settings but for one."""
    name, _, words = text.partition(": ")
    changes = {}
    for word in words.split():
        setting, is_setting, value = word.partition("=")
        if is_setting:
            changes[setting] = value
        else:
            other = recipes.get(word).settings
            changes |= {each: other[each].value for each in KNOWN if other[each].value != recipe[each]}
    return name, changes


def draw_race(frames, seconds, path):
    """An animation of {knob: pictures} in step, and its last picture beside it."""
    path.unlink(missing_ok=True)
    gif = plots.GIF(path)
    for number in range(min(len(each) for each in frames.values())):
        pictures = [each[number] for each in frames.values()]
        row = plots.side_by_side(pictures, list(frames))
        gif.append(plots.captioned(row, f"{number * seconds / FRAMES:.0f} seconds"))
    row.save(path.with_suffix(".png"))


def table(results):
    """Mean and standard deviation over the seeds of each knob, the best Fréchet distance first, in Markdown.

    A knob is called better or worse where its Fréchet distances and those of plain lie apart by more than the sum of
    both standard deviations.
    """
    lines = [f"| knob | against plain | steps | {' | '.join(SHOWN)} |", f"| --- {'| --- ' * (2 + len(SHOWN))}|"]
    knobs = {knob: [each for each in results if each["knob"] == knob] for knob in {each["knob"] for each in results}}
    plain = mean_and_spread(knobs.get("plain", []), "frechet")
    for knob, each in sorted(knobs.items(), key=lambda item: mean_and_spread(item[1], "frechet")):
        cells = [against(plain, mean_and_spread(each, "frechet")) if knob != "plain" else ""]
        cells.append(f"{statistics.mean(result['steps'] for result in each):,.0f}")
        for name in SHOWN:
            mean, spread = mean_and_spread(each, name)
            cells.append("" if mean is None else f"{mean:.3g}" + (f" ± {spread:.2g}" if spread else ""))
        lines.append(f"| {knob} | {' | '.join(cells)} |")
    return "\n".join(lines)


def mean_and_spread(results, name):
    """Of a metric; None where no result has it, and a spread of None for a single one."""
    values = [result["metrics"][name] for result in results if name in result["metrics"]]
    return statistics.mean(values) if values else None, statistics.stdev(values) if len(values) > 1 else None


def against(plain, knob):
    """Whether a knob's Fréchet distance is better or worse than that of plain, each (mean, spread)."""
    if None in (*plain, *knob):
        return ""  # of one seed nothing can be said
    difference, spread = knob[0] - plain[0], knob[1] + plain[1]
    return "better" if difference < -spread else "worse" if difference > spread else "no difference"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", choices=recipes.RECIPES)
    parser.add_argument("--data", help="other real images than the recipe's")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--count", type=int, default=5000, help="samples that are measured")
    parser.add_argument("--only", action="append", default=[], help="this knob alone, or these")
    parser.add_argument(
        "--also", action="append", default=[], help="a knob of your own: 'NAME: [recipe] setting=value setting=value'"
    )
    parser.add_argument("--out", type=Path, required=True, help="a JSON file that keeps the results")
    parser.add_argument("--gif", type=Path, help="an animation of the knobs that were trained now, first seed")
    arguments = parser.parse_args()
    recipe = recipes.get(arguments.recipe)
    real = real_images(recipe, arguments.data)
    features = quality.choose_features(real)
    own = dict(of_your_own(text, recipe) for text in arguments.also)
    knobs = {**KNOBS, **own}
    if arguments.only:
        knobs = {name: knobs[name] for name in [*arguments.only, *own]}
    if not real.names:
        knobs.pop("conditional", None)
    content = runs.read_json(arguments.out) if arguments.out.exists() else {"results": []}
    content |= {"recipe": recipe.name, "seconds": arguments.seconds, "features": features.name}
    content |= {"machine": runs.environment()}
    frames = {}
    for seed in range(arguments.seeds):
        for knob, changes in knobs.items():
            if any((each["knob"], each["seed"]) == (knob, seed) for each in content["results"]):
                continue
            count = FRAMES if arguments.gif and knob not in frames else 0
            model, pictures = trained(recipe, arguments.data, changes, arguments.seconds, seed, count)
            frames.setdefault(knob, pictures)
            metrics = measured(model, real, features, arguments.count)
            steps = int(model.step.numpy())
            content["results"].append(
                {"knob": knob, "changes": changes, "seed": seed, "steps": steps, "metrics": metrics}
            )
            runs.write_json(arguments.out, content)
            print(
                f"{knob}, seed {seed}: {steps:,} steps, {json.dumps({k: round(v, 4) for k, v in metrics.items()})}",
                flush=True,
            )
            keras.backend.clear_session()
    print(table(content["results"]))
    if arguments.gif and frames:
        draw_race(frames, arguments.seconds, arguments.gif)
