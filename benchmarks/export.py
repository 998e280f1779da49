"""Compare exported models in onnxruntime with the models themselves: speed and predictions.

    pip install -e '.[onnx]' onnxruntime
    python -m benchmarks.export                 poly4 and gradient
    python -m benchmarks.export --recipe best   another recipe; writes nothing

Each recipe is trained on the 60,000 training images and exported. Model and onnxruntime then take
turns at classifying the 10,000 test images with all threads, onnxruntime in batches of 1,000.
Digits and probabilities are compared on test and training images. Writes ``benchmarks/export.md``.
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
Classifier = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", action="append", choices=list(RECIPES))
    arguments = parser.parse_args()
    table = [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    for recipe in arguments.recipe or ("poly4", "gradient"):
        with tempfile.TemporaryDirectory() as folder:
            table.append(row(recipe, Path(folder)))
        print(table[-1], flush=True)
    if not arguments.recipe:
        Path(__file__).with_suffix(".md").write_text("\n".join([*table, ""]))


def row(recipe: str, folder: Path) -> str:
    """Train, export, classify and compare."""
    model, exported = folder / "model.joblib", folder / "model.onnx"
    command("train", "--recipe", recipe, "-o", model)
    command("export", "--onnx", exported, "-m", model)
    recognizer, runtime = load_recognizer(model), load_runtime(exported)
    test, train = (load_dataset("mnist", split=split).images for split in ("test", "train"))
    speeds = [(speed(recognizer, test), speed(runtime, test)) for _ in range(TURNS)]
    both = np.concatenate([test, train])
    (expected_labels, expected), (labels, probabilities) = recognizer(both), runtime(both)
    differences = np.abs(probabilities - expected).max(axis=1)
    cells = [
        f"`{recipe}`",
        *(f"{path.stat().st_size / 1e6:.1f} MB" for path in (model, exported)),
        *(f"{median(column):,.0f}" for column in zip(*speeds, strict=True)),
        f"{median(of_runtime / of_model for of_model, of_runtime in speeds):.1f}",
        f"{np.count_nonzero(labels == expected_labels):,} of {len(both):,}",
        f"{differences.max():.6f}",
        f"{np.count_nonzero(differences > 1e-5):,} images",
    ]
    return f"| {' | '.join(cells)} |"


def command(*arguments: object) -> None:
    """Run a command in a separate process."""
    subprocess.run([sys.executable, "-m", "mnist_svm", *map(str, arguments)], check=True)


def load_recognizer(path: Path) -> Classifier:
    """Return a function that classifies with a model file."""
    recognizer = Recognizer.load(path)

    def classify(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        readings = recognizer.classify(images)
        return readings.labels, readings.probabilities

    return classify


def load_runtime(path: Path) -> Classifier:
    """Return a function that classifies with an ONNX file."""
    session = onnxruntime.InferenceSession(path)

    def classify(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        parts = [
            session.run(None, {"images": images[start : start + BATCH]})
            for start in range(0, len(images), BATCH)
        ]
        labels, probabilities = (np.concatenate(part) for part in zip(*parts, strict=True))
        return labels, probabilities

    return classify


def speed(classify: Classifier, images: np.ndarray) -> float:
    """Return images per second."""
    start = time.perf_counter()
    classify(images)
    return len(images) / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
