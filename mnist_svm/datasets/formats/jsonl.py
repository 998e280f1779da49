"""Images as JSON Lines, or as a JSON array: one record with picture and label for each image.

The names of Hugging Face's image folders (``metadata.jsonl``, ``metadata.csv`` with file names and
labels beside the pictures) are known. Records are read one at a time, in bounded memory.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any

from mnist_svm.datasets.arrays import MAX_QUOTE
from mnist_svm.datasets.formats.idx import open_payload
from mnist_svm.datasets.formats.listing import (
    Record,
    has_label_key,
    has_listing_keys,
    listing_part,
)
from mnist_svm.datasets.types import Part
from mnist_svm.exceptions import FormatError, sanitize

# Characters of a record, of which a picture in base64 takes the most.
MAX_RECORD = 8 << 20
# Characters read at first for a record of an array; then twice as many.
FIRST_READ = 1 << 16

LINES_SUFFIXES = (".jsonl", ".ndjson")
SUFFIXES = (*LINES_SUFFIXES, ".json")
METADATA_NAMES = ("metadata.jsonl", "metadata.csv")


def find_listed_parts(folder: Path, *, labelled: bool = False) -> dict[str, Part]:
    """Find the lists of pictures in a folder: the parts "train" and "test", or "all".

    Parameters
    ----------
    folder : Path
    labelled : bool, default=False
        Whether to find lists only if the first record of one has a label.

    Notes
    -----
    They are called ``train.jsonl`` and ``test.jsonl``, with any start and one of `SUFFIXES`; or
    ``metadata.jsonl`` or ``metadata.csv``; or there is one file of JSON Lines. Raises FormatError
    if two files may be one part.
    """
    files = _find_lists(folder)
    if labelled and not any(map(_starts_with_label, files.values())):
        return {}
    return {split: _open_list(path) for split, path in files.items()}


def _starts_with_label(path: Path) -> bool:
    try:
        _, record = next(_records_of(path)(), ("", {}))
    except FormatError:
        return False
    return has_listing_keys(record) and has_label_key(record)


def _records_of(path: Path) -> Callable[[], Iterator[Record]]:
    is_csv = path.name.lower().removesuffix(".gz").endswith(".csv")
    return partial(_read_csv if is_csv else _read_json, path)


def _open_list(path: Path) -> Part:
    return listing_part(path, _records_of(path))


def _find_lists(folder: Path) -> dict[str, Path]:
    # A folder may have a million pictures, for which paths would take long.
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if _plain(entry.name).endswith(SUFFIXES))
    lists: dict[str, Path] = {}
    for split in ("train", "test"):
        files = [x for x in names if _plain(x).rpartition(".")[0].endswith(split)]
        files = [name for name in files if is_json(folder / name)]
        if len(files) > 1:
            msg = f"{folder}: which of {' and '.join(files)}? Pass the file itself"
            raise FormatError(msg)
        if files:
            lists[split] = folder / files[0]
    metadata = [path for name in METADATA_NAMES if (path := folder / name).is_file()]
    lines = [folder / name for name in names if _plain(name).endswith(LINES_SUFFIXES)]
    others = [path for path in lines if is_json(path)]
    if not lists and (metadata or len(others) == 1):
        return {"all": (metadata or others)[0]}
    return lists


def _plain(name: str) -> str:
    """Return the name of a file in lower case, without the suffix of gzip; "" if it is hidden."""
    return "" if name.startswith(".") else name.lower().removesuffix(".gz")


def is_json(path: Path) -> bool:
    """Whether a file begins as a JSON object, or an array of objects."""
    if not path.is_file():
        return False
    with open_payload(path) as stream:
        head = stream.read(1024)
    text = head.decode("utf-8-sig", errors="replace").lstrip()
    return text.startswith("{") or (text.startswith("[") and text[1:].lstrip()[:1] == "{")


def open_json(path: Path) -> Part:
    """Return the part that a file of JSON Lines, or of one array, is."""
    return listing_part(path, partial(_read_json, path))


def open_listing_csv(path: Path) -> Part:
    """Return the part that a CSV file with the paths and labels of pictures is."""
    return listing_part(path, partial(_read_csv, path))


def is_listing_csv(path: Path) -> bool:
    """Whether the first line of a file has few names, one of them that of a picture's path."""
    with open_payload(path) as stream:
        head = stream.read(1024)
    line = head.decode("utf-8-sig", errors="replace").partition("\n")[0]
    names = [name.strip().strip('"') for name in line.split(",")]
    return 1 < len(names) < 30 and has_listing_keys(names)


def _read_json(path: Path) -> Iterator[Record]:
    with open_payload(path) as binary:
        stream = io.TextIOWrapper(binary, encoding="utf-8-sig")
        try:
            first = _skip_blank(stream)
            read: Callable[[IO[str], str, Path], Iterator[Record]]
            read = _read_array if first == "[" else _read_lines
            yield from read(stream, first, path)
        except UnicodeDecodeError as error:
            msg = f"{path}: expected JSON in UTF-8, found bytes that are not"
            raise FormatError(msg) from error
        finally:
            # The caller closes the file.
            stream.detach()


def _skip_blank(stream: IO[str]) -> str:
    """Return the first character that is not blank, or an empty string."""
    while (char := stream.read(1)) and char.isspace():
        pass
    return char


def _read_lines(stream: IO[str], first: str, path: Path) -> Iterator[Record]:
    start, number = first, 0
    while line := start + stream.readline(MAX_RECORD):
        start, number = "", number + 1
        if len(line) >= MAX_RECORD:
            msg = f"{path}: line {number:,}: longer than {MAX_RECORD:,} characters"
            raise FormatError(msg)
        if line.strip():
            yield f"line {number:,}", _parse(line, path, f"line {number:,}")


def _parse(text: str, path: Path, where: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = sanitize(str(error), MAX_QUOTE)
        msg = f"{path}: {where}: expected a JSON object on one line, found other text ({reason})"
        raise FormatError(msg) from error
    return _require_object(value, path, where)


def _require_object(value: Any, path: Path, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        found = sanitize(repr(value), MAX_QUOTE)
        msg = f"{path}: {where}: expected a JSON object with a picture, found {found}"
        raise FormatError(msg)
    return value


def _read_array(stream: IO[str], _: str, path: Path) -> Iterator[Record]:
    """Yield the objects of an array whose opening bracket has been read."""
    decoder, text, number = json.JSONDecoder(), "", 0
    size = FIRST_READ
    while True:
        where = f"record {number + 1:,}"
        text = text.lstrip()
        if number and text[:1] == ",":
            text = text[1:].lstrip()
        elif text[:1] == "]" or (number and text):
            break
        try:
            value, end = decoder.raw_decode(text)
        except (ValueError, RecursionError) as error:
            # The record may go on in what follows.
            more = stream.read(size) if len(text) < MAX_RECORD else ""
            if not more:
                reason = sanitize(str(error), MAX_QUOTE)
                msg = f"{path}: {where}: expected an array of JSON objects ({reason})"
                raise FormatError(msg) from error
            text, size = f"{',' if number else ''}{text}{more}", 2 * size
            continue
        text, number, size = text[end:], number + 1, FIRST_READ
        yield where, _require_object(value, path, where)
        if not text.strip() and not (text := stream.read(size)):
            break
    if text[:1] != "]" or (text[1:] + stream.read(FIRST_READ)).strip():
        found = sanitize(text[:20], MAX_QUOTE)
        msg = f"{path}: after record {number:,}: expected a comma or the end, found {found!r}"
        raise FormatError(msg)


def _read_csv(path: Path) -> Iterator[Record]:
    with open_payload(path) as binary:
        stream = io.TextIOWrapper(binary, encoding="utf-8-sig", newline="")
        try:
            reader = csv.DictReader(stream, restkey="", strict=True)
            for record in reader:
                where = f"line {reader.line_num:,}"
                if "" in record or None in record.values():
                    n = len(reader.fieldnames or ())
                    msg = f"{path}: {where}: expected {n} values, as in the first line"
                    raise FormatError(msg)
                yield where, record
        except (csv.Error, UnicodeDecodeError) as error:
            reason = sanitize(str(error), MAX_QUOTE)
            msg = f"{path}: expected CSV in UTF-8, with names in the first line ({reason})"
            raise FormatError(msg) from error
        finally:
            stream.detach()
