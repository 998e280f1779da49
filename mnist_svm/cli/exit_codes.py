"""The one place where errors become a line on stderr and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from typing import TYPE_CHECKING

import click

from mnist_svm.cli.progress import WIPE, is_terminal
from mnist_svm.exceptions import MnistSvmError

if TYPE_CHECKING:
    from mnist_svm.recognition.recognizer import PageReading, PictureReading

INTERRUPTED = 130

# Key in a context's ``meta``: some of the command's work failed.
FAILED_IN_PART = "failed_in_part"


class OutcomeGroup(click.Group):
    """Group whose commands end with one clear line and the right exit code.

    Every command takes ``--debug``, which shows the traceback as well.
    """

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Give the command its ``--debug`` as it joins."""
        cmd.params.append(
            click.Option(
                ["--debug"],
                is_flag=True,
                expose_value=False,
                callback=_remember_debug,
                help="Show the traceback of an error.",
            )
        )
        super().add_command(cmd, name)

    def invoke(self, ctx: click.Context) -> None:
        """Run a command and end with its outcome."""
        # joblib remarks on the work that an interrupt leaves undone.
        warnings.filterwarnings("ignore", category=UserWarning, module=r"joblib\.parallel")
        try:
            super().invoke(ctx)
            _flush_output()
        except KeyboardInterrupt:
            say("mnist-svm: interrupted; nothing half-written is left")
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            # Whoever read our output has seen enough.
            _abandon_output()
        except (MnistSvmError, OSError) as error:
            _explain(ctx, describe(error))
            try:
                _flush_output()
            except OSError:
                _abandon_output()
            ctx.exit(1)
        ctx.exit(1 if ctx.meta.get(FAILED_IN_PART) else 0)


def describe(error: Exception) -> str:
    """What went wrong, on as few lines as the error itself has.

    Parameters
    ----------
    error : Exception

    Returns
    -------
    str
        Of an error of the file system, the file and the reason.
    """
    if isinstance(error, OSError) and not isinstance(error, MnistSvmError) and error.strerror:
        # Of a move that failed, what matters is where to.
        name = error.filename2 or error.filename
        return f"{name}: {error.strerror}" if name else error.strerror
    return str(error)


def say(message: str) -> None:
    """Tell a person what is being done, on stderr.

    Parameters
    ----------
    message : str
    """
    # A live line of progress may stand there; and file names need not be valid Unicode.
    wipe = WIPE if is_terminal(sys.stderr) else ""
    click.echo(wipe + click.format_filename(message), err=True)


def tell_of(ctx: click.Context, reading: PictureReading | PageReading) -> None:
    """Say why a picture could not be read, or which part of it was.

    Parameters
    ----------
    ctx : click.Context
        Of the command, which fails in part if the picture could not be read.
    reading : PictureReading or PageReading
    """
    if reading.error is not None:
        ctx.meta[FAILED_IN_PART] = True
        say(f"mnist-svm: error: {reading.file}: {reading.error}")
    elif reading.note is not None:
        say(f"{reading.file}: {reading.note} is read")


def _explain(ctx: click.Context, message: str) -> None:
    if ctx.meta.get("debug"):
        traceback.print_exc()
    say(f"mnist-svm: error: {message}")


def _remember_debug(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    ctx.meta["debug"] = value


def _flush_output() -> None:
    """Find out here, not at exit, that the reader of a pipe has gone or a disk is full."""
    if sys.stdout is not None:
        sys.stdout.flush()


def _abandon_output() -> None:
    """Let what is still in the buffer go nowhere: at exit Python would try, and fail, again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
