"""Write a collection of pictures: MNIST digits in all guises, and pages of numbers.

    python -m tests.support.guises.make FOLDER                 from the last 10,000 training digits
    python -m tests.support.guises.make FOLDER --split test    from the test digits
    python -m tests.support.guises.make FOLDER --count 20 --seed 7

There is a folder for each guise; a file name begins with the label: ``marker/7_00012.png``. The
file name of a page begins with its numbers from top to bottom: ``rows_on_a_page/153-20_00004.jpg``.
``boxes.json`` in the same folder has the box of each digit: top, bottom, left, right, with bottom
and right excluded.
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
from tests.support.guises.guises import GUISES, load_uci_digits, render_guise
from tests.support.guises.lines import KINDS, Writers, render_page

# Training digits for models; the others are for development.
N_TRAINING = 50_000

SUFFIXES = {"JPEG": ".jpg", "TIFF": ".tif"}


def main() -> None:
    """Write the collection."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--split", choices=["development", "test"], default="development")
    parser.add_argument("--count", type=int, default=100, help="pictures of each guise")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    digits, first = load_dataset("mnist", split="test"), 0
    if arguments.split == "development":
        digits, first = load_dataset("mnist", split="train"), N_TRAINING
    images, labels = digits.images[first:], digits.labels[first:]
    jobs = [
        *(delayed(_write_guise)(arguments, name, images, labels) for name in GUISES),
        *(delayed(_write_lines)(arguments, kind, Writers(images, labels)) for kind in KINDS),
    ]
    Parallel(n_jobs=-1)(jobs)
    for index, (image, label) in enumerate(zip(*load_uci_digits())):
        write(arguments.folder / "uci", f"{label}_{index:05}", render_guise("plain", image, index))


def spread_indices(n: int, count: int) -> npt.NDArray[np.intp]:
    """`count` evenly spaced indices below n, because parts of MNIST have different writers."""
    return np.linspace(0, n, min(count, n), endpoint=False, dtype=np.intp)


def write(folder: Path, stem: str, file: bytes) -> Path:
    """Write a picture file with the suffix of its format; return its path."""
    kind = str(Image.open(io.BytesIO(file)).format)
    path = folder / f"{stem}{SUFFIXES.get(kind, f'.{kind.lower()}')}"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file)
    return path


def _write_guise(
    arguments: argparse.Namespace,
    name: str,
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
) -> None:
    folder = arguments.folder / name.replace(" ", "_")
    for index in spread_indices(len(labels), arguments.count).tolist():
        file = render_guise(name, images[index], index, seed=arguments.seed)
        write(folder, f"{labels[index]}_{index:05}", file)


def _write_lines(arguments: argparse.Namespace, kind: str, writers: Writers) -> None:
    folder, boxes = arguments.folder / kind.replace(" ", "_"), {}
    for index in range(arguments.count):
        page = render_page(kind, writers, index, seed=arguments.seed)
        numbers = "-".join(row.text for row in page.rows)
        path = write(folder, f"{numbers}_{index:05}", page.file)
        boxes[path.name] = [{"number": row.text, "boxes": row.boxes} for row in page.rows]
    (folder / "boxes.json").write_text(json.dumps(boxes))


if __name__ == "__main__":
    main()
