"""How often a CodeGAN's reconstruction is the same digit, and how well it reads codes.

    python benchmarks/reconstruction.py runs/codegan-mnist

By the classifier of the run's own data (`kgan.quality.classifier`), on 1,000 images that the run was not trained on
where there are any, and on 1,000 generated ones. Writes `reconstruction.json` into the run directory.
"""

import json
import sys
from pathlib import Path

import numpy as np

from kgan import data, losses, quality, runs
from kgan.cli import trained

COUNT, REFINE = 1000, 100


def main(run):
    model, settings, real = runs.load_model(run), trained.settings(run), trained.labelled(run)
    features = quality.classifier(real)
    unseen = data.held_out(settings["data"], settings["split"], settings["image_size"]) or real
    images, labels = data.from_uint8(unseen.images[:COUNT]), unseen.labels[:COUNT]
    codes = model.sample_codes(COUNT, seed=0).numpy()
    generated = model.generate(codes)
    classes_generated = digits(features, generated)
    as_read, rebuilt = model.encode(generated), model.reconstruct(generated)
    report = {
        "count": COUNT,
        "features": features.name,
        "device": runs.environment()["device"],
        "iterations": int(model.step),
        "refine": REFINE,
        "code_loss": {
            "l2": {"read": float(losses.code_l2(codes, as_read)), "guessing": guess(model, "l2")},
            "l1": {"read": float(losses.code_l1(codes, as_read)), "guessing": guess(model, "l1")},
        },
        "same_digit": {
            "real, not rebuilt": fraction(digits(features, images) == labels),
            "real": fraction(digits(features, model.reconstruct(images)) == labels),
            "real, refined": fraction(digits(features, model.reconstruct(images, refine=REFINE)) == labels),
            "generated": fraction(digits(features, rebuilt) == classes_generated),
            "generated, twice": fraction(digits(features, model.reconstruct(rebuilt)) == classes_generated),
        },
    }
    runs.write_json(run / "reconstruction.json", report)
    print(json.dumps(report, indent=2))


def digits(features, images):
    return features.probabilities(images).argmax(axis=1)


def guess(model, code_loss):
    return losses.code_loss_of_guessing(model.latent_dim, model.prior, code_loss)


def fraction(which):
    return float(np.mean(which))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
