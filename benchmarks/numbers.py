"""Numbers off real paper, read whole: ours beside RapidOCR and Tesseract, with time and memory.

    python benchmarks/numbers.py --numbers FOLDER --numbers FOLDER    and our generated lines
    python benchmarks/numbers.py --numbers FOLDER --every 10 --pages 0    quick; writes no table

A FOLDER has pictures of one number each, whose file names start with its digits and an underscore.
The generated lines are those of `benchmarks.pictures`, of MNIST's test digits. Peers are measured
where they are installed: ``pip install -e . --group bench``, and the program tesseract.

A number is right if all its digits are; "?" if nothing was read, or with a confidence below
``--reject-below``; else wrong. Milliseconds are those of one picture after another, as they pass.
RapidOCR's default call takes seconds: it gets `N_SLOW` pictures of each set. Memory and speed are
measured in a process for each picture, whose peak Linux tells. A full run writes
``benchmarks/numbers.md``.
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:
    # Started as a file: its folder would hide the standard library's `numbers`.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import json
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from statistics import median
from typing import NamedTuple

import numpy as np

from benchmarks.number_readers import (
    LINE_READERS,
    OURS,
    RAPID,
    Answer,
    Reader,
    available,
    make_reader,
)
from benchmarks.peers import peak_memory
from mnist_svm.datasets.load import load_dataset
from mnist_svm.pictures.formats import SUFFIXES
from mnist_svm.svm.calibration import calibration_error
from tests.support.guises.lines import KINDS, Writers, render_page
from tests.support.guises.pages import render_crop, render_list

# Generated pages of each kind.
N_PAGES = 100

# Shares of the numbers, in per cent, that are kept when the least sure are answered "?".
COVERAGES = (100, 90, 80, 70, 60)

# Pictures of each set for a reader that takes seconds for each.
N_SLOW = 25

# Readings of a picture whose median time counts; fewer if they take longer than this, in seconds.
REPEATS, ENOUGH = 3, 10

HEADER = """\
| numbers | reader | of | right | of the right length | "?" | wrong | ms a picture |
|---|---|---|---|---|---|---|---|"""

SPEED_HEADER = """\
| picture | reader | megapixels | ms | peak memory |
|---|---|---|---|---|"""


class NumberSet(NamedTuple):
    """Pictures: a name, the files, the numbers on each, and whether each shows one number only."""

    name: str
    files: list[bytes]
    truths: list[list[str]]
    is_line: bool


class Score(NamedTuple):
    """Numbers of a set: all, and those right, of the right length, unanswered and wrong."""

    total: int
    right: int
    length: int
    unanswered: int
    wrong: int


def main() -> None:
    """Measure, print and write the tables."""
    arguments = _parse_arguments()
    if arguments.measure:
        name, path = arguments.measure
        print(json.dumps(_measure_here(name, Path(path))))
        return
    sets = [_load_folder(folder, arguments.every) for folder in arguments.numbers]
    sets += _generate(arguments.pages)
    lines = []
    for line in _tables(sets, arguments):
        print(line, flush=True)
        lines.append(line)
    is_full = arguments.numbers and arguments.every == 1 and arguments.pages >= N_PAGES
    if is_full and not (arguments.reader or arguments.reject_below):
        title = "Numbers off real paper and generated ones, by `python benchmarks/numbers.py`."
        Path(__file__).with_suffix(".md").write_text("\n".join([title, "", *lines, ""]))


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--numbers",
        action="append",
        type=Path,
        default=[],
        metavar="FOLDER",
        help="folder of pictures whose names start with their number (repeatable)",
    )
    parser.add_argument("--pages", type=int, default=N_PAGES, help="generated pages of each kind")
    parser.add_argument("--every", type=int, default=1, help="take every nth picture of a folder")
    parser.add_argument("--reader", action="append", choices=list(available()), metavar="NAME")
    parser.add_argument("--reject-below", type=float, default=0.0, metavar="P")
    parser.add_argument("--tsv", type=Path, help="file for a line for each number of the folders")
    parser.add_argument("--measure", nargs=2, metavar=("READER", "FILE"), help=argparse.SUPPRESS)
    return parser.parse_args()


# --- pictures ----------------------------------------------------------------------------


def _load_folder(folder: Path, every: int) -> NumberSet:
    paths = sorted(
        path
        for path in folder.iterdir()
        if re.match("[0-9]+_", path.name) and path.suffix.lower() in SUFFIXES
    )
    if not paths:
        sys.exit(f"{folder}: expected pictures named like 1250_7.png, found none")
    paths = paths[::every]
    truths = [[path.name.split("_")[0]] for path in paths]
    return NumberSet(folder.name, [path.read_bytes() for path in paths], truths, is_line=True)


def _generate(n_pages: int) -> Iterator[NumberSet]:
    writers = _writers()
    for kind in KINDS if n_pages else ():
        pages = [render_page(kind, writers, index) for index in range(n_pages)]
        truths = [[row.text for row in page.rows] for page in pages]
        is_line = all(len(truth) == 1 for truth in truths)
        yield NumberSet(f"generated, {kind}", [page.file for page in pages], truths, is_line)


def _writers() -> Writers:
    digits = load_dataset("mnist", split="test")
    return Writers(digits.images, digits.labels)


# --- tables ------------------------------------------------------------------------------


def _tables(sets: Sequence[NumberSet], arguments: argparse.Namespace) -> Iterator[str]:
    readers = {name: make_reader(name) for name in arguments.reader or available()}
    kept, log = [], []
    yield HEADER
    for each in sets:
        for name, reader in readers.items():
            if each.is_line or name not in LINE_READERS:
                part = _thin_out(each) if name == RAPID else each
                answers, seconds = _read_all(part, reader)
                yield _row(part, name, answers, seconds, arguments.reject_below)
                log += _log(part, name, answers)
                if each.is_line:
                    kept.append((part, name, answers))
    yield from _coverage_table(kept)
    yield from _speed_table(readers)
    if arguments.tsv:
        arguments.tsv.write_text("".join(log))


def _thin_out(each: NumberSet) -> NumberSet:
    """At most `N_SLOW` pictures, evenly spaced."""
    step = -(-len(each.files) // N_SLOW)
    return each._replace(files=each.files[::step], truths=each.truths[::step])


def _read_all(each: NumberSet, reader: Reader) -> tuple[list[list[Answer]], float]:
    """What was read on each picture, and the seconds of all."""
    # The first reading pays for what is loaded late.
    reader(each.files[0], each.is_line)
    start = time.perf_counter()
    answers = [reader(file, each.is_line) for file in each.files]
    return answers, time.perf_counter() - start


def _row(
    each: NumberSet, name: str, answers: list[list[Answer]], seconds: float, reject_below: float
) -> str:
    score = _score(each, answers, reject_below)
    cells = [
        each.name,
        name,
        f"{score.total:,}",
        f"{score.right:,} ({score.right / score.total:.1%})",
        f"{score.length:,}",
        f"{score.unanswered:,}",
        f"{score.wrong:,}",
        f"{1000 * seconds / len(each.files):.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def _score(each: NumberSet, answers: list[list[Answer]], reject_below: float) -> Score:
    total = sum(map(len, each.truths))
    right = length = wrong = 0
    for truth, found in zip(each.truths, answers):
        texts = [answer.text for answer in found if answer.confidence >= reject_below]
        if each.is_line:
            # Two numbers where there is one are one wrong answer.
            texts = [" ".join(texts)] if texts else []
        n_right = _count_matching(truth, texts)
        right += n_right
        length += _count_matching(list(map(len, truth)), list(map(len, texts)))
        wrong += min(len(texts), len(truth)) - n_right
    return Score(total, right, length, total - right - wrong, wrong)


def _count_matching(first: Sequence[object], second: Sequence[object]) -> int:
    """Number of elements that match in order, so that an extra number costs no other."""
    blocks = SequenceMatcher(None, first, second, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks)


def _log(each: NumberSet, name: str, answers: list[list[Answer]]) -> list[str]:
    """Lines of set, reader, truth, what was read, and the confidence, with tabs between."""
    lines = []
    for truth, found in zip(each.truths, answers):
        text, confidence = _whole(found)
        lines.append(f"{each.name}\t{name}\t{' '.join(truth)}\t{text}\t{confidence:.4f}\n")
    return lines


def _whole(found: list[Answer]) -> tuple[str, float]:
    """What was read as one number, with the confidence in all of it; 0 if there is nothing."""
    confidence = np.prod([answer.confidence for answer in found]) if found else 0.0
    return " ".join(answer.text for answer in found), float(confidence)


# --- confidence --------------------------------------------------------------------------


def _coverage_table(kept: list[tuple[NumberSet, str, list[list[Answer]]]]) -> Iterator[str]:
    yield '\nRight of the rest, in per cent, if the least sure are answered "?".'
    yield "\n| numbers | reader | {} | calibration error |".format(
        " | ".join(f"{share} % answered" for share in COVERAGES)
    )
    yield "|---" * (len(COVERAGES) + 3) + "|"
    for each, name, answers in kept:
        wholes = [_whole(found) for found in answers]
        right = np.array([text == truth[0] for (text, _), truth in zip(wholes, each.truths)])
        confidence = np.array([confidence for _, confidence in wholes])
        order = np.argsort(-confidence, kind="stable")
        counts = [max(round(share / 100 * len(order)), 1) for share in COVERAGES]
        cells = [f"{100 * right[order[:count]].mean():.1f}" for count in counts]
        error = f"{calibration_error(confidence, right):.3f}"
        yield f"| {' | '.join([each.name, name, *cells, error])} |"


# --- speed and memory --------------------------------------------------------------------


def _speed_table(readers: dict[str, Reader]) -> Iterator[str]:
    yield f"\n{SPEED_HEADER}"
    with tempfile.TemporaryDirectory() as folder:
        for name, file in _speed_pictures():
            path = Path(folder) / "picture"
            path.write_bytes(file)
            for reader in (OURS, RAPID):
                if reader in readers:
                    yield _speed_row(name, reader, path)


def _speed_pictures() -> Iterator[tuple[str, bytes]]:
    writers = _writers()
    yield "a number of 5 digits", render_crop(0, writers)[0]
    yield "a page of 36 digits", render_list(0, writers, rows=6, columns=2, digits=3)[0]
    yield "a page of 1,000 digits", render_list(0, writers, rows=50, columns=5, digits=4)[0]
    twelve = render_list(0, writers, rows=50, columns=5, digits=4, width=2016, length=5952)
    yield "a photo of 12 megapixels, 1,000 digits", twelve[0]


def _speed_row(picture: str, reader: str, path: Path) -> str:
    """Measure in a process of its own."""
    root = Path(__file__).resolve().parents[1]
    command = [sys.executable, "-m", "benchmarks.numbers", "--measure", reader, str(path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=root)
    result = json.loads(done.stdout)
    cells = [
        picture,
        reader,
        f"{result['pixels'] / 1e6:.2f}",
        f"{1000 * result['seconds']:.0f}",
        f"{result['peak'] / 1e6:.0f} MB",
    ]
    return f"| {' | '.join(cells)} |"


def _measure_here(name: str, path: Path) -> dict[str, float]:
    """Pixels of a picture, median seconds of reading it, and peak memory of this process, bytes."""
    from PIL import Image

    with Image.open(path) as image:
        pixels = image.width * image.height
    reader, file, seconds = make_reader(name), path.read_bytes(), []
    for _ in range(REPEATS):
        start = time.perf_counter()
        reader(file, False)
        seconds.append(time.perf_counter() - start)
        if sum(seconds) > ENOUGH:
            break
    return {"pixels": pixels, "seconds": median(seconds), "peak": peak_memory()}


if __name__ == "__main__":
    main()
