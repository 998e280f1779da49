"""Processes as a shell starts them, without code between fork and exec.

Such code, Popen's ``preexec_fn``, may never end in a process with threads, as JAX has.
"""

from __future__ import annotations

import os
import sys

import pytest

needs_posix = pytest.mark.skipif(
    os.name == "nt", reason="Windows has no signals, limits and permissions of POSIX"
)

# A test run in the background of a shell hands on that it ignores Ctrl-C.
_RESTORE = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execvp"

# What to put before a command. Windows has neither shells that do so nor exec.
_RUN = (sys.executable, "-S", "-c", f"{_RESTORE}(sys.argv[1], sys.argv[1:])")
FROM_A_SHELL = () if os.name == "nt" else _RUN
