"""How much of a model's recall comes from poor samples: recall of all samples, of readable and of realistic ones.

    python benchmarks/recall.py --like docs/papers/results/toolbox/digits.json --out recall.json

A real image counts for recall if it is within reach of a sample, and the reach of a sample is the distance to its fifth
neighbor: samples that are scattered far apart reach far. Here each model of `benchmarks/ablation.py` is trained again,
for as many steps, and measured on equal numbers of samples of three kinds: all samples; those that the classifier
assigns with high confidence, as for `low_confidence`; and those within reach of a real image, as for precision. Models
whose results are in the file already are not trained again.
"""

import argparse
import json
import math
from pathlib import Path

import ablation
import numpy as np
from scipy.spatial.distance import cdist

from kgan import quality, recipes, runs
from kgan._backend import keras
from kgan.quality.features import LOW_CONFIDENCE
from kgan.quality.metrics import NEIGHBORS, manifold

DRAWN = 4  # times as many samples as are measured


def measured(model, real, features):
    """The recall of as many samples of each kind, by the real images that `kgan evaluate` takes."""
    _, rest = quality.selection_split(len(real.images))
    count = len(rest) // 2
    images = features.extract(real.images[np.sort(rest[:count])]).values
    labels = np.random.default_rng(0).choice(real.labels, DRAWN * count) if model.classes else None
    samples = features.extract(model.generate(model.sample_codes(DRAWN * count, 0, labels)))
    reach = np.sort(cdist(images, images))[:, NEIGHBORS]  # the first is the image itself
    kinds = {
        "all": np.ones(len(samples.values), bool),
        "readable": samples.max_probability >= LOW_CONFIDENCE,
        "realistic": (cdist(images, samples.values) < reach[:, np.newaxis]).any(axis=0),
    }
    assert min(which.sum() for which in kinds.values()) >= count, "too few samples of a kind: draw more"
    return {kind: manifold(images, samples.values[which][:count]).recall for kind, which in kinds.items()}


def table(results):
    """Mean and standard deviation over the seeds, in Markdown."""
    kinds = list(results[0]["recall"])
    lines = [f"| recall of | {' | '.join(f'{kind} samples' for kind in kinds)} |", f"| --- {'| --- ' * len(kinds)}|"]
    for knob in dict.fromkeys(each["knob"] for each in results):
        chosen = [{"metrics": each["recall"]} for each in results if each["knob"] == knob]
        values = [ablation.mean_and_spread(chosen, kind) for kind in kinds]
        cells = [f"{mean:.3f}" + (f" ± {spread:.3f}" if spread else "") for mean, spread in values]
        lines.append(f"| {knob} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--like", type=Path, required=True, help="results of ablation.py")
    parser.add_argument("--out", type=Path, required=True, help="a JSON file that keeps the results")
    arguments = parser.parse_args()
    like = runs.read_json(arguments.like)
    recipe = recipes.get(like["recipe"])
    real = ablation.real_images(recipe)
    features = quality.choose_features(real)
    content = runs.read_json(arguments.out) if arguments.out.exists() else {"results": []}
    content |= {"recipe": recipe.name, "features": features.name, "machine": runs.environment()}
    for each in like["results"]:
        named = {key: each[key] for key in ("knob", "changes", "seed", "steps")}
        if any(named.items() <= result.items() for result in content["results"]):
            continue
        model, _ = ablation.trained(recipe, None, each["changes"], math.inf, each["seed"], most_steps=each["steps"])
        content["results"].append({**named, "recall": measured(model, real, features)})
        runs.write_json(arguments.out, content)
        print(json.dumps(content["results"][-1]), flush=True)
        keras.backend.clear_session()
    print(table(content["results"]))
