"""Types of request and response bodies, as documented by OpenAPI."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from mnist_svm.constants import IMAGE_SHAPE, N_PIXELS, WHITE
from mnist_svm.pictures.images import Range
from mnist_svm.serve.settings import MAX_ARRAYS


def _array_schema(*shape: int) -> dict[str, Any]:
    """Return a schema of nested lists of numbers; a length of 0 stands for up to `MAX_ARRAYS`."""
    if not shape:
        return {"type": "number", "minimum": 0, "maximum": WHITE}
    n_min, n_max = (shape[0], shape[0]) if shape[0] else (1, MAX_ARRAYS)
    items = _array_schema(*shape[1:])
    return {"type": "array", "items": items, "minItems": n_min, "maxItems": n_max}


IMAGE_SHAPES = (IMAGE_SHAPE, (*IMAGE_SHAPE, 1), (N_PIXELS,), (1, *IMAGE_SHAPE))
DATA_SCHEMA = {"anyOf": [_array_schema(*n, *shape) for n in ((), (0,)) for shape in IMAGE_SHAPES]}


class Arrays(BaseModel):
    """Images as arrays of numbers."""

    model_config = ConfigDict(extra="forbid")

    # `to_mnist_images` checks it, because pydantic would take longer than the classifier.
    data: Annotated[Any, WithJsonSchema(DATA_SCHEMA)] = Field(
        description=(
            "One image of 28 x 28, 28 x 28 x 1, 1 x 28 x 28 or 784 numbers, row by row, or a list "
            "of images of the same shape. Ink may be bright on dark, as in MNIST, or dark on "
            "bright."
        )
    )
    range: Range | None = Field(
        default=None,
        description=(
            "Range of the numbers from black to white. By default it is detected from the largest "
            "number of all images: 0-1 up to 1, 0-255 from 2 on; between these it is required."
        ),
    )


class Top(BaseModel):
    """A probable label."""

    label: int
    confidence: float


class Prediction(BaseModel):
    """The digit of one picture; after an error only `file`, `note` and `error`."""

    file: str | None = Field(description="Name of the file, if it has one.")
    note: str = Field(
        default="", description='Part of the file that was read, such as "the first of 3 pages".'
    )
    error: str = Field(default="", description="Reason why the picture was not read.")
    label: int = Field(default=0, description="Most probable label: the digit.")
    name: str = Field(default="", description="Name of the label, if labels are not digits.")
    confidence: float = Field(
        default=0, description="Calibrated probability that the label is right, 0 to 1."
    )
    rejected: bool = Field(default=False, description="Always false; see `predict --reject-below`.")
    top: list[Top] = Field(default=[], description="The most probable labels, best first.")
    probabilities: list[float] = Field(
        default=[],
        description="Probability of each class, in the order of `model.classes`; the sum is 1.",
    )
    image: list[list[int]] = Field(
        default=[], description="The classified image, 28 x 28, 0-255, if requested."
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
    """Bounding box in pixels of the upright picture."""

    left: int
    top: int
    width: int
    height: int


class PageDigit(BaseModel):
    """A digit of a page."""

    label: int
    confidence: float
    rejected: bool
    box: Box
    probabilities: list[float]
    image: list[list[int]] = []


class PageNumber(BaseModel):
    """A number of a page."""

    text: str = Field(description="Its digits.")
    confidence: float = Field(
        description="Calibrated probability that all of them are right, 0 to 1."
    )
    rejected: bool
    box: Box
    table: int = Field(default=0, description="If it is in a ruled table, which one, from 0.")
    row: int = Field(default=0, description="Its row there, from 0.")
    column: int = Field(default=0, description="Its column there, from 0.")


class PageTable(BaseModel):
    """A ruled table of a page."""

    rows: int = Field(description="Number of rows.")
    columns: int = Field(description="Number of columns.")


class PageRow(BaseModel):
    """A row of numbers, from left to right."""

    text: str = Field(description="The numbers, with a space between them.")
    numbers: list[PageNumber]
    digits: list[PageDigit] = Field(description="The digits of all numbers.")


class Page(BaseModel):
    """All digits of one picture; after an error only `file`, `note` and `error`."""

    file: str | None
    note: str = ""
    error: str = ""
    width: int = Field(default=0, description="Pixels of the upright picture.")
    height: int = 0
    text: str = Field(default="", description="The text of all rows, one per line.")
    rows: list[PageRow] = Field(default=[], description="Rows from top to bottom.")
    tables: list[PageTable] = Field(default=[], description="Ruled tables from top to bottom.")


class Pages(BaseModel):
    """One page per picture, in order."""

    pictures: list[Page]
    model: ModelCard


class Comparison(BaseModel):
    """Images that are misread before and after teaching."""

    data: str = Field(description="Name of the data set.")
    n: int = Field(description="Number of images.")
    before: int
    after: int


class TeachingOutcome(BaseModel):
    """What the last teaching changed; after a failure only `error`."""

    error: str = ""
    n_corrections: int = Field(default=0, description="Corrections that were learned from.")
    corrections: Comparison | None = Field(
        default=None, description="Of them, each read by a model that learned from the others."
    )
    test: Comparison | None = Field(default=None, description="Of the test images.")


class Corrections(BaseModel):
    """The corrections, and what was learned from them."""

    n_corrections: int = Field(description="Corrections that are kept.")
    learning: bool = Field(description="Whether the server learns from them now.")
    outcome: TeachingOutcome | None = Field(description="The last learning, if there was one.")


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
