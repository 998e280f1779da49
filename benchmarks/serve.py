"""Measure the throughput and latency of a server on this computer under load.

    python -m benchmarks.serve                     all loads, 30 s each; writes benchmarks/serve.md
    python -m benchmarks.serve --seconds 5 arrays  one load, 5 s

Clients and server share the cores. Each of 32 clients has one connection and sends its next request
after the response. The load "one connection" has one client. The load "nothing" requests an
endpoint that does no work. The load "too many" exceeds the server's limits: 400 clients, most of
which get 503 and retry after a short wait.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import uvloop
from PIL import Image

from mnist_svm.datasets.load import load_dataset

CLIENTS = 32
TOO_MANY = 400

# Seconds before a client that got 503 retries.
RETRY_SECONDS = 0.2

HEADER = """\
| load | clients | a second | median | 99 % within | status | memory |
|---|---|---|---|---|---|---|"""


@dataclass
class Load:
    """Requests of one kind, and measurements of their responses.

    `labels` are the expected digits; if empty, predictions are not compared.
    """

    name: str
    requests: Sequence[bytes]
    clients: int = CLIENTS
    labels: Sequence[int] = ()
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: int = 0
    memory: list[float] = field(default_factory=list)


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("loads", nargs="*")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    table = [HEADER]
    with server(arguments.workers) as (port, process):
        for load in loads():
            if arguments.loads and load.name not in arguments.loads:
                continue
            uvloop.run(run_load(load, port, process.pid, arguments.seconds))
            table.append(row(load, arguments.seconds))
            print(table[-1], flush=True)
    if not arguments.loads:
        text = f"Loads of {arguments.seconds:g} s each, by `python -m benchmarks.serve`."
        Path(__file__).with_suffix(".md").write_text("\n".join([text, "", *table, ""]))


@contextmanager
def server(workers: int) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """Run a server process and discard its log, whose disk speed is not measured here."""
    command = [sys.executable, "-m", "mnist_svm", "serve", "--port", "0", "--workers", str(workers)]
    with Path(os.devnull).open("w", encoding="utf-8") as null:
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        line = process.stderr.readline()
        drain = subprocess.Popen(["cat"], stdin=process.stderr, stdout=null)
        try:
            yield int(line.split("http://127.0.0.1:")[1].split()[0]), process
        finally:
            process.terminate()
            process.wait()
            drain.wait()


def loads() -> Iterator[Load]:
    """Yield the loads, made of the first test images."""
    digits = load_dataset("mnist", split="test")
    images, labels = digits.images[:1000], digits.labels[:1000].tolist()
    arrays = [
        post("application/json", json.dumps({"data": image.tolist()}).encode()) for image in images
    ]
    files = [post(FORM, form(png(image))) for image in images]
    yield Load("nothing", [b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n"])
    yield Load("one connection", arrays, 1, labels=labels)
    yield Load("arrays", arrays, labels=labels)
    yield Load("files", files, labels=labels)
    yield Load("too many", arrays, TOO_MANY, labels=labels)
    yield Load("arrays, afterwards", arrays, labels=labels)


FORM = "multipart/form-data; boundary=limit"


def png(image: np.ndarray) -> bytes:
    """Encode an image as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, format="PNG")
    return file.getvalue()


def form(content: bytes) -> bytes:
    """Return a form with one file."""
    head = 'Content-Disposition: form-data; name="file"; filename="digit.png"'
    return f"--limit\r\n{head}\r\n\r\n".encode() + content + b"\r\n--limit--\r\n"


def post(kind: str, body: bytes) -> bytes:
    """Return a request for a prediction."""
    head = f"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


async def run_load(load: Load, port: int, pid: int, seconds: float) -> None:
    """Send requests for the arguments time."""
    deadline = time.perf_counter() + seconds
    watching = asyncio.create_task(watch(load, pid))
    async with asyncio.TaskGroup() as clients:
        for number in range(load.clients):
            clients.create_task(client(load, number, port, deadline))
    watching.cancel()


async def client(load: Load, number: int, port: int, deadline: float) -> None:
    """Send requests one by one over one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < deadline:
        index = number % len(load.requests)
        number += load.clients
        start = time.perf_counter()
        writer.write(load.requests[index])
        status, body = await response(reader)
        load.seconds.append(time.perf_counter() - start)
        load.statuses[status] += 1
        if status == 200 and load.labels:
            load.wrong += json.loads(body)["predictions"][0]["label"] != load.labels[index]
        if status == 503:
            await asyncio.sleep(RETRY_SECONDS)
    writer.close()


async def response(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Read the status and body of a response."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return int(head[9:12]), await reader.readexactly(length)


async def watch(load: Load, pid: int) -> None:
    """Sample the server's memory in MiB."""
    while True:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
        load.memory.append(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)
        await asyncio.sleep(0.5)


def row(load: Load, seconds: float) -> str:
    """Format a row of the table."""
    n_predicted = load.statuses[200]
    median, percentile_99 = np.quantile(load.seconds, [0.5, 0.99]) * 1000
    statuses = ", ".join(f"{n:,} x {status}" for status, n in sorted(load.statuses.items()))
    first, last = load.memory[min(4, len(load.memory) - 1)], load.memory[-1]
    wrong = f", {load.wrong} misread" if load.labels else ""
    return (
        f"| {load.name} | {load.clients} | {n_predicted / seconds:,.0f} | {median:.3g} ms "
        f"| {percentile_99:.3g} ms "
        f"| {statuses}{wrong} | {first:.0f} to {last:.0f} MiB |"
    )


if __name__ == "__main__":
    main()
