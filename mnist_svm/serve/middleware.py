"""The outermost layer: every request gets an id, a line in the log, its counts and safe headers."""

from __future__ import annotations

import re
import time
import uuid

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mnist_svm.serve.error_responses import internal_error
from mnist_svm.serve.logs import logger
from mnist_svm.serve.metrics import Metrics
from mnist_svm.serve.responses import problem_answer

# An id that a client or a proxy gives is kept if it is one.
ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

# The paths that are told apart; any other could be made up by the million.
PATHS = frozenset(
    ["/", "/predict", "/read", "/health", "/ready", "/info", "/metrics", "/docs", "/openapi.json"]
)

# Of a status that no client gets: it had gone.
GONE = 499

# Characters of a path that are logged.
LOGGED = 200

# What every answer says unless it says otherwise.
HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"cache-control": b"no-store",
}


class Observed:
    """ASGI layer that tells of every request.

    Parameters
    ----------
    app : ASGI application
    metrics : Metrics
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and tell of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status, size = time.perf_counter(), GONE, 0
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def observed(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                # The last of a name is the one that stands.
                headers = HEADERS | dict(message["headers"])
                headers[b"x-request-id"] = request_id.encode()
                message = {**message, "headers": list(headers.items())}
            else:
                size += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, observed)
        except Exception:  # noqa: BLE001 - the last line of defence, and it is logged
            logger.exception("failed", extra={"fields": {"request_id": request_id}})
            if status == GONE:
                await problem_answer(internal_error(), request_id)(scope, receive, observed)
        finally:
            self._tell(scope, request_id, status, size, time.perf_counter() - start)

    def _tell(self, scope: Scope, request_id: str, status: int, size: int, seconds: float) -> None:
        path, method, client = scope["path"], scope["method"], scope.get("client")
        known = path if path in PATHS else "other"
        self._metrics.requests.labels(method[:8], known, str(status)).inc()
        self._metrics.seconds.labels(known).observe(seconds)
        fields = {
            "method": method,
            "path": path[:LOGGED],
            "status": status,
            "ms": round(1000 * seconds, 1),
            "bytes": size,
            "client": client[0] if client else None,
            "request_id": request_id,
        }
        logger.info("request", extra={"fields": fields})
