"""The web page, the API documentation page, and their files; nothing loads from other servers."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles

STATIC = Path(__file__).with_name("static")

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

# Swagger UI uses inline styles.
DOCS_POLICY = PAGE_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")

# Browsers cache files, but revalidate them on each use.
REVALIDATE = {"cache-control": "no-cache"}


class _RevalidatedFiles(StaticFiles):
    def file_response(self, *args: object, **kwargs: object) -> Response:
        response: Response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers.update(REVALIDATE)
        return response


def add_pages(app: FastAPI, *, corrections: bool) -> None:
    """Add the pages and their static files to an application.

    With `corrections`, the index page takes corrections and teaches.
    """
    index_page = _correcting_index_page if corrections else _index_page
    app.add_route("/", index_page, include_in_schema=False)
    app.add_route("/docs", _docs_page, include_in_schema=False)
    app.mount("/static", _RevalidatedFiles(directory=STATIC))
    # fastapi_offline includes the files of Swagger UI, which FastAPI would load from a CDN.
    app.mount("/swagger", _RevalidatedFiles(packages=[("fastapi_offline", "static")]))


async def _index_page(request: Request) -> Response:
    return _page("index.html", PAGE_POLICY)


async def _correcting_index_page(request: Request) -> Response:
    # A script cannot ask: without the API key, and without corrections, the answer is an error.
    page = (STATIC / "index.html").read_text("utf-8").replace("<body>", "<body data-corrections>")
    return HTMLResponse(page, headers={**REVALIDATE, "content-security-policy": PAGE_POLICY})


async def _docs_page(request: Request) -> Response:
    return _page("docs.html", DOCS_POLICY)


def _page(name: str, policy: str) -> Response:
    headers = {**REVALIDATE, "content-security-policy": policy}
    return FileResponse(STATIC / name, headers=headers)
