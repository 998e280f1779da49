"""Limits on requests: API key, size of the body, time, and requests at a time."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Request, Security
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mnist_svm.serve.observability import Metrics
from mnist_svm.serve.settings import DRAIN_TIMEOUT, MAX_BUFFERED_BYTES, MIB, Settings

OVERLOADED = "too many concurrent requests; try again later"

# Headers of a request that has a body.
BODY_HEADERS = {b"content-length", b"transfer-encoding"}

ApiKey = Annotated[
    str | None, Security(APIKeyHeader(name="X-API-Key", scheme_name="key", auto_error=False))
]
BearerToken = Annotated[
    HTTPAuthorizationCredentials | None,
    Security(HTTPBearer(scheme_name="bearer", auto_error=False)),
]


async def require_key(request: Request, key: ApiKey, bearer: BearerToken) -> None:
    """Raise an HTTPException unless the request has the API key."""
    given = key or (bearer.credentials.strip() if bearer else "")
    expected: str = request.state.service.settings.api_key
    # Compare the raw bytes, in a time that does not depend on the matching part.
    if not hmac.compare_digest(given.encode("latin-1"), os.fsencode(expected)):
        msg = "API key required: X-API-Key: KEY, or Authorization: Bearer KEY"
        raise HTTPException(401, msg)


Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def limit_time(handle: Handler) -> Handler:
    """Wrap a handler to raise an HTTPException if it takes longer than `Settings.timeout`."""

    async def handle_in_time(request: Request) -> Response:
        seconds: float = request.state.service.settings.timeout
        try:
            async with asyncio.timeout(seconds):
                return await handle(request)
        except TimeoutError:
            msg = f"took more than {seconds:g} s; send less per request"
            raise HTTPException(408, msg) from None

    return handle_in_time


class TimeLimitedRoute(APIRoute):
    """A route whose handler has a time limit."""

    def get_route_handler(self) -> Handler:
        """Return the handler of requests."""
        return limit_time(super().get_route_handler())


class Admission:
    """Reads the bodies of requests, while they and the requests in progress are not too many."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._max_body = settings.max_body * MIB
        self._queue = settings.queue
        self._gauge = metrics.requests_in_progress
        self._n_in_progress = 0
        self._n_buffered_bytes = 0

    @asynccontextmanager
    async def admit(self, request: Request) -> AsyncIterator[bytes]:
        """Enter with the body of a request, which is in progress until the exit.

        Raises HTTPException if the body is larger than `Settings.max_body`, or all bodies together
        than `MAX_BUFFERED_BYTES`, or `Settings.queue` requests are in progress.
        """
        parts: list[bytes] = []
        try:
            await self._read(request, parts)
            if self._n_in_progress >= self._queue:
                raise HTTPException(503, OVERLOADED)
            self._n_in_progress += 1
            self._gauge.inc()
            try:
                yield parts[0] if len(parts) == 1 else b"".join(parts)
            finally:
                self._n_in_progress -= 1
                self._gauge.dec()
        finally:
            self._n_buffered_bytes -= sum(map(len, parts))
            # The traceback of an error would keep them until the next garbage collection.
            parts.clear()

    async def _read(self, request: Request, parts: list[bytes]) -> None:
        """Append the parts of the body."""
        too_large = f"body larger than {self._max_body // MIB} MiB; send less"
        content_length = request.headers.get("content-length", "")
        if content_length.isdigit() and int(content_length) > self._max_body:
            raise HTTPException(413, too_large)
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > self._max_body:
                raise HTTPException(413, too_large)
            if self._n_buffered_bytes + len(part) > MAX_BUFFERED_BYTES:
                raise HTTPException(503, OVERLOADED)
            if part:
                self._n_buffered_bytes += len(part)
                parts.append(part)


class DrainMiddleware:
    """ASGI middleware for responses to requests whose body was not read to its end.

    A client that still sends when its connection is closed loses the response. So the response is
    sent, then the body is discarded for up to `DRAIN_TIMEOUT`, then the response is ended.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_ended = not any(name in BODY_HEADERS for name, _ in scope["headers"])

        async def receive_tracked() -> Message:
            nonlocal has_ended
            message = await receive()
            has_ended = not message.get("more_body", False)
            return message

        async def send_and_drain(message: Message) -> None:
            if has_ended:
                await send(message)
            elif message["type"] == "http.response.start":
                await send({**message, "headers": [*message["headers"], (b"connection", b"close")]})
            elif message.get("more_body", False):
                await send(message)
            else:
                await send({**message, "more_body": True})
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(DRAIN_TIMEOUT):
                        while not has_ended:
                            await receive_tracked()
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        with contextlib.suppress(ClientDisconnect):
            await self._app(scope, receive_tracked, send_and_drain)
