"""Options that say what the numbers on a picture look like."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce, wraps
from typing import Any, NamedTuple

import click

from mnist_svm.recognition.formats import parse_digits, parse_format


class Expected(NamedTuple):
    """What is known of the numbers on each picture; see `Recognizer.read_page`."""

    digits: int | tuple[int, int] | None = None
    pattern: str | None = None
    line: bool = False
    number: bool = False


def _parse_digits(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> int | tuple[int, int] | None:
    if value is None:
        return None
    try:
        return parse_digits(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


_OPTIONS = (
    click.option(
        "--digits",
        metavar="N|LEAST-MOST",
        callback=_parse_digits,
        help="How many digits each number has.",
    ),
    click.option(
        "--pattern",
        metavar="PATTERN",
        help="What each number looks like: d is a digit, 0 to 9 that digit, and anything else a "
        "mark that may be there.",
    ),
    click.option("--line", is_flag=True, help="Each picture shows a single line."),
    click.option("--number", is_flag=True, help="Each picture shows a single number."),
)


def expected_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options, whose values the command gets together as ``expected``."""

    @wraps(command)
    def collect(
        *args: Any,
        digits: int | tuple[int, int] | None,
        pattern: str | None,
        line: bool,
        number: bool,
        **kwargs: Any,
    ) -> Any:
        try:
            parse_format(digits, pattern)
        except ValueError as error:
            msg = f"--{error}"
            raise click.UsageError(msg) from None
        return command(*args, expected=Expected(digits, pattern, line, number), **kwargs)

    return reduce(lambda inner, option: option(inner), reversed(_OPTIONS), collect)
