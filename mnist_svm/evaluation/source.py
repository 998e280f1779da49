"""What kind of source a data set comes from: a file or a folder, and sizes of its pictures."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from mnist_svm.datasets.catalog import CATALOG

# Files of a folder that are counted, and pictures that are measured.
MAX_FILES, MAX_MEASURED = 200_000, 2_000

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


@dataclass(frozen=True)
class SourceFacts:
    """Where a data set comes from.

    Attributes
    ----------
    form : such as "CSV file, 76.8 MB" or "folder of 600 .png files"
    sizes : number of pictures of each size (height, width), of `MAX_MEASURED` at most; empty if
        there are no picture files in a folder
    """

    form: str
    sizes: Counter[tuple[int, int]]

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as JSON types; sizes by number of pictures, most frequent first."""
        sizes = [
            {"height": height, "width": width, "pictures": n}
            for (height, width), n in self.sizes.most_common()
        ]
        return {"form": self.form, "picture_sizes": sizes}

    def sizes_text(self) -> str:
        """Return the sizes, width by height, in a few words."""
        if len(self.sizes) <= 3:
            parts = [f"{w} x {h} ({n:,})" for (h, w), n in self.sizes.most_common()]
            return ", ".join(parts)
        heights, widths = zip(*self.sizes, strict=True)
        return f"{min(widths)} x {min(heights)} to {max(widths)} x {max(heights)}"


def describe_source(source: str) -> SourceFacts:
    """Describe the source of a data set, which exists: its name in the catalog, or its path.

    Raises OSError if a folder cannot be listed.
    """
    if source in CATALOG:
        return SourceFacts(f"{CATALOG[source].title}, of the catalog", Counter())
    path = Path(source)
    if path.is_dir():
        return _describe_folder(path)
    if not path.exists():
        return SourceFacts(f"files named {path.name}...", Counter())
    suffixes = [suffix.lower() for suffix in path.suffixes]
    kind = next((KINDS[suffix] for suffix in suffixes if suffix in KINDS), "file")
    return SourceFacts(f"{kind}, {path.stat().st_size / 1e6:,.1f} MB", Counter())


def _describe_folder(folder: Path) -> SourceFacts:
    from mnist_svm.pictures.formats import SUFFIXES

    files = list(islice(_walk(folder), MAX_FILES))
    kinds = Counter(f"{path.suffix.lower()} ".lstrip() + "file" for path in files)
    listed = ", ".join(f"{n:,} {kind}{'s' * (n > 1)}" for kind, n in kinds.most_common(3))
    pictures = [path for path in files if path.suffix.lower() in SUFFIXES]
    step = -(-len(pictures) // MAX_MEASURED) or 1
    sizes = Counter(size for path in pictures[::step] if (size := _size_of(path)))
    return SourceFacts(f"folder of {listed}" if files else "empty folder", sizes)


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder but hidden ones."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(names) if not name.startswith("."))


def _size_of(path: Path) -> tuple[int, int] | None:
    """Return height and width of a picture from its header, or None if it has none."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.height, image.width
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
