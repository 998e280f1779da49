"""Progress lines on stderr; nothing is shown when stderr is not a terminal."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import TextIO, TypeVar

import click

TICK_SECONDS = 0.2

# Carriage return, and the ANSI sequence that erases to the end of the line.
CLEAR_LINE = "\r\x1b[K"

T = TypeVar("T")


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a stream is a terminal; Python's are None if closed at startup."""
    return stream is not None and stream.isatty()


def run_with_progress(
    label: str, work: Callable[[], T], *, header: Callable[[], str] = lambda: ""
) -> T:
    """Run a function in a thread; show the seconds elapsed and the SVM's latest log message.

    Returns or raises what `work` does. `header` returns the text above the progress line, newlines
    included. The main thread only waits, so that Ctrl-C interrupts it even while compiled code
    runs; the thread of `work` then ends with the process.
    """
    # Here, to keep `--help` fast.
    from concurrent.futures import Future

    from mnist_svm.svm.log import log_to

    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised again in the main thread
            future.set_exception(error)

    start = time.monotonic()
    messages = deque([""], maxlen=1)
    with log_to(messages.append), _live_lines() as show:
        # The thread logs to `messages` because it runs in a copy of this context.
        thread = threading.Thread(target=copy_context().run, args=[run], daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(TICK_SECONDS)
            show(f"{header()}{label} ... {time.monotonic() - start:.0f} s   {messages[-1]}")
    return future.result()


@contextmanager
def progress_counter(
    label: str, unit: str, *, visible: bool = True
) -> Iterator[Callable[[int, int], None]]:
    """Show a counter, and a bar if the total is known; yield the progress callback to call.

    A total of 0 means unknown. `unit` is the plural noun after the count. `visible=False` shows
    nothing even on a terminal.
    """
    with _live_lines() as show:

        def report(n_done: int, n_total: int) -> None:
            bar = total = ""
            if n_total:
                filled = "#" * round(24 * min(n_done / n_total, 1))
                bar, total = f"[{filled:.<24}] ", f" of {n_total:,}"
            if visible:
                show(f"{label} {bar}{n_done:,}{total} {unit}")

        yield report


@contextmanager
def _live_lines() -> Iterator[Callable[[str], None]]:
    """Yield a function that replaces the lines it showed last; erase them at the end."""
    terminal = is_terminal(sys.stderr)
    last_shown, lines_above = 0.0, 0

    def clear() -> str:
        return CLEAR_LINE + f"\x1b[{lines_above}A\x1b[J" * bool(lines_above)

    def show(text: str) -> None:
        nonlocal last_shown, lines_above
        if terminal and time.monotonic() - last_shown >= TICK_SECONDS / 2:
            last_shown = time.monotonic()
            columns, rows = os.get_terminal_size(sys.stderr.fileno())
            # Wrapped or scrolled lines could not be erased. Some terminals report a size of 0.
            lines = [line[: (columns or 80) - 1] for line in text.split("\n")[-(rows or 24) :]]
            # By click, which carries out the sequences on consoles of Windows that do not.
            click.echo(clear() + "\n".join(lines), nl=False, err=True)
            lines_above = len(lines) - 1

    try:
        yield show
    finally:
        if terminal:
            click.echo(clear(), nl=False, err=True)
