"""Digits in boxes on photos: each box becomes a picture of one digit.

A photo is decoded once, however many boxes it has. Where the ink of a digit touches the sides of
its box, the box is widened, because a digit is found by the paper around it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mnist_svm._types import GreyImage
from mnist_svm.datasets.picture_set import PictureSet
from mnist_svm.datasets.types import LabelledImages, Progress
from mnist_svm.exceptions import FormatError, PictureError

# Part of a box's sides that may be out of the photo; such boxes are cut.
MAX_OUTSIDE = 0.1
# Shortest side of a box in pixels that a digit fits in.
MIN_SIDE = 3
# Margin of a tight box, as a part of its longer side; number of sides that ink touches from which
# it is tight; and part of the greatest contrast from which a pixel is ink.
MARGIN, MIN_TOUCHED, MIN_INK = 0.1, 3, 0.4


@dataclass(frozen=True)
class DigitBox:
    """A box around a digit.

    Attributes
    ----------
    label : class of the digit
    corners : left, top, right and bottom, in pixels of the photo or as parts of its sides
    where : where the box is declared, for messages
    """

    label: int
    corners: tuple[float, float, float, float]
    where: str


@dataclass(frozen=True)
class Photo:
    """A photo with boxes.

    Attributes
    ----------
    path : picture file
    boxes : the digits on it
    size : width and height in pixels for which the boxes are declared, if they are known
    relative : whether the boxes are given as parts of width and height
    """

    path: Path
    boxes: list[DigitBox] = field(default_factory=list)
    size: tuple[int, int] | None = None
    relative: bool = False


def read_boxes(
    photos: Iterable[Photo],
    source: str,
    class_names: Mapping[int, str],
    progress: Progress,
    notices: Collection[str] = (),
) -> LabelledImages:
    """Cut the digits out of photos, and bring them to MNIST form.

    Parameters
    ----------
    photos : iterable of Photo
        Boxes that are narrower than a digit are left out.
    source : str
        What error messages call the data set.
    class_names : mapping of int to str
        Name of each label, where it is not the label itself.
    progress : callable
        Called with the number of boxes read, and of all.
    notices : collection of str, default=()
        What was noticed before.

    Raises
    ------
    FormatError
        If a photo cannot be decoded, or a box is out of it; with the place of the box.
    """
    with_boxes = [photo for photo in photos if photo.boxes]
    n_boxes = sum(len(photo.boxes) for photo in with_boxes)
    pictures, labels = PictureSet(tuple(class_names.values())), []
    narrow: list[str] = []
    for n_done, (box, name, digit) in enumerate(_cut_all(with_boxes), start=1):
        if digit is None:
            narrow.append(box.where)
        else:
            pictures.add_grey(digit, f"{box.where} ({name})")
            labels.append(box.label)
        progress(n_done, n_boxes)
    if not labels:
        msg = f"{source}: no boxes of digits in it"
        raise FormatError(msg)
    images, more = pictures.finish(progress)
    return LabelledImages(
        images,
        np.array(labels, np.int64),
        dict(class_names),
        notices=(*notices, *_notice(narrow), *more),
        pictures=pictures.sources,
    )


def _cut_all(photos: Iterable[Photo]) -> Iterator[tuple[DigitBox, str, GreyImage | None]]:
    """Yield each box, the name of its photo, and the pixels in it; None if it is too narrow."""
    for photo in photos:
        grey = _decode(photo)
        for box in photo.boxes:
            left, top, right, bottom = corners = _to_pixels(box, photo, grey)
            is_narrow = min(right - left, bottom - top) < MIN_SIDE
            yield box, photo.path.name, None if is_narrow else _cut_out(grey, corners)


def _notice(narrow: Sequence[str]) -> tuple[str, ...]:
    """Say where boxes are that were left out."""
    if not narrow:
        return ()
    n = "a box" if len(narrow) == 1 else f"{len(narrow):,} boxes"
    return (f"has {n} of less than {MIN_SIDE} pixels, left out; the first is {narrow[0]}",)


def _decode(photo: Photo) -> GreyImage:
    """Decode a photo; raise FormatError if it has another size than its boxes are declared for."""
    from mnist_svm.pictures.decode import decode

    where = photo.boxes[0].where
    try:
        grey = decode(photo.path).grey
    except PictureError as error:
        msg = f"{where}: {photo.path}: {error}"
        raise FormatError(msg) from error
    height, width = grey.shape
    if photo.size is not None and photo.size != (width, height):
        declared = f"{photo.size[0]:,} x {photo.size[1]:,}"
        msg = (
            f"{where}: expected a photo of {declared} pixels, found {photo.path.name} of "
            f"{width:,} x {height:,}, upright; export the boxes again with these photos"
        )
        raise FormatError(msg)
    return grey


def _to_pixels(box: DigitBox, photo: Photo, grey: GreyImage) -> tuple[int, int, int, int]:
    """Return a box in whole pixels; raise FormatError if much of it is out of the photo."""
    height, width = grey.shape
    left, top, right, bottom = box.corners
    if not np.isfinite(box.corners).all() or left > right or top > bottom:
        msg = f"{box.where}: expected a box, found {_describe(box)}"
        raise FormatError(msg)
    if photo.relative:
        left, top, right, bottom = left * width, top * height, right * width, bottom * height
    across, down = MAX_OUTSIDE * (right - left) + 1, MAX_OUTSIDE * (bottom - top) + 1
    if not (
        left >= -across and top >= -down and right <= width + across and bottom <= height + down
    ):
        msg = (
            f"{box.where}: expected a box in {photo.path.name} of {width:,} x {height:,} "
            f"pixels, found {_describe(box)}"
        )
        raise FormatError(msg)
    return (
        max(0, int(np.floor(left))),
        max(0, int(np.floor(top))),
        min(width, int(np.ceil(right))),
        min(height, int(np.ceil(bottom))),
    )


def _describe(box: DigitBox) -> str:
    left, top, right, bottom = box.corners
    return f"left {left:g}, top {top:g}, right {right:g}, bottom {bottom:g}"


def _cut_out(grey: GreyImage, corners: tuple[int, int, int, int]) -> GreyImage:
    """Return the pixels in a box, with a margin if the digit touches its sides."""
    left, top, right, bottom = corners
    margin = max(2, round(MARGIN * max(right - left, bottom - top)))
    rows = slice(max(0, top - margin), bottom + margin)
    columns = slice(max(0, left - margin), right + margin)
    inner = grey[top:bottom, left:right]
    around = grey[rows, columns]
    outside = np.ones(around.shape, bool)
    outside[
        top - rows.start : bottom - rows.start, left - columns.start : right - columns.start
    ] = 0
    if not outside.any():
        return np.ascontiguousarray(inner)
    contrast = np.abs(inner.astype(np.int16) - int(np.median(around[outside])))
    sides = (contrast[0], contrast[-1], contrast[:, 0], contrast[:, -1])
    n_touched = sum(bool(side.max() > MIN_INK * contrast.max()) for side in sides)
    return np.ascontiguousarray(around if n_touched >= MIN_TOUCHED else inner)
