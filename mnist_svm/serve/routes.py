"""The JSON API: routes, and how OpenAPI tells of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.responses import Response

from mnist_svm.exceptions import TooLargeError
from mnist_svm.recognition.recognizer import Recognizer
from mnist_svm.recognition.results import Row, row_text
from mnist_svm.serve import schemas
from mnist_svm.serve.bodies import uploads
from mnist_svm.serve.error_responses import ProblemError
from mnist_svm.serve.limits import GUARDED
from mnist_svm.serve.metrics import Metrics
from mnist_svm.serve.predict import Reading, Seen, SeenPage
from mnist_svm.serve.responses import typed_answer
from mnist_svm.serve.settings import MAX_ARRAYS, MAX_JSON, MAX_LISTS, MIB, Settings

JSON, FORM = "application/json", "multipart/form-data"

# Kinds of pictures that the document names; others that are pictures are read as well.
KINDS = ("png", "jpeg", "gif", "bmp", "tiff", "webp", "x-portable-anymap")

# Pictures that cannot be read, of which the reason is told if none can be.
FAULTS = 5

# A one: a stroke, 20 pixels high, in the middle.
EXAMPLE = {"data": [[255 * (4 <= i < 24 and 13 <= j < 16) for j in range(28)] for i in range(28)]}

Image = Annotated[
    bool, Query(description="Whether to give what the classifier saw, 28 x 28, as well.")
]


def add_api(
    app: FastAPI, settings: Settings, recognizer: Recognizer, metrics: Metrics
) -> Callable[[Request], Awaitable[Response]]:
    """Add the routes of the API to an application.

    Parameters
    ----------
    app : FastAPI
        Whose lifespan gives its requests a ``reading``.
    settings : Settings
    recognizer : Recognizer
    metrics : Metrics

    Returns
    -------
    callable
        What answers a request to ``/predict`` without a query.
    """
    card = _card(recognizer)
    if settings.api_key is not None:
        _tell_of_the_key(app)

    @app.post(
        "/predict",
        tags=["Reading"],
        summary="Read one digit from each picture",
        response_model=schemas.Predictions,
        responses=_problems(401, 408, 413, 415, 422, 503),
        openapi_extra={"requestBody": _body(settings, arrays=True)},
    )
    async def predict(request: Request, image: Image = False) -> Response:
        reading: Reading = request.state.reading
        kind, body = _kind(request), await request.body()
        if _is(kind, JSON):
            _require_short(body)
            seen = await reading.arrays(body)
        else:
            seen = await reading.files(await uploads(kind, body, settings.max_files))
        _require_any(seen, metrics)
        answers = await reading.classified(seen)
        entries = [
            _prediction(one, answer, recognizer, image)
            for one, answer in zip(seen, answers, strict=True)
        ]
        return typed_answer(schemas.Predictions(predictions=entries, model=card))

    @app.post(
        "/read",
        tags=["Reading"],
        summary="Read all digits on each picture",
        response_model=schemas.Pages,
        responses=_problems(401, 408, 413, 415, 422, 503),
        openapi_extra={"requestBody": _body(settings, arrays=False)},
    )
    async def read(request: Request, image: Image = False) -> Response:
        reading: Reading = request.state.reading
        kind, body = _kind(request), await request.body()
        if _is(kind, JSON):
            raise ProblemError(415, f"/read takes pictures: {FORM} or image/*; arrays: /predict")
        files = await uploads(kind, body, settings.max_files)
        seen = await reading.pages(files, settings.timeout)
        _require_any(seen, metrics)
        pages = [_page(one, image) for one in seen]
        return typed_answer(schemas.Pages(pictures=pages, model=card))

    @app.get("/health", tags=["Server"], summary="Whether it lives", response_model=schemas.Status)
    async def health() -> Response:
        return typed_answer(schemas.Status(status="ok"))

    @app.get(
        "/ready", tags=["Server"], summary="Whether it is ready", response_model=schemas.Status
    )
    async def ready() -> Response:
        # Nobody is listened to before it is.
        return typed_answer(schemas.Status(status="ready"))

    @app.get(
        "/info",
        tags=["Server"],
        summary="The model, and the limits on requests",
        response_model=schemas.Info,
        responses=_problems(401),
    )
    async def info() -> Response:
        limits = {
            "body_bytes": settings.max_body,
            "json_bytes": MAX_JSON,
            "pixels": settings.max_pixels,
            "files": settings.max_files,
            "arrays": MAX_ARRAYS,
            "seconds": settings.timeout,
        }
        metadata = dict(recognizer.model.metadata)
        return typed_answer(schemas.Info(model=card, metadata=metadata, limits=limits))

    @app.get(
        "/metrics",
        tags=["Server"],
        summary="Counts and times, for Prometheus",
        response_class=Response,
        responses={
            200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
            **_problems(401),
        },
    )
    async def tell_metrics() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    return predict


# --- what is asked ----------------------------------------------------------------------


def _kind(request: Request) -> str:
    """The content type, if it is one that is taken."""
    kind = request.headers.get("content-type", "")
    if kind.lower().startswith("image/") or _is(kind, JSON) or _is(kind, FORM):
        return kind
    msg = f"send {FORM} with a field file, image/*, or {JSON} with arrays to /predict"
    raise ProblemError(415, msg)


def _is(kind: str, media_type: str) -> bool:
    return kind.partition(";")[0].strip().lower() == media_type


def _require_short(body: bytes) -> None:
    if len(body) > MAX_JSON:
        msg = f"JSON of more than {MAX_JSON / MIB:g} MiB; send less at a time"
        raise ProblemError(413, msg)
    # Cheap to count, but not to make.
    if body.count(b"[") > MAX_LISTS:
        msg = f"body: more lists than {MAX_ARRAYS:,} images have"
        raise ProblemError(422, msg)


def _require_any(seen: Sequence[Seen | SeenPage], metrics: Metrics) -> None:
    """Refuse a request of which nothing can be read."""
    errors = [one for one in seen if one.error is not None]
    metrics.count_pictures(len(seen) - len(errors), len(errors))
    if len(errors) < len(seen):
        return
    faults = [f"{one.file}: {one.error}" if one.file else str(one.error) for one in errors]
    status = 413 if all(isinstance(one.error, TooLargeError) for one in errors) else 422
    more = f"; and {len(faults) - FAULTS} more" if len(faults) > FAULTS else ""
    raise ProblemError(status, "; ".join(faults[:FAULTS]) + more)


# --- what is answered -------------------------------------------------------------------


def _card(recognizer: Recognizer) -> schemas.ModelCard:
    classes = [int(label) for label in recognizer.classes]
    name = str(recognizer.model.metadata.get("recipe", "unknown"))
    return schemas.ModelCard(name=name, version=schemas.VERSION, classes=classes)


def _prediction(
    seen: Seen, confidences: Any, recognizer: Recognizer, image: bool
) -> schemas.Prediction:
    if seen.image is None:
        return schemas.Prediction(
            file=seen.file,
            digit=None,
            confidence=None,
            probabilities=None,
            **_if_any(note=seen.note, error=seen.error and str(seen.error)),
        )
    best = confidences.argmax()
    return schemas.Prediction(
        file=seen.file,
        digit=int(recognizer.classes[best]),
        confidence=float(confidences[best]),
        probabilities=confidences.tolist(),
        **_if_any(note=seen.note, image=seen.image.tolist() if image else None),
    )


def _page(seen: SeenPage, image: bool) -> schemas.Page:
    height, width = seen.size or (None, None)
    return schemas.Page(
        file=seen.file,
        width=width,
        height=height,
        rows=[_row(row, image) for row in seen.rows],
        **_if_any(note=seen.note, error=seen.error and str(seen.error)),
    )


def _row(row: Row, image: bool) -> schemas.PageRow:
    digits = [
        schemas.PageDigit(
            digit=digit.label,
            confidence=digit.confidence,
            box=schemas.Box(**digit.box.to_dict()),
            probabilities=list(digit.probabilities),
            **_if_any(image=digit.image.tolist() if image else None),
        )
        for digit in row
    ]
    return schemas.PageRow(number=row_text(row), digits=digits)


def _if_any(**values: Any) -> dict[str, Any]:
    """Only what is there is set, and so only that is told."""
    return {name: value for name, value in values.items() if value is not None}


# --- how it is told ---------------------------------------------------------------------


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    means = {
        401: "The API key is missing or wrong.",
        408: "The request took too long.",
        413: "The body, a picture or the number of them is over a limit.",
        415: "The content type is none that is taken.",
        422: "The body cannot be read.",
        503: "Too many requests at once; Retry-After says when to come again.",
    }
    return {status: {"model": schemas.Problem, "description": means[status]} for status in statuses}


def _tell_of_the_key(app: FastAPI) -> None:
    """Have the document say where the API key goes; the guard asks for it."""
    plain = app.openapi

    def document() -> dict[str, Any]:
        told = plain()
        told["components"]["securitySchemes"] = {
            "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            "bearer": {"type": "http", "scheme": "bearer"},
        }
        for path in GUARDED:
            for operation in told["paths"][path].values():
                operation["security"] = [{"key": []}, {"bearer": []}]
        return told

    app.openapi = document  # type: ignore[method-assign]


def _body(settings: Settings, *, arrays: bool) -> dict[str, Any]:
    picture = {"type": "string", "format": "binary"}
    told = f"Picture files, at most {settings.max_files}."
    files = {"type": "array", "items": picture, "minItems": 1, "description": told}
    form = {"type": "object", "properties": {"file": files}, "required": ["file"]}
    content: dict[str, Any] = {FORM: {"schema": form}}
    if arrays:
        schema = schemas.Arrays.model_json_schema()
        content[JSON] = {"schema": schema, "example": EXAMPLE}
    content |= {f"image/{kind}": {"schema": picture} for kind in KINDS}
    return {"required": True, "content": content}
