"""Dense and convolutional networks as images grow: what a step takes, and how many images a second are drawn.

    python benchmarks/sizes.py [--out sizes.png] [--sizes 28,64,128] [--batch-size 64]

A laboratory report on GANs and DCGANs in TensorFlow with CUDA finds that simple GANs train and draw faster than
convolutional ones, and that they lose more of their speed as the resolution grows. Networks and optimizers are those of
the recipes gan-mnist and dcgan-mnist, gray images; all take turns, and medians are shown.
"""

import argparse
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from kgan import networks, recipes, runs, speed

KINDS = {"dense": "gan-mnist", "convolutional": "dcgan-mnist"}

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--out", help="a PNG of the table; its numbers go into a JSON file next to it")
parser.add_argument("--sizes", default="28,64,128", help="height and width in pixels")
parser.add_argument("--batch-size", type=int, default=64)
arguments = parser.parse_args()
sizes = [int(size) for size in arguments.sizes.split(",")]


def new_model(kind, size):
    recipe = recipes.get(KINDS[kind])
    return recipes.build(recipe, recipes.resolve(recipe, {}), (size, size, 1))


names = [(kind, size) for size in sizes for kind in KINDS]
models = [new_model(*name) for name in names]
measured = {
    "ms a step": speed.milliseconds_a_step(models, [arguments.batch_size] * len(models)),
    "images a second, batch 1": speed.images_a_second(models, 1),
    "images a second, batch 64": speed.images_a_second(models, 64),
}
measured = {what: dict(zip(names, values, strict=True)) for what, values in measured.items()}

environment = runs.environment()
title = f"{environment['device']}, {environment['machine']}, TensorFlow {environment['tensorflow']}"
print(f"{title}; minibatches of {arguments.batch_size}, medians of turns")


def line(heading, values, form):
    print(f"{heading:40}" + "".join(f"{form.format(value):>16}" for value in values))


line("", [f"{size} × {size}" for size in sizes], "{}")
by_name = dict(zip(names, models, strict=True))
for network in ("generator", "discriminator"):
    for kind in KINDS:
        counts = [networks.multiply_adds(getattr(by_name[kind, size], network)) for size in sizes]
        line(f"multiply-adds, {kind} {network}", counts, "{:,}")
for what, values in measured.items():
    for kind in KINDS:
        line(f"{what}, {kind}", [values[kind, size] for size in sizes], "{:,.1f}")
    ratios = [values["convolutional", size] / values["dense", size] for size in sizes]
    line("    convolutional / dense", ratios, "{:.3g}")

if arguments.out:
    figure = Figure(figsize=(11, 4), layout="constrained")
    FigureCanvasAgg(figure)
    for axis, (what, values) in zip(figure.subplots(1, len(measured)), measured.items(), strict=True):
        for kind in KINDS:
            axis.plot(sizes, [values[kind, size] for size in sizes], marker="o", label=kind)
        axis.set(title=what, xlabel="pixels a side", xticks=sizes, yscale="log")
        axis.grid(alpha=0.3, which="both")
        axis.legend()
    figure.suptitle(title)
    with runs.replacing(arguments.out) as temporary:
        figure.savefig(temporary, dpi=100)
    by_size = {
        what: {f"{kind} {size}": values[kind, size] for kind, size in names} for what, values in measured.items()
    }
    generators = {f"{kind} {size}": networks.multiply_adds(by_name[kind, size].generator) for kind, size in names}
    report = {"machine": title, "multiply-adds of the generator": generators, **by_size}
    runs.write_json(Path(arguments.out).with_suffix(".json"), report)
    print(arguments.out)
