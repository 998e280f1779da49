"""IDX files of a data set in a folder, under the names that the publishers give them.

MNIST's names (``train-images-idx3-ubyte``, also with a dot before "idx3"), with a prefix where a
folder holds several data sets (``emnist-digits-test-images-idx3-ubyte``), QMNIST's, each plain or
gzip-compressed, or in a folder of the file's own name, as some programs unpack archives. Of files
with the same content, any is read.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from mnist_svm._io import atomic_write
from mnist_svm.datasets.class_names import list_names
from mnist_svm.datasets.formats.idx import (
    BYTES_PER_BLOCK,
    open_payload,
    read_images,
    read_images_and_labels,
)
from mnist_svm.datasets.known_files import describe_known
from mnist_svm.datasets.types import LabelledImages, Part, Progress
from mnist_svm.exceptions import FormatError

_NAME = re.compile(
    r"(?:(?P<prefix>[^.].*?)[-_. ])??"
    r"(?:(?P<split>train|training|t10k|test|testing)[-_. ])?"
    r"(?P<kind>image|label)s?[-_. ](?:idx[1-3]?(?:[-_. ](?:ubyte|int))?|ubyte)(?:\.gz)?",
    re.IGNORECASE,
)


# File of the names of the classes, which IDX has no place for.
NAMES_FILE = "classes.tsv"


@dataclass(frozen=True)
class IdxFiles:
    """The IDX files of one part of a data set.

    Attributes
    ----------
    images : files of images, of which all but one are copies
    labels : files of labels in the same way; empty if there are none
    """

    images: list[Path] = field(default_factory=list)
    labels: list[Path] = field(default_factory=list)


def find_idx_parts(folder: Path, prefix: str | None = None) -> dict[str, Part]:
    """Return the parts "train" and "test", or "all", of the IDX files in a folder.

    Parameters
    ----------
    folder : Path
    prefix : str, optional
        Start of the file names, such as "emnist-digits". By default the files without a prefix are
        read if there are any, or else those of the only prefix.

    Returns
    -------
    dict of Part
        Empty if there are no files of images, or none with this prefix.

    Raises
    ------
    FormatError
        If files have several prefixes, and it is not clear which to read.
    """
    found = find_idx_files(folder)
    if not found or (prefix is not None and prefix not in found):
        return {}
    if prefix is None:
        prefix = "" if "" in found else next(iter(found))
        if prefix and len(found) > 1:
            msg = (
                f"{folder}: which of the data sets {list_names(found)}? "
                f"Pass one as {folder / prefix}"
            )
            raise FormatError(msg)
        notices = _left_out(folder, sorted(set(found) - {prefix}))
    else:
        notices = ()
    return {split: _part(files, notices) for split, files in found[prefix].items()}


def find_idx_files(folder: Path) -> dict[str, dict[str, IdxFiles]]:
    """Return the files in a folder, keyed by prefix and part; only parts that have images."""
    found: dict[str, dict[str, IdxFiles]] = defaultdict(lambda: defaultdict(IdxFiles))
    for path, match in _list_files(folder):
        files = found[match["prefix"] or ""][_split_of(match)]
        (files.images if match["kind"].lower() == "image" else files.labels).append(path)
    with_images = {
        prefix: {split: files for split, files in splits.items() if files.images}
        for prefix, splits in sorted(found.items())
    }
    return {prefix: splits for prefix, splits in with_images.items() if splits}


def open_idx_file(path: Path) -> Part:
    """Return the part that consists of a file of images and the labels beside it, if any."""
    match = _NAME.fullmatch(path.name)
    if match is not None and match["kind"].lower() == "image":
        is_nested = _same_file(match, _NAME.fullmatch(path.parent.name))
        labels = [
            other
            for other, found in _list_files(path.parent.parent if is_nested else path.parent)
            if found["kind"].lower() == "label"
            and (found["prefix"], _split_of(found)) == (match["prefix"], _split_of(match))
        ]
        return _part(IdxFiles([path], labels))
    plain = path.name.removesuffix(".gz")
    name = plain.replace("images", "labels").replace("idx3", "idx1")
    beside = [path.with_name(name + suffix) for suffix in (".gz", "")] if name != plain else []
    return _part(IdxFiles([path], [other for other in beside if other.is_file()]))


def _part(files: IdxFiles, notices: tuple[str, ...] = ()) -> Part:
    return Part(partial(_read, files, notices))


def _left_out(folder: Path, others: Sequence[str]) -> tuple[str, ...]:
    if not others:
        return ()
    return (
        f"leaves out {list_names(others)} in the same folder; pass {folder / others[0]} to read it",
    )


def _split_of(match: re.Match[str]) -> str:
    split = (match["split"] or "all").lower()
    return "train" if split.startswith("train") else "all" if split == "all" else "test"


def _list_files(folder: Path) -> Iterator[tuple[Path, re.Match[str]]]:
    """Yield the files with names of IDX files, also from folders of the file's own name."""
    for path, match in _matching(folder):
        if not path.is_dir():
            yield path, match
            continue
        for nested, inner in _matching(path):
            if _same_file(match, inner) and not nested.is_dir():
                yield nested, inner


def _matching(folder: Path) -> Iterator[tuple[Path, re.Match[str]]]:
    """Yield what has the name of an IDX file, in the order of the names."""
    # A folder may have a million pictures, for which paths would take long.
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries)
    for match in filter(None, map(_NAME.fullmatch, names)):
        yield folder / match[0], match


def _same_file(one: re.Match[str], other: re.Match[str] | None) -> bool:
    """Whether two names differ at most in their separators and suffix."""
    return other is not None and all(
        (one[group] or "").lower() == (other[group] or "").lower()
        for group in ("prefix", "split", "kind")
    )


def _read(files: IdxFiles, notices: tuple[str, ...], progress: Progress) -> LabelledImages:
    """Read images, and labels if there is a file of them."""
    labels = None
    if files.labels:
        images, labels = read_images_and_labels(files.images[0], files.labels[0])
    else:
        images = read_images(files.images[0])
    for first, *others in filter(None, (files.images, files.labels)):
        for other in others:
            _require_equal(first, other)
    progress(len(images), len(images))
    content = LabelledImages(images, labels, _read_class_names(files.images[0]), notices=notices)
    return describe_known(content, files.images[0])


def write_class_names(folder: Path, names: Mapping[int, str]) -> None:
    """Write the file of class names beside IDX files: lines of label and name."""
    lines = [f"{label}\t{name}\n" for label, name in sorted(names.items())]
    with atomic_write(folder / NAMES_FILE) as file:
        file.write("".join(lines).encode())


def _read_class_names(images: Path) -> dict[int, str]:
    """Read the class names beside a file of images, if there are any."""
    path = images.with_name(NAMES_FILE)
    if not path.is_file():
        return {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        pairs = [line.split("\t", 1) for line in lines]
        return {int(label): name for label, name in pairs}
    except ValueError as error:
        msg = f"{path}: expected lines of a label, a tab and the name of its class"
        raise FormatError(msg) from error


def _require_equal(path: Path, other: Path) -> None:
    """Raise FormatError unless two files have the same content when decompressed."""
    with open_payload(path) as one, open_payload(other) as two:
        while (block := one.read(BYTES_PER_BLOCK)) == two.read(BYTES_PER_BLOCK):
            if not block:
                return
    msg = (
        f"{os.fspath(path)} and {os.fspath(other)} should be copies of one file, but their "
        "content differs; remove the wrong one"
    )
    raise FormatError(msg)
