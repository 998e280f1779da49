"""The types of requests and answers, as the OpenAPI document tells them."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from mnist_svm.constants import IMAGE_SIDE, N_PIXELS, WHITE
from mnist_svm.serve.settings import MAX_ARRAYS

VERSION = version("mnist-svm")


Pixel = Annotated[float, Field(ge=0, le=WHITE, strict=True, allow_inf_nan=False)]
# One fault is told; a body could hold millions.
Flat = Annotated[list[Pixel], Field(min_length=N_PIXELS, max_length=N_PIXELS, fail_fast=True)]
Row = Annotated[list[Pixel], Field(min_length=IMAGE_SIDE, max_length=IMAGE_SIDE, fail_fast=True)]
Image = Annotated[list[Row], Field(min_length=IMAGE_SIDE, max_length=IMAGE_SIDE, fail_fast=True)]
Single = Annotated[list[Pixel], Field(min_length=1, max_length=1, fail_fast=True)]
DeepRow = Annotated[
    list[Single], Field(min_length=IMAGE_SIDE, max_length=IMAGE_SIDE, fail_fast=True)
]
Deep = Annotated[list[DeepRow], Field(min_length=IMAGE_SIDE, max_length=IMAGE_SIDE, fail_fast=True)]
Flats = Annotated[list[Flat], Field(min_length=1, max_length=MAX_ARRAYS, fail_fast=True)]
Images = Annotated[list[Image], Field(min_length=1, max_length=MAX_ARRAYS, fail_fast=True)]
Deeps = Annotated[list[Deep], Field(min_length=1, max_length=MAX_ARRAYS, fail_fast=True)]

# Names of the forms; pydantic's errors name them too.
FORMS = ("784", "28 x 28", "28 x 28 x 1", "n x 784", "n x 28 x 28", "n x 28 x 28 x 1")


def _form(data: Any) -> str:
    """Which form of `Data` to hold some data against, by how deep and how long its lists are."""
    lengths: list[int] = []
    while isinstance(data, list) and data and len(lengths) < 5:
        lengths.append(len(data))
        data = data[0]
    match lengths:
        case [_]:
            return "784"
        case [_, width]:
            return "n x 784" if width == N_PIXELS else "28 x 28"
        case [_, _, 1]:
            return "28 x 28 x 1"
        case [_, _, _]:
            return "n x 28 x 28"
        case [_, _, _, _]:
            return "n x 28 x 28 x 1"
    return "neither"


Data = Annotated[
    Annotated[Flat, Tag("784")]
    | Annotated[Image, Tag("28 x 28")]
    | Annotated[Deep, Tag("28 x 28 x 1")]
    | Annotated[Flats, Tag("n x 784")]
    | Annotated[Images, Tag("n x 28 x 28")]
    | Annotated[Deeps, Tag("n x 28 x 28 x 1")],
    Discriminator(
        _form,
        custom_error_type="shape",
        custom_error_message=(
            "expected 28 x 28, 28 x 28 x 1 or 784 numbers, or a list of such images"
        ),
    ),
]


class Arrays(BaseModel):
    """Images as arrays of numbers."""

    model_config = ConfigDict(extra="forbid")

    data: Data = Field(
        description=(
            "One image of 28 x 28, 28 x 28 x 1 or 784 numbers, row by row, or a list of images of "
            "the same form. Ink may be bright on dark, as in MNIST, or dark on light."
        )
    )
    range: Literal["0-255", "0-1"] | None = Field(
        default=None,
        description=(
            "What white is: 255 or 1. If it is not said, it is seen from the largest number of all "
            "images: up to 1 it is 0-1, from 2 on it is 0-255. What is between is refused."
        ),
    )


class Prediction(BaseModel):
    """What was read in one picture."""

    file: str | None = Field(description="Name of the file, if it has one.")
    digit: int | None = Field(description="What was read; null if there is an error.")
    confidence: float | None = Field(
        description="Calibrated probability that the digit is right, 0 to 1."
    )
    probabilities: list[float] | None = Field(
        description="Of each of the model's classes, in their order; they add up to 1."
    )
    note: str | None = Field(default=None, description="Which part of the file was read.")
    error: str | None = Field(default=None, description="Why the picture could not be read.")
    image: list[list[int]] | None = Field(
        default=None, description="What the classifier saw, 28 x 28, 0-255, if it was asked for."
    )


class ModelCard(BaseModel):
    """Which model answered."""

    name: str = Field(description="Of its recipe.")
    version: str = Field(description="Of mnist-svm.")
    classes: list[int] = Field(description="The labels that the model knows.")


class Predictions(BaseModel):
    """One entry a picture, in order."""

    predictions: list[Prediction]
    model: ModelCard


class Box(BaseModel):
    """Where a digit is, in pixels of the picture, upright."""

    left: int
    top: int
    width: int
    height: int


class PageDigit(BaseModel):
    """A digit of a page."""

    digit: int
    confidence: float
    box: Box
    probabilities: list[float]
    image: list[list[int]] | None = None


class PageRow(BaseModel):
    """A row of digits, from left to right."""

    number: str = Field(description="The digits, with a space where there is a wide gap.")
    digits: list[PageDigit]


class Page(BaseModel):
    """What was read on one picture."""

    file: str | None
    width: int | None = Field(description="Of the picture, in pixels, upright.")
    height: int | None
    rows: list[PageRow] = Field(description="From top to bottom.")
    note: str | None = None
    error: str | None = None


class Pages(BaseModel):
    """One entry a picture, in order."""

    pictures: list[Page]
    model: ModelCard


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str
    request_id: str


class Status(BaseModel):
    """How the server is."""

    status: Literal["ok", "ready"]


class Info(BaseModel):
    """The model, and what the server takes."""

    model: ModelCard
    metadata: dict[str, Any] = Field(description="What the model file says of itself.")
    limits: dict[str, float]
