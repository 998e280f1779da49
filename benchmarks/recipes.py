"""Train and evaluate each recipe: accuracy, time, memory and rejection.

    python -m benchmarks.recipes                          MNIST and everyday forms, three seeds each
    python -m benchmarks.recipes --data FOLDER            another data set, one seed, and SVC
    python -m benchmarks.recipes --recipe gradient        one recipe; writes nothing

The recipes are those of SVMs alone; `benchmarks.networks` has the others. On MNIST, the everyday
forms of recipes are trained too, and all are also evaluated on the styles held out. Each training
and each evaluation is a separate process, whose times include the start of Python and all files
read and written. Writes ``benchmarks/recipes.md`` and ``benchmarks/rejection.md`` or, for another
data set, ``benchmarks/recipes_NAME.md``.
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

from mnist_svm.evaluation.measures import REJECTION_RATES
from mnist_svm.models.recipes import RECIPES

HERE = Path(__file__).parent
STYLES = "styles"
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

# The recipes measured here if none is named.
SVM_RECIPES = ("poly4", "virtual", "gradient", "best")

# Default parameters, on pixels from 0 to 1, as in most tutorials.
SVC = """
import json, sys
import numpy as np
from sklearn.svm import SVC
from mnist_svm import load_dataset
train, test = (load_dataset(sys.argv[1], split=split) for split in ("train", "test"))
svc = SVC().fit(train.X / 255, train.labels)
errors = int(np.count_nonzero(svc.predict(test.X / 255) != test.labels))
print(json.dumps({"errors": errors, "n": len(test.labels), "support": len(svc.support_)}))
"""


def main() -> None:
    """Measure, print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--recipe", action="append", choices=list(RECIPES))
    parser.add_argument("--seeds", type=int)
    arguments = parser.parse_args()
    seeds = range(arguments.seeds or (3 if arguments.data == "mnist" else 1))
    others = (STYLES,) if arguments.data == "mnist" else ()
    columns = COLUMNS[:3] + [f"errors on {name}" for name in others] + COLUMNS[3:]
    rows = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    rejection = _rejection_head()
    for name in arguments.recipe or SVM_RECIPES:
        forms = {f"`{name}`": (arguments.data,)}
        everyday = RECIPES[name].everyday
        if everyday and others:
            forms[f"`{name}`, everyday"] = everyday.data
        for form, data in forms.items():
            results = [_measure(name, data, others, seed) for seed in seeds]
            rows.append(_row(form, results))
            rejection.append(_rejection_row(form, results[0]))
            print(rows[-1], rejection[-1], sep="\n", flush=True)
    if arguments.data != "mnist":
        rows.append(_svc(arguments.data))
        print(rows[-1])
    if not arguments.recipe:
        suffix = "" if arguments.data == "mnist" else f"_{Path(arguments.data).name}"
        (HERE / f"recipes{suffix}.md").write_text("\n".join([*rows, ""]))
        if not suffix:
            (HERE / "rejection.md").write_text("\n".join([*rejection, ""]))


def _measure(
    recipe: str, data: tuple[str, ...], others: tuple[str, ...], seed: int
) -> dict[str, Any]:
    """Train a recipe and evaluate the model on the first data set, and on others."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.joblib"
        options = ["--recipe", recipe, "--random-state", str(seed), "-o", model, "--json"]
        sets = [word for name in data for word in ("--data", name)]
        trained, seconds, peak = _run("-m", "mnist_svm", "train", *options, *sets)
        evaluated, *on_others = (
            _run("-m", "mnist_svm", "eval", "-m", model, "--data", name, "--json")[0]
            for name in (data[0], *others)
        )
    return {
        "errors": evaluated["errors"],
        "n": evaluated["n"],
        "others": [f"{result['errors']} of {result['n']:,}" for result in on_others],
        "seconds": seconds,
        "peak": peak,
        "support": trained["n_support_vectors"],
        "bytes": trained["bytes"],
        "speed": evaluated["images_per_second"],
        "calibration": evaluated["expected_calibration_error"],
        "errors left": [point["errors"] for point in evaluated["rejection"]],
    }


def _run(*arguments: object) -> tuple[dict[str, Any], float, int]:
    """Run a Python process; return its JSON output, its seconds and its peak memory in bytes."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *map(str, arguments)], stdout=subprocess.PIPE, cwd=HERE.parent
    )
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"failed: {arguments}")
    # Linux counts in KiB.
    return json.loads(output), time.perf_counter() - start, usage.ru_maxrss * 1024


def _row(name: str, results: list[dict[str, Any]]) -> str:
    """Format a row: errors of all seeds, worst time, memory and speed, the rest of one seed."""
    first, errors = results[0], [result["errors"] for result in results]
    accuracy = 1 - errors[0] / first["n"]
    cells = [
        name,
        ", ".join(map(str, errors)),
        f"{accuracy:.2%}",
        *first["others"],
        f"{max(result['seconds'] for result in results):.0f} s",
        f"{max(result['peak'] for result in results) / 2**30:.1f} GiB",
        f"{first['support']:,}",
        f"{first['bytes'] / 1e6:.1f} MB" if first["bytes"] else "",
        f"{min(result['speed'] for result in results):,.0f}" if first["speed"] else "",
    ]
    return f"| {' | '.join(cells)} |"


def _rejection_head() -> list[str]:
    """Return the head of the table of the errors left if the least confident are rejected."""
    columns = ["recipe", "calibration error", "none rejected"]
    columns += [f"{share:.1%}" for share in REJECTION_RATES[1:]]
    return [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]


def _rejection_row(name: str, result: dict[str, Any]) -> str:
    cells = [name, f"{result['calibration']:.2%}", *map(str, result["errors left"])]
    return f"| {' | '.join(cells)} |"


def _svc(data: str) -> str:
    result, seconds, peak = _run("-c", SVC, data)
    return _row(
        "`sklearn.svm.SVC` on pixels",
        [{**result, "others": [], "seconds": seconds, "peak": peak, "bytes": 0, "speed": 0}],
    )


if __name__ == "__main__":
    main()
