"""Images as picture files, in one sub-folder per class.

Pillow and the modules of `mnist_svm.pictures` are imported only to read or write pictures.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from urllib.parse import quote, unquote

import numpy as np

from mnist_svm._types import Images, Labels
from mnist_svm.datasets.class_names import number_meant
from mnist_svm.datasets.formats.flat_folder import find_pictures, open_flat_folder
from mnist_svm.datasets.splits import split_meant
from mnist_svm.datasets.types import FilePath, LabelledImages, Part, Progress, no_progress
from mnist_svm.exceptions import FormatError

# Folders that systems and programs make, in lower case, and starts of the names of hidden ones.
SYSTEM_FOLDERS = frozenset({"lost+found", "thumbs", "$recycle.bin", "system volume information"})
HIDDEN_PREFIXES = (".", "_", "@", "#")


def find_picture_parts(folder: Path) -> dict[str, Part]:
    """Find pictures in one sub-folder per class: the parts "train" and "test", or "all".

    A split may lie in a folder of its own name once more; or one of both have no classes. Empty if
    there are no pictures.
    """
    found: dict[str, Path] = {}
    flat: dict[str, Path] = {}
    left_out: list[str] = []
    sub_folders = _sub_folders(folder)
    for path in sub_folders:
        split = split_meant(path.name)
        if split == "validation" and _find_classes(path):
            left_out.append(path.name)
        elif split and (place := _with_classes(path)):
            if split in found:
                msg = f"{folder}: which of {found[split].name} and {path.name}? Pass the folder"
                raise FormatError(msg)
            found[split] = place
        elif split and (place := _with_pictures(path)):
            flat[split] = place
    if not found and _are_classes(_find_classes(folder)):
        found = {"all": folder}
    notices = tuple(f"has the folder {name}, which is left out" for name in left_out)
    parts = {
        split: Part(partial(read_folder, path, notices=notices), partial(_class_names, path))
        for split, path in found.items()
    }
    if not parts or "all" in parts:
        return parts
    # Pictures side by side in the other split, which mostly have no labels.
    return {split: open_flat_folder(path) for split, path in flat.items()} | parts


def read_folder(
    folder: FilePath, progress: Progress = no_progress, *, notices: tuple[str, ...] = ()
) -> LabelledImages:
    """Read pictures from one sub-folder per class, in the order of all file names.

    Labels are the ranks of the names. Raises FormatError if there are no pictures, or one cannot
    be decoded.
    """
    from mnist_svm.datasets.picture_set import PictureSet

    classes = _find_classes(Path(folder))
    if not classes:
        msg = f"{os.fspath(folder)}: no sub-folders with pictures, one per class"
        raise FormatError(msg)
    files = [
        (path, label)
        for label, class_folder in enumerate(classes.values())
        for path in find_pictures(class_folder)
    ]
    # The file names of `write_folder` count, so this restores the order of its images.
    files.sort(key=lambda file: (file[0].name, file[1]))
    pictures = PictureSet(classes)
    for n_done, (path, _) in enumerate(files, start=1):
        with path.open("rb") as file:
            pictures.add(file, str(path))
        progress(n_done, len(files))
    images, more_notices = pictures.finish(progress)
    if n_outside := sum(1 for _ in find_pictures(Path(folder))):
        notices += (f"leaves out pictures that are in no sub-folder: {n_outside:,}",)
    return LabelledImages(
        images,
        np.array([label for _, label in files], dtype=np.int64),
        dict(enumerate(classes)),
        notices=notices + more_notices,
        pictures=pictures.sources,
    )


def _are_classes(folders: Mapping[str, Path]) -> bool:
    """Whether folders with pictures are classes.

    Pictures directly in "train" and "test" have no class, and neither do those in a single folder
    whose name is no number.
    """
    is_one_word = len(folders) == 1 and number_meant(next(iter(folders))) is None
    return not is_one_word and any(split_meant(path.name) is None for path in folders.values())


def _with_classes(folder: Path) -> Path | None:
    """Return the folder that has the classes: this one, or the only one in it."""
    for place in _this_or_the_only_one_in(folder):
        # The folder of a split may be in one of the same name.
        if any(split_meant(path.name) is None for path in _find_classes(place).values()):
            return place
    return None


def _with_pictures(folder: Path) -> Path | None:
    """Return the folder that has pictures directly: this one, or the only one in it."""
    for place in _this_or_the_only_one_in(folder):
        if any(find_pictures(place)):
            return place
    return None


def _this_or_the_only_one_in(folder: Path) -> list[Path]:
    inner = _sub_folders(folder)
    return [folder, *inner] if len(inner) == 1 else [folder]


def _sub_folders(folder: Path) -> list[Path]:
    """Return the sub-folders but hidden ones and those of systems, in the order of their names."""
    return sorted(
        path
        for path in folder.iterdir()
        if not (path.name.startswith(HIDDEN_PREFIXES) and len(path.name) > 1)
        and path.name.casefold() not in SYSTEM_FOLDERS
        and path.is_dir()
    )


def _find_classes(folder: Path) -> dict[str, Path]:
    """Return the sub-folders with pictures by the name of the class."""
    return {unquote(path.name): path for path in _sub_folders(folder) if any(find_pictures(path))}


def _class_names(folder: Path) -> dict[int, str]:
    return dict(enumerate(_find_classes(folder)))


def write_folder(
    folder: Path,
    images: Images,
    labels: Labels,
    class_names: Mapping[int, str] | None = None,
    *,
    progress: Progress = no_progress,
) -> None:
    """Write images as PNG files, in one sub-folder per class, and create the folder if missing.

    A sub-folder has the name of the class, or else the label; a slash is written as %2F.
    """
    from PIL import Image

    names = class_names or {}
    folders = {
        label: folder / quote_name(names.get(label, str(label)))
        for label in np.unique(labels).tolist()
    }
    for path in folders.values():
        path.mkdir(parents=True)
    n_digits = len(str(len(labels) - 1))
    for index, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
        path = folders[label] / f"{index:0{n_digits}}.png"
        # Level 1 takes a third of the time, and the files are hardly larger.
        Image.fromarray(image).save(path, compress_level=1)
        progress(index + 1, len(labels))


def quote_name(name: str) -> str:
    """Return the name of a class as that of a folder, which `unquote` gives back.

    Characters that a file system refuses, and a first one that hides a folder, become %XX.
    """
    hidden = name[:1] if name.startswith(HIDDEN_PREFIXES) else ""
    return quote(hidden, safe="").replace(".", "%2E").replace("_", "%5F") + re.sub(
        r'[%/\\:*?"<>|\x00-\x1f]', lambda match: quote(match[0], safe=""), name[len(hidden) :]
    )
