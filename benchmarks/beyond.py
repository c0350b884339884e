"""Where more devices stop paying: the exchange of gradients against the computing, for the networks here.

    python benchmarks/beyond.py --out docs/papers/results/scaling/beyond.json

Computed, from the step times in `kgan/recipes/times.py` and the sizes of the networks. N devices that share a minibatch
each compute an N-th of it, and exchange the gradients of both networks in a ring (Patarasuk and Yuan 2009): each
sends 2 (N - 1) / N times their bytes, in 2 (N - 1) messages one after the other.
"""

import argparse
import re
from pathlib import Path

from kgan import recipes, runs
from kgan._backend import keras
from kgan.recipes import times

RECIPES = ("gan-mnist", "dcgan-mnist", "dcgan-flowers", "dcgan-cifar10")
DEVICES = (8, 64, 1000)
FASTER = 50  # a GPU than 2 CPU cores; assumed
BYTES_A_SECOND = 10e9 / 8  # a network of 10 Gbit/s
SECONDS_A_MESSAGE = 50e-6


def sizes(name):
    """What is exchanged, kept and computed in a step."""
    recipe = recipes.get(name)
    settings = recipes.resolve(recipe, {})
    size, channels = settings["image_size"], 1 if "mnist" in name else 3
    model = recipes.build(recipe, settings, (size, size, channels), 0, 1)
    return {
        "recipe": name,
        "batch": settings["batch_size"],
        "image": size * size * channels,  # bytes
        "gradients": 4 * sum(weight.numpy().size for weight in model.trainable_weights),
        "checkpoint": sum(each.numpy().nbytes for each in model.training_state),
        "seconds": step_seconds(name),
    }


def step_seconds(name):
    """As it stands beside the recipe's time."""
    line = next(line for line in Path(times.__file__).read_text().splitlines() if line.strip().startswith(f'"{name}":'))
    return float(re.search(r"of ([\d.,]+) ms", line)[1].replace(",", "")) / 1000


def gain(each, devices, faster=1.0, is_shared=True):
    """How many times as many images a second so many devices see as one, which is `faster` than what was measured.

    Args:
        is_shared: whether they share a minibatch; otherwise each has a whole one, and a step is of all of them.
    """
    seconds = each["seconds"] / faster
    messages = 2 * (devices - 1)
    exchange = messages / devices * each["gradients"] / BYTES_A_SECOND + messages * SECONDS_A_MESSAGE
    return seconds / (seconds / devices + exchange) if is_shared else devices * seconds / (seconds + exchange)


def table(results):
    """In Markdown."""
    devices = [f"{count:,}" for count in DEVICES]
    head = ["recipe", "gradients", "checkpoint", "images a second", "minibatch", *devices]
    head += [f"{count} GPUs" for count in devices]
    lines = [f"| {' | '.join(head)} |", "| --- " * len(head) + "|"]
    for each in results:
        rate = each["batch"] / each["seconds"]
        cells = [f"`{each['recipe']}`", f"{each['gradients'] / 1e6:.1f} MB", f"{each['checkpoint'] / 1e6:.0f} MB"]
        cells.append(f"{rate:,.0f} of {each['image'] / 1000:.1f} kB")
        for is_shared in (True, False):
            gains = []
            for faster in (1, FASTER):
                for count in DEVICES:
                    is_possible = count <= each["batch"] or not is_shared
                    gains.append(f"{gain(each, count, faster, is_shared):,.1f}" if is_possible else "")
            lines.append(f"| {' | '.join([*cells, 'shared' if is_shared else 'one each', *gains])} |")
            cells = [""] * len(cells)
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="a JSON file")
    arguments = parser.parse_args()
    results = []
    for name in RECIPES:
        results.append(sizes(name))
        keras.backend.clear_session()
    if arguments.out:
        runs.write_json(arguments.out, {"machine": times.MACHINE, "results": results})
    print(table(results))
