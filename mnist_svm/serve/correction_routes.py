"""Routes that keep corrections and learn from them; only with ``serve --corrections``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

from fastapi import APIRouter, Depends, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mnist_svm.serve import schemas
from mnist_svm.serve.corrections import FullFolderError, count_corrections, keep_correction
from mnist_svm.serve.limits import TimeLimitedRoute
from mnist_svm.serve.openapi import error_responses, picture_body
from mnist_svm.serve.payloads import FORM, JSON, is_media_type, parse_uploads
from mnist_svm.serve.predict import PredictionService
from mnist_svm.serve.responses import json_response
from mnist_svm.serve.routes import content_type_of
from mnist_svm.serve.settings import MAX_CORRECTIONS
from mnist_svm.serve.teaching import Teacher

if TYPE_CHECKING:
    from mnist_svm._types import GreyImage


async def refuse_other_sites(request: Request) -> None:
    """Raise an HTTPException for a request that a page of another site makes a browser send.

    Without an API key, such a page could teach the server through the browser of a person who may
    use it. Browsers say where a request is from, and pages cannot change that.
    """
    settings = request.state.service.settings
    is_foreign = request.headers.get("sec-fetch-site") in {"cross-site", "same-site"}
    allowed = {request.headers.get("origin"), "*"} & set(settings.allow_origin)
    if is_foreign and not allowed:
        raise HTTPException(403, "pages of other sites cannot teach; see serve --allow-origin")


api = APIRouter(
    route_class=TimeLimitedRoute, tags=["Corrections"], dependencies=[Depends(refuse_other_sites)]
)


@api.post(
    "/corrections",
    summary="Keep a picture with its right label",
    status_code=201,
    response_model=schemas.Corrections,
    responses=error_responses(401, 403, 408, 413, 415, 422, 503, 507),
    openapi_extra=picture_body(arrays=False),
)
async def correct(
    request: Request, label: Annotated[int, Query(description="What the picture shows.")]
) -> Response:
    """Send a picture of one digit. Sent again with another label, it is moved there."""
    service: PredictionService = request.state.service
    classes = service.recognizer.classes.tolist()
    if label not in classes:
        raise HTTPException(422, f"label: expected one of {', '.join(map(str, classes))}")
    content_type = content_type_of(request)
    if is_media_type(content_type, JSON):
        raise HTTPException(415, f"/corrections takes a picture as {FORM} or image/*")
    async with service.admission.admit(request) as body:
        (upload,) = parse_uploads(content_type, body, max_files=1)
        (reading,) = await service.read_digits([upload])
        folder, image = _folder(request), cast("GreyImage", reading.image)
        try:
            # After a time-out, the thread still finishes the file.
            await asyncio.to_thread(keep_correction, folder, label, upload.content, image)
        except FullFolderError:
            msg = f"there are {MAX_CORRECTIONS:,} corrections, which is the limit; remove some"
            raise HTTPException(507, msg) from None
    return await _state(request, 201)


@api.get(
    "/corrections",
    summary="The corrections, and what was learned from them",
    response_model=schemas.Corrections,
    responses=error_responses(401, 403),
)
async def corrections(request: Request) -> Response:
    """Return the number of corrections, and the state of learning."""
    return await _state(request, 200)


@api.post(
    "/teach",
    summary="Learn from the corrections",
    status_code=202,
    response_model=schemas.Corrections,
    responses=error_responses(401, 403, 409),
)
async def teach(request: Request) -> Response:
    """Start to learn; the server takes over the new model when it is done. See /corrections."""
    teacher: Teacher = request.state.teacher
    if not await asyncio.to_thread(count_corrections, _folder(request)):
        raise HTTPException(409, "there are no corrections yet")
    if not await teacher.start():
        raise HTTPException(409, "the server is learning already")
    return await _state(request, 202)


def _folder(request: Request) -> Path:
    folder: Path = request.state.service.settings.corrections
    return folder


async def _state(request: Request, status: int) -> Response:
    teacher: Teacher = request.state.teacher
    # In this order: an outcome is written before the teaching ends.
    learning = teacher.is_running()
    content = schemas.Corrections(
        n_corrections=await asyncio.to_thread(count_corrections, _folder(request)),
        learning=learning,
        outcome=schemas.TeachingOutcome.model_validate(outcome)
        if (outcome := teacher.outcome())
        else None,
    )
    response = json_response(**content.model_dump())
    response.status_code = status
    return response
