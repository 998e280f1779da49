"""Clients that mean ill, or do not know better: each gets a clear answer, and so do the others."""

from __future__ import annotations

import contextlib
import http.client
import json
import select
import socket
import struct
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.pictures.test_hostile_pictures import HOSTILE, png
from tests.support.hostile import PNG, chunk, saved
from tests.support.paths import DIGITS, ROOT
from tests.support.serving import PATIENCE, Answer, Served, eventually, serving

MIB = 1 << 20

# Bodies of JSON are bounded at 8 MiB before this is.
LIMITS = ("--timeout", "3", "--max-body", "9", "--max-files", "3", "--max-pixels", "2")
KEY = "open-sesame"
FRIEND = "https://friend.example"

SEVEN = DIGITS[7].read_bytes()
IMAGE = {"Content-Type": "image/png"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server would write temporary files."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def served(temporary: Path) -> Iterator[Served]:
    with serving(*LIMITS, env={"TMPDIR": str(temporary)}) as server:
        yield server


@pytest.fixture(scope="module")
def locked() -> Iterator[Served]:
    """A server that wants a key, and answers the pages of a friend."""
    with serving(
        "--allow-origin", FRIEND, "--max-body", "1", env={"MNIST_SVM_API_KEY": KEY}
    ) as server:
        yield server


@pytest.fixture(scope="module", autouse=True)
def loris(served: Served) -> Iterator[socket.socket]:
    """A connection that sends a byte of a head now and then, from the first test on."""
    connection = connect(served)
    connection.sendall(b"GET /health HTTP/1.1\r\nHost: slow\r\nX-Slow: ")
    ended = threading.Event()

    def dribble() -> None:
        with contextlib.suppress(OSError):
            while not ended.wait(0.5):
                connection.sendall(b"z")

    thread = threading.Thread(target=dribble, daemon=True)
    thread.start()
    yield connection
    ended.set()
    thread.join()
    connection.close()


# --- clients ------------------------------------------------------------------------------


def connect(served: Served) -> socket.socket:
    return socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE)


def head(method: str, path: str, **headers: object) -> bytes:
    """A head; an underscore in a header's name stands for a hyphen."""
    lines = [f"{method} {path} HTTP/1.1", "Host: test"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def said(connection: socket.socket) -> bytes:
    """All that a server says until it closes the connection, in whatever way."""
    data = bytearray()
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(1 << 16):
            data += part
    return bytes(data)


def talk(served: Served, data: bytes) -> bytes:
    """Send bytes, as many as are taken, and give what comes back until the connection ends."""
    with connect(served) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(data)
        return said(connection)


def answers(data: bytes) -> list[Answer]:
    """The answers in what a server said; all have a Content-Length."""
    found = []
    while data:
        top, _, rest = data.partition(b"\r\n\r\n")
        first, *lines = top.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
        }
        size = int(headers["content-length"])
        found.append(Answer(int(first.split()[1]), headers, rest[:size]))
        data = rest[size:]
    return found


def only(data: bytes) -> Answer:
    (answer,) = answers(data)
    return answer


def assert_clear(answer: Answer) -> None:
    """One line of JSON for people, with the id, and nothing of the server's insides."""
    assert answer.json.keys() == {"detail", "request_id"}
    assert answer.json["request_id"] == answer.headers["x-request-id"]
    detail = answer.json["detail"]
    assert detail.isprintable(), detail
    assert 5 < len(detail) < 1000, detail
    for inside in ("Traceback", 'File "', ".py", "/usr", "/opt", "/tmp", "/home", str(ROOT)):
        assert inside not in detail


def begun(served: Served) -> float:
    """What the gauge says of requests that are being worked on."""
    (line,) = [
        line
        for line in served.ask("GET", "/metrics").body.decode().splitlines()
        if line.startswith("mnist_svm_requests_begun ")
    ]
    return float(line.split()[1])


@contextlib.contextmanager
def little_memory(served: Served, most: int = 64 * MIB) -> Iterator[None]:
    """Hold that a server's memory does not grow, at any time within, by more than some bytes."""
    process = Path("/proc", str(served.process.pid))

    def told(name: str) -> int:
        (line,) = [x for x in (process / "status").read_text().splitlines() if x.startswith(name)]
        return int(line.split()[1]) << 10

    # From here on the peak is counted anew.
    (process / "clear_refs").write_text("5")
    before = told("VmRSS")
    yield
    assert told("VmHWM") - before < most


def squares(side: int) -> bytes:
    """A small file with so many blots on it that reading it as a page takes long."""
    dots = np.random.default_rng(0).random((side, side)) < 0.3
    return saved(Image.fromarray(np.kron(dots, np.ones((4, 4), dtype=bool))), "PNG")


# --- slow ones ----------------------------------------------------------------------------


@pytest.mark.parametrize("start", [b"", b"POST /predict HTTP/1.1\r\nHost: slow\r\nX-Slow: "])
def test_many_connections_that_say_nothing_keep_nobody_out(served, start):
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(connect(served)).sendall(start)
        assert served.ask("POST", "/predict", SEVEN, IMAGE).status == 200


def test_a_head_that_is_too_long_is_refused(served):
    answer = only(talk(served, b"GET /health HTTP/1.1\r\nX-Long: " + b"z" * (80 << 10)))
    assert answer.status == 400
    assert answer.body == b"The head of the request is too long."


@pytest.mark.parametrize("part", [b"z", b"x:\r\n"])
def test_a_head_of_megabytes_is_cut_off_in_little_memory(served, part):
    with little_memory(served):
        data = talk(served, b"GET /health HTTP/1.1\r\nX-Long: " + part * (32 * MIB // len(part)))
    # The answer may get lost to who goes on sending.
    assert not data or only(data).status == 400


@pytest.mark.parametrize("path", ["/predict", "/nothing"])
@pytest.mark.parametrize("part", [b"x", b"x:\r\n"], ids=["one", "many"])
def test_trailers_of_megabytes_are_cut_off_in_little_memory(served, path, part):
    start = head("POST", path, Content_Type="image/png", Transfer_Encoding="chunked")
    with little_memory(served):
        data = talk(served, start + b"0\r\n" + part * (128 * MIB // len(part)))
    assert all(answer.status >= 400 for answer in answers(data))


def test_a_body_that_dribbles_is_not_waited_for(served):
    with connect(served) as connection:
        connection.sendall(head("POST", "/predict", Content_Type="image/png", Content_Length=5000))
        while not select.select([connection], [], [], 0.2)[0]:
            connection.sendall(b"\x89")
        answer = http.client.HTTPResponse(connection, method="POST")
        answer.begin()
        assert answer.status == 408
        assert json.load(answer)["detail"] == "took more than 3 s; send less at a time"


def test_a_page_that_takes_too_long_is_given_up(served):
    answer = served.ask("POST", "/read", squares(350), IMAGE)
    assert answer.status == 408
    assert_clear(answer)
    # Its thread is free again.
    assert served.ask("POST", "/read", SEVEN, IMAGE).status == 200


# --- those that leave ---------------------------------------------------------------------


def left(served: Served, request_id: str) -> dict:
    """The log's line on a request whose client has gone."""
    return eventually(
        lambda: next((x for x in served.log() if x.get("request_id") == request_id), None)
    )


def test_a_client_that_leaves_in_the_middle_of_its_body_is_noted(served):
    with connect(served) as connection:
        start = head(
            "POST", "/predict", Content_Type="image/png", Content_Length=5000, X_Request_ID="middle"
        )
        connection.sendall(start + SEVEN)
    assert left(served, "middle")["status"] == 499
    assert begun(served) == 0


def test_a_client_that_leaves_before_the_answer_is_noted(served):
    page = squares(350)
    with connect(served) as connection:
        start = head(
            "POST",
            "/read",
            Content_Type="image/png",
            Content_Length=len(page),
            X_Request_ID="early",
        )
        connection.sendall(start + page)
        eventually(lambda: begun(served) == 1)
    assert left(served, "early")["status"] == 499
    assert begun(served) == 0


# --- much ---------------------------------------------------------------------------------


def zeros(chunked: bool) -> Iterator[bytes]:
    """A body of 1 GiB."""
    part = bytes(MIB)
    if chunked:
        part = b"100000\r\n" + part + b"\r\n"
    for _ in range(1024):
        yield part


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
def test_a_gibibyte_is_refused_in_little_memory(served, chunked):
    size = {"Transfer_Encoding": "chunked"} if chunked else {"Content_Length": 1 << 30}
    with little_memory(served), connect(served) as connection:
        connection.sendall(head("POST", "/predict", Content_Type="image/png", **size))
        # Whoever sends all first may find the connection closed, and the answer before that.
        with contextlib.suppress(ConnectionError):
            for part in zeros(chunked):
                connection.sendall(part)
        answer = http.client.HTTPResponse(connection, method="POST")
        answer.begin()
        assert answer.status == 413
        assert json.load(answer)["detail"] == "a body of more than 9 MiB; send less"


def test_a_body_is_refused_by_its_announced_length_before_it_is_sent(served):
    with connect(served) as connection:
        connection.sendall(
            head(
                "POST",
                "/predict",
                Content_Type="image/png",
                Content_Length=1 << 40,
                Expect="100-continue",
            )
        )
        # A client that waits to be asked to go on is not asked.
        answer = http.client.HTTPResponse(connection, method="POST")
        answer.begin()
        assert answer.status == 413


def test_a_client_is_asked_to_go_on_with_what_is_taken(served):
    with connect(served) as connection:
        start = head(
            "POST",
            "/predict",
            Content_Type="image/png",
            Content_Length=len(SEVEN),
            Expect="100-continue",
            Connection="close",
        )
        connection.sendall(start)
        goes_on = b"HTTP/1.1 100 Continue\r\n\r\n"
        assert connection.recv(len(goes_on), socket.MSG_WAITALL) == goes_on
        connection.sendall(SEVEN)
        assert only(said(connection)).json["predictions"][0]["digit"] == 7


@pytest.mark.parametrize(("method", "path"), [("POST", "/nothing"), ("PUT", "/predict")])
def test_a_body_that_nobody_wants_does_not_lose_the_answer(served, method, path):
    answer = served.ask(method, path, bytes(8 * MIB), IMAGE)
    assert answer.status in {404, 405}
    assert_clear(answer)


# --- pictures -----------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/predict", "/read"])
def test_hostile_pictures_are_refused_on_one_line_in_little_memory(served, path):
    fitting = {name: data for name, (data, _) in HOSTILE.items() if len(data) < 8 * MIB}
    assert len(fitting) > 40
    with little_memory(served):
        for name, data in fitting.items():
            answer = served.send(path, (name, data))
            assert answer.status in {413, 422}, name
            assert_clear(answer)
            assert answer.json["detail"].startswith(f"{name}: ")
            assert "/" not in answer.json["detail"]


def test_a_picture_is_refused_by_the_size_in_its_header(served):
    rows = zlib.compress(bytes(1601 * 1251))
    image = PNG + chunk(b"IHDR", struct.pack(">IIBBBBB", 1600, 1251, 8, 0, 0, 0, 0))
    answer = served.ask(
        "POST", "/predict", image + chunk(b"IDAT", rows) + chunk(b"IEND", b""), IMAGE
    )
    assert answer.status == 413
    assert answer.json["detail"] == "1,600 x 1,251 pixels, over the limit of 2,000,000 in all"


def test_a_picture_as_large_as_may_be_is_read(served):
    picture = Image.new("L", (1600, 1250), 255)
    picture.paste(0, (780, 300, 840, 900))
    answer = served.ask("POST", "/predict", saved(picture, "PNG"), IMAGE)
    assert answer.json["predictions"][0]["digit"] == 1


def test_a_bomb_does_not_keep_the_other_files_from_being_read(served):
    answer = served.send("/predict", ("bomb.png", png(100_000, 100_000)), ("7.png", SEVEN))
    assert answer.status == 200
    bomb, seven = answer.json["predictions"]
    assert "over the limit" in bomb["error"]
    assert seven["digit"] == 7


# --- names --------------------------------------------------------------------------------

NAMES = {
    "../../etc/passwd": "passwd",
    "/etc/passwd": "passwd",
    "C:\\x\\7.png": "7.png",
    "..": "..",
    "folder/": None,
    "nul\0l.png": "null.png",
    "two\nlines.png": "twolines.png",
    "\u202egnp.7": "gnp.7",
    "\x1b[2J.png": "[2J.png",
    "n" * 3000: "n" * 255,
    "%2e%2e%2f7.png": "%2e%2e%2f7.png",
    "<img src=x onerror=alert(1)>.png": "<img src=x onerror=alert(1)>.png",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_told_by_its_bare_name_and_not_written(served, temporary, name):
    answer = served.send("/predict", (name, SEVEN))
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["predictions"][0]["file"] == NAMES[name]
    assert not list(temporary.iterdir())
    assert NAMES[name] in {None, ".."} or not (ROOT / NAMES[name]).exists()


@pytest.mark.parametrize("name", ["n" * 5000, 'a"; name="other', "a\r\nX-More: b"])
def test_a_name_that_is_no_name_is_refused_or_cut(served, name):
    answer = served.send("/predict", (name, SEVEN))
    if answer.status == 200:
        assert answer.json["predictions"][0]["file"] == '"a'
    else:
        assert answer.status == 422
        assert_clear(answer)


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
    "no range": f'{{"data": {numbers(784)}, "range": "0-65535"}}'.encode(),
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
def test_bad_json_is_refused_on_one_line(served, name):
    answer = served.ask("POST", "/predict", BAD_JSON[name], JSON)
    assert answer.status == 422
    assert_clear(answer)
    assert len(answer.json["detail"]) < 200


def test_json_of_more_than_its_limit_is_refused(served):
    answer = served.ask("POST", "/predict", b" " * (8 * MIB + 1), JSON)
    assert answer.status == 413
    assert answer.json["detail"] == "JSON of more than 8 MiB; send less at a time"


# Of many small things each takes far more memory than it takes of the body.
GROWING = {
    "keys": b'{"data": [], ' + b", ".join(b'"%d": 0' % key for key in range(500_000)) + b"}",
    "lists": b'{"data": [' + b", ".join([b"[[]]"] * 1_000_000) + b"]}",
}


@pytest.mark.parametrize("name", GROWING)
def test_json_of_many_small_things_takes_little_memory(served, name):
    with little_memory(served, 256 * MIB):
        answer = served.ask("POST", "/predict", GROWING[name], JSON)
    assert answer.status == 422
    assert_clear(answer)


def test_the_faults_of_many_images_are_told_on_a_line_that_can_be_read(served):
    blank = json.dumps({"data": [[0] * 784] * 1000})
    answer = served.ask("POST", "/predict", blank, JSON)
    assert answer.status == 422
    assert_clear(answer)


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
def test_a_broken_form_is_refused_on_one_line(served, name):
    kind, body = BAD_FORMS[name]
    answer = served.ask("POST", "/predict", body, {"Content-Type": kind})
    assert answer.status == 422
    assert_clear(answer)


def test_a_file_without_its_end_is_not_read(served):
    answer = served.ask("POST", "/predict", part(SEVEN), {"Content-Type": LIMIT})
    assert answer.status == 422
    assert_clear(answer)


@pytest.mark.parametrize("count", [4, 10_000])
def test_more_files_than_may_be_are_refused(served, count):
    answer = served.ask("POST", "/predict", part(b"") * count + END, {"Content-Type": LIMIT})
    assert answer.status == 413
    assert answer.json["detail"] == "more than 3 files; send them in several requests"


def test_as_many_files_as_may_be_are_read(served):
    answer = served.send("/predict", *[(f"{index}.png", SEVEN) for index in range(3)])
    assert [one["digit"] for one in answer.json["predictions"]] == [7, 7, 7]


# --- what is hardly HTTP ------------------------------------------------------------------

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
def test_garbage_is_refused(served, name):
    assert only(talk(served, GARBAGE[name])).status == 400


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
def test_a_request_of_two_sizes_smuggles_nothing(served, sizes):
    hidden = "0\r\n\r\nGET /info HTTP/1.1\r\nHost: test\r\n\r\n"
    data = f"POST /predict HTTP/1.1\r\nHost: test\r\n{sizes}\r\n\r\n{hidden}".encode()
    assert only(talk(served, data)).status == 400


def test_http_1_0_is_answered_and_the_connection_closed(served):
    # What is said is read until the connection ends.
    assert only(talk(served, b"GET /health HTTP/1.0\r\n\r\n")).json == {"status": "ok"}


def test_requests_sent_at_once_are_answered_in_their_order(served):
    slow = head("POST", "/predict", Content_Type="image/png", Content_Length=len(SEVEN)) + SEVEN
    data = slow + head("GET", "/health") + slow + head("GET", "/nothing", Connection="close")
    first, second, third, last = answers(talk(served, data))
    assert first.json["predictions"][0]["digit"] == 7
    assert second.json == {"status": "ok"}
    assert third.json["predictions"][0]["digit"] == 7
    assert last.status == 404


@pytest.mark.parametrize("given", ["", "two words", "<b>", "x" * 65, "caf\xe9", "a/b", "a;b"])
def test_an_id_that_is_none_is_replaced(served, given):
    answer = served.ask("GET", "/health", headers={"X-Request-ID": given.encode("latin-1")})
    assert answer.headers["x-request-id"] != given
    assert len(answer.headers["x-request-id"]) == 32


def test_an_id_gets_no_other_header_into_the_answer(served):
    data = head("GET", "/health", Connection="close", X_Request_ID="a\r\nX-Evil: b")
    assert "x-evil" not in only(talk(served, data)).headers


def test_a_wish_for_another_protocol_is_passed_over(served):
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    assert served.ask("GET", "/health", headers=upgrade).json == {"status": "ok"}


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
def test_another_method_is_refused_with_the_one_that_is_taken(served, method, path, allowed):
    answer = served.ask(method, path)
    assert answer.status == 405
    assert answer.headers["allow"] == allowed
    assert_clear(answer)


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
def test_what_is_not_there_cannot_be_found(served, path):
    answer = served.ask("GET", path)
    assert answer.status == 404
    assert_clear(answer)


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
def test_without_the_key_nothing_is_told(locked, method, path, headers):
    answer = locked.ask(method, path, SEVEN if method == "POST" else None, {**IMAGE, **headers})
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert_clear(answer)


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize("headers", [{"X-API-Key": KEY}, {"Authorization": f"bearer {KEY}"}])
def test_with_the_key_all_is_told(locked, method, path, headers):
    answer = locked.ask(method, path, SEVEN if method == "POST" else None, {**IMAGE, **headers})
    assert answer.status == 200


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize("spelling", ["{}%0A", "{}%0a", "{}/", "/{}", "{}%00", "{}%20", "/.{}"])
def test_another_spelling_of_a_path_is_no_way_round_the_key(locked, method, path, spelling):
    answer = locked.ask(method, spelling.format(path), SEVEN if method == "POST" else None, IMAGE)
    assert answer.status in {307, 401, 404, 405}


def test_an_address_in_full_is_no_way_round_the_key(locked):
    data = head("GET", "http://test/info", Connection="close")
    assert only(talk(locked, data)).status == 401


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/openapi.json", "/static/app.js", "/health", "/ready"]
)
def test_what_a_page_or_a_guard_needs_is_open(locked, path):
    assert locked.ask("GET", path).status == 200


# --- pages of others ----------------------------------------------------------------------


def test_pages_of_others_get_no_leave_unless_it_is_given(served):
    answer = served.ask("POST", "/predict", SEVEN, {**IMAGE, "Origin": FRIEND})
    assert answer.status == 200
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def ask_as_a_page(locked: Served, origin: str) -> Answer:
    """What a browser asks before it lets a page of another origin send."""
    wishes = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-api-key",
    }
    return locked.ask("OPTIONS", "/predict", headers=wishes)


def test_a_page_of_a_friend_may_send(locked):
    answer = ask_as_a_page(locked, FRIEND)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == FRIEND
    assert "X-API-Key" in answer.headers["access-control-allow-headers"]


def test_a_page_of_a_stranger_may_not_send(locked):
    answer = ask_as_a_page(locked, "https://stranger.example")
    assert answer.status == 400
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (SEVEN, {"X-API-Key": KEY}, 200),
        (SEVEN, {}, 401),
        (b"no picture", {"X-API-Key": KEY}, 422),
        (bytes(2 * MIB), {"X-API-Key": KEY}, 413),
    ],
)
def test_a_page_of_a_friend_gets_to_read_answers_and_errors(locked, body, headers, status):
    answer = locked.ask("POST", "/predict", body, {**IMAGE, **headers, "Origin": FRIEND})
    assert answer.status == status
    assert answer.headers["access-control-allow-origin"] == FRIEND
    assert "X-Request-ID" in answer.headers["access-control-expose-headers"]


# --- and after all that -------------------------------------------------------------------


def test_a_slow_head_has_been_cut_off(loris):
    # Its limit is counted from its first byte, and not from its last.
    assert said(loris) == b""


@pytest.mark.parametrize("name", ["served", "locked"])
def test_a_digit_is_still_read(request, name):
    server: Served = request.getfixturevalue(name)
    answer = server.ask("POST", "/predict", SEVEN, {**IMAGE, "X-API-Key": KEY})
    assert answer.json["predictions"][0]["digit"] == 7


@pytest.mark.parametrize("name", ["served", "locked"])
def test_the_log_is_json_line_by_line_and_has_no_error(request, name):
    server: Served = request.getfixturevalue(name)
    entries = [json.loads(line) for line in server.lines[1:]]
    assert entries
    assert [entry for entry in entries if entry["level"] == "error" or "traceback" in entry] == []


def test_the_key_is_not_in_the_log(locked):
    assert KEY not in "".join(locked.lines)


def test_nothing_was_written(served, temporary: Path):
    assert list(temporary.iterdir()) == []
