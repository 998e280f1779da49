"""Log lines, Prometheus metrics, and the middleware that records every request in both."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
import uuid
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mnist_svm.exceptions import sanitize
from mnist_svm.serve.responses import INTERNAL_ERROR, error_response

logger = logging.getLogger("mnist_svm.serve")

# prometheus_client's variable: the folder through which several workers share their metrics.
SHARED_METRICS = "PROMETHEUS_MULTIPROC_DIR"

# Upper bounds of histogram buckets: seconds per request, images per batch.
SECONDS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
IMAGES_BUCKETS = (1, 2, 4, 8, 16, 32, 64)

# A valid X-Request-ID of a client or proxy, which is kept.
REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")

# Values of the metrics' label "path". All other paths count as "other", so that clients cannot
# create labels.
PATHS = frozenset(
    [
        *["/", "/predict", "/read", "/health", "/ready", "/info", "/metrics", "/docs"],
        *["/openapi.json", "/corrections", "/teach"],
    ]
)

# Status in the log if the client disconnected before the response.
CLIENT_CLOSED = 499

# Characters of a path that are logged.
MAX_LOGGED_PATH = 200

# Default headers of every response.
DEFAULT_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"cache-control": b"no-store",
}


# --- logs -------------------------------------------------------------------------------


class JsonFormatter(logging.Formatter):
    """Format a record as one line of JSON: time, level, message, and the record's ``fields``."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record."""
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry)


class TerminalFormatter(logging.Formatter):
    """Format a record for people: time, message, values of the record's ``fields``."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record; a traceback follows on further lines."""
        fields = getattr(record, "fields", {})
        values = "  ".join(str(value) for value in fields.values() if value is not None)
        line = f"{datetime.fromtimestamp(record.created):%H:%M:%S}  {record.getMessage()}  {values}"
        # Text from clients must not control the terminal.
        line = sanitize(line)
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line.rstrip()


def log_config(is_terminal: bool) -> dict[str, Any]:
    """Return a configuration for `logging.config.dictConfig`: lines for people, or JSON."""
    formatter = TerminalFormatter if is_terminal else JsonFormatter
    handler = {"class": "logging.StreamHandler", "formatter": "lines", "stream": "ext://sys.stderr"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": formatter}},
        "handlers": {"stderr": handler},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            "mnist_svm.serve": {"level": "INFO"},
            # Their warnings about invalid requests and pictures are in the responses.
            "uvicorn": {"level": "ERROR"},
            "python_multipart": {"level": "CRITICAL"},
            "PIL": {"level": "CRITICAL"},
        },
    }


# --- metrics ----------------------------------------------------------------------------


class Metrics:
    """Prometheus metrics of this worker; `response` adds up those of all workers."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        if SHARED_METRICS in os.environ:
            _remove_dead_workers(Path(os.environ[SHARED_METRICS]))
        else:
            ProcessCollector(registry=registry)
        self.requests = Counter(
            "mnist_svm_requests", "Requests.", ["method", "path", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "mnist_svm_request_seconds",
            "Seconds from the headers of a request to the end of its response.",
            ["path"],
            buckets=SECONDS_BUCKETS,
            registry=registry,
        )
        self.requests_in_progress = Gauge(
            "mnist_svm_requests_in_progress",
            "Requests to /predict and /read that are being processed.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        pictures = Counter(
            "mnist_svm_pictures", "Pictures and arrays.", ["outcome"], registry=registry
        )
        self._pictures_read = pictures.labels("read")
        self._pictures_unreadable = pictures.labels("unreadable")
        self.batch_images = Histogram(
            "mnist_svm_batch_images",
            "Images per call of the classifier.",
            buckets=IMAGES_BUCKETS,
            registry=registry,
        )

    def count_request(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count a finished request, and its duration."""
        path = path if path in PATHS else "other"
        n_requests, request_seconds = self._of_requests(method[:8], path, status)
        n_requests.inc()
        request_seconds.observe(seconds)

    @lru_cache(256)  # noqa: B019 - there is one object, and a look-up takes 10 times as long
    def _of_requests(self, method: str, path: str, status: int) -> tuple[Counter, Histogram]:
        return self.requests.labels(method, path, str(status)), self.request_seconds.labels(path)

    def count_pictures(self, n_read: int, n_unreadable: int) -> None:
        """Count the pictures or arrays of a request, by outcome."""
        self._pictures_read.inc(n_read)
        self._pictures_unreadable.inc(n_unreadable)

    def response(self) -> Response:
        """Return the metrics of all workers in Prometheus text format."""
        registry = self._registry
        if SHARED_METRICS in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def _remove_dead_workers(folder: Path) -> None:
    """Remove the gauges of killed workers."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = int(file.stem.rsplit("_", 1)[1])
        if not _exists(pid):
            mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _exists(pid: int) -> bool:
    """Whether a process exists; on Windows, where asking with a signal would end it, True."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


# --- middleware -------------------------------------------------------------------------


class ObservabilityMiddleware:
    """Outermost ASGI middleware: request id, default headers, log line and metrics."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request, and record it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status, size = time.perf_counter(), CLIENT_CLOSED, 0
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        is_valid = REQUEST_ID.fullmatch(given)
        request_id = given.decode("ascii") if is_valid else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_recorded(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = DEFAULT_HEADERS | dict(message["headers"])
                headers[b"x-request-id"] = request_id.encode()
                message = {**message, "headers": list(headers.items())}
            else:
                size += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, send_recorded)
        except Exception:
            logger.exception("failed", extra={"fields": {"request_id": request_id}})
            if status == CLIENT_CLOSED:
                await error_response(INTERNAL_ERROR, request_id)(scope, receive, send_recorded)
        finally:
            seconds = time.perf_counter() - start
            # uvicorn prepends the path under which a proxy publishes the server.
            path = scope["path"].removeprefix(scope["root_path"])
            self._metrics.count_request(scope["method"], path, status, seconds)
            client = scope.get("client")
            fields = {
                "method": scope["method"],
                "path": path[:MAX_LOGGED_PATH],
                "status": status,
                "ms": round(1000 * seconds, 1),
                "bytes": size,
                "client": client[0] if client else None,
                "request_id": request_id,
            }
            logger.info("request", extra={"fields": fields})
