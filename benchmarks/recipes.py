"""Train each recipe from scratch and measure it once: the figures of the README's tables.

    python -m benchmarks.recipes                          MNIST, three seeds of each recipe
    python -m benchmarks.recipes --data FOLDER            another data set, one seed, beside SVC
    python -m benchmarks.recipes --recipe gradient        one recipe

Each training and each evaluation is a process of its own: what a user starts, with all that it
takes. Writes ``benchmarks/recipes.md`` or, for another data set, ``benchmarks/recipes_NAME.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from mnist_svm.models.recipes import RECIPES

HERE = Path(__file__).parent
COLUMNS = [
    "recipe",
    "errors by seed",
    "accuracy",
    "training",
    "memory",
    "support vectors",
    "model",
    "images/s",
]
HEADER = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}"

# Its parameters left as they are, but for pixels from 0 to 1, as any tutorial has it.
SVC = """
import json, sys
import numpy as np
from sklearn.svm import SVC
from mnist_svm import load_dataset
train, test = (load_dataset(sys.argv[1], split=split) for split in ("train", "test"))
machine = SVC().fit(train.X / 255, train.labels)
errors = int(np.count_nonzero(machine.predict(test.X / 255) != test.labels))
print(json.dumps({"errors": errors, "n": len(test.labels), "support": len(machine.support_)}))
"""


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--recipe", action="append", choices=list(RECIPES))
    parser.add_argument("--seeds", type=int)
    given = parser.parse_args()
    seeds = range(given.seeds or (3 if given.data == "mnist" else 1))
    rows = []
    for name in given.recipe or RECIPES:
        rows.append(_row(f"`{name}`", [_measure(name, given.data, seed) for seed in seeds]))
        print(rows[-1], flush=True)
    if given.data != "mnist":
        rows.append(_svc(given.data))
        print(rows[-1])
    if not given.recipe:
        suffix = "" if given.data == "mnist" else f"_{Path(given.data).name}"
        (HERE / f"recipes{suffix}.md").write_text("\n".join([HEADER, *rows, ""]))


def _measure(recipe: str, data: str, seed: int) -> dict[str, Any]:
    """Train a recipe and evaluate the model."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.joblib"
        options = ["--recipe", recipe, "--data", data, "--random-state", str(seed)]
        trained, seconds, peak = _run("-m", "mnist_svm", "train", *options, "-o", model, "--json")
        evaluated, _, _ = _run("-m", "mnist_svm", "eval", "-m", model, "--data", data, "--json")
    return {
        "errors": evaluated["errors"],
        "n": evaluated["n"],
        "seconds": seconds,
        "peak": peak,
        "support": trained["support_vectors"],
        "bytes": trained["bytes"],
        "speed": evaluated["images_per_second"],
    }


def _run(*arguments: object) -> tuple[dict[str, Any], float, int]:
    """What a Python process prints, the seconds it takes and the bytes at its peak."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *map(str, arguments)], stdout=subprocess.PIPE, cwd=HERE.parent
    )
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"failed: {arguments}")
    # Linux counts in KiB.
    return json.loads(said), time.perf_counter() - start, usage.ru_maxrss * 1024


def _row(name: str, of: list[dict[str, Any]]) -> str:
    """Errors of all seeds, the worst time, memory and speed; the rest is of the first seed."""
    errors = [result["errors"] for result in of]
    accuracy = 1 - errors[0] / of[0]["n"]
    cells = [
        name,
        ", ".join(map(str, errors)),
        f"{accuracy:.2%}",
        f"{max(result['seconds'] for result in of):.0f} s",
        f"{max(result['peak'] for result in of) / 2**30:.1f} GiB",
        f"{of[0]['support']:,}",
        f"{of[0]['bytes'] / 1e6:.1f} MB" if of[0]["bytes"] else "",
        f"{min(result['speed'] for result in of):,.0f}" if of[0]["speed"] else "",
    ]
    return f"| {' | '.join(cells)} |"


def _svc(data: str) -> str:
    result, seconds, peak = _run("-c", SVC, data)
    return _row(
        "`sklearn.svm.SVC` on pixels",
        [{**result, "seconds": seconds, "peak": peak, "bytes": 0, "speed": 0}],
    )


if __name__ == "__main__":
    main()
