"""Read the fields of forms: find the page, straighten it, read all fields together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from mnist_svm._types import Array, Float64Array, GreyImage
from mnist_svm.exceptions import PictureError
from mnist_svm.pictures.boxes import Box
from mnist_svm.pictures.files import is_single, load_pictures
from mnist_svm.recognition.results import FieldSpec, Number

if TYPE_CHECKING:
    from mnist_svm.forms.template import FormField, FormTemplate
    from mnist_svm.pictures.decode import Picture, Source
    from mnist_svm.recognition.recognizer import Recognizer

# Margin around a field, as fractions of its height: that in which it is read, because people write
# across the lines and paper is not flat; and that of its picture.
MARGIN, PICTURE_MARGIN = 0.15, 0.3


@dataclass(frozen=True, eq=False)
class FieldReading:
    """Number in a field of a form.

    Attributes
    ----------
    name : name of the field.
    number : what is written there; None if it is blank. Its boxes are in pixels of the straightened
        page.
    box : bounding box of the field in pixels of the picture.
    image : uint8 ndarray of shape (height, width), 0-255, the field on the straightened page.
    """

    name: str
    number: Number | None
    box: Box
    image: GreyImage

    def to_dict(self, *, reject_below: float = 0.0) -> dict[str, Any]:
        """Return the field as JSON types.

        ``name``, ``text``, ``confidence``, ``rejected`` and ``box``. ``text`` is empty for a blank
        field, and None if the confidence is below `reject_below`.
        """
        number = self.number
        rejected = number is not None and number.confidence < reject_below
        text = "" if number is None else number.text
        return {
            "name": self.name,
            "text": None if rejected else text,
            "confidence": None if number is None else number.confidence,
            "rejected": rejected,
            "box": self.box.to_dict(),
        }


@dataclass(frozen=True, eq=False)
class FormReading:
    """Result for a picture of a filled form.

    Attributes
    ----------
    file : path of the picture as passed by the caller, or a name such as "<array>".
    note : part of the file that was read, such as "the first of 3 pages"; None for all of it.
    error : reason why the picture could not be read, on one line, or None.
    size : height and width of the picture in pixels; zeros if it could not be decoded.
    fields : the fields, in the order of the template; empty after an error.
    """

    file: str
    note: str | None = None
    error: str | None = None
    size: tuple[int, int] = (0, 0)
    fields: tuple[FieldReading, ...] = ()

    def to_dict(self, *, reject_below: float = 0.0) -> dict[str, Any]:
        """Return the form as JSON types, as the command line prints it.

        ``file``; ``note``, if a part of the file was read; ``error``, or else ``width`` and
        ``height`` in pixels, and ``fields``, with the keys of `FieldReading.to_dict`.
        """
        optional = {"note": self.note, "error": self.error}
        result: dict[str, Any] = {"file": self.file or None}
        result |= {key: value for key, value in optional.items() if value}
        if self.error is None:
            result["height"], result["width"] = self.size
            result["fields"] = [each.to_dict(reject_below=reject_below) for each in self.fields]
        return result

    def to_lines(self, *, reject_below: float = 0.0) -> list[str]:
        """A line for each field: name, number and confidence, or the name alone for a blank."""
        texts = [
            "" if each.number is None else each.number.to_text(reject_below) for each in self.fields
        ]
        width, length = (
            max(map(len, column), default=0)
            for column in ([each.name for each in self.fields], texts)
        )
        return [
            each.name
            if each.number is None
            else f"{each.name:{width}}   {text:{length}}   {each.number.confidence:.3f}"
            for each, text in zip(self.fields, texts, strict=True)
        ]


@overload
def read_form(recognizer: Recognizer, source: Array, template: FormTemplate) -> Any: ...
@overload
def read_form(  # type: ignore[overload-overlap]
    recognizer: Recognizer, source: Source, template: FormTemplate
) -> FormReading: ...
@overload
def read_form(
    recognizer: Recognizer, source: Iterable[Source], template: FormTemplate
) -> Iterator[FormReading]: ...
def read_form(recognizer: Recognizer, source: Any, template: FormTemplate) -> Any:
    """Read the fields of a filled form on a photo or scan.

    Parameters
    ----------
    recognizer : Recognizer
    source : source of a picture, or iterable of sources
        As for `Recognizer.read_page`.
    template : FormTemplate
        Where the fields are.

    Returns
    -------
    FormReading, or iterator of FormReading
        One for a single source; for a folder or an iterable an iterator, which yields one per
        picture, in order. ``error`` is set if a picture cannot be decoded, or if the page is not
        found on it: its four corner marks or its frame, or the template's proportions.
    """
    forms = (
        _read_picture(recognizer, file, picture, template)
        for file, picture in load_pictures(source)
    )
    return next(forms) if is_single(source) else forms


def _read_picture(
    recognizer: Recognizer, file: str, picture: Picture | PictureError, template: FormTemplate
) -> FormReading:
    if isinstance(picture, PictureError):
        return FormReading(file, error=str(picture))
    try:
        fields = _read_fields(recognizer, picture.grey, template)
    except PictureError as error:
        return FormReading(file, picture.note, str(error), picture.size)
    return FormReading(file, picture.note, None, picture.size, fields)


def _read_fields(
    recognizer: Recognizer, grey: GreyImage, template: FormTemplate
) -> tuple[FieldReading, ...]:
    # The command line offers forms among much else, and scipy.ndimage takes long to import.
    from mnist_svm.forms.frame import locate_frame
    from mnist_svm.forms.marks import locate_marks
    from mnist_svm.forms.projection import straighten

    corners = (locate_marks if template.page == "marks" else locate_frame)(grey)
    page, projection = straighten(grey, corners, template.size)
    specs = [
        FieldSpec(_page_box(field, page.shape, MARGIN), field.digits, field.pattern)
        for field in template.fields
    ]
    numbers = recognizer.read_fields(page, specs)
    return tuple(
        FieldReading(
            field.name,
            number,
            _picture_box(_page_box(field, page.shape, 0), projection, grey.shape),
            page[_page_box(field, page.shape, PICTURE_MARGIN).window],
        )
        for field, number in zip(template.fields, numbers, strict=True)
    )


def _page_box(field: FormField, shape: tuple[int, ...], margin: float) -> Box:
    """The box of a field in pixels of the straightened page, with a margin."""
    height, width = shape
    edge = margin * field.height * height
    sides = (
        field.top * height - edge,
        (field.top + field.height) * height + edge,
        field.left * width - edge,
        (field.left + field.width) * width + edge,
    )
    limits = height, height, width, width
    top, bottom, left, right = (
        min(max(round(side), 0), limit) for side, limit in zip(sides, limits, strict=True)
    )
    if bottom <= top or right <= left:
        msg = f"no field found: {field.name!r} is narrower than a pixel on this picture"
        raise PictureError(msg)
    return Box(top, bottom, left, right)


def _picture_box(box: Box, projection: Float64Array, shape: tuple[int, ...]) -> Box:
    """The bounding box on the picture of a box on the straightened page."""
    from mnist_svm.forms.projection import project

    corners = [(x, y) for x in (box.left, box.right) for y in (box.top, box.bottom)]
    on_picture = project(projection, np.array(corners) - 0.5) + 0.5
    (left, top), (right, bottom) = on_picture.min(axis=0), on_picture.max(axis=0)
    height, width = shape
    return Box(
        max(round(top), 0),
        min(round(bottom), height),
        max(round(left), 0),
        min(round(right), width),
    )
