"""A server's life: how it starts and ends, what it tells of itself, and how it bears losses."""

from __future__ import annotations

import http.client
import json
import os
import pty
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

from tests.support.hostile import saved
from tests.support.paths import DIGITS, ROOT
from tests.support.serving import PATIENCE, Answer, Served, eventually, serving

SEVEN = DIGITS[7].read_bytes()
IMAGE = {"Content-Type": "image/png"}


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving("--queue", "1") as server:
        yield server


@pytest.fixture(scope="module")
def page() -> bytes:
    """A picture with so many blots on it that to read it takes a while."""
    dots = np.random.default_rng(0).random((70, 70)) < 0.3
    return saved(Image.fromarray(np.kron(dots, np.ones((4, 4), dtype=bool))), "PNG")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as executor:
        yield executor


def read_page(pool: ThreadPoolExecutor, served: Served, page: bytes) -> Future[Answer]:
    return pool.submit(served.ask, "POST", "/read", page, IMAGE)


def predict(served: Served, **headers: str) -> Answer:
    return served.ask("POST", "/predict", SEVEN, {**IMAGE, **headers})


Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def metrics(served: Served) -> Samples:
    """All samples, as Prometheus itself reads them."""
    answer = served.ask("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }


def count(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((f"mnist_svm_{name}", frozenset(labels.items())), 0)


def begun(served: Served) -> float:
    return count(metrics(served), "requests_begun")


def refused(served: Served) -> bool:
    """Whether nobody listens any more."""
    try:
        with socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE):
            return False
    except ConnectionError:
        return True


# --- ends ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "workers"), [(signal.SIGTERM, "1"), (signal.SIGINT, "1"), (signal.SIGTERM, "2")]
)
def test_what_was_begun_is_answered_before_the_end(page, pool, how, workers):
    with serving("--workers", workers) as server:
        pages = [read_page(pool, server, page) for _ in range(2)]
        half = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        half.putrequest("POST", "/predict")
        for name, value in {**IMAGE, "Content-Length": len(SEVEN)}.items():
            half.putheader(name, str(value))
        half.endheaders(SEVEN[:100])
        eventually(lambda: begun(server) == 2)
        server.process.send_signal(how)
        # No new ones are taken, while the old ones are still being worked on.
        eventually(lambda: refused(server))
        half.send(SEVEN[100:])
        assert json.load(half.getresponse())["predictions"][0]["digit"] == 7
        half.close()
        assert [asked.result().status for asked in pages] == [200, 200]
        assert server.process.wait(PATIENCE) == 0
        eventually(lambda: server.lines[-1] == "Served; all that was begun is finished\n")


def test_connections_that_wait_do_not_hold_up_the_end():
    with serving() as server:
        idle = socket.create_connection(("127.0.0.1", server.port))
        kept = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        kept.request("GET", "/health")
        kept.getresponse().read()
        server.process.terminate()
        assert server.process.wait(PATIENCE) == 0
        assert idle.recv(1) == b""
        idle.close()
        kept.close()


# --- does not start -----------------------------------------------------------------------


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
        r"a{64}: not the name of a machine",
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
def test_a_server_that_cannot_start_says_why_on_one_line(run, tmp_path, why):
    arguments, message = CANNOT[why]
    with socket.create_server(("127.0.0.1", 0)) as other:
        result = run("serve", *arguments(tmp_path, other.getsockname()[1]))
    assert result.exit_code == 1
    assert re.fullmatch(rf"mnist-svm: error: {message}\n", result.stderr)


@pytest.mark.parametrize(
    "package",
    ["fastapi", "fastapi_offline", "httptools", "prometheus_client", "python_multipart", "uvicorn"],
)
def test_a_package_that_is_missing_is_said_on_one_line(run, monkeypatch, package):
    # As if it were not installed.
    monkeypatch.setitem(sys.modules, package, None)
    result = run("serve", "--host", "192.0.2.1")
    assert result.exit_code == 1
    expected = "serve needs an extra; install it with: pip install 'mnist-svm[serve]'"
    assert result.stderr == f"mnist-svm: error: {expected}\n"


# The command line where nothing of the extra is installed.
WITHOUT = """
import sys
sys.modules.update(dict.fromkeys(["fastapi", "prometheus_client", "starlette", "uvicorn"]))
from mnist_svm.__main__ import main
main()
"""


@pytest.mark.parametrize("command", ["--help", "predict"])
def test_without_the_extra_all_else_works(command):
    arguments = [command, *(DIGITS if command == "predict" else ())]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr


# --- workers ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the workers' folder is made."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def team(shared: Path) -> Iterator[Served]:
    """A server of two workers."""
    with serving("--workers", "2", env={"TMPDIR": str(shared)}) as server:
        yield server


def both(team: Served, *, but: set[int]) -> list[int]:
    """The two workers, when none of some others is among them."""
    return eventually(
        lambda: (found := team.workers()) and len(found) == 2 and not but & set(found) and found
    )


def test_workers_sum_up_what_they_did(team):
    before = metrics(team)
    statuses = [predict(team).status for _ in range(20)]
    after = metrics(team)
    assert statuses == [200] * 20
    labels = {"method": "POST", "path": "/predict", "status": "200"}
    grown = count(after, "requests_total", **labels) - count(before, "requests_total", **labels)
    assert grown == 20


def test_a_worker_that_is_killed_is_replaced_and_the_other_goes_on(team):
    for _ in range(2):
        first, second = team.workers()
        os.kill(first, signal.SIGKILL)
        both(team, but={first})
        # The one that was there answers, and when it is killed in its turn, the new one.
        assert [predict(team).status for _ in range(20)] == [200] * 20
        assert second in team.workers()


def test_what_killed_workers_were_at_is_forgotten_and_what_they_did_is_not(team, page, pool):
    before = metrics(team)
    assert predict(team).status == 200
    pages = [read_page(pool, team, page) for _ in range(2)]
    eventually(lambda: begun(team) == 2)
    killed = set(team.workers())
    for worker in killed:
        os.kill(worker, signal.SIGKILL)
    assert all(isinstance(asked.exception(), ConnectionError) for asked in pages)
    both(team, but=killed)
    after = metrics(team)
    assert count(after, "requests_begun") == 0
    labels = {"method": "POST", "path": "/predict", "status": "200"}
    grown = count(after, "requests_total", **labels) - count(before, "requests_total", **labels)
    assert grown == 1


def test_each_worker_writes_lines_of_json(team):
    assert {entry["message"] for entry in team.log()} >= {"request"}
    assert all(line.startswith("{") for line in team.lines[1:])


def descendants(process: int) -> list[int]:
    children = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [pid for child in map(int, children.split()) for pid in (child, *descendants(child))]


def test_workers_and_their_folder_end_with_the_server(team, shared):
    # The last test of this server.
    assert list(shared.iterdir())
    processes = descendants(team.process.pid)
    assert len(processes) >= 2
    team.process.terminate()
    assert team.process.wait(PATIENCE) == 0
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in processes))
    assert list(shared.iterdir()) == []


def test_workers_end_when_the_server_is_killed():
    with serving("--workers", "2") as server:
        workers = server.workers()
        server.process.kill()
        server.process.wait(PATIENCE)
        try:
            eventually(lambda: refused(server))
            eventually(lambda: not any(is_running(worker) for worker in workers))
        finally:
            for worker in filter(is_running, workers):
                os.kill(worker, signal.SIGKILL)


def is_running(pid: int) -> bool:
    """Whether a process is there and not just waiting to be taken note of."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


# --- what it tells ------------------------------------------------------------------------


def test_each_request_has_one_line_in_the_log(served):
    served.ask("GET", "/health", headers={"X-Request-ID": "log-1"})
    predict(served, **{"X-Request-ID": "log-2"})
    served.ask("GET", "/nothing", headers={"X-Request-ID": "log-3"})

    def found() -> list[dict]:
        return [line for line in served.log() if line.get("request_id", "").startswith("log-")]

    lines = eventually(lambda: len(found()) >= 3 and found())
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


def test_an_id_that_is_given_is_kept(served):
    answer = predict(served, **{"X-Request-ID": "Order-66.a_b"})
    assert answer.headers["x-request-id"] == "Order-66.a_b"
    eventually(lambda: [x for x in served.log() if x.get("request_id") == "Order-66.a_b"])


def test_the_log_does_not_tell_what_was_asked_for(served):
    # A query may hold what is nobody's business.
    served.ask("GET", "/health?token=swordfish")
    eventually(lambda: served.log()[-1]["path"] == "/health")
    assert "swordfish" not in "".join(served.lines)


def difference(served: Served, act: Callable[[], object]) -> Samples:
    """What an act adds to the metrics."""
    before = metrics(served)
    act()
    after = metrics(served)
    return {name: value - before.get(name, 0) for name, value in after.items()}


def test_the_metrics_count_requests_by_path_and_status(served):
    def act() -> None:
        predict(served)
        predict(served)
        served.ask("POST", "/predict", b"no picture", IMAGE)
        served.ask("GET", "/made-up")
        served.ask("GET", "/made-up-as-well")

    added = difference(served, act)
    named = {"method": "POST", "path": "/predict"}
    assert count(added, "requests_total", **named, status="200") == 2
    assert count(added, "requests_total", **named, status="422") == 1
    assert count(added, "requests_total", method="GET", path="other", status="404") == 2
    assert count(added, "request_seconds_count", path="/predict") == 3
    assert count(added, "request_seconds_bucket", path="/predict", le="+Inf") == 3
    assert count(added, "request_seconds_sum", path="/predict") > 0


def test_the_metrics_count_pictures_and_batches(served):
    def act() -> None:
        served.send("/predict", ("7.png", SEVEN), ("note.txt", b"no picture"), ("7.png", SEVEN))

    added = difference(served, act)
    assert count(added, "pictures_total", outcome="read") == 2
    assert count(added, "pictures_total", outcome="unreadable") == 1
    assert count(added, "batch_images_sum") == 2
    assert count(added, "batch_images_count") == 1


def test_made_up_paths_and_methods_do_not_fill_the_metrics(served):
    served.ask("GET", "/health")
    before = metrics(served)
    for index in range(50):
        served.ask("GET", f"/made-up-{index}")
    assert metrics(served).keys() == before.keys() | {
        (
            "mnist_svm_requests_total",
            frozenset({"method": "GET", "path": "other", "status": "404"}.items()),
        )
    }


def test_a_full_queue_sends_away_and_recovers(served, page, pool):
    asked = read_page(pool, served, page)
    eventually(lambda: begun(served) == 1)
    away = predict(served)
    assert away.status == 503
    assert int(away.headers["retry-after"]) >= 1
    assert away.json["detail"] == "too many requests at once; try again"
    # What needs no work is answered.
    assert served.ask("GET", "/health").status == 200
    assert asked.result().status == 200
    assert predict(served).status == 200


def test_on_a_terminal_the_log_is_for_people():
    terminal, end = pty.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "mnist_svm", "serve", "--port", "0"], stderr=end, cwd=ROOT
        ) as process:
            os.close(end)
            seen = bytearray()

            def watch() -> None:
                # Reading fails when the last one has closed the other end.
                try:
                    while part := os.read(terminal, 4096):
                        seen.extend(part)
                except OSError:
                    return

            threading.Thread(target=watch, daemon=True).start()
            url = eventually(lambda: re.search(rb"http://127\.0\.0\.1:\d+", seen))
            server = Served(process, url[0].decode())
            request_id = server.ask("GET", "/health").headers["x-request-id"]
            server.ask("GET", "/%1b%5b2J%0a")
            eventually(lambda: seen.count(b"request  GET  /") == 2)
            process.terminate()
            assert process.wait(PATIENCE) == 0
    finally:
        os.close(terminal)
    first, second = [line for line in seen.splitlines() if b"  GET  " in line]
    assert re.fullmatch(rb"\d\d:\d\d:\d\d  request  GET  /health  200  .+", first)
    assert first.endswith(request_id.encode())
    # What a client sends does not move the cursor.
    assert b"/?[2J?  404" in second
