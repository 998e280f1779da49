"""Run the commands and the Python of Markdown documents, by Sybil.

A document's blocks run in their order, in a folder of their own that is empty at first:

- ``sh``: commands, which must succeed.
- ``console``: commands behind ``$``, each with what it prints: all of it, or without what goes to
  stderr. ``...`` stands for anything; seconds and speeds may differ.
- ``python``: in one namespace for the whole document.

HTML comments before a block change that:

- ``<!-- skip: next "reason" -->``: not run, and reported so.
- ``<!-- run-with: --limit 1000 -->``: `train`, `tune` and `teach` get these options too.
- ``<!-- background -->``: the command runs until the end of the document, as in another terminal.
- ``<!-- fails -->``: exit code 1 is expected; ``<!-- fails: 2 -->``: exit code 2.
- ``<!-- invisible-code-block: sh``, up to ``-->``: runs, and is not shown.
- ``<!-- slow -->`` anywhere: the tests of the document are marked as slow.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from sybil import Document, Example, Region, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

from tests.support.paths import DATA, ROOT

DIRECTIVE = re.compile(
    r"^<!-- (?P<name>run-with|background|fails)(?:: (?P<value>.*?))? -->$", re.MULTILINE
)
SLOW = re.compile(r"^<!-- slow -->$", re.MULTILINE)
TIMING = re.compile(r"[\d.,]+(?= (s|ms|images/s|seconds|MB/s)\b)")
CHECKER = doctest.OutputChecker()
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

# How the next block is run: names, and values where they have one.
Directives = dict[str, str | None]

# Seconds that a command may take, and that a server may take to start.
TIMEOUT, START = 900, 60


def parse_directives(document: Document) -> Iterable[Region]:
    """Find the comments that say how the next block is run."""
    for match in DIRECTIVE.finditer(document.text):
        yield Region(match.start(), match.end(), match, remember_directive)


def remember_directive(example: Example) -> None:
    match = example.parsed
    example.namespace.setdefault("_directives", {})[match["name"]] = match["value"]


def take_directives(example: Example) -> Directives:
    return dict(example.namespace.pop("_directives", {}))


def evaluate_sh(example: Example) -> None:
    directives = take_directives(example)
    if "background" in directives:
        start_background(example, str(example.parsed))
        return
    result = run(str(example.parsed), directives)
    check_exit_code(result, directives)


def evaluate_console(example: Example) -> None:
    directives = take_directives(example)
    for command, expected in split_session(str(example.parsed)):
        result = run(command, directives)
        check_exit_code(result, directives)
        if not matches(without_lines(expected, result.stderr), result.stdout):
            msg = f"$ {command}\nExpected:\n{expected}\nFound:\n{result.stdout}{result.stderr}"
            pytest.fail(msg, pytrace=False)


def matches(expected: str, found: str) -> bool:
    """Whether a command printed what is expected, but for its times."""
    expected, found = (TIMING.sub("0", text.rstrip() + "\n") for text in (expected, found))
    return CHECKER.check_output(expected, found, FLAGS)


def without_lines(text: str, lines: str) -> str:
    """Leave out lines that are in a text in this order."""
    rest = text.splitlines()
    at = 0
    for line in lines.splitlines():
        if line in rest[at:]:
            at = rest.index(line, at)
            del rest[at]
    return "\n".join(rest)


def split_session(text: str) -> Iterator[tuple[str, str]]:
    """Split a session at its commands: each with the text below it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        n = 1
        while lines[n - 1].endswith("\\"):
            n += 1
        yield "\n".join(lines[:n]), "\n".join(lines[n:])


def run(command: str, directives: Directives) -> subprocess.CompletedProcess[str]:
    options = directives.get("run-with", "")
    command = re.sub(
        r"^((?:[ \w/.=-]*/)?mnist-svm (?:train|tune|teach)\b)",
        rf"\1 {options}",
        command,
        flags=re.MULTILINE,
    )
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT,
        env=environment(),
        stdin=subprocess.DEVNULL,
    )


def environment() -> dict[str, str]:
    """Of a reader who has installed the package, with MNIST.

    It is the environment that runs the tests, and pip installs nothing, but checks the names of
    packages and extras; or the one whose commands are in the folder READER_BIN.
    """
    scripts = os.environ.get("READER_BIN")
    ours = {"PYTHONPATH": str(ROOT), "PIP_NO_INDEX": "1"}  # the first for python -m benchmarks
    return {
        **os.environ,
        **({} if scripts else ours),
        "PATH": (scripts or str(Path(sys.executable).parent)) + os.pathsep + os.environ["PATH"],
        "MNIST_SVM_DATA": str(DATA),
        "COLUMNS": "100",
    }


def check_exit_code(
    result: subprocess.CompletedProcess[str],
    directives: Directives,
) -> None:
    expected = int(directives["fails"] or 1) if "fails" in directives else 0
    if result.returncode != expected:
        printed = result.stdout + result.stderr
        msg = f"exit code {result.returncode}\n{shlex.join(result.args)}\n{printed}"
        pytest.fail(msg, pytrace=False)


def start_background(example: Example, command: str) -> None:
    """Start a server, and wait until it answers."""
    process = subprocess.Popen(
        ["bash", "-c", command], env=environment(), start_new_session=True, stdin=subprocess.DEVNULL
    )
    example.namespace.setdefault("_processes", []).append(process)
    port = re.search(r"--port (\d+)", command)
    address = f"http://127.0.0.1:{port[1] if port else 8000}/ready"
    deadline = time.monotonic() + START
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"{command}\ndid not answer on {address}", pytrace=False)


def stop_background(namespace: dict[str, object]) -> None:
    for process in namespace.get("_processes", []):
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


DOCUMENTS = Sybil(
    parsers=[
        CodeBlockParser("sh", evaluate_sh),
        CodeBlockParser("console", evaluate_console),
        PythonCodeBlockParser(),
        SkipParser(),
        parse_directives,
    ],
    patterns=["*.md"],
    path=str(ROOT),
    fixtures=["document_folder"],
    teardown=stop_background,
)


def mark_slow(items: list[pytest.Item]) -> None:
    """Mark the tests of documents that ask for it."""
    for item in items:
        if item.path.suffix == ".md" and SLOW.search(item.path.read_text(encoding="utf-8")):
            item.add_marker(pytest.mark.slow)
