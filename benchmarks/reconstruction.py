"""How often a CodeGAN's reconstruction is the same digit, and how well it reads codes.

    python benchmarks/reconstruction.py runs/codegan-mnist
    python benchmarks/reconstruction.py runs/one-stage runs/two-stages --out both.json

A classifier that is trained on the data of the run (`kgan.quality.classifier`) reads 1,000 images that the run was not
trained on (if there are any), as they are and degraded, and 1,000 generated ones. Writes `reconstruction.json` into
each run directory, and prints a table. For a folder of seeds (`kgan train --seeds 3`) it shows the mean and the
standard deviation over the seeds. --out keeps them.
"""

import argparse
import statistics
from pathlib import Path

import numpy as np

from kgan import data, losses, quality, recipes, runs, session
from kgan.units import with_spread

COUNT = 1000


def measured(directory, refine):
    """The report of one run, which is also written into its directory."""
    run = session.Run.load(directory)
    model, settings = run.model, recipes.resolve(recipes.get(run.record["recipe"]), run.settings)
    real, _ = session.load_images(settings)
    features = quality.classifier(real)
    unseen = data.held_out(settings["data"], settings["split"], settings["image_size"]) or real
    images, labels = data.from_uint8(unseen.images[:COUNT]), unseen.labels[:COUNT]
    codes = model.sample_codes(COUNT, seed=0).numpy()
    generated = model.generate(codes)
    classes_generated = digits(features, generated)
    as_read, rebuilt = model.encode(generated), model.reconstruct(generated)

    def right(shown):
        return fraction(digits(features, shown) == labels)

    report = {
        "count": COUNT,
        "features": features.name,
        "device": runs.environment()["device"],
        "iterations": int(model.step),
        "refine": refine,
        "code_loss": {
            "l2": {"read": float(losses.code_l2(codes, as_read)), "guessing": guess(model, "l2")},
            "l1": {"read": float(losses.code_l1(codes, as_read)), "guessing": guess(model, "l1")},
        },
        "same_digit": {
            "real, not rebuilt": right(images),
            "real": right(model.reconstruct(images)),
            "generated": fraction(digits(features, rebuilt) == classes_generated),
            "generated, twice": fraction(digits(features, model.reconstruct(rebuilt)) == classes_generated),
        },
    }
    if refine:
        report["same_digit"]["real, refined"] = right(model.reconstruct(images, refine=refine))
    for how in data.DEGRADATIONS:
        shown, known = data.degrade(images, how)
        report["same_digit"] |= {
            how: right(shown),
            f"{how}, rebuilt": right(model.reconstruct(shown)),
        }
        if refine:
            refined = model.reconstruct(shown, refine=refine, known=known)
            report["same_digit"][f"{how}, refined"] = right(refined)
    runs.write_json(directory / "reconstruction.json", report)
    return report


def over_seeds(reports):
    """Mean and standard deviation of each number that all reports have."""
    if not isinstance(reports[0], dict):
        return {"value": statistics.mean(reports), "spread": statistics.stdev(reports) if len(reports) > 1 else None}
    kinds = (dict, float)
    return {
        name: over_seeds([report[name] for report in reports])
        for name, value in reports[0].items()
        if isinstance(value, kinds)
    }


def table(results):
    """In Markdown, a column for each folder of seeds: mean ± standard deviation."""
    columns = {
        name: {
            "code, sum of squares": means["code_loss"]["l2"]["read"],
            **{f"{case}, %": scaled(metric, 100) for case, metric in means["same_digit"].items()},
        }
        for name, means in results.items()
    }
    lines = [f"| | {' | '.join(columns)} |", f"| ---{' | ---' * len(columns)} |"]
    for row in next(iter(columns.values())):
        lines.append(f"| {row} | {' | '.join(with_spread(column[row]) for column in columns.values())} |")
    return "\n".join(lines)


def scaled(metric, factor):
    return {key: value and value * factor for key, value in metric.items()}


def digits(features, images):
    return features.probabilities(images).argmax(axis=1)


def guess(model, code_loss):
    return losses.code_loss_of_guessing(model.latent_dim, model.prior, code_loss)


def fraction(which):
    return float(np.mean(which))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, help="run directories, or folders of seeds")
    parser.add_argument(
        "--refine", type=int, default=100, help="gradient steps on codes; 0 leaves them out: minutes less"
    )
    parser.add_argument("--out", type=Path, help="a JSON file for the means over the seeds")
    arguments = parser.parse_args()
    means = {}
    for run in arguments.runs:
        seeds = sorted(run.glob("seed-*")) or [run]
        means[run.name] = over_seeds([measured(seed, arguments.refine) for seed in seeds]) | {"seeds": len(seeds)}
    if arguments.out:
        runs.write_json(arguments.out, {"count": COUNT, "results": means})
    print(table(means))
