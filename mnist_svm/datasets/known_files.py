"""Recognize files of the catalog's data sets, and of their relatives, wherever they lie."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path

from mnist_svm.datasets.catalog import CATALOG, DatasetInfo
from mnist_svm.datasets.formats.idx import encode_header
from mnist_svm.datasets.orientation import TRANSPOSED
from mnist_svm.datasets.types import LabelledImages
from mnist_svm.datasets.verify import payload_sha256

# Start of the names of EMNIST's files, in all its six sets and formats.
_EMNIST = re.compile(r"emnist[-_. ]", re.IGNORECASE)


def describe_known(content: LabelledImages, path: Path) -> LabelledImages:
    """Add what is known of a file's images, which are as stored: orientation and class names.

    The files of EMNIST are known by their names, those of the catalog by their checksums too.
    Raises OSError if the file cannot be read.
    """
    info = _identify(content, path)
    if info is None:
        if not _EMNIST.match(path.name):
            return content
        notice = "is stored by columns, as files named emnist... are"
        return replace(content, orientation=TRANSPOSED, notices=(*content.notices, notice))
    names = {label: name for label, name in info.class_names().items() if name != str(label)}
    content = replace(content, class_names=content.class_names or names)
    if not info.transposed:
        return content
    notice = f"is {info.name} of the catalog, which is stored by columns"
    return replace(content, orientation=TRANSPOSED, notices=(*content.notices, notice))


def _identify(content: LabelledImages, path: Path) -> DatasetInfo | None:
    """Return the data set of the catalog that has these images as they are stored, or None."""
    size = len(encode_header(content.images)) + content.images.nbytes
    files = [
        (info, images)
        for info in CATALOG.values()
        for images, _ in info.splits.values()
        if images.size == size
    ]
    if not files:
        return None
    with path.open("rb") as stream:
        as_published = hashlib.file_digest(stream, "sha256").hexdigest()
    payload = payload_sha256(content.images)
    for info, images in files:
        if images.sha256 == (as_published if images.as_published else payload):
            return info
    return None
