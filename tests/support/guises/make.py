"""Write the collection: MNIST digits in the guises that people send, and numbers in rows.

    python tests/pictures/make.py FOLDER                       from the last 10,000 training digits
    python tests/pictures/make.py FOLDER --split test          from the test digits
    python tests/pictures/make.py FOLDER --count 20 --seed 7   fewer, and others

One folder a guise, the label first in a file's name: ``marker/7_00012.png``. The numbers of a page
come first in its name, from top to bottom: ``rows_on_a_page/153-20_00004.jpg``; where each of their
digits stands is in ``boxes.json`` of the same folder: from row to before row, column to column.
"""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed
from PIL import Image

from mnist_svm.datasets.load import load_dataset
from tests.support.guises.guises import GUISES, drawn, uci_digits
from tests.support.guises.lines import KINDS, Hands, drawn_lines

# What is tuned on training digits after these is trained on these.
KNOWN = 50_000

SUFFIXES = {"JPEG": ".jpg", "TIFF": ".tif"}


def main() -> None:
    """Write all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--split", choices=["development", "test"], default="development")
    parser.add_argument("--count", type=int, default=100, help="pictures of each guise")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    digits, first = load_dataset("mnist", split="test"), 0
    if given.split == "development":
        digits, first = load_dataset("mnist", split="train"), KNOWN
    images, labels = digits.images[first:], digits.labels[first:]
    jobs = [
        *(delayed(_write_guise)(given, name, images, labels) for name in GUISES),
        *(delayed(_write_lines)(given, kind, Hands(images, labels)) for kind in KINDS),
    ]
    Parallel(n_jobs=-1)(jobs)
    for index, (image, label) in enumerate(zip(*uci_digits())):
        write(given.folder / "uci", f"{label}_{index:05}", drawn("plain", image, index))


def evenly(n: int, count: int) -> npt.NDArray[np.intp]:
    """Indices of so many of n digits from all over the set, whose parts have other writers."""
    return np.linspace(0, n, min(count, n), endpoint=False, dtype=np.intp)


def write(folder: Path, beginning: str, file: bytes) -> Path:
    """Write a picture file, its name complete with what its format calls for."""
    kind = str(Image.open(io.BytesIO(file)).format)
    path = folder / f"{beginning}{SUFFIXES.get(kind, f'.{kind.lower()}')}"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file)
    return path


def _write_guise(
    given: argparse.Namespace,
    name: str,
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
) -> None:
    folder = given.folder / name.replace(" ", "_")
    for index in evenly(len(labels), given.count).tolist():
        file = drawn(name, images[index], index, seed=given.seed)
        write(folder, f"{labels[index]}_{index:05}", file)


def _write_lines(given: argparse.Namespace, kind: str, hands: Hands) -> None:
    folder, boxes = given.folder / kind.replace(" ", "_"), {}
    for index in range(given.count):
        page = drawn_lines(kind, hands, index, seed=given.seed)
        numbers = "-".join(row.text for row in page.rows)
        path = write(folder, f"{numbers}_{index:05}", page.file)
        boxes[path.name] = [{"number": row.text, "boxes": row.boxes} for row in page.rows]
    (folder / "boxes.json").write_text(json.dumps(boxes))


if __name__ == "__main__":
    main()
