"""Answers that are no page: of types of their own, or problems."""

from __future__ import annotations

from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from mnist_svm.serve.error_responses import ProblemError


def typed_answer(answer: BaseModel) -> Response:
    """An answer as JSON; what was not set is left out.

    Parameters
    ----------
    answer : pydantic model

    Returns
    -------
    starlette.responses.Response
    """
    return Response(answer.model_dump_json(exclude_unset=True), media_type="application/json")


def problem_answer(problem: ProblemError, request_id: str) -> Response:
    """A problem as JSON.

    Parameters
    ----------
    problem : ProblemError
    request_id : str

    Returns
    -------
    starlette.responses.Response
    """
    content = {"detail": problem.detail, "request_id": request_id}
    return JSONResponse(content, problem.status, problem.headers)
