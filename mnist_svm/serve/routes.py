"""Routes of the JSON API."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

from fastapi import APIRouter, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mnist_svm.recognition.recognizer import Recognizer
from mnist_svm.recognition.results import DigitReading, PageReading, Row, row_text
from mnist_svm.serve import schemas
from mnist_svm.serve.observability import Metrics
from mnist_svm.serve.openapi import error_responses, picture_body
from mnist_svm.serve.payloads import FORM, JSON, is_media_type, parse_uploads
from mnist_svm.serve.predict import PredictionService
from mnist_svm.serve.responses import json_response
from mnist_svm.serve.settings import MAX_ARRAYS, MAX_JSON_BYTES, Settings

# Routes that need the API key, if there is one, and routes that never need it.
api = APIRouter()
probes = APIRouter(tags=["Server"])

WithImage = Annotated[bool, Query(description="Include the classified image, 28 x 28.")]


class State(TypedDict):
    """Contents of ``request.state`` in every route."""

    service: PredictionService
    settings: Settings
    metrics: Metrics
    model: schemas.ModelCard


def model_card(recognizer: Recognizer) -> schemas.ModelCard:
    """Describe a model for responses."""
    return schemas.ModelCard(
        name=recognizer.model.info.recipe,
        version=schemas.VERSION,
        classes=recognizer.classes.tolist(),
    )


# --- routes -----------------------------------------------------------------------------


@api.post(
    "/predict",
    tags=["Recognition"],
    summary="Read one digit per picture",
    response_model=schemas.Predictions,
    responses=error_responses(401, 408, 413, 415, 422, 503),
    openapi_extra=picture_body(arrays=True),
)
async def predict(request: Request, image: WithImage = False) -> Response:
    """Send pictures of one digit each, or arrays."""
    service: PredictionService = request.state.service
    content_type, body = _content_type(request), await request.body()
    if is_media_type(content_type, JSON):
        readings = await service.read_arrays(body)
    else:
        max_files = request.state.settings.max_files
        readings = await service.read_digits(await parse_uploads(content_type, body, max_files))
    model: schemas.ModelCard = request.state.model
    predictions = [_prediction(reading, model.classes, image) for reading in readings]
    return json_response(schemas.Predictions(predictions=predictions, model=model))


@api.post(
    "/read",
    tags=["Recognition"],
    summary="Read all digits of each picture",
    response_model=schemas.Pages,
    responses=error_responses(401, 408, 413, 415, 422, 503),
    openapi_extra=picture_body(arrays=False),
)
async def read(request: Request, image: WithImage = False) -> Response:
    """Send pictures with any number of digits, in rows."""
    service: PredictionService = request.state.service
    content_type, body = _content_type(request), await request.body()
    if is_media_type(content_type, JSON):
        msg = f"/read takes pictures as {FORM} or image/*; send arrays to /predict"
        raise HTTPException(415, msg)
    uploads = await parse_uploads(content_type, body, request.state.settings.max_files)
    pages = [_page(reading, image) for reading in await service.read_pages(uploads)]
    return json_response(schemas.Pages(pictures=pages, model=request.state.model))


@api.get(
    "/info",
    tags=["Server"],
    summary="The model, and the limits on requests",
    response_model=schemas.Info,
    responses=error_responses(401),
)
async def info(request: Request) -> Response:
    """Return the model's metadata and the server's limits."""
    settings: Settings = request.state.settings
    limits = {
        "body_bytes": settings.max_body,
        "json_bytes": MAX_JSON_BYTES,
        "pixels": settings.max_pixels,
        "files": settings.max_files,
        "arrays": MAX_ARRAYS,
        "seconds": settings.timeout,
    }
    metadata = request.state.service.recognizer.model.info.to_dict()
    content = schemas.Info(model=request.state.model, metadata=metadata, limits=limits)
    return json_response(content)


@api.get(
    "/metrics",
    tags=["Server"],
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **error_responses(401),
    },
)
async def get_metrics(request: Request) -> Response:
    """Return the sums over all workers, in Prometheus text format."""
    metrics: Metrics = request.state.metrics
    return metrics.response()


@probes.get("/health", summary="Liveness probe", response_model=schemas.Status)
async def health() -> Response:
    """Return status 200 while the process works."""
    return json_response(schemas.Status(status="ok"))


@probes.get("/ready", summary="Readiness probe", response_model=schemas.Status)
async def ready() -> Response:
    """Return status 200 once the model is loaded."""
    # The server accepts no connection before that.
    return json_response(schemas.Status(status="ready"))


def _content_type(request: Request) -> str:
    """Return the Content-Type header, or raise if it is not supported."""
    content_type = request.headers.get("content-type", "")
    is_picture = content_type.lower().startswith("image/") or is_media_type(content_type, FORM)
    if not is_picture and not is_media_type(content_type, JSON):
        msg = f"send {FORM} with a field file, image/*, or {JSON} with arrays to /predict"
        raise HTTPException(415, msg)
    return content_type


# --- response bodies --------------------------------------------------------------------


def _prediction(reading: DigitReading, classes: list[int], with_image: bool) -> schemas.Prediction:
    if reading.image is None:
        return schemas.Prediction(
            file=reading.file or None,
            digit=None,
            confidence=None,
            probabilities=None,
            **_without_none(note=reading.note, error=reading.error),
        )
    probabilities = dict(reading.top)
    return schemas.Prediction(
        file=reading.file or None,
        digit=reading.label,
        confidence=reading.confidence,
        probabilities=[probabilities[label] for label in classes],
        **_without_none(note=reading.note, image=reading.image.tolist() if with_image else None),
    )


def _page(reading: PageReading, with_image: bool) -> schemas.Page:
    height, width = reading.size
    return schemas.Page(
        file=reading.file or None,
        # The size is zero if the picture could not be decoded.
        width=width or None,
        height=height or None,
        rows=[_row(row, with_image) for row in reading.rows],
        **_without_none(note=reading.note, error=reading.error),
    )


def _row(row: Row, with_image: bool) -> schemas.PageRow:
    digits = [
        schemas.PageDigit(
            digit=digit.label,
            confidence=digit.confidence,
            box=schemas.Box(**digit.box.to_dict()),
            probabilities=digit.probabilities.tolist(),
            **_without_none(image=digit.image.tolist() if with_image else None),
        )
        for digit in row
    ]
    return schemas.PageRow(number=row_text(row), digits=digits)


def _without_none(**fields: Any) -> dict[str, Any]:
    """Drop optional fields without a value, so that the JSON does not have them."""
    return {name: value for name, value in fields.items() if value is not None}
