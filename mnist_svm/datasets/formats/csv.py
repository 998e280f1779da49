"""Images as CSV files with one image per row, the format of Kaggle's digit-recognizer.

The first line has the column names (``label,pixel0,...,pixel783``), also as a comment, or is
missing. The separator is a comma, semicolon, tab, bar or blanks. The file is parsed block
by block, so that memory holds only the resulting arrays.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from mnist_svm._types import Images, Labels
from mnist_svm.constants import N_PIXELS, WHITE
from mnist_svm.datasets.formats.csv_header import Comments, find_table
from mnist_svm.datasets.formats.csv_table import CsvTable
from mnist_svm.datasets.formats.idx import open_payload, write_payload
from mnist_svm.datasets.formats.text import read_line_blocks
from mnist_svm.datasets.types import FilePath, LabelledImages, Progress, no_progress
from mnist_svm.exceptions import FormatError


def read_csv(path: FilePath, progress: Progress = no_progress) -> LabelledImages:
    """Read images, and their labels if present, from a CSV file, plain or compressed.

    Pixels are whole numbers 0-255, or fractions 0-1 throughout the file. Labels that are words are
    numbered alphabetically. Raises FormatError, with file, line and column, if there are no images
    or a line is not valid.
    """
    name = os.fspath(path)
    table: CsvTable | None = None
    comments = Comments()
    with open_payload(path) as stream:
        for first, block in read_line_blocks(stream, name):
            lines = (first, block)
            if table is None:
                found, lines = find_table(first, block, comments, name)
                table = CsvTable(found, name) if found else None
            if table is not None:
                table.add(*lines)
                progress(len(table), 0)
    if table is None or not len(table):
        msg = f"{name}: no images in it; expected lines of a label and {N_PIXELS} pixels"
        raise FormatError(msg)
    return table.finish()


def write_csv(
    path: FilePath,
    images: Images,
    labels: Labels | None,
    class_names: Mapping[int, str] = MappingProxyType({}),
) -> None:
    """Write images in the format of Kaggle's digit-recognizer, without labels if they are None.

    A label with a name is written as this name. The file appears only when complete,
    gzip-compressed if its own name ends in ``.gz``.
    """
    with write_payload(path) as file:
        file.writelines(_format_rows(images, labels, class_names))


def _format_rows(
    images: Images, labels: Labels | None, class_names: Mapping[int, str]
) -> Iterator[bytes]:
    names = ["label"] if labels is not None else []
    yield ",".join([*names, *(f"pixel{i}" for i in range(N_PIXELS))]).encode() + b"\n"
    # A table is ten times as fast as formatting each pixel.
    digits = [str(value) for value in range(WHITE + 1)]
    quoted = {
        label: f'"{name.replace(chr(34), 2 * chr(34))}"' for label, name in class_names.items()
    }
    for index, image in enumerate(images):
        row = ",".join([digits[value] for value in image.ravel().tolist()])
        if labels is not None:
            row = f"{quoted.get(int(labels[index]), labels[index])},{row}"
        yield row.encode() + b"\n"
