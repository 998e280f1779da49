"""Entry point of ``mnist-svm`` and ``python -m mnist_svm``."""

from __future__ import annotations

import contextlib
import io
import os
import sys

# Exit code of a program ended by SIGINT, by the convention of shells.
INTERRUPTED = 130


def main() -> None:
    """Run the command line."""
    try:
        from mnist_svm._optional import ignore_dependency_warnings
        from mnist_svm.cli import cli

        ignore_dependency_warnings()
        _escape_unprintable()
        cli(prog_name="mnist-svm")
    except KeyboardInterrupt:
        # Interrupted during an import, before any work started.
        sys.exit(INTERRUPTED)
    except SystemExit as error:
        if error.code == INTERRUPTED:
            _exit_immediately()
        raise


def _escape_unprintable() -> None:
    """Print a character that the encoding of standard output lacks as an escape, as on stderr.

    The encoding of a pipe on Windows is often one of 256 characters.
    """
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def _exit_immediately() -> None:
    """Skip the interpreter's shutdown, which aborts if a thread is still in compiled code."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.flush()
    # Not imported here: there are no folders without it.
    if archives := sys.modules.get("mnist_svm.datasets.archives"):
        archives.remove_unpacked()
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
