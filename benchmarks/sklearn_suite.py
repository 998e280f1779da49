"""Run scikit-learn's own tests of SVC with KernelSVC in its place.

    python -m benchmarks.sklearn_suite

Needs scikit-learn with its tests, as wheels have them. Writes ``benchmarks/sklearn_suite.md``:
how many tests pass, and why the others do not.
"""

from __future__ import annotations

import sys
from pathlib import Path

import sklearn

from tests.support.sklearn_suite import NOT_PASSED, reason_to_skip, run_suite

OUTPUT = Path(__file__).with_suffix(".md")


def main() -> None:
    """Run, print and write."""
    if reason := reason_to_skip():
        sys.exit(reason)
    text = format_text(run_suite())
    print(text)
    OUTPUT.write_text(text)


def format_text(outcomes: dict[str, str]) -> str:
    """Return Markdown: the numbers of tests, and those that do not pass, by reason."""
    failed = [name for name, outcome in outcomes.items() if outcome != "passed"]
    lines = [
        f"The tests of `SVC` of scikit-learn {sklearn.__version__}, in `sklearn/svm/tests`, with",
        "`KernelSVC` in its place, by `python -m benchmarks.sklearn_suite`:",
        f"{len(outcomes) - len(failed)} of {len(outcomes)} pass.",
        "Each set of parameters of a test counts; tests of other estimators do not. The rest:",
        "",
        "| test | does not pass, as it |",
        "|---|---|",
    ]
    by_reason: dict[str, dict[str, int]] = {}
    for name in failed:
        names = by_reason.setdefault(NOT_PASSED.get(name, "**unexpected**"), {})
        function = name.partition("[")[0]
        names[function] = names.get(function, 0) + 1
    for reason, names in by_reason.items():
        tests = ", ".join(
            f"`{function.partition('::')[2]}`{f' ({n} times)' if n > 1 else ''}"
            for function, n in names.items()
        )
        lines.append(f"| {tests} | {reason} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
