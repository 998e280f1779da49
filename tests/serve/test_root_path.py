"""Tests of the server behind a reverse proxy that strips a prefix of the path."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urljoin, urlsplit

import pytest

from tests.support.paths import DIGITS
from tests.support.serving import TIMEOUT, serving

PREFIX = "/digits"
IMAGE = {"Content-Type": "image/png"}


class Proxy(BaseHTTPRequestHandler):
    """Forwards requests below `PREFIX`, without it, to the port ``upstream`` of its server."""

    def do_GET(self) -> None:
        assert self.path.startswith(f"{PREFIX}/"), self.path
        connection = http.client.HTTPConnection("127.0.0.1", self.server.upstream, timeout=TIMEOUT)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.removeprefix(PREFIX)
        connection.request(self.command, path, body, dict(self.headers))
        response = connection.getresponse()
        content = response.read()
        self.send_response_only(response.status)
        for name, value in response.getheaders():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        connection.close()

    do_POST = do_GET  # noqa: N815 - the name that the base class calls

    def log_message(self, *arguments: object) -> None:
        """Print nothing."""


@pytest.fixture(
    scope="module", params=[["--root-path", "digits/"], {"MNIST_SVM_ROOT_PATH": PREFIX}]
)
def port(request) -> Iterator[int]:
    """The port of a proxy before a server that knows its prefix, by an option or a variable."""
    is_option = isinstance(request.param, list)
    options, variables = (request.param, None) if is_option else ([], request.param)
    with (
        serving(*options, env=variables) as server,
        ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy,
    ):
        proxy.upstream = server.port
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        yield proxy.server_port
        proxy.shutdown()


def fetch(port: int, path: str, body: bytes | None = None) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    connection.request("POST" if body else "GET", path, body, IMAGE if body else {})
    response = connection.getresponse()
    headers = {name.lower(): value for name, value in response.getheaders()}
    content = response.read()
    connection.close()
    return response.status, headers, content


def test_a_redirect_stays_below_the_prefix(port):
    status, headers, _ = fetch(port, f"{PREFIX}/predict/", DIGITS[7].read_bytes())
    assert status == 307
    target = urljoin(f"http://127.0.0.1:{port}{PREFIX}/predict/", headers["location"])
    assert target == f"http://127.0.0.1:{port}{PREFIX}/predict"
    assert fetch(port, urlsplit(target).path, DIGITS[7].read_bytes())[0] == 200


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/openapi.json", "/static/app.js", "/swagger/swagger-ui.css", "/health"]
)
def test_pages_and_their_files_are_below_the_prefix(port, path):
    assert fetch(port, PREFIX + path)[0] == 200


def test_the_document_says_where_the_server_is(port):
    _, _, content = fetch(port, f"{PREFIX}/openapi.json")
    assert b'"servers":[{"url":"/digits"}]' in content


def test_metrics_and_log_have_paths_without_the_prefix(port):
    fetch(port, f"{PREFIX}/predict", DIGITS[7].read_bytes())
    _, _, content = fetch(port, f"{PREFIX}/metrics")
    assert b'mnist_svm_requests_total{method="POST",path="/predict",status="200"}' in content
