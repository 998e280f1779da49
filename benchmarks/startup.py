"""Compare the duration of one reading in a new process with importing scikit-learn's estimators.

    python -m benchmarks.startup

Prints the median of ten runs of each command, taken in turns, and its ratio to the import.
"""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median

REPEATS = 10

PEER = ["-c", "import sklearn.svm, scipy.stats, sklearn.ensemble"]
READ = "from mnist_svm import Recognizer; Recognizer.load().read('images_test/3.png').label"
COMMANDS = {
    "import sklearn.svm, scipy.stats, sklearn.ensemble": PEER,
    "mnist-svm predict images_test/3.png": ["-m", "mnist_svm", "predict", "images_test/3.png"],
    "Recognizer.load() and one reading": ["-c", READ],
    "mnist-svm read docs/images/page.jpg": ["-m", "mnist_svm", "read", "docs/images/page.jpg"],
    "mnist-svm --help": ["-m", "mnist_svm", "--help"],
}


def duration(arguments: list[str]) -> float:
    """Return the seconds that a new Python process takes."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Print a line for each command."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(REPEATS):
        for name, arguments in COMMANDS.items():
            seconds[name].append(duration(arguments))
    peer = median(seconds[next(iter(COMMANDS))])
    for name in COMMANDS:
        print(f"{median(seconds[name]):6.2f} s  {median(seconds[name]) / peer:5.2f}  {name}")


if __name__ == "__main__":
    main()
