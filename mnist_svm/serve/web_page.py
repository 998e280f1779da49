"""The page for people, the documentation of the API, and what both load: nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

STATIC = Path(__file__).with_name("static")

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

# Swagger UI puts styles into the page.
DOCS_POLICY = PAGE_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")

# A browser asks each time whether its copy is still good.
FRESH = {"cache-control": "no-cache"}


class _Files(StaticFiles):
    def file_response(self, *args: object, **kwargs: object) -> Response:
        response: Response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers.update(FRESH)
        return response


def add_pages(app: FastAPI) -> None:
    """Add the pages to an application.

    Parameters
    ----------
    app : FastAPI
    """

    async def page(request: Request) -> Response:
        policy = {"content-security-policy": PAGE_POLICY}
        return FileResponse(STATIC / "index.html", headers={**FRESH, **policy})

    async def docs(request: Request) -> Response:
        policy = {"content-security-policy": DOCS_POLICY}
        return FileResponse(STATIC / "docs.html", headers={**FRESH, **policy})

    app.add_route("/", page, include_in_schema=False)
    app.add_route("/docs", docs, include_in_schema=False)
    app.mount("/static", _Files(directory=STATIC))
    # A package for machines without a network brings Swagger UI.
    app.mount("/swagger", _Files(packages=[("fastapi_offline", "static")]))
