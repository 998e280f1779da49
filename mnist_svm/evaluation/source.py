"""What kind of source a data set comes from: a set of the catalog, a file or a folder."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePath

from mnist_svm.datasets.catalog import CATALOG

# Files of a folder that are counted, at most.
MAX_FILES = 200_000

# What a file is called by its suffix.
KINDS = {
    ".csv": "CSV file",
    ".npz": "NumPy archive",
    ".parquet": "Parquet file",
    ".zip": "zip archive",
    ".tar": "tar archive",
    ".tgz": "tar archive",
    ".mat": "MATLAB file",
    ".jsonl": "JSON Lines file",
}


def describe_form(source: str) -> str:
    """Describe the source of a data set, such as "CSV file, 76.8 MB" or "600 .png files".

    `source` is a name of the catalog, a path, or the start of the names of files. Raises OSError
    if a file cannot be looked at.
    """
    if source in CATALOG:
        return f"{CATALOG[source].title}, of the catalog"
    path = Path(source)
    if path.is_dir():
        kinds = Counter(f"{PurePath(name).suffix.lower()} ".lstrip() for name in _walk(path))
        listed = [f"{n:,} {kind}file{'s' * (n > 1)}" for kind, n in kinds.most_common(3)]
        return f"folder of {', '.join(listed)}"
    if not path.exists():
        return f"files named {path.name}..."
    suffixes = [suffix.lower() for suffix in path.suffixes]
    kind = next((KINDS[suffix] for suffix in suffixes if suffix in KINDS), "file")
    if kind == "file" and "idx" in path.name.lower():
        kind = "IDX file"
    return f"{kind}, {path.stat().st_size / 1e6:,.1f} MB"


def _walk(folder: Path) -> Iterator[str]:
    """Yield the names of at most `MAX_FILES` files below a folder, but hidden ones."""
    names = (name for _, _, files in os.walk(folder) for name in files)
    return islice((name for name in names if not name.startswith(".")), MAX_FILES)
