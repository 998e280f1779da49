"""Tests of start and shutdown, worker processes, logs and metrics."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from tests.support.hostile import encode_image
from tests.support.paths import DIGITS, ROOT
from tests.support.processes import needs_posix
from tests.support.serving import TIMEOUT, Response, Server, eventually, serving

SEVEN = DIGITS[7].read_bytes()
IMAGE = {"Content-Type": "image/png"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving("--queue", "1") as server:
        yield server


@pytest.fixture(scope="module")
def page() -> bytes:
    """A picture whose many blobs take a while to read."""
    dots = np.random.default_rng(0).random((70, 70)) < 0.3
    return encode_image(Image.fromarray(np.kron(dots, np.ones((4, 4), dtype=bool))), "PNG")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as executor:
        yield executor


def read_page(pool: ThreadPoolExecutor, server: Server, page: bytes) -> Future[Response]:
    return pool.submit(server.request, "POST", "/read", page, IMAGE)


def predict(server: Server, **headers: str) -> Response:
    return server.request("POST", "/predict", SEVEN, {**IMAGE, **headers})


Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def metrics(server: Server) -> Samples:
    """Parse all samples with Prometheus's own parser."""
    response = server.request("GET", "/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.body.decode())
        for sample in family.samples
    }


def count(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((f"mnist_svm_{name}", frozenset(labels.items())), 0)


def in_progress(server: Server) -> float:
    return count(metrics(server), "requests_in_progress")


def n_predicted(server: Server) -> float:
    """Number of requests to /predict that succeeded."""
    labels = {"method": "POST", "path": "/predict", "status": "200"}
    return count(metrics(server), "requests_total", **labels)


def refused(server: Server) -> bool:
    """Whether the server refuses connections."""
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT):
            return False
    except ConnectionError:
        return True


# --- shutdown -----------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "workers"), [(signal.SIGTERM, "1"), (signal.SIGINT, "1"), (signal.SIGTERM, "2")]
)
def test_requests_in_progress_are_finished_at_shutdown(page, pool, how, workers):
    with serving("--workers", workers) as server:
        pages = [read_page(pool, server, page) for _ in range(2)]
        half = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT)
        half.putrequest("POST", "/predict")
        for name, value in {**IMAGE, "Content-Length": len(SEVEN)}.items():
            half.putheader(name, str(value))
        half.endheaders(SEVEN[:100])
        eventually(lambda: in_progress(server) == 2)
        server.process.send_signal(how)
        # New connections are refused while the old requests are processed.
        eventually(lambda: refused(server))
        half.send(SEVEN[100:])
        assert json.load(half.getresponse())["predictions"][0]["label"] == 7
        half.close()
        assert [page.result().status for page in pages] == [200, 200]
        assert server.process.wait(TIMEOUT) == 0
        eventually(lambda: server.lines[-1] == "Stopped; all requests in progress were finished\n")


def test_idle_connections_do_not_delay_shutdown():
    with serving() as server:
        idle = socket.create_connection(("127.0.0.1", server.port))
        kept = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT)
        kept.request("GET", "/health")
        kept.getresponse().read()
        server.process.terminate()
        assert server.process.wait(TIMEOUT) == 0
        assert idle.recv(1) == b""
        idle.close()
        kept.close()


# --- start -----------------------------------------------------------------------------


def damaged(tmp_path: Path) -> str:
    path = tmp_path / "damaged.joblib"
    path.write_bytes((ROOT / "mnist_svm" / "models" / "gradient.joblib").read_bytes()[:5000])
    return str(path)


CANNOT = {
    "a port in use": (
        lambda tmp_path, port: ["--port", str(port)],
        r"127\.0\.0\.1:\d+: Address already in use",
    ),
    "an unknown host": (
        lambda tmp_path, port: ["--port", "0", "--host", "nowhere.invalid"],
        r"nowhere\.invalid: .+",
    ),
    "no name of a host": (
        lambda tmp_path, port: ["--port", "0", "--host", "a" * 64],
        r"a{64}: not a valid host name",
    ),
    "an address of another machine": (
        lambda tmp_path, port: ["--port", "0", "--host", "192.0.2.1"],
        r"192\.0\.2\.1:0: Cannot assign requested address",
    ),
    "no model": (
        lambda tmp_path, port: ["--port", "0", "--model", str(tmp_path / "none.joblib")],
        r".+none\.joblib: no such model file.+",
    ),
    "a damaged model": (
        lambda tmp_path, port: ["--port", "0", "--model", damaged(tmp_path)],
        r".+damaged\.joblib: .+",
    ),
}


@pytest.mark.parametrize("why", CANNOT)
def test_a_start_error_is_one_line(run, tmp_path, why):
    arguments, message = CANNOT[why]
    with socket.create_server(("127.0.0.1", 0)) as other:
        result = run("serve", *arguments(tmp_path, other.getsockname()[1]))
    assert result.exit_code == 1
    assert re.fullmatch(rf"mnist-svm: error: {message}\n", result.stderr)


@pytest.mark.parametrize(
    ("arguments", "variables", "source"),
    [
        (["--port", "70000"], {}, "--port"),
        (["--timeout", "nan"], {}, "--timeout"),
        (["--max-body", "0"], {"MNIST_SVM_MAX_BODY": "3"}, "--max-body"),
        ([], {"MNIST_SVM_WORKERS": "65"}, "MNIST_SVM_WORKERS"),
        ([], {"MNIST_SVM_QUEUE": "many"}, "MNIST_SVM_QUEUE"),
    ],
)
def test_an_invalid_option_or_variable_is_named(run, monkeypatch, arguments, variables, source):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    result = run("serve", *arguments)
    assert result.exit_code == 2
    assert f"{source}: Input should be" in result.stderr


@pytest.mark.parametrize(
    "package",
    [
        *["fastapi", "fastapi_offline", "httptools", "prometheus_client", "pydantic_settings"],
        *["python_multipart", "uvicorn"],
    ],
)
def test_a_missing_package_is_one_line(run, monkeypatch, package):
    # Import fails as if it were not installed.
    monkeypatch.setitem(sys.modules, package, None)
    result = run("serve", "--host", "192.0.2.1")
    assert result.exit_code == 1
    expected = f"serving needs {package}: pip install 'mnist-svm[serve]'"
    assert result.stderr == f"mnist-svm: error: {expected}\n"


# The command line without the packages of the extra.
WITHOUT = """
import sys
sys.modules.update(dict.fromkeys(["fastapi", "prometheus_client", "starlette", "uvicorn"]))
from mnist_svm.__main__ import main
main()
"""


@pytest.mark.parametrize("command", ["--help", "predict"])
def test_other_commands_work_without_the_extra(command):
    arguments = [command, *(DIGITS if command == "predict" else ())]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=TIMEOUT,
    )
    assert done.returncode == 0, done.stderr


# --- workers ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Parent of the folder that the workers share."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def team(shared: Path) -> Iterator[Server]:
    """A server with two workers."""
    with serving("--workers", "2", env={"TMPDIR": str(shared)}) as server:
        yield server


def two_workers(team: Server, *, without: set[int]) -> list[int]:
    """Wait until there are two workers, none of them in ``without``."""
    return eventually(lambda: len(pids := team.workers()) == 2 and not without & set(pids) and pids)


@pytest.mark.slow
def test_metrics_are_summed_over_workers(team):
    before = n_predicted(team)
    assert [predict(team).status for _ in range(20)] == [200] * 20
    # A worker counts a request once its response is sent, when the other may tell the sum.
    eventually(lambda: n_predicted(team) == before + 20)


@pytest.mark.slow
def test_a_killed_worker_is_replaced_while_the_other_serves(team):
    for _ in range(2):
        first, second = team.workers()
        os.kill(first, signal.SIGKILL)
        two_workers(team, without={first})
        # The other worker responds, and after the second round its replacement.
        assert [predict(team).status for _ in range(20)] == [200] * 20
        assert second in team.workers()


@pytest.mark.slow
def test_killed_workers_leave_counters_but_no_gauges(team, page, pool):
    before = n_predicted(team)
    assert predict(team).status == 200
    eventually(lambda: n_predicted(team) == before + 1)
    pages = [read_page(pool, team, page) for _ in range(2)]
    eventually(lambda: in_progress(team) == 2)
    killed = set(team.workers())
    for worker in killed:
        os.kill(worker, signal.SIGKILL)
    assert all(isinstance(page.exception(), ConnectionError) for page in pages)
    two_workers(team, without=killed)
    assert in_progress(team) == 0
    assert n_predicted(team) == before + 1


@needs_posix
def test_each_worker_writes_lines_of_json(team):
    assert predict(team).status == 200
    eventually(lambda: "request" in {entry["message"] for entry in team.log()})
    assert all(line.startswith("{") for line in team.lines[1:])


def descendants(process: int) -> list[int]:
    children = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [pid for child in map(int, children.split()) for pid in (child, *descendants(child))]


@needs_posix
def test_workers_and_their_folder_disappear_with_the_server(team, shared):
    # Must be the last test with this server.
    assert list(shared.iterdir())
    processes = descendants(team.process.pid)
    assert len(processes) >= 2
    team.process.terminate()
    assert team.process.wait(TIMEOUT) == 0
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in processes))
    assert list(shared.iterdir()) == []


@pytest.mark.slow
def test_workers_exit_when_the_server_is_killed():
    with serving("--workers", "2") as server:
        workers = server.workers()
        server.process.kill()
        server.process.wait(TIMEOUT)
        try:
            eventually(lambda: refused(server))
            eventually(lambda: not any(is_running(worker) for worker in workers))
        finally:
            for worker in filter(is_running, workers):
                os.kill(worker, signal.SIGKILL)


def is_running(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


# --- logs and metrics --------------------------------------------------------------------


def test_each_request_has_one_line_in_the_log(server):
    server.request("GET", "/health", headers={"X-Request-ID": "log-1"})
    predict(server, **{"X-Request-ID": "log-2"})
    server.request("GET", "/nothing", headers={"X-Request-ID": "log-3"})

    def entries() -> list[dict]:
        return [line for line in server.log() if line.get("request_id", "").startswith("log-")]

    lines = eventually(lambda: len(entries()) >= 3 and entries())
    names = ("request_id", "method", "path", "status")
    assert [tuple(line[name] for name in names) for line in lines] == [
        ("log-1", "GET", "/health", 200),
        ("log-2", "POST", "/predict", 200),
        ("log-3", "GET", "/nothing", 404),
    ]
    for line in lines:
        assert datetime.fromisoformat(line["time"]).utcoffset() is not None
        assert line["level"] == "info"
        assert line["ms"] > 0
        assert line["client"] == "127.0.0.1"


def test_a_valid_request_id_is_kept(server):
    response = predict(server, **{"X-Request-ID": "Order-66.a_b"})
    assert response.headers["x-request-id"] == "Order-66.a_b"
    eventually(lambda: [x for x in server.log() if x.get("request_id") == "Order-66.a_b"])


def test_the_log_has_no_query(server):
    # A query may contain a secret.
    server.request("GET", "/health?token=swordfish")
    eventually(lambda: server.log()[-1]["path"] == "/health")
    assert "swordfish" not in "".join(server.lines)


def difference(server: Server, act: Callable[[], object]) -> Samples:
    """Return the increase of each metric by an action."""
    before = metrics(server)
    act()
    after = metrics(server)
    return {name: value - before.get(name, 0) for name, value in after.items()}


def test_the_metrics_count_requests_by_path_and_status(server):
    def act() -> None:
        predict(server)
        predict(server)
        server.request("POST", "/predict", b"no picture", IMAGE)
        server.request("GET", "/made-up")
        server.request("GET", "/made-up-as-well")

    added = difference(server, act)
    named = {"method": "POST", "path": "/predict"}
    assert count(added, "requests_total", **named, status="200") == 2
    assert count(added, "requests_total", **named, status="422") == 1
    assert count(added, "requests_total", method="GET", path="other", status="404") == 2
    assert count(added, "request_seconds_count", path="/predict") == 3
    assert count(added, "request_seconds_bucket", path="/predict", le="+Inf") == 3
    assert count(added, "request_seconds_sum", path="/predict") > 0


def test_the_metrics_count_pictures_and_batches(server):
    def act() -> None:
        server.post_files(
            "/predict", ("7.png", SEVEN), ("note.txt", b"no picture"), ("7.png", SEVEN)
        )

    added = difference(server, act)
    assert count(added, "pictures_total", outcome="read") == 2
    assert count(added, "pictures_total", outcome="unreadable") == 1
    assert count(added, "batch_images_sum") == 2
    assert count(added, "batch_images_count") == 1


def test_unknown_paths_create_no_new_metrics(server):
    server.request("GET", "/health")
    before = metrics(server)
    for index in range(50):
        server.request("GET", f"/made-up-{index}")
    assert metrics(server).keys() == before.keys() | {
        (
            "mnist_svm_requests_total",
            frozenset({"method": "GET", "path": "other", "status": "404"}.items()),
        )
    }


def test_a_full_queue_rejects_requests_and_recovers(server, page, pool):
    pending = read_page(pool, server, page)
    eventually(lambda: in_progress(server) == 1)
    rejected = predict(server)
    assert rejected.status == 503
    assert int(rejected.headers["retry-after"]) >= 1
    assert rejected.json["detail"] == "too many concurrent requests; try again later"
    # Requests outside the queue succeed.
    assert server.request("GET", "/health").status == 200
    assert pending.result().status == 200
    assert predict(server).status == 200


@pytest.mark.slow
def test_on_a_terminal_the_log_is_not_json():
    terminal, end = os.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "mnist_svm", "serve", "--port", "0"], stderr=end, cwd=ROOT
        ) as process:
            os.close(end)
            seen = bytearray()

            def watch() -> None:
                # os.read fails when the other end is closed.
                try:
                    while part := os.read(terminal, 4096):
                        seen.extend(part)
                except OSError:
                    return

            threading.Thread(target=watch, daemon=True).start()
            url = eventually(lambda: re.search(rb"http://127\.0\.0\.1:\d+", seen))
            server = Server(process, url[0].decode())
            request_id = server.request("GET", "/health").headers["x-request-id"]
            server.request("GET", "/%1b%5b2J%0a")
            eventually(lambda: seen.count(b"request  GET  /") == 2)
            process.terminate()
            assert process.wait(TIMEOUT) == 0
    finally:
        os.close(terminal)
    first, second = [line for line in seen.splitlines() if b"  GET  " in line]
    assert re.fullmatch(rb"\d\d:\d\d:\d\d  request  GET  /health  200  .+", first)
    assert first.endswith(request_id.encode())
    # Text from clients cannot move the cursor.
    assert b"/?[2J?  404" in second
