"""Turn errors into one line on stderr and an exit code."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from typing import TYPE_CHECKING

import click

from mnist_svm.cli.progress import CLEAR_LINE, is_terminal
from mnist_svm.exceptions import MnistSvmError

if TYPE_CHECKING:
    from mnist_svm.forms.reading import FormReading
    from mnist_svm.recognition.results import DigitReading, PageReading

INTERRUPTED = 130

# Key in `ctx.meta`: the command failed for some of its inputs and must exit with 1.
PARTIAL_FAILURE = "partial_failure"

# Error of writing to a pipe that nobody reads: Windows has another one than POSIX.
_CLOSED_PIPE = errno.EINVAL if os.name == "nt" else errno.EPIPE


class ErrorHandlingGroup(click.Group):
    """Click group that reports errors on one line and adds ``--debug`` to every command."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a command and give it ``--debug``."""
        cmd.params.append(
            click.Option(
                ["--debug"],
                is_flag=True,
                expose_value=False,
                callback=lambda ctx, parameter, value: ctx.meta.update(debug=value),
                help="Show the traceback of an error.",
            )
        )
        super().add_command(cmd, name)

    def invoke(self, ctx: click.Context) -> None:
        """Run a command, report its error if any, and exit."""
        try:
            super().invoke(ctx)
            _flush_stdout()
        except KeyboardInterrupt:
            echo_stderr("mnist-svm: interrupted; no incomplete file is left")
            ctx.exit(INTERRUPTED)
        except (MnistSvmError, OSError) as error:
            if not _is_closed_pipe(error):
                if ctx.meta.get("debug"):
                    traceback.print_exc()
                echo_stderr(f"mnist-svm: error: {error_message(error)}")
                try:
                    _flush_stdout()
                except OSError:
                    _discard_stdout()
                ctx.exit(1)
            # The reader of our output has closed it, as `head` does: not an error.
            _discard_stdout()
        ctx.exit(1 if ctx.meta.get(PARTIAL_FAILURE) else 0)


def error_message(error: Exception) -> str:
    """Return the message of an error; for an OSError, ``file: reason`` without the number."""
    if isinstance(error, OSError) and not isinstance(error, MnistSvmError) and error.strerror:
        # A failed rename has two names; the target is the one to fix.
        name = error.filename2 or error.filename
        return f"{name}: {error.strerror}" if name else error.strerror
    return str(error)


def echo_stderr(message: str) -> None:
    """Print a status message or an error on stderr."""
    # A progress line may be there, and file names need not be valid Unicode.
    clear = CLEAR_LINE if is_terminal(sys.stderr) else ""
    click.echo(clear + click.format_filename(message), err=True)


def report_problem(ctx: click.Context, reading: DigitReading | PageReading | FormReading) -> None:
    """Print why a picture could not be read, which makes the exit code 1, or what part was read."""
    if reading.error is not None:
        ctx.meta[PARTIAL_FAILURE] = True
        echo_stderr(f"mnist-svm: error: {reading.file}: {reading.error}")
    elif reading.note is not None:
        echo_stderr(f"{reading.file}: {reading.note} is read")


def _is_closed_pipe(error: Exception) -> bool:
    # Errors of files have names.
    return isinstance(error, OSError) and error.filename is None and error.errno == _CLOSED_PIPE


def _flush_stdout() -> None:
    """Raise here, not at exit, if the reader of a pipe is gone or the disk is full."""
    if sys.stdout is not None:
        sys.stdout.flush()


def _discard_stdout() -> None:
    """Point stdout to the null device, so that the flush at exit cannot fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
