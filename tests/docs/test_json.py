"""The keys of --json are those of docs/reference/json.md."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.documents import environment
from tests.support.paths import ROOT

PAGE = ROOT / "docs" / "reference" / "json.md"

# A row of a table of keys.
ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| ?(.*?) ?\|$")

# Object of the page -> its keys, each with its type and its meaning.
Objects = dict[str, dict[str, tuple[str, str]]]

TYPES = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "object": dict,
    "null": type(None),
}


@pytest.fixture(scope="module")
def objects() -> Objects:
    found: Objects = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            name = line.strip("# ").lower()
        elif row := ROW.match(line):
            found.setdefault(name, {})[row[1]] = (row[2], row[3])
    return found


def mismatches(value: Any, kind: str, objects: Objects, path: str) -> Iterator[str]:
    """Yield where a value is of none of the alternatives of a type of the page."""
    found = [list(_mismatches(value, each, objects, path)) for each in kind.split(" or ")]
    yield from min(found, key=len)


def _mismatches(value: Any, kind: str, objects: Objects, path: str) -> Iterator[str]:
    if kind.startswith(("list of ", "nested lists of ")):
        if not isinstance(value, list):
            yield f"{path} is {value!r}, not a {kind}"
            return
        _, items = kind.split(" of ", 1)
        for item in value:
            deeper = kind.startswith("nested") and isinstance(item, list)
            each = kind if deeper else items.replace(" and ", " or ")
            yield from mismatches(item, each, objects, f"{path}[]")
    elif link := re.fullmatch(r"\[.+\]\(#(.+)\)", kind):
        name = next(name for name in objects if name.replace(" ", "-") == link[1])
        yield from key_mismatches(value, objects[name], objects, path)
    else:
        expected = TYPES[kind.removesuffix("s")]
        if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
            yield f"{path} is {value!r}, not {kind}"


def key_mismatches(
    value: Any, known: dict[str, tuple[str, str]], objects: Objects, path: str
) -> Iterator[str]:
    """Yield where an object differs from the keys of the page."""
    if not isinstance(value, dict):
        yield f"{path} is no object"
        return
    yield from (f"{path}.{key} is not on the page" for key in value.keys() - known.keys())
    required = {key for key, (_, meaning) in known.items() if not meaning.startswith("only ")}
    # After an error there is nothing else.
    if "error" not in value:
        yield from (f"{path}.{key} is missing" for key in required - value.keys())
    for key in value.keys() & known.keys():
        yield from mismatches(value[key], known[key][0], objects, f"{path}.{key}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("json")
    run(["examples"], folder)
    return folder


def run(arguments: list[str], folder: Path) -> str:
    """Run a command, which may fail for some of its inputs, and return what it prints."""
    command = [sys.executable, "-m", "mnist_svm", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment(), check=False, capture_output=True, text=True
    ).stdout


# Commands, and the objects of the page whose keys the result, or each of its items, has.
COMMANDS = [
    ("predict examples/digits/7.png missing.png --top 3", ["reading"]),
    ("predict examples/digits/7.png --reject-below 1", ["reading"]),
    ("read examples/page.jpg --reject-below 0.99", ["page"]),
    ("read examples/forms/form-1.jpg missing.jpg --template examples/form.json", ["form"]),
    ("explain examples/digits/7.png --against 1", ["explanation", "reading"]),
    ("info", ["model file", "model"]),
    ("train --limit 500 -o small.joblib", ["trained model", "model"]),
    (
        "teach examples/hand/learn -m small.joblib -o taught.joblib",
        ["taught model", "trained model", "model"],
    ),
    ("eval --data examples/hand/learn", ["evaluation"]),
    ("recipes", ["recipe"]),
    ("inspect examples/hand/learn --doubts 3", ["inspection"]),
    ("convert examples/digits digits.npz", ["converted part"]),
    ("fetch", ["download"]),
    ("export --onnx model.onnx", ["export"]),
    ("tune --trials 2 --limit 600", ["search"]),
]


@pytest.mark.parametrize(("command", "names"), COMMANDS, ids=[each[0] for each in COMMANDS])
def test_keys_and_types_are_those_of_the_page(
    command: str, names: list[str], objects: Objects, folder: Path
) -> None:
    content = json.loads(run([*command.split(), "--json"], folder))

    known = {key: row for name in names for key, row in objects[name].items()}
    values = content if isinstance(content, list) else [content]
    assert values
    found = [each for value in values for each in key_mismatches(value, known, objects, "")]
    assert found == []
