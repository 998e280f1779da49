"""Tests of hostile and faulty clients: each gets a clear error, and others are still served."""

from __future__ import annotations

import contextlib
import http.client
import json
import select
import socket
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.hostile import PNG, chunk, encode_image
from tests.support.hostile_files import HOSTILE_FILES, png_file
from tests.support.paths import DIGITS, ROOT
from tests.support.serving import TIMEOUT, Response, Server, eventually, serving

MIB = 1 << 20

# MiB; the limit of 8 MiB on JSON bodies is lower.
LIMITS = ("--timeout", "3", "--max-body", "9", "--max-files", "3", "--max-pixels", "2")
KEY = "open-sesame"
FRIEND = "https://friend.example"

SEVEN = DIGITS[7].read_bytes()
IMAGE = {"Content-Type": "image/png"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for temporary files."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def server(temporary: Path) -> Iterator[Server]:
    with serving(*LIMITS, env={"TMPDIR": str(temporary)}) as server:
        yield server


@pytest.fixture(scope="module")
def locked() -> Iterator[Server]:
    """A server with an API key and one allowed origin."""
    with serving(
        "--allow-origin", FRIEND, "--max-body", "1", env={"MNIST_SVM_API_KEY": KEY}
    ) as server:
        yield server


@pytest.fixture(scope="module", autouse=True)
def loris(server: Server) -> Iterator[socket.socket]:
    """A connection that slowly sends endless headers, from the first test on."""
    connection = connect(server)
    connection.sendall(b"GET /health HTTP/1.1\r\nHost: slow\r\nX-Slow: ")
    ended = threading.Event()

    def send_slowly() -> None:
        with contextlib.suppress(OSError):
            while not ended.wait(0.5):
                connection.sendall(b"z")

    thread = threading.Thread(target=send_slowly, daemon=True)
    thread.start()
    yield connection
    ended.set()
    thread.join()
    connection.close()


# --- clients ------------------------------------------------------------------------------


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT)


def head(method: str, path: str, **headers: object) -> bytes:
    """Return request line and headers; underscores in header names become hyphens."""
    lines = [f"{method} {path} HTTP/1.1", "Host: test"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def receive_all(connection: socket.socket) -> bytes:
    """Receive until the server closes or resets the connection."""
    data = bytearray()
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(1 << 16):
            data += part
    return bytes(data)


def exchange(server: Server, data: bytes) -> bytes:
    """Send bytes, as many as the server accepts, and return all that it sends back."""
    with connect(server) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(data)
        return receive_all(connection)


def parse_responses(data: bytes) -> list[Response]:
    """Parse responses, which all have a Content-Length."""
    responses = []
    while data:
        top, _, rest = data.partition(b"\r\n\r\n")
        first, *lines = top.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
        }
        size = int(headers["content-length"])
        responses.append(Response(int(first.split()[1]), headers, rest[:size]))
        data = rest[size:]
    return responses


def parse_response(data: bytes) -> Response:
    (response,) = parse_responses(data)
    return response


def assert_clear(response: Response) -> None:
    """Check that an error is one readable line, with its id and without internals of the server."""
    assert response.json.keys() == {"detail", "request_id"}
    assert response.json["request_id"] == response.headers["x-request-id"]
    detail = response.json["detail"]
    assert detail.isprintable(), detail
    assert 5 < len(detail) < 1000, detail
    for inside in ("Traceback", 'File "', ".py", "/usr", "/opt", "/tmp", "/home", str(ROOT)):
        assert inside not in detail


def in_progress(server: Server) -> float:
    """Return the gauge of requests in progress."""
    (line,) = [
        line
        for line in server.request("GET", "/metrics").body.decode().splitlines()
        if line.startswith("mnist_svm_requests_in_progress ")
    ]
    return float(line.split()[1])


def is_idle(process: Path) -> bool:
    """Return whether a process takes no more than a tick of CPU time in a moment."""

    def ticks() -> int:
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before = ticks()
    time.sleep(0.1)
    return ticks() - before <= 1


@contextlib.contextmanager
def little_memory(server: Server, most: int = 64 * MIB) -> Iterator[None]:
    """Check that the memory of a server grows by less than ``most`` bytes at its peak."""
    process = Path("/proc", str(server.process.pid))

    def memory(name: str) -> int:
        (line,) = [x for x in (process / "status").read_text().splitlines() if x.startswith(name)]
        return int(line.split()[1]) << 10

    # Pages of earlier tests whose clients left may still be read.
    eventually(lambda: is_idle(process))
    # Reset the peak.
    (process / "clear_refs").write_text("5")
    before = memory("VmRSS")
    yield
    assert memory("VmHWM") - before < most


def squares(side: int) -> bytes:
    """Return a small file whose thousands of blobs take long to read as a page."""
    dots = np.random.default_rng(0).random((side, side)) < 0.3
    return encode_image(Image.fromarray(np.kron(dots, np.ones((4, 4), dtype=bool))), "PNG")


# --- slow clients -------------------------------------------------------------------------


@pytest.mark.parametrize("start", [b"", b"POST /predict HTTP/1.1\r\nHost: slow\r\nX-Slow: "])
def test_many_silent_connections_do_not_block_others(server, start):
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(connect(server)).sendall(start)
        assert server.request("POST", "/predict", SEVEN, IMAGE).status == 200


def test_too_long_headers_are_rejected(server):
    response = parse_response(
        exchange(server, b"GET /health HTTP/1.1\r\nX-Long: " + b"z" * (80 << 10))
    )
    assert response.status == 400
    assert response.body == b"The headers of the request are too long."


@pytest.mark.parametrize("part", [b"z", b"x:\r\n"])
def test_megabytes_of_headers_are_cut_off_in_little_memory(server, part):
    with little_memory(server):
        data = exchange(
            server, b"GET /health HTTP/1.1\r\nX-Long: " + part * (32 * MIB // len(part))
        )
    # A client that keeps sending may lose the response.
    assert not data or parse_response(data).status == 400


@pytest.mark.parametrize("path", ["/predict", "/nothing"])
@pytest.mark.parametrize("part", [b"x", b"x:\r\n"], ids=["one", "many"])
def test_trailers_of_megabytes_are_cut_off_in_little_memory(server, path, part):
    start = head("POST", path, Content_Type="image/png", Transfer_Encoding="chunked")
    with little_memory(server):
        data = exchange(server, start + b"0\r\n" + part * (128 * MIB // len(part)))
    assert all(response.status >= 400 for response in parse_responses(data))


def test_a_slow_body_times_out(server):
    with connect(server) as connection:
        connection.sendall(head("POST", "/predict", Content_Type="image/png", Content_Length=5000))
        while not select.select([connection], [], [], 0.2)[0]:
            connection.sendall(b"\x89")
        response = http.client.HTTPResponse(connection, method="POST")
        response.begin()
        assert response.status == 408
        assert json.load(response)["detail"] == "took more than 3 s; send less per request"


def test_a_page_that_takes_too_long_times_out(server):
    response = server.request("POST", "/read", squares(350), IMAGE)
    assert response.status == 408
    assert_clear(response)
    # The thread is free again.
    assert server.request("POST", "/read", SEVEN, IMAGE).status == 200


# --- disconnecting clients ----------------------------------------------------------------


def log_entry(server: Server, request_id: str) -> dict:
    """Wait for the log entry of a request."""
    return eventually(
        lambda: next((x for x in server.log() if x.get("request_id") == request_id), None)
    )


def test_a_disconnect_during_the_body_is_logged(server):
    with connect(server) as connection:
        start = head(
            "POST", "/predict", Content_Type="image/png", Content_Length=5000, X_Request_ID="middle"
        )
        connection.sendall(start + SEVEN)
    assert log_entry(server, "middle")["status"] == 499
    assert in_progress(server) == 0


def test_a_disconnect_before_the_response_is_logged(server):
    page = squares(350)
    with connect(server) as connection:
        start = head(
            "POST",
            "/read",
            Content_Type="image/png",
            Content_Length=len(page),
            X_Request_ID="early",
        )
        connection.sendall(start + page)
        eventually(lambda: in_progress(server) == 1)
    assert log_entry(server, "early")["status"] == 499
    assert in_progress(server) == 0


# --- large requests ---------------------------------------------------------------------


def zeros(chunked: bool) -> Iterator[bytes]:
    """Yield a body of 1 GiB."""
    part = bytes(MIB)
    if chunked:
        part = b"100000\r\n" + part + b"\r\n"
    for _ in range(1024):
        yield part


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
def test_a_gibibyte_is_rejected_in_little_memory(server, chunked):
    size = {"Transfer_Encoding": "chunked"} if chunked else {"Content_Length": 1 << 30}
    with little_memory(server), connect(server) as connection:
        connection.sendall(head("POST", "/predict", Content_Type="image/png", **size))
        # The connection may be closed before everything is sent.
        with contextlib.suppress(ConnectionError):
            for part in zeros(chunked):
                connection.sendall(part)
        response = http.client.HTTPResponse(connection, method="POST")
        response.begin()
        assert response.status == 413
        assert json.load(response)["detail"] == "body larger than 9 MiB; send less"


def test_rejected_bodies_are_not_kept(server):
    body = bytes(10 * MIB)
    start = head("POST", "/predict", Content_Type="image/png", Transfer_Encoding="chunked")
    with little_memory(server):
        for _ in range(20):
            with connect(server) as connection, contextlib.suppress(ConnectionError):
                connection.sendall(start + b"%x\r\n" % len(body) + body)
                connection.recv(1)


def test_a_body_is_rejected_by_its_content_length_before_it_is_sent(server):
    with connect(server) as connection:
        connection.sendall(
            head(
                "POST",
                "/predict",
                Content_Type="image/png",
                Content_Length=1 << 40,
                Expect="100-continue",
            )
        )
        # The server rejects the body instead of sending 100 Continue.
        response = http.client.HTTPResponse(connection, method="POST")
        response.begin()
        assert response.status == 413


def test_an_acceptable_body_gets_100_continue(server):
    with connect(server) as connection:
        start = head(
            "POST",
            "/predict",
            Content_Type="image/png",
            Content_Length=len(SEVEN),
            Expect="100-continue",
            Connection="close",
        )
        connection.sendall(start)
        interim = b"HTTP/1.1 100 Continue\r\n\r\n"
        assert connection.recv(len(interim), socket.MSG_WAITALL) == interim
        connection.sendall(SEVEN)
        assert parse_response(receive_all(connection)).json["predictions"][0]["label"] == 7


@pytest.mark.parametrize(("method", "path"), [("POST", "/nothing"), ("PUT", "/predict")])
def test_an_unwanted_body_does_not_lose_the_response(server, method, path):
    response = server.request(method, path, bytes(8 * MIB), IMAGE)
    assert response.status in {404, 405}
    assert_clear(response)


# --- pictures -----------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/predict", "/read"])
def test_hostile_pictures_are_rejected_on_one_line_in_little_memory(server, path):
    fitting = {name: data for name, (data, _) in HOSTILE_FILES.items() if len(data) < 8 * MIB}
    assert len(fitting) > 40
    with little_memory(server):
        for name, data in fitting.items():
            response = server.post_files(path, (name, data))
            assert response.status in {413, 422}, name
            assert_clear(response)
            assert response.json["detail"].startswith(f"{name}: ")
            assert "/" not in response.json["detail"]


def test_a_picture_is_rejected_by_the_size_in_its_header(server):
    rows = zlib.compress(bytes(1601 * 1251))
    image = PNG + chunk(b"IHDR", struct.pack(">IIBBBBB", 1600, 1251, 8, 0, 0, 0, 0))
    response = server.request(
        "POST", "/predict", image + chunk(b"IDAT", rows) + chunk(b"IEND", b""), IMAGE
    )
    assert response.status == 413
    assert response.json["detail"] == "1,600 x 1,251 pixels, over the limit of 2,000,000 in all"


def test_a_picture_of_the_maximum_size_is_read(server):
    picture = Image.new("L", (1600, 1250), 255)
    picture.paste(0, (780, 300, 840, 900))
    response = server.request("POST", "/predict", encode_image(picture, "PNG"), IMAGE)
    assert response.json["predictions"][0]["label"] == 1


def test_a_bomb_does_not_affect_the_other_files(server):
    response = server.post_files(
        "/predict", ("bomb.png", png_file(100_000, 100_000)), ("7.png", SEVEN)
    )
    assert response.status == 200
    bomb, seven = response.json["predictions"]
    assert "over the limit" in bomb["error"]
    assert seven["label"] == 7


# --- names --------------------------------------------------------------------------------

NAMES = {
    "../../etc/passwd": "passwd",
    "/etc/passwd": "passwd",
    "C:\\x\\7.png": "7.png",
    "..": "..",
    "folder/": None,
    "nul\0l.png": "nul?l.png",
    "two\nlines.png": "two?lines.png",
    "\u202egnp.7": "?gnp.7",
    "\x1b[2J.png": "?[2J.png",
    "n" * 3000: "n" * 255,
    "%2e%2e%2f7.png": "%2e%2e%2f7.png",
    "<img src=x onerror=alert(1)>.png": "<img src=x onerror=alert(1)>.png",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_file_name_is_reduced_to_its_base_and_nothing_is_written(server, temporary, name):
    response = server.post_files("/predict", (name, SEVEN))
    assert response.status == 200, response.body
    assert response.headers["content-type"] == "application/json"
    assert response.json["predictions"][0]["file"] == NAMES[name]
    assert not list(temporary.iterdir())
    assert NAMES[name] in {None, ".."} or not (ROOT / NAMES[name]).exists()


@pytest.mark.parametrize("name", ["n" * 5000, 'a"; name="other', "a\r\nX-More: b"])
def test_an_invalid_name_is_rejected_or_cut(server, name):
    response = server.post_files("/predict", (name, SEVEN))
    if response.status == 200:
        assert response.json["predictions"][0]["file"] == '"a'
    else:
        assert response.status == 422
        assert_clear(response)


# --- JSON ---------------------------------------------------------------------------------


def numbers(count: int, number: object = 0) -> str:
    return "[" + ",".join([str(number)] * count) + "]"


BAD_JSON = {
    "nothing": b"",
    "an empty object": b"{}",
    "a list": b"[]",
    "null": b"null",
    "a string": b'"7"',
    "a number": b"7",
    "cut off": b'{"data": [[0, 0',
    "data that is null": b'{"data": null}',
    "data that is true": b'{"data": true}',
    "data that is an object": b'{"data": {"0": 0}}',
    "data that is empty": b'{"data": []}',
    "lists that are empty": b'{"data": [[], []]}',
    "ragged": b'{"data": [[1, 2], [3]]}',
    "one number too few": f'{{"data": {numbers(783)}}}'.encode(),
    "one number too many": f'{{"data": {numbers(785)}}}'.encode(),
    "numbers as strings": f'{{"data": {numbers(784, chr(34) + "0" + chr(34))}}}'.encode(),
    "truth": f'{{"data": {numbers(784, "true")}}}'.encode(),
    "NaN": f'{{"data": {numbers(784, "NaN")}}}'.encode(),
    "infinity": f'{{"data": {numbers(784, "1e400")}}}'.encode(),
    "less than nothing": f'{{"data": {numbers(784, -1)}}}'.encode(),
    "more than white": f'{{"data": {numbers(784, 256)}}}'.encode(),
    "a number of a million digits": b'{"data": [' + b"9" * MIB + b"]}",
    "no range": f'{{"data": {numbers(784)}, "range": "0-100"}}'.encode(),
    "more keys": f'{{"data": {numbers(784)}, "model": "../../etc/passwd"}}'.encode(),
    "the same key twice": f'{{"data": {numbers(784)}, "data": 7}}'.encode(),
    "not UTF-8": b'{"data": "\xff\xfe"}',
    "UTF-16": '{"data": []}'.encode("utf-16"),
    "half a character": b'{"data": "\\ud800"}',
    "deeply nested lists": b'{"data": ' + b"[" * MIB + b"]" * MIB + b"}",
    "deeply nested objects": b'{"data": ' * 100_000,
    "1,001 images": f'{{"data": [{",".join([numbers(784)] * 1001)}]}}'.encode(),
}


@pytest.mark.parametrize("name", BAD_JSON)
def test_bad_json_is_rejected_on_one_line(server, name):
    response = server.request("POST", "/predict", BAD_JSON[name], JSON)
    assert response.status == 422
    assert_clear(response)
    assert len(response.json["detail"]) < 200


def test_json_above_its_limit_is_rejected(server):
    response = server.request("POST", "/predict", b" " * (8 * MIB + 1), JSON)
    assert response.status == 413
    assert response.json["detail"] == "JSON body larger than 8 MiB; send fewer images per request"


# Small items that take far more memory than bytes of the body.
GROWING = {
    "keys": b'{"data": [], ' + b", ".join(b'"%d": 0' % key for key in range(500_000)) + b"}",
    "lists": b'{"data": [' + b", ".join([b"[[]]"] * 1_000_000) + b"]}",
}


@pytest.mark.parametrize("name", GROWING)
def test_json_of_many_small_items_takes_little_memory(server, name):
    with little_memory(server, 256 * MIB):
        response = server.request("POST", "/predict", GROWING[name], JSON)
    assert response.status == 422
    assert_clear(response)


def test_the_errors_of_many_images_are_one_readable_line(server):
    blank = json.dumps({"data": [[0] * 784] * 1000})
    response = server.request("POST", "/predict", blank, JSON)
    assert response.status == 422
    assert_clear(response)


# --- forms --------------------------------------------------------------------------------


def part(content: bytes, disposition: str = 'form-data; name="file"; filename="7.png"') -> bytes:
    return f"--limit\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + content + b"\r\n"


END = b"--limit--\r\n"
LIMIT = "multipart/form-data; boundary=limit"

BAD_FORMS = {
    "no boundary": ("multipart/form-data", part(SEVEN) + END),
    "an empty boundary": ("multipart/form-data; boundary=", part(SEVEN) + END),
    "another boundary": ("multipart/form-data; boundary=other", part(SEVEN) + END),
    "a boundary that is too long": (f"{LIMIT}{'t' * 5000}", part(SEVEN) + END),
    "nothing": (LIMIT, b""),
    "no part": (LIMIT, END),
    "no head": (LIMIT, b"--limit\r\n\r\n\r\n" + END),
    "another field": (LIMIT, part(SEVEN, 'form-data; name="picture"; filename="7.png"') + END),
    "text": (LIMIT, part(SEVEN, 'form-data; name="file"') + END),
    "an empty file": (LIMIT, part(b"") + END),
    "no end in the head": (LIMIT, b"--limit\r\nContent-Disposition: form-data"),
    "a head of a megabyte": (LIMIT, part(SEVEN, "form-data; x=" + "y" * MIB) + END),
    "a million parameters": (LIMIT, part(SEVEN, "form-data" + "; x=y" * MIB) + END),
    "10,000 fields": (LIMIT, part(b"", 'form-data; name="x"') * 10_000 + END),
    "a megabyte of text": (LIMIT, part(b"x" * (MIB + 1), 'form-data; name="x"') + END),
    "an encoding that cannot decode": (f"{LIMIT}; charset=undefined", part(SEVEN) + END),
    "noise": (LIMIT, np.random.default_rng(0).bytes(10_000)),
}


@pytest.mark.parametrize("name", BAD_FORMS)
def test_a_malformed_form_is_rejected_on_one_line(server, name):
    kind, body = BAD_FORMS[name]
    response = server.request("POST", "/predict", body, {"Content-Type": kind})
    assert response.status == 422
    assert_clear(response)


def test_a_truncated_form_is_rejected(server):
    response = server.request("POST", "/predict", part(SEVEN), {"Content-Type": LIMIT})
    assert response.status == 422
    assert_clear(response)


@pytest.mark.parametrize("count", [4, 10_000])
def test_too_many_files_are_rejected(server, count):
    response = server.request("POST", "/predict", part(b"") * count + END, {"Content-Type": LIMIT})
    assert response.status == 413
    assert response.json["detail"] == "more than 3 files; send them in several requests"


def test_the_maximum_number_of_files_is_read(server):
    response = server.post_files("/predict", *[(f"{index}.png", SEVEN) for index in range(3)])
    assert [item["label"] for item in response.json["predictions"]] == [7, 7, 7]


# --- malformed HTTP ----------------------------------------------------------------------

GARBAGE = {
    "noise": np.random.default_rng(0).bytes(1000),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "no path": b"GET  HTTP/1.1\r\n\r\n",
    "a path that is not ASCII": b"GET /\xff HTTP/1.1\r\n\r\n",
    "an address without a host": b"GET http:// HTTP/1.1\r\n\r\n",
    "a control character in a header": b"GET /health HTTP/1.1\r\nX-Odd: a\x0bb\r\n\r\n",
    "a header over two lines": b"GET /health HTTP/1.1\r\nX-Odd: a\r\n b\r\n\r\n",
    "a length that is no number": b"POST /predict HTTP/1.1\r\nContent-Length: +7\r\n\r\n",
    "a negative length": b"POST /predict HTTP/1.1\r\nContent-Length: -7\r\n\r\n",
    "an immense length": b"POST /predict HTTP/1.1\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n",
    "chunks in another coding": b"POST /predict HTTP/1.1\r\nTransfer-Encoding: zip\r\n\r\n",
    "a chunk of no size": b"POST /predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nsize\r\n",
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_is_rejected(server, name):
    assert parse_response(exchange(server, GARBAGE[name])).status == 400


@pytest.mark.parametrize(
    "sizes",
    [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding : chunked",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 6",
    ],
)
def test_two_lengths_cannot_smuggle_a_request(server, sizes):
    hidden = "0\r\n\r\nGET /info HTTP/1.1\r\nHost: test\r\n\r\n"
    data = f"POST /predict HTTP/1.1\r\nHost: test\r\n{sizes}\r\n\r\n{hidden}".encode()
    assert parse_response(exchange(server, data)).status == 400


def test_http_1_0_gets_a_response_and_the_connection_is_closed(server):
    # exchange() returns only when the connection is closed.
    assert parse_response(exchange(server, b"GET /health HTTP/1.0\r\n\r\n")).json == {
        "status": "ok"
    }


def test_pipelined_requests_are_processed_in_order(server):
    slow = head("POST", "/predict", Content_Type="image/png", Content_Length=len(SEVEN)) + SEVEN
    data = slow + head("GET", "/health") + slow + head("GET", "/nothing", Connection="close")
    first, second, third, last = parse_responses(exchange(server, data))
    assert first.json["predictions"][0]["label"] == 7
    assert second.json == {"status": "ok"}
    assert third.json["predictions"][0]["label"] == 7
    assert last.status == 404


@pytest.mark.parametrize("given", ["", "two words", "<b>", "x" * 65, "caf\xe9", "a/b", "a;b"])
def test_an_invalid_request_id_is_replaced(server, given):
    response = server.request("GET", "/health", headers={"X-Request-ID": given.encode("latin-1")})
    assert response.headers["x-request-id"] != given
    assert len(response.headers["x-request-id"]) == 32


def test_a_request_id_cannot_add_a_header_to_the_response(server):
    data = head("GET", "/health", Connection="close", X_Request_ID="a\r\nX-Evil: b")
    assert "x-evil" not in parse_response(exchange(server, data)).headers


def test_an_upgrade_is_ignored(server):
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    assert server.request("GET", "/health", headers=upgrade).json == {"status": "ok"}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/predict", "POST"),
        ("PUT", "/read", "POST"),
        ("POST", "/info", "GET"),
        ("DELETE", "/metrics", "GET"),
        ("OPTIONS", "/health", "GET"),
        ("TRACE", "/ready", "GET"),
    ],
)
def test_a_wrong_method_is_rejected_with_the_allowed_one(server, method, path, allowed):
    response = server.request(method, path)
    assert response.status == 405
    assert response.headers["allow"] == allowed
    assert_clear(response)


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/%ff",
        "/static/",
        "/static/nothing.js",
        "/static/..%2f..%2fsettings.py",
        "/static/%2e%2e/app.py",
        "/static/../app.py",
        "/static/..%5capp.py",
        "/static//etc/passwd",
        "/static/%2fetc/passwd",
        "/static/%00",
        "/swagger/../__init__.py",
        "/static/" + "x" * 5000,
    ],
)
def test_unknown_paths_are_not_found(server, path):
    response = server.request("GET", path)
    assert response.status == 404
    assert_clear(response)


# --- keys ---------------------------------------------------------------------------------

GUARDED = [("POST", "/predict"), ("POST", "/read"), ("GET", "/info"), ("GET", "/metrics")]


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": ""},
        {"X-API-Key": "open"},
        {"X-API-Key": KEY + "!"},
        {"X-API-Key": "schl\xfcssel"},
        {"X-API-Key": "schlüssel".encode()},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer open"},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": KEY},
    ],
)
def test_requests_without_the_key_are_rejected(locked, method, path, headers):
    response = locked.request(
        method, path, SEVEN if method == "POST" else None, {**IMAGE, **headers}
    )
    assert response.status == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert_clear(response)


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize("headers", [{"X-API-Key": KEY}, {"Authorization": f"bearer {KEY}"}])
def test_requests_with_the_key_succeed(locked, method, path, headers):
    response = locked.request(
        method, path, SEVEN if method == "POST" else None, {**IMAGE, **headers}
    )
    assert response.status == 200


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize("spelling", ["{}%0A", "{}%0a", "{}/", "/{}", "{}%00", "{}%20", "/.{}"])
def test_no_spelling_of_a_path_bypasses_the_key(locked, method, path, spelling):
    response = locked.request(
        method, spelling.format(path), SEVEN if method == "POST" else None, IMAGE
    )
    assert response.status in {307, 401, 404, 405}


def test_an_absolute_url_does_not_bypass_the_key(locked):
    data = head("GET", "http://test/info", Connection="close")
    assert parse_response(exchange(locked, data)).status == 401


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/openapi.json", "/static/app.js", "/health", "/ready"]
)
def test_pages_and_probes_need_no_key(locked, path):
    assert locked.request("GET", path).status == 200


# --- CORS ---------------------------------------------------------------------------------


def test_other_origins_are_not_allowed_by_default(server):
    response = server.request("POST", "/predict", SEVEN, {**IMAGE, "Origin": FRIEND})
    assert response.status == 200
    assert not [name for name in response.headers if name.startswith("access-control-")]


def preflight(locked: Server, origin: str) -> Response:
    """Send the request by which browsers check whether a page may use the API."""
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-api-key",
    }
    return locked.request("OPTIONS", "/predict", headers=headers)


def test_preflight_allows_the_configured_origin(locked):
    response = preflight(locked, FRIEND)
    assert response.status == 200
    assert response.headers["access-control-allow-origin"] == FRIEND
    assert "X-API-Key" in response.headers["access-control-allow-headers"]


def test_preflight_rejects_other_origins(locked):
    response = preflight(locked, "https://stranger.example")
    assert response.status == 400
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (SEVEN, {"X-API-Key": KEY}, 200),
        (SEVEN, {}, 401),
        (b"no picture", {"X-API-Key": KEY}, 422),
        (bytes(2 * MIB), {"X-API-Key": KEY}, 413),
    ],
)
def test_the_configured_origin_can_read_results_and_errors(locked, body, headers, status):
    response = locked.request("POST", "/predict", body, {**IMAGE, **headers, "Origin": FRIEND})
    assert response.status == status
    assert response.headers["access-control-allow-origin"] == FRIEND
    assert "X-Request-ID" in response.headers["access-control-expose-headers"]


# --- after all other tests ----------------------------------------------------------------


def test_slow_headers_have_been_cut_off(loris):
    # The time limit counts from the first byte, not from the last.
    assert receive_all(loris) == b""


@pytest.mark.parametrize("name", ["server", "locked"])
def test_a_digit_is_still_read(request, name):
    server: Server = request.getfixturevalue(name)
    response = server.request("POST", "/predict", SEVEN, {**IMAGE, "X-API-Key": KEY})
    assert response.json["predictions"][0]["label"] == 7


@pytest.mark.parametrize("name", ["server", "locked"])
def test_every_log_line_is_json_and_none_is_an_error(request, name):
    server: Server = request.getfixturevalue(name)
    entries = [json.loads(line) for line in server.lines[1:]]
    assert entries
    assert [entry for entry in entries if entry["level"] == "error" or "traceback" in entry] == []


def test_the_key_is_not_in_the_log(locked):
    assert KEY not in "".join(locked.lines)


def test_nothing_was_written(server, temporary: Path):
    assert list(temporary.iterdir()) == []
