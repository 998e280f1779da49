"""The command line, for tests of several commands."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

from tests.support.paths import DATA, DIGITS, ROOT


def using_model(command: str, model: Path) -> list[object]:
    """The arguments that make a command read a model file."""
    return {
        "predict": ["predict", DIGITS[0], "--model", model],
        "eval": ["eval", "--model", model, "--data-dir", DATA],
        "info": ["info", model],
    }[command]


def seen_on_a_terminal(*arguments: object) -> str:
    """What the command line, run to its good end, shows on stderr to a person."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "mnist_svm", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        cwd=ROOT,
    )
    os.close(theirs)
    seen = b""
    # Once nobody has the terminal any more, reading it is an error.
    with contextlib.suppress(OSError):
        while part := os.read(ours, 4096):
            seen += part
    os.close(ours)
    assert process.wait(60) == 0
    return seen.decode()
