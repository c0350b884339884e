"""Makes the models that come with the package from finished runs, and measures what their smaller weights cost.

    kgan train dcgan-mnist --set epochs=20 --out runs/dcgan-mnist
    python benchmarks/pretrained.py runs/dcgan-mnist runs/modern-mnist --out pretrained.json

Each run becomes `kgan/pretrained/RECIPE.npz`. The Fréchet distance, precision and recall of 10,000 samples are measured
before and after weights were rounded to 8 bits, for the same codes and by the same classifier. They go into --out, with
the command that makes the run again. Prints the table that stands in the manual.
"""

import argparse
from pathlib import Path

from ablation import measured

from kgan import pretrained, quality, recipes, runs
from kgan.cli import trained
from kgan.units import number

COUNT = 10_000
SHOWN = ("frechet", "precision", "recall")


def make(run, classifiers):
    """The result of one run, which is written into the package."""
    record, settings, real = runs.read_json(run / "run.json"), trained.settings(run), trained.labeled(run)
    name, model = record["recipe"], runs.load_model(run)
    path = pretrained.FOLDER / f"{name}.npz"
    kept = {"recipe": name, "settings": settings, "epochs": record["epochs"], "classes": trained.class_names(run)}
    pretrained.write(path, model, kept)
    data = settings["data"]
    classifiers[data] = classifiers.get(data) or quality.choose_features(real)
    before, after = (measured(each, real, classifiers[data], COUNT) for each in (model, pretrained.read(path)))
    return {
        "name": name,
        "command": command(name, settings),
        "kilobytes": round(path.stat().st_size / 1000),
        "before": {metric: before[metric] for metric in SHOWN},
        "after": {metric: after[metric] for metric in SHOWN},
    }


def command(name, settings):
    """What trains the run again."""
    usual = recipes.resolve(recipes.get(name), {})
    changes = [f"{each}={value}" for each, value in settings.items() if value != usual[each]]
    return runs.command("train", name, *(word for change in changes for word in ("--set", change)))


def table(results):
    """In Markdown; of each metric the value before and after the weights were rounded."""
    lines = [f"| name | size | made by | {' | '.join(SHOWN)} |", f"| --- | --- | --- {'| --- ' * len(SHOWN)}|"]
    for each in results:
        cells = [f"{number(each['before'][metric])} → {number(each['after'][metric])}" for metric in SHOWN]
        lines.append(f"| `{each['name']}` | {each['kilobytes']} kB | `{each['command']}` | {' | '.join(cells)} |")
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
