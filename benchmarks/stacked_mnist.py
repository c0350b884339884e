"""Variety: of 1,000 classes, how many a generator draws, for each of several sets of settings.

    python benchmarks/stacked_mnist.py --seconds 300 --seeds 1 --out stacked.json [--data digits] [--only plain]
        [--also "without classes: modern-mnist conditional=false"]

Three digits of MNIST, drawn at random, become the color channels of one image, as in Metz et al. (2017), *Unrolled
Generative Adversarial Networks*, appendix D. Of 26,000 samples a classifier reads each channel; a class that occurs is
a mode, and the Kullback-Leibler divergence is that of the classes of the samples from those of the real images. Lin et
al. (2018), *PacGAN*, table 3, report 99 modes and 3.40 for a DCGAN, and 1,000 and 0.06 with packing, of other networks
and many more steps. Networks are those of dcgan-mnist with three channels; all settings are trained for the same
seconds, in turns. Settings whose results are in the file already are not trained again.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path

import ablation
import numpy as np

from kgan import data, quality, recipes, runs
from kgan._backend import keras

KNOBS = {
    "plain": {},
    "packing 2": {"packing": 2},
    "ema 0.999": {"ema": 0.999},
    "translation": {"augment": "translation"},
    "relativistic, r1 and r2": {"loss": "relativistic", "d_norm": "none", "penalty": "r1,r2"},
    "batch 32": {"batch_size": 32},
}
COUNT = 60_000  # stacked images
SAMPLES = 26_000


def stacked(real, count, seed):
    """Images of three digits each, (count, 28, 28, 3), and their classes from 0 to 999."""
    rows = np.random.default_rng(seed).integers(len(real.images), size=(count, 3))
    images = np.concatenate([real.images[rows[:, channel]] for channel in range(3)], axis=-1)
    return images, real.labels[rows] @ [100, 10, 1]


def classes(images, features):
    """The class of each stacked image, as the classifier reads its channels."""
    digits = [features.extract(images[..., channel : channel + 1]).classes for channel in range(3)]
    return np.stack(digits, axis=1) @ [100, 10, 1]


def modes_and_divergence(drawn, expected):
    """How many of the 1,000 classes occur, and the divergence in nats of the drawn ones from the expected ones."""
    p, q = (np.bincount(each, minlength=1000) / len(each) for each in (drawn, expected))
    occurs = p > 0
    return int(occurs.sum()), float(np.sum(p[occurs] * np.log(p[occurs] / np.maximum(q[occurs], 1e-6))))


def table(results):
    """Mean and spread over the seeds, in Markdown."""
    lines = ["| settings | steps | modes | divergence |", "| --- | --- | --- | --- |"]
    for knob in dict.fromkeys(each["knob"] for each in results):
        cells = []
        for name, form in (("steps", "{:,.0f}"), ("modes", "{:,.0f}"), ("divergence", "{:.2f}")):
            values = [each[name] for each in results if each["knob"] == knob]
            spread = f" ± {form.format(statistics.stdev(values))}" if len(values) > 1 and name != "steps" else ""
            cells.append(form.format(statistics.mean(values)) + spread)
        lines.append(f"| {knob} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="mnist", help="gray digits with labels")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--only", action="append", default=[], help="these settings alone")
    parser.add_argument("--also", action="append", default=[], help="settings of your own, as for ablation.py")
    parser.add_argument("--out", type=Path, required=True, help="a JSON file that keeps the results")
    arguments = parser.parse_args()
    recipe = recipes.get("dcgan-mnist")
    digits = data.load_labeled(arguments.data, image_size=28)
    features = quality.choose_features(digits)
    images, labels = stacked(digits, COUNT, seed=0)
    own = dict(ablation.of_your_own(text, recipe) for text in arguments.also)
    knobs = {name: KNOBS[name] for name in arguments.only or KNOBS} | own
    content = runs.read_json(arguments.out) if arguments.out.exists() else {"results": []}
    content |= {"seconds": arguments.seconds, "samples": arguments.samples, "machine": runs.environment()}
    others, _ = stacked(digits, arguments.samples, seed=1)
    content["real"] = modes_and_divergence(classes(others, features), labels)
    print(f"real images: {content['real'][0]} modes, divergence {content['real'][1]:.3f}")
    with tempfile.TemporaryDirectory() as directory:
        source = Path(directory) / "stacked.npy"
        np.save(source, images)
        for seed in range(arguments.seeds):
            for knob, changes in knobs.items():
                if any((each["knob"], each["seed"]) == (knob, seed) for each in content["results"]):
                    continue
                model, _ = ablation.trained(recipe, source, changes, arguments.seconds, seed)
                modes, divergence = modes_and_divergence(
                    classes(model.generate(arguments.samples, seed=0), features), labels
                )
                result = {"knob": knob, "changes": changes, "seed": seed, "steps": int(model.step.numpy())}
                content["results"].append({**result, "modes": modes, "divergence": divergence})
                runs.write_json(arguments.out, content)
                print(json.dumps(content["results"][-1]), flush=True)
                keras.backend.clear_session()
    print(table(content["results"]))
