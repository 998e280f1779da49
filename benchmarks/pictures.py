"""Accuracy on pictures of digits in every guise, in boxes, and on pages of numbers.

    python -m benchmarks.pictures                  test digits, model trained on all training digits
                                                   and, in a recipe's everyday form, other data sets
    python -m benchmarks.pictures --development    the last 10,000 training digits, model trained on
                                                   the others; use this one for tuning
    python -m benchmarks.pictures --model FILE     test digits, an existing model
    python -m benchmarks.pictures --guise marker   a single guise

Each guise is rendered from the same digits, evenly spaced in the split. Pictures are read as a user
reads them, `PICTURES_PER_TASK` together; the milliseconds are the processor time of all of it, with
decoding. A run with all guises of the test digits and a recipe writes ``benchmarks/pictures.md``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed, parallel_config
from scipy.stats import binomtest

from mnist_svm.datasets.load import load_dataset
from mnist_svm.datasets.types import Dataset
from mnist_svm.models.file import Model, load_model
from mnist_svm.models.recipes import RECIPES
from mnist_svm.recognition.recognizer import Recognizer
from mnist_svm.training.train import train_model
from tests.support.guises.cells import GAPS, HEIGHT, MARGINS, render_cell
from tests.support.guises.guises import GUISES, load_uci_digits, render_guise
from tests.support.guises.lines import KINDS, Page, Writers, render_page
from tests.support.guises.make import N_TRAINING, spread_indices, write

# Pages of each kind; pictures for each gap and margin of a box.
N_PAGES, N_CELLS = 500, 100

# Pictures that a process renders and reads together.
PICTURES_PER_TASK = 50

# Name of the 1,797 UCI digits of 8 x 8 pixels, in place of MNIST's.
UCI = "UCI digits, 8 x 8"

GUISE_HEADER = """\
| guise | pictures | right | 95 % interval | less than plain | unreadable | ms a picture |
|---|---|---|---|---|---|---|"""

PAGE_HEADER = """\
| numbers | pages | numbers | right | 95 % interval | of the right length |
|---|---|---|---|---|---|"""


# Called with a digit, its index and the seed; returns a picture file.
Render = Callable[..., bytes]


class Pictures(NamedTuple):
    """What was read on n pictures: labels, -1 where one could not be read; and seconds of all."""

    labels: np.ndarray
    seconds: float

    @property
    def readable(self) -> np.ndarray:
        """Which could be read: bool of shape (n,)."""
        return self.labels >= 0


def main() -> None:
    """Measure, print and write the tables."""
    arguments = _parse_arguments()
    recognizer, digits = _load(arguments)
    lines = [_guise_table(recognizer, digits, arguments)]
    if not arguments.guise:
        lines.append(_cell_table(recognizer, digits, arguments))
        lines.append(_page_table(recognizer, digits, arguments.seed))
    table = []
    for line in chain(*lines):
        print(line, flush=True)
        table.append(line)
    if not (arguments.guise or arguments.development or arguments.model):
        title = f"Test digits in many guises, read by the recipe `{arguments.recipe}`."
        Path(__file__).with_suffix(".md").write_text("\n".join([title, "", *table, ""]))


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--development", action="store_true", help="use training digits only")
    source.add_argument("--model", type=Path, help="model file, in place of a recipe")
    parser.add_argument("--recipe", choices=list(RECIPES), default="gradient")
    parser.add_argument("--guise", action="append", choices=[*GUISES, UCI], metavar="NAME")
    parser.add_argument("--count", type=int, default=1000, help="pictures of each guise")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--misread", type=Path, help="folder for the misclassified pictures")
    return parser.parse_args()


def _load(arguments: argparse.Namespace) -> tuple[Recognizer, Dataset]:
    """A recognizer, and digits that its model was not trained on."""
    if arguments.model:
        return Recognizer(load_model(arguments.model)), load_dataset("mnist", split="test")
    recipe = RECIPES[arguments.recipe]
    others = recipe.everyday.data[1:] if recipe.everyday else ()
    mnist = load_dataset("mnist", split="train")
    if arguments.development:
        digits = _part(mnist, slice(N_TRAINING, None))
        mnist = _part(mnist, slice(N_TRAINING))
    else:
        digits = load_dataset("mnist", split="test")
    names, weights = zip(("mnist", 1), *map(_parse_source, others))
    datasets = [mnist, *map(load_dataset, names[1:])]
    return Recognizer(train_model(recipe, Dataset.concatenate(datasets, weights))), digits


def _parse_source(source: str) -> tuple[str, float]:
    name, _, weight = source.partition(":")
    return name, float(weight or 1)


def _part(digits: Dataset, part: slice) -> Dataset:
    return replace(digits, images=digits.images[part], labels=digits.labels[part])


# --- guises ------------------------------------------------------------------------------


def _guise_table(
    recognizer: Recognizer, digits: Dataset, arguments: argparse.Namespace
) -> Iterator[str]:
    yield GUISE_HEADER
    indices = spread_indices(len(digits.labels), arguments.count)
    images, labels = digits.images[indices], digits.labels[indices]
    # UCI digits come last, because they replace MNIST's.
    names = sorted(arguments.guise or [*GUISES, UCI], key=lambda name: name == UCI)
    plain = None
    for name in ["plain", *(name for name in names if name != "plain")]:
        guise = name
        if name == UCI:
            guise, (images, labels), plain = "plain", load_uci_digits(), None
            indices = np.arange(len(labels))
        render = partial(render_guise, guise)
        pictures = _read_all(recognizer, render, images, indices, arguments.seed)
        correct = pictures.labels == labels
        plain = correct if name == "plain" else plain
        yield _guise_row(name, correct, plain, pictures)
        if arguments.misread:
            for k in np.flatnonzero(~correct):
                file = render_guise(guise, images[k], int(indices[k]), seed=arguments.seed)
                label = pictures.labels[k] if pictures.readable[k] else "unreadable"
                stem = f"{labels[k]}_as_{label}_{indices[k]:05}"
                write(arguments.misread / name.replace(" ", "_"), stem, file)


def _read_all(
    recognizer: Recognizer, render: Render, images: np.ndarray, indices: np.ndarray, seed: int
) -> Pictures:
    starts = range(0, len(images), PICTURES_PER_TASK)
    blocks = [slice(start, start + PICTURES_PER_TASK) for start in starts]
    with parallel_config(backend="loky", inner_max_num_threads=1):
        results = Parallel(n_jobs=-1)(
            delayed(_read_block)(recognizer.model, render, images[block], indices[block], seed)
            for block in blocks
        )
    return Pictures(
        np.concatenate([result.labels for result in results]),
        sum(result.seconds for result in results),
    )


def _read_block(
    model: Model, render: Render, images: np.ndarray, indices: np.ndarray, seed: int
) -> Pictures:
    """Render digits, and read the pictures together."""
    recognizer = Recognizer(model, n_jobs=1).prepare()
    files = [render(image, index, seed=seed) for image, index in zip(images, indices.tolist())]
    start = time.process_time()
    readings = list(recognizer.read(files))
    seconds = time.process_time() - start
    return Pictures(
        np.array([-1 if reading.error else reading.label for reading in readings]), seconds
    )


def _guise_row(name: str, correct: np.ndarray, plain: np.ndarray | None, pictures: Pictures) -> str:
    milliseconds = 1000 * pictures.seconds / len(correct)
    unreadable = np.count_nonzero(~pictures.readable)
    cells = [
        name,
        f"{len(correct):,}",
        *_share(int(correct.sum()), len(correct)),
        "" if plain is None or plain is correct else _loss(plain, correct),
        str(unreadable),
        f"{milliseconds:.1f}",
    ]
    return f"| {' | '.join(cells)} |"


def _share(part: int, whole: int) -> tuple[str, str]:
    """A share in per cent, and its 95 % Wilson interval."""
    interval = binomtest(part, whole).proportion_ci(0.95, method="wilson")
    return f"{part / whole:.1%}", f"{interval.low:.1%} to {interval.high:.1%}"


def _loss(plain: np.ndarray, correct: np.ndarray) -> str:
    """Loss of accuracy on the same digits, in percentage points, with its 95 % interval."""
    lost = plain.astype(int) - correct
    return f"{100 * lost.mean():.1f} ± {100 * 1.96 * lost.std() / len(lost) ** 0.5:.1f}"


# --- digits in boxes ---------------------------------------------------------------------


def _cell_table(
    recognizer: Recognizer, digits: Dataset, arguments: argparse.Namespace
) -> Iterator[str]:
    """Digits read in boxes: a row for each gap within, a column for each margin outside."""
    count = min(N_CELLS, arguments.count)
    yield f"\nDigits in boxes, right of {count}; pixels for digits {HEIGHT} high."
    yield f"\n| gap, margin | {' | '.join(map(str, MARGINS))} |"
    yield "|---" * (len(MARGINS) + 1) + "|"
    indices = spread_indices(len(digits.labels), count)
    images, labels = digits.images[indices], digits.labels[indices]
    for gap in GAPS:
        cells = []
        for margin in MARGINS:
            render = partial(render_cell, gap, margin)
            pictures = _read_all(recognizer, render, images, indices, arguments.seed)
            cells.append(str(np.count_nonzero(pictures.labels == labels)))
        yield f"| {gap} | {' | '.join(cells)} |"


# --- pages of numbers --------------------------------------------------------------------


def _page_table(recognizer: Recognizer, digits: Dataset, seed: int) -> Iterator[str]:
    yield f"\n{PAGE_HEADER}"
    writers = Writers(digits.images, digits.labels)
    for kind in KINDS:
        pages = [render_page(kind, writers, index, seed=seed) for index in range(N_PAGES)]
        yield _page_row(kind, pages, [_read_numbers(recognizer, page.file) for page in pages])


def _read_numbers(recognizer: Recognizer, file: bytes) -> list[str]:
    """The numbers of a page from top to bottom, digits only."""
    rows = recognizer.read_page(file).rows
    return ["".join(str(digit.label) for digit in row.digits) for row in rows]


def _page_row(kind: str, pages: list[Page], predicted: list[list[str]]) -> str:
    texts = [[row.text for row in page.rows] for page in pages]
    total = sum(map(len, texts))
    n_correct = sum(map(_count_matching, texts, predicted))
    n_correct_lengths = sum(
        _count_matching(list(map(len, text)), list(map(len, numbers)))
        for text, numbers in zip(texts, predicted)
    )
    cells = [kind, f"{len(pages):,}", f"{total:,}", *_share(n_correct, total)]
    return f"| {' | '.join(cells)} | {n_correct_lengths / total:.1%} |"


def _count_matching(first: Sequence[object], second: Sequence[object]) -> int:
    """Number of elements that match in order, so that an extra row costs no other."""
    blocks = SequenceMatcher(None, first, second, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks)


if __name__ == "__main__":
    main()
