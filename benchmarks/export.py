"""An exported model under onnxruntime beside the model itself, in one run.

    pip install -e '.[onnx]' onnxruntime
    python -m benchmarks.export                 poly4 and gradient
    python -m benchmarks.export --recipe best   another recipe; writes nothing

Each recipe is trained on the 60,000 training images and exported. Both then read the 10,000 test
images, in turns, with all threads, onnxruntime a thousand at a time. Digits and probabilities are
compared on the training images as well. Writes ``benchmarks/export.md``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import onnxruntime

from mnist_svm import Recognizer, load_dataset
from mnist_svm.models.recipes import RECIPES

HERE = Path(__file__).parent
TURNS = 7
BATCH = 1000
COLUMNS = [
    "recipe",
    "model file",
    "ONNX file",
    "images/s",
    "under onnxruntime",
    "ratio",
    "digits that agree",
    "largest difference",
    "over 0.00001",
]

# From images to labels and probabilities.
Read = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", action="append", choices=list(RECIPES))
    given = parser.parse_args()
    table = [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    for recipe in given.recipe or ("poly4", "gradient"):
        with tempfile.TemporaryDirectory() as folder:
            table.append(row(recipe, Path(folder)))
        print(table[-1], flush=True)
    if not given.recipe:
        Path(__file__).with_suffix(".md").write_text("\n".join([*table, ""]))


def row(recipe: str, folder: Path) -> str:
    """Train, export, read and compare."""
    model, exported = folder / "model.joblib", folder / "model.onnx"
    command("train", "--recipe", recipe, "-o", model)
    command("export", "--onnx", exported, "-m", model)
    ours, theirs = reader_of(model), runtime_of(exported)
    test, train = (load_dataset("mnist", split=split).images for split in ("test", "train"))
    speeds = [(speed(ours, test), speed(theirs, test)) for _ in range(TURNS)]
    both = np.concatenate([test, train])
    (labels, expected), (found, probabilities) = ours(both), theirs(both)
    apart = np.abs(probabilities - expected).max(axis=1)
    cells = [
        f"`{recipe}`",
        *(f"{path.stat().st_size / 1e6:.1f} MB" for path in (model, exported)),
        *(f"{median(column):,.0f}" for column in zip(*speeds, strict=True)),
        f"{median(theirs / ours for ours, theirs in speeds):.1f}",
        f"{np.count_nonzero(labels == found):,} of {len(both):,}",
        f"{apart.max():.6f}",
        f"{np.count_nonzero(apart > 1e-5):,} images",
    ]
    return f"| {' | '.join(cells)} |"


def command(*arguments: object) -> None:
    """Run the command line in a process of its own."""
    subprocess.run([sys.executable, "-m", "mnist_svm", *map(str, arguments)], check=True)


def reader_of(path: Path) -> Read:
    """What reads with a model file."""
    recognizer = Recognizer.load(path)

    def read(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        readings = recognizer.classify(images)
        return readings.labels, readings.confidences

    return read


def runtime_of(path: Path) -> Read:
    """What reads with an ONNX file."""
    session = onnxruntime.InferenceSession(path)

    def read(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        parts = [
            session.run(None, {"images": images[start : start + BATCH]})
            for start in range(0, len(images), BATCH)
        ]
        labels, probabilities = (np.concatenate(part) for part in zip(*parts, strict=True))
        return labels, probabilities

    return read


def speed(read: Read, images: np.ndarray) -> float:
    """Images per second."""
    start = time.perf_counter()
    read(images)
    return len(images) / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
