"""Routes of the JSON API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mnist_svm.recognition.formats import DIGITS_PATTERN, parse_digits, parse_format
from mnist_svm.serve import schemas
from mnist_svm.serve.limits import TimeLimitedRoute
from mnist_svm.serve.openapi import error_responses, picture_body
from mnist_svm.serve.payloads import FORM, JSON, is_media_type, parse_uploads
from mnist_svm.serve.predict import PredictionService
from mnist_svm.serve.responses import json_response
from mnist_svm.serve.settings import MAX_ARRAYS, MAX_JSON_BYTES, MIB, MILLION

# Routes that need the API key, if there is one, and routes that never need it.
api = APIRouter(route_class=TimeLimitedRoute)
probes = APIRouter(tags=["Server"])

WithImage = Annotated[bool, Query(description="Include the classified image, 28 x 28.")]
Digits = Annotated[
    str | None,
    Query(
        pattern=DIGITS_PATTERN,
        description="Number of digits of each number, or the least and the most: 6 or 4-8.",
    ),
]
Pattern = Annotated[
    str | None,
    Query(
        pattern="[d0-9]",
        max_length=100,
        description="What each number looks like: d is a digit, 0 to 9 that digit, and anything "
        "else a mark that may be there, as in ddd.ddd,-.",
    ),
]
IsLine = Annotated[bool, Query(description="Whether each picture shows a single line.")]
IsNumber = Annotated[bool, Query(description="Whether each picture shows a single number.")]


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
    content_type = content_type_of(request)
    async with service.admission.admit(request) as body:
        if is_media_type(content_type, JSON):
            readings = await service.read_arrays(body)
        else:
            max_files = service.settings.max_files
            readings = await service.read_digits(parse_uploads(content_type, body, max_files))
    predictions = [reading.to_dict(image=image) for reading in readings]
    return json_response(predictions=predictions, model=service.card)


@api.post(
    "/read",
    tags=["Recognition"],
    summary="Read all digits of each picture",
    response_model=schemas.Pages,
    responses=error_responses(401, 408, 413, 415, 422, 503),
    openapi_extra=picture_body(arrays=False),
)
async def read(
    request: Request,
    image: WithImage = False,
    digits: Digits = None,
    pattern: Pattern = None,
    line: IsLine = False,
    number: IsNumber = False,
) -> Response:
    """Send pictures with any number of digits, in rows."""
    service: PredictionService = request.state.service
    n_digits = None if digits is None else parse_digits(digits)
    try:
        parse_format(n_digits, pattern)
    except ValueError as error:
        raise HTTPException(422, str(error)) from None
    content_type = content_type_of(request)
    if is_media_type(content_type, JSON):
        msg = f"/read takes pictures as {FORM} or image/*; send arrays to /predict"
        raise HTTPException(415, msg)
    async with service.admission.admit(request) as body:
        uploads = parse_uploads(content_type, body, service.settings.max_files)
        pages = await service.read_pages(
            uploads, digits=n_digits, pattern=pattern, line=line, number=number
        )
    pictures = [page.to_dict(image=image) for page in pages]
    return json_response(pictures=pictures, model=service.card)


@api.get(
    "/info",
    tags=["Server"],
    summary="The model, and the limits on requests",
    response_model=schemas.Info,
    responses=error_responses(401),
)
async def info(request: Request) -> Response:
    """Return the model's metadata and the server's limits."""
    service: PredictionService = request.state.service
    settings = service.settings
    limits = {
        "body_bytes": settings.max_body * MIB,
        "json_bytes": MAX_JSON_BYTES,
        "pixels": settings.max_pixels * MILLION,
        "files": settings.max_files,
        "arrays": MAX_ARRAYS,
        "seconds": settings.timeout,
    }
    metadata = service.recognizer.model.info.to_dict()
    return json_response(model=service.card, metadata=metadata, limits=limits)


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
    service: PredictionService = request.state.service
    return service.metrics.response()


@probes.get("/health", summary="Liveness probe", response_model=schemas.Status)
async def health() -> Response:
    """Return status 200 while the process works."""
    return json_response(status="ok")


@probes.get("/ready", summary="Readiness probe", response_model=schemas.Status)
async def ready() -> Response:
    """Return status 200 once the model is loaded."""
    # The server accepts no connection before that.
    return json_response(status="ready")


def content_type_of(request: Request) -> str:
    """Return the Content-Type header, or raise if it is not supported."""
    content_type = request.headers.get("content-type", "")
    is_picture = content_type.lower().startswith("image/") or is_media_type(content_type, FORM)
    if not is_picture and not is_media_type(content_type, JSON):
        msg = f"send {FORM} with a field file, image/*, or {JSON} with arrays to /predict"
        raise HTTPException(415, msg)
    return content_type
