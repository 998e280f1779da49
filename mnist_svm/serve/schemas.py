"""Types of request and response bodies, as documented by OpenAPI."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from mnist_svm.constants import IMAGE_SIDE, N_PIXELS, WHITE
from mnist_svm.serve.settings import MAX_ARRAYS

VERSION = version("mnist-svm")

# Lengths of lists. Validation stops at the first error, because a body may have millions.
_one = Field(min_length=1, max_length=1, fail_fast=True)
_side = Field(min_length=IMAGE_SIDE, max_length=IMAGE_SIDE, fail_fast=True)
_pixels = Field(min_length=N_PIXELS, max_length=N_PIXELS, fail_fast=True)
_images = Field(min_length=1, max_length=MAX_ARRAYS, fail_fast=True)

Pixel = Annotated[float, Field(ge=0, le=WHITE, strict=True, allow_inf_nan=False)]
PixelRow = Annotated[list[Pixel], _side]
ChannelRow = Annotated[list[Annotated[list[Pixel], _one]], _side]
FlatImage = Annotated[list[Pixel], _pixels]
Image2D = Annotated[list[PixelRow], _side]
Image3D = Annotated[list[ChannelRow], _side]

# Tags of the shapes of `Data`; pydantic's errors have them in their location.
DATA_SHAPES = ("784", "28 x 28", "28 x 28 x 1", "n x 784", "n x 28 x 28", "n x 28 x 28 x 1")


def _data_shape(data: Any) -> str:
    """Return the shape to validate data against, by the depth and lengths of its lists."""
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
    return "unknown"


Data = Annotated[
    Annotated[FlatImage, Tag("784")]
    | Annotated[Image2D, Tag("28 x 28")]
    | Annotated[Image3D, Tag("28 x 28 x 1")]
    | Annotated[Annotated[list[FlatImage], _images], Tag("n x 784")]
    | Annotated[Annotated[list[Image2D], _images], Tag("n x 28 x 28")]
    | Annotated[Annotated[list[Image3D], _images], Tag("n x 28 x 28 x 1")],
    Discriminator(
        _data_shape,
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
            "the same shape. Ink may be bright on dark, as in MNIST, or dark on bright."
        )
    )
    range: Literal["0-255", "0-1"] | None = Field(
        default=None,
        description=(
            "Range of the numbers from black to white. By default it is detected from the largest "
            "number of all images: 0-1 up to 1, 0-255 from 2 on; between these it is required."
        ),
    )


class Prediction(BaseModel):
    """The digit of one picture."""

    file: str | None = Field(description="Name of the file, if it has one.")
    digit: int | None = Field(description="Predicted digit; null if there is an error.")
    confidence: float | None = Field(
        description="Calibrated probability that the digit is right, 0 to 1."
    )
    probabilities: list[float] | None = Field(
        description="Probability of each class, in the order of `model.classes`; the sum is 1."
    )
    note: str | None = Field(
        default=None, description='Part of the file that was read, such as "the first of 3 pages".'
    )
    error: str | None = Field(default=None, description="Reason why the picture was not read.")
    image: list[list[int]] | None = Field(
        default=None, description="The classified image, 28 x 28, 0-255, if requested."
    )


class ModelCard(BaseModel):
    """The model of the server."""

    name: str = Field(description="Name of the recipe.")
    version: str = Field(description="Version of mnist-svm.")
    classes: list[int] = Field(description="Labels that the model knows.")


class Predictions(BaseModel):
    """One prediction per picture, in order."""

    predictions: list[Prediction]
    model: ModelCard


class Box(BaseModel):
    """Bounding box of a digit in pixels of the upright picture."""

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

    number: str = Field(description="The digits, with a space at each wide gap.")
    digits: list[PageDigit]


class Page(BaseModel):
    """All digits of one picture."""

    file: str | None
    width: int | None = Field(description="Pixels of the upright picture.")
    height: int | None
    rows: list[PageRow] = Field(description="Rows from top to bottom.")
    note: str | None = None
    error: str | None = None


class Pages(BaseModel):
    """One page per picture, in order."""

    pictures: list[Page]
    model: ModelCard


class Error(BaseModel):
    """Body of every error response."""

    detail: str = Field(description="Reason, on one line.")
    request_id: str = Field(description="Id of the request in the server's log.")


class Status(BaseModel):
    """Status of the server."""

    status: Literal["ok", "ready"]


class Info(BaseModel):
    """The model, and the limits of the server."""

    model: ModelCard
    metadata: dict[str, Any] = Field(description="Metadata of the model file.")
    limits: dict[str, float] = Field(description="Limits per request.")
