"""How long a user waits for `import kgan` and `kgan --help`: medians of whole processes.

python benchmarks/startup.py
"""

import platform
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import kgan": ["-c", "import kgan"],
    "kgan --help": ["-m", "kgan", "--help"],
    "kgan recipes": ["-m", "kgan", "recipes"],
}
ROUNDS = 11

seconds = {name: [] for name in COMMANDS}
for _ in range(ROUNDS):  # interleaved, so that a slow moment of the machine hits all alike
    for name, arguments in COMMANDS.items():
        began = time.perf_counter()
        subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
        seconds[name].append(time.perf_counter() - began)
print(f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}, median of {ROUNDS}")
for name, measured in seconds.items():
    print(f"{name:16} {statistics.median(measured):.3f} s   (from {min(measured):.3f} to {max(measured):.3f})")
