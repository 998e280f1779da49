"""Read digits in every guise that people send them in.

    python -m benchmarks.pictures                  the test digits, by a model trained on all others
    python -m benchmarks.pictures --development    the last 10,000 training digits, by the others
    python -m benchmarks.pictures --model FILE     the test digits, by a model of one's own
    python -m benchmarks.pictures --guise marker   one guise

Each guise is drawn from the same digits, evenly taken from all of the split, and read as a file is:
decoded, brought into MNIST form, classified; the milliseconds are what the first two take of one
processor. What is tuned is tuned with ``--development``. All guises of the test digits, read by a
recipe, make ``benchmarks/pictures.md``.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed, parallel_config
from scipy.stats import binomtest

from mnist_svm.constants import IMAGE_SIDE
from mnist_svm.datasets.load import Dataset, load_dataset
from mnist_svm.exceptions import PictureError
from mnist_svm.models.file import load_model
from mnist_svm.models.recipes import RECIPES
from mnist_svm.pictures.decode import decode
from mnist_svm.pictures.normalize import normalize
from mnist_svm.recognition.recognizer import Recognizer
from mnist_svm.training.train import train_model
from tests.support.guises.guises import GUISES, drawn, uci_digits
from tests.support.guises.lines import KINDS, Hands, Page, drawn_lines
from tests.support.guises.make import KNOWN, evenly, write

# Pages of each kind.
LINES = 500

# Pictures that a process draws and reads at a time.
CHUNK = 50

# Another 1,797 digits than MNIST's, of 8 x 8 pixels.
UCI = "UCI digits, 8 x 8"

HEADER = """\
| guise | pictures | right | 95 % interval | less than plain | unreadable | ms a picture |
|---|---|---|---|---|---|---|"""

LINES_HEADER = """\
| numbers | pages | numbers | right | 95 % interval | of the right length |
|---|---|---|---|---|---|"""

# What reads the file of a page: its numbers, from top to bottom.
Read = Callable[[bytes], Sequence[str]]


class Seen(NamedTuple):
    """A picture as the classifier sees it.

    ``image`` is uint8 of shape (28, 28), blank if the picture is unreadable.
    """

    image: np.ndarray
    readable: bool
    seconds: float


def main() -> None:
    """Measure, print and write the table."""
    given = _arguments()
    model, digits = _prepared(given)
    table = []
    lines = () if given.guise else of_lines(_numbers(model), digits, count=LINES, seed=given.seed)
    for line in chain(_guises(model, digits, given), lines):
        print(line, flush=True)
        table.append(line)
    if not (given.guise or given.development or given.model):
        told = f"Test digits in many guises, read by the recipe `{given.recipe}`."
        Path(__file__).with_suffix(".md").write_text("\n".join([told, "", *table, ""]))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--development", action="store_true")
    which.add_argument("--model", type=Path)
    parser.add_argument("--recipe", choices=list(RECIPES), default="gradient")
    parser.add_argument("--guise", action="append", choices=[*GUISES, UCI], metavar="NAME")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--misread", type=Path, help="a folder for the files that are misread")
    return parser.parse_args()


def _prepared(given: argparse.Namespace) -> tuple[Recognizer, Dataset]:
    """What reads, and digits that it has not seen."""
    if given.model:
        return Recognizer(load_model(given.model)), load_dataset("mnist", split="test")
    train = load_dataset("mnist", split="train")
    if given.development:
        known, digits = (_part(train, part) for part in (slice(KNOWN), slice(KNOWN, None)))
    else:
        known, digits = train, load_dataset("mnist", split="test")
    return Recognizer(train_model(RECIPES[given.recipe], known)), digits


def _numbers(model: Recognizer) -> Read:
    """What reads the numbers of a page with a model."""

    def read(file: bytes) -> list[str]:
        try:
            rows = model.read_page(decode(io.BytesIO(file)).grey)
        except PictureError:
            return []
        return ["".join(str(digit.label) for digit in row) for row in rows]

    return read


def _part(digits: Dataset, which: slice | np.ndarray) -> Dataset:
    return replace(digits, images=digits.images[which], labels=digits.labels[which])


# --- guises ------------------------------------------------------------------------------


def _guises(model: Recognizer, digits: Dataset, given: argparse.Namespace) -> Iterator[str]:
    """The lines of their table."""
    yield HEADER
    chosen = evenly(len(digits.labels), given.count)
    images, labels = digits.images[chosen], digits.labels[chosen]
    # The foreign digits last: they take the place of MNIST's.
    names = sorted(given.guise or [*GUISES, UCI], key=lambda name: name == UCI)
    plain = None
    for name in ["plain", *(name for name in names if name != "plain")]:
        guise = name
        if name == UCI:
            guise, (images, labels), plain = "plain", uci_digits(), None
            chosen = np.arange(len(labels))
        seen = _seen(guise, images, chosen, given.seed)
        read = model.classify(np.stack([one.image for one in seen])).labels
        right = (read == labels) & [one.readable for one in seen]
        plain = right if name == "plain" else plain
        yield _row(name, right, plain, seen)
        if given.misread:
            for k in np.flatnonzero(~right):
                file = drawn(guise, images[k], int(chosen[k]), seed=given.seed)
                beginning = f"{labels[k]}_as_{read[k]}_{chosen[k]:05}"
                write(given.misread / name.replace(" ", "_"), beginning, file)


def _seen(guise: str, images: np.ndarray, indices: np.ndarray, seed: int) -> list[Seen]:
    chunks = [slice(start, start + CHUNK) for start in range(0, len(images), CHUNK)]
    with parallel_config(backend="loky", inner_max_num_threads=1):
        done = Parallel(n_jobs=-1)(
            delayed(_look)(guise, images[chunk], indices[chunk], seed) for chunk in chunks
        )
    return [one for chunk in done for one in chunk]


def _look(guise: str, images: np.ndarray, indices: np.ndarray, seed: int) -> list[Seen]:
    """Draw digits and bring them back into MNIST form."""
    seen = []
    for image, index in zip(images, indices.tolist()):
        file = io.BytesIO(drawn(guise, image, index, seed=seed))
        before = time.process_time()
        try:
            digit, readable = normalize(decode(file).grey), True
        except PictureError:
            digit, readable = np.zeros((IMAGE_SIDE, IMAGE_SIDE), dtype=np.uint8), False
        seen.append(Seen(digit, readable, time.process_time() - before))
    return seen


def _row(name: str, right: np.ndarray, plain: np.ndarray | None, seen: list[Seen]) -> str:
    milliseconds = 1000 * float(np.mean([one.seconds for one in seen]))
    unreadable = sum(not one.readable for one in seen)
    cells = [
        name,
        f"{len(right):,}",
        *_share(int(right.sum()), len(right)),
        "" if plain is None or plain is right else _difference(plain, right),
        str(unreadable),
        f"{milliseconds:.1f}",
    ]
    return f"| {' | '.join(cells)} |"


def _share(part: int, whole: int) -> tuple[str, str]:
    """In per cent, and its 95 % Wilson interval."""
    interval = binomtest(part, whole).proportion_ci(0.95, method="wilson")
    return f"{part / whole:.1%}", f"{interval.low:.1%} to {interval.high:.1%}"


def _difference(plain: np.ndarray, right: np.ndarray) -> str:
    """How much fewer of the same digits are right, in per cent, with its 95 % interval."""
    lost = plain.astype(int) - right
    return f"{100 * lost.mean():.1f} ± {100 * 1.96 * lost.std() / len(lost) ** 0.5:.1f}"


# --- numbers in rows ---------------------------------------------------------------------


def of_lines(read: Read, digits: Dataset, *, count: int, seed: int) -> Iterator[str]:
    """The lines of the table of numbers in rows.

    Parameters
    ----------
    read : callable
        From the bytes of a picture file to its numbers, digits only, from top to bottom.
    digits : Dataset
        To write with; ``read`` must not have seen them.
    count : int
        Pages of each kind.
    seed : int

    Yields
    ------
    str
    """
    yield f"\n{LINES_HEADER}"
    hands = Hands(digits.images, digits.labels)
    for kind in KINDS:
        pages = [drawn_lines(kind, hands, index, seed=seed) for index in range(count)]
        yield _row_of_lines(kind, pages, [read(page.file) for page in pages])


def _row_of_lines(kind: str, pages: list[Page], read: list[Sequence[str]]) -> str:
    texts = [[row.text for row in page.rows] for page in pages]
    total = sum(map(len, texts))
    right = sum(map(in_common, texts, read))
    lengths = sum(
        in_common(list(map(len, text)), list(map(len, numbers)))
        for text, numbers in zip(texts, read)
    )
    cells = [kind, f"{len(pages):,}", f"{total:,}", *_share(right, total)]
    return f"| {' | '.join(cells)} | {lengths / total:.1%} |"


def in_common(one: Sequence[object], other: Sequence[object]) -> int:
    """How many members two lists share in the same order: a row too many costs no other."""
    blocks = SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks)


if __name__ == "__main__":
    main()
