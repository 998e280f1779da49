"""Middleware that enforces the limits on requests: API key, size, time and concurrency."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mnist_svm.serve.observability import Metrics
from mnist_svm.serve.responses import error_response
from mnist_svm.serve.settings import DRAIN_TIMEOUT, MAX_BUFFERED_BYTES, MIB, Settings

# Paths that need the API key.
PROTECTED_PATHS = frozenset(["/predict", "/read", "/info", "/metrics"])

# Paths whose POST requests count against `Settings.queue`.
QUEUED_PATHS = frozenset(["/predict", "/read"])

OVERLOADED = "too many concurrent requests; try again later"


class RequestStream:
    """An ASGI ``receive`` whose attribute ``ended`` is true once the body is complete."""

    def __init__(self, headers: Headers, receive: Receive) -> None:
        self.headers = headers
        self.ended = not ({"content-length", "transfer-encoding"} & set(headers))
        self._receive = receive

    async def __call__(self) -> Message:
        """Receive the next message."""
        message = await self._receive()
        self.ended = not message.get("more_body", False)
        return message


class LimitsMiddleware:
    """ASGI middleware that forwards requests within the limits, their body as one message."""

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self._app = app
        self._settings = settings
        self._gauge = metrics.requests_in_progress
        self._n_in_progress = 0
        self._n_buffered_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request, or respond with an error."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        stream, has_started = RequestStream(Headers(scope=scope), receive), False

        async def send_tracked(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            async with asyncio.timeout(self._settings.timeout):
                await self._check_and_forward(scope, stream, send_tracked)
        except TimeoutError:
            if not has_started:
                msg = f"took more than {self._settings.timeout:g} s; send less per request"
                await _reject(HTTPException(408, msg), scope, stream, send)
        except HTTPException as error:
            await _reject(error, scope, stream, send)
        except ClientDisconnect:
            # Nobody reads a response.
            return

    async def _check_and_forward(self, scope: Scope, stream: RequestStream, send: Send) -> None:
        if not scope["path"].isprintable():
            # A route's pattern matches a path with a trailing newline, PROTECTED_PATHS does not.
            raise HTTPException(404, "Not Found")
        if scope["path"] in PROTECTED_PATHS:
            self._require_key(stream.headers)
        body = bytearray()
        try:
            await self._read(body, stream)
            await self._forward(bytes(body), scope, stream, send)
        finally:
            self._n_buffered_bytes -= len(body)

    def _require_key(self, headers: Headers) -> None:
        if self._settings.api_key is None:
            return
        scheme, _, token = headers.get("authorization", "").partition(" ")
        key = headers.get("x-api-key") or (token.strip() if scheme.lower() == "bearer" else "")
        # Compare the raw bytes, in a time that does not depend on the matching part.
        if not hmac.compare_digest(key.encode("latin-1"), os.fsencode(self._settings.api_key)):
            msg = "API key required: X-API-Key: KEY, or Authorization: Bearer KEY"
            raise HTTPException(401, msg)

    async def _read(self, body: bytearray, stream: RequestStream) -> None:
        """Append the body of the request to `body`, up to the limits on bytes."""
        max_body = self._settings.max_body
        too_large = HTTPException(413, f"body larger than {max_body / MIB:g} MiB; send less")
        content_length = stream.headers.get("content-length", "")
        if content_length.isdigit() and int(content_length) > max_body:
            raise too_large
        while not stream.ended:
            message = await stream()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            part: bytes = message.get("body", b"")
            if len(body) + len(part) > max_body:
                raise too_large
            if self._n_buffered_bytes + len(part) > MAX_BUFFERED_BYTES:
                raise HTTPException(503, OVERLOADED)
            self._n_buffered_bytes += len(part)
            body += part

    async def _forward(self, body: bytes, scope: Scope, stream: RequestStream, send: Send) -> None:
        """Pass the request to the application, unless too many are in progress."""
        if scope["method"] != "POST" or scope["path"] not in QUEUED_PATHS:
            await self._app(scope, stream, send)
            return
        if self._n_in_progress >= self._settings.queue:
            raise HTTPException(503, OVERLOADED)
        is_replayed = False

        async def replay() -> Message:
            nonlocal is_replayed
            if is_replayed:
                return await stream()
            is_replayed = True
            return {"type": "http.request", "body": body, "more_body": False}

        task, is_disconnected = asyncio.current_task(), False
        assert task is not None  # noqa: S101 - coroutines always run in a task

        def cancel() -> None:
            nonlocal is_disconnected
            is_disconnected = True
            task.cancel()

        # Called by `LimitedHttpProtocol` when the client disconnects.
        scope["state"]["cancel"] = cancel
        self._n_in_progress += 1
        self._gauge.inc()
        try:
            await self._app(scope, replay, send)
        except asyncio.CancelledError:
            if not is_disconnected:
                raise
            task.uncancel()
            raise ClientDisconnect from None
        finally:
            del scope["state"]["cancel"]
            self._n_in_progress -= 1
            self._gauge.dec()


async def _reject(error: HTTPException, scope: Scope, stream: RequestStream, send: Send) -> None:
    """Send an error, and discard the rest of the body for up to `DRAIN_TIMEOUT`.

    A client that still sends when its connection is closed loses the response. So the whole
    response is sent first, and its end is marked after the body.
    """
    response = error_response(error, scope["state"]["request_id"])
    if stream.ended:
        await response(scope, stream, send)
        return
    response.headers["connection"] = "close"
    start = {"type": "http.response.start", "status": response.status_code}
    await send({**start, "headers": response.raw_headers})
    await send({"type": "http.response.body", "body": response.body, "more_body": True})
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_TIMEOUT):
            while not stream.ended:
                await stream()
    await send({"type": "http.response.body", "body": b"", "more_body": False})
