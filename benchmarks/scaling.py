"""What sharing a minibatch among several workers gains and costs: processes of one machine, on a core each.

    python benchmarks/scaling.py dcgan-mnist gan-mnist --out scaling.json

The whole minibatch stays the same, so with N workers each has an N-th of it. Each process computes on one core, with
one thread. If there are more processes than cores, several share a core: nothing can be gained then, and only the cost
of the exchange shows. Steps are executed one by one, and after each step the workers tell each other whether a signal
came. Bytes are those that the machine's loopback device counts. Nothing else should run.
"""

import argparse
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WARM_UP, STEPS = 5, 25


def worker(recipe, addresses, number, directory):
    """One process: prints its seconds a step, and the bytes of the gradients and of the loopback device."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[number % len(cores)]})
    if len(addresses) > 1:
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}}
        os.environ["TF_CONFIG"] = json.dumps(task)

    import kgan
    from kgan._backend import keras, tf

    tf.config.threading.set_intra_op_parallelism_threads(1)

    class Clock(keras.callbacks.Callback):
        """Notes when each step has ended, and how many bytes were sent until then."""

        def __init__(self):
            super().__init__()
            self.times, self.bytes = [], []

        def on_train_batch_end(self, batch, logs=None):
            float(logs["d_loss"])
            self.times.append(time.perf_counter())
            self.bytes.append(loopback_bytes())
            self.model.stop_training = len(self.times) == WARM_UP + STEPS

    clock = Clock()
    how = {"steps_per_execution": 1, "verbose": 0, "doctor": False, "out": directory / "run"}
    run = kgan.train(recipe, data="digits", callbacks=[clock], **how)
    gradients = 4 * sum(int(tf.size(weight)) for weight in run.model.trainable_weights)
    measured = {"seconds": median_step(clock.times), "loopback": median_step(clock.bytes), "gradients": gradients}
    print(json.dumps(measured))


def median_step(values):
    """The median difference from one step to the next; few steps are the first of an epoch."""
    pairs = zip(values[WARM_UP:-1], values[WARM_UP + 1 :], strict=True)
    return statistics.median(after - before for before, after in pairs)


def loopback_bytes():
    for line in Path("/proc/net/dev").read_text().splitlines():
        name, _, numbers = line.partition(":")
        if name.strip() == "lo":
            return int(numbers.split()[0])
    return 0


def measured(recipe, count):
    """The slowest process' seconds a step, and the bytes."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        addresses = [f"127.0.0.1:{opened.getsockname()[1]}" for opened in sockets]
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, __file__, recipe, "--addresses", ",".join(addresses), "--directory", directory]
        processes = [
            subprocess.Popen([*command, "--number", str(number)], stdout=subprocess.PIPE, text=True)
            for number in range(count)
        ]
        found = [json.loads(process.communicate(timeout=600)[0].splitlines()[-1]) for process in processes]
    return max(found, key=lambda result: result["seconds"])


def table(results):
    """In Markdown; efficiency is the gain over one process on one core, divided by the cores that are used."""
    lines = ["| recipe | workers | cores | ms a step | gain | efficiency | gradients | exchanged |"]
    lines.append("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for recipe in dict.fromkeys(each["recipe"] for each in results):
        rows = [each for each in results if each["recipe"] == recipe]
        for each in rows:
            gain, megabyte = rows[0]["seconds"] / each["seconds"], 2**20
            cells = [f"`{recipe}`", each["workers"], each["cores"], f"{1000 * each['seconds']:.0f}", f"{gain:.2f}"]
            cells += [f"{100 * gain / each['cores']:.0f} %", f"{each['gradients'] / megabyte:.1f} MiB"]
            cells += [f"{each['loopback'] / megabyte:.1f} MiB"]
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="+")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--rounds", type=int, default=3, help="of which the median counts")
    parser.add_argument("--out", type=Path, help="a JSON file that keeps the results")
    parser.add_argument("--addresses", help=argparse.SUPPRESS)
    parser.add_argument("--number", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--directory", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.addresses:
        worker(arguments.recipes[0], arguments.addresses.split(","), arguments.number, arguments.directory)
        sys.exit()
    cores, rounds = len(os.sched_getaffinity(0)), {}
    for _ in range(arguments.rounds):
        for recipe in arguments.recipes:
            for count in arguments.workers:
                rounds.setdefault((recipe, count), []).append(measured(recipe, count))
    results = []
    for (recipe, count), each in rounds.items():
        middle = sorted(each, key=lambda result: result["seconds"])[len(each) // 2]
        results.append({"recipe": recipe, "workers": count, "cores": min(count, cores), **middle})
    if arguments.out:
        from kgan import runs

        runs.write_json(arguments.out, {"machine": runs.environment(), "results": results})
    print(table(results))
