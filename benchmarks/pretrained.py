"""Makes the models that come with the package from finished runs, and measures what their smaller weights cost.

    kgan train dcgan-mnist --set epochs=20 --out runs/dcgan-mnist
    python benchmarks/pretrained.py runs/dcgan-mnist runs/modern-mnist --out pretrained.json

Each run becomes `kgan/pretrained/RECIPE.npz`. The Fréchet distance, precision and recall of 10,000 samples are measured
before and after the weights are rounded to 8 bits, with the same codes and the same classifier. They go into --out,
with the command that trains the model again. Prints the table of the manual.
"""

import argparse
from pathlib import Path

from ablation import measured

from kgan import pretrained, quality, recipes, runs, session
from kgan.units import number

COUNT = 10_000
SHOWN = ("frechet", "precision", "recall")


def make(directory, classifiers):
    """Write the model of one run into the package, and return its result."""
    run = session.Run.load(directory)
    record = run.record
    name = record["recipe"]
    settings = recipes.resolve(recipes.get(name), run.settings)
    path = pretrained.FOLDER / f"{name}.npz"
    kept = {"recipe": name, "settings": settings, "epochs": record["epochs"], "classes": record.get("classes", [])}
    pretrained.write(path, run.model, kept)
    real, _ = session.load_images(settings)
    data = settings["data"]
    classifiers[data] = classifiers.get(data) or quality.choose_features(real)
    models = run.model, pretrained.read(path)
    before, after = (measured(model, real, classifiers[data], COUNT) for model in models)
    return {
        "name": name,
        "command": command(name, settings),
        "kilobytes": round(path.stat().st_size / 1000),
        "before": {metric: before[metric] for metric in SHOWN},
        "after": {metric: after[metric] for metric in SHOWN},
    }


def command(name, settings):
    """The command that trains the model again."""
    usual = recipes.resolve(recipes.get(name), {})
    changes = [f"{setting}={value}" for setting, value in settings.items() if value != usual[setting]]
    return runs.command("train", name, *(word for change in changes for word in ("--set", change)))


def table(results):
    """In Markdown: the value of each metric before and after the weights were rounded."""
    lines = [f"| name | size | made by | {' | '.join(SHOWN)} |", f"| --- | --- | --- {'| --- ' * len(SHOWN)}|"]
    for result in results:
        cells = [f"{number(result['before'][metric])} → {number(result['after'][metric])}" for metric in SHOWN]
        lines.append(f"| `{result['name']}` | {result['kilobytes']} kB | `{result['command']}` | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--out", type=Path, required=True, help="a JSON file for the results")
    arguments = parser.parse_args()
    classifiers = {}
    results = [make(run, classifiers) for run in arguments.runs]
    runs.write_json(arguments.out, {"count": COUNT, "machine": runs.environment(), "results": results})
    print(table(results))
