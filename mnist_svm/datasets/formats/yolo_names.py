"""The names of classes in YOLO's ``data.yaml``, or in a text file with one in each line.

Of YAML, only what such files have is read: ``names`` as a list or as a mapping of codes, in one
line or in several.
"""

from __future__ import annotations

import re
from pathlib import Path

from mnist_svm.datasets.arrays import MAX_QUOTE
from mnist_svm.exceptions import FormatError, sanitize

# Characters of a file, and number of classes.
MAX_SIZE, MAX_CLASSES = 1 << 18, 10_000

_TEXT_NAMES = ("classes.txt", "obj.names", "labels/classes.txt")
_KEY = re.compile(r"^names[ \t]*:", re.MULTILINE)
_COUNT = re.compile(r"^nc[ \t]*:[ \t]*(\d{1,6})[ \t]*(?:#.*)?$", re.MULTILINE)
# A name in quotes, or one without that begins and goes on with no sign of YAML.
_SCALAR = (
    r"""(?P<name>'(?:[^'\n]|'')*+'|"(?:[^"\\\n]|\\["\\])*+"|"""
    r"""[^\s'"#&*!|>%@`{}\[\],:-][^\n#{}\[\],:]*+)"""
)
_CODE = r"""['"]?(?P<code>\d{1,6})['"]?\s*+:\s++"""
_END = r"[ \t]*+(?:#.*)?$"
_ITEM = re.compile(rf"[ \t]*+-[ \t]++{_SCALAR}{_END}")
_ENTRY = re.compile(rf"[ \t]++{_CODE}{_SCALAR}{_END}")
_FLOW_ITEM = re.compile(rf"\s*+(?:{_CODE})?{_SCALAR}\s*+(?:,|$)")


def read_names(folder: Path) -> dict[int, str]:
    """Return the names of classes by their codes, of a data set in a folder or the one above.

    Returns
    -------
    dict of int to str
        Empty if there is no file of names.

    Raises
    ------
    FormatError
        If the file cannot be understood, or the number of classes is another than it declares.
    """
    for place in (folder, folder.parent):
        for path in sorted([*place.glob("*.yaml"), *place.glob("*.yml")]):
            text = _read_text(path)
            if _KEY.search(text):
                return _parse(text, path)
        for path in (place / name for name in _TEXT_NAMES):
            if path.is_file():
                lines = [line.strip() for line in _read_text(path).splitlines()]
                return dict(enumerate(line for line in lines if line))
    return {}


def _read_text(path: Path) -> str:
    if (size := path.stat().st_size) > MAX_SIZE:
        msg = f"{path}: {size:,} bytes, over the limit of {MAX_SIZE:,}"
        raise FormatError(msg)
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"{path}: expected text in UTF-8, found other bytes"
        raise FormatError(msg) from error


def _parse(text: str, path: Path) -> dict[int, str]:
    match = _KEY.search(text)
    rest = text[match.end() :] if match else ""
    inline = re.sub(r"^[ \t]*#.*", "", rest.partition("\n")[0]).strip()
    entries = _flow_entries(rest.lstrip()) if inline[:1] in ("[", "{") else _block_entries(rest)
    if not inline or inline[0] in "[{":
        names = dict(entries or ())
        if entries and len(names) == len(entries) <= MAX_CLASSES:
            return _require_count(names, text, path)
    found = sanitize(rest.strip()[:40], MAX_QUOTE)
    msg = f"{path}: names: expected a list of names, or a mapping of codes to names, found {found}"
    raise FormatError(msg)


def _flow_entries(text: str) -> list[tuple[int, str]] | None:
    """Return codes and names of a list or mapping in brackets; None if it is neither."""
    end = text.find("]" if text[0] == "[" else "}")
    content = re.sub(r"(^|\s)#.*", r"\1", text[1:end]) if end > 0 else ""
    entries: list[tuple[int, str]] = []
    position = 0
    while content[position:].strip():
        match = _FLOW_ITEM.match(content, position)
        if match is None or (match["code"] is None) != (text[0] == "["):
            return None
        code = len(entries) if match["code"] is None else int(match["code"])
        entries.append((code, _plain(match["name"])))
        position = match.end()
    return entries


def _block_entries(text: str) -> list[tuple[int, str]] | None:
    """Return codes and names in the lines of a list or mapping; None if it is neither."""
    entries: list[tuple[int, str]] = []
    kinds = set()
    for line in text.splitlines()[1:]:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        item, entry = _ITEM.match(line), _ENTRY.match(line)
        if item is not None:
            entries.append((len(entries), _plain(item["name"])))
        elif entry is not None:
            entries.append((int(entry["code"]), _plain(entry["name"])))
        elif line[0].isspace() or line[0] == "-":
            return None
        else:
            # The next key.
            break
        kinds.add(item is None)
    return entries if len(kinds) == 1 else None


def _plain(scalar: str) -> str:
    """Return the text of a scalar, without its quotes."""
    scalar = scalar.strip()
    if scalar.startswith("'"):
        return scalar[1:-1].replace("''", "'")
    return re.sub(r"\\(.)", r"\1", scalar[1:-1]) if scalar.startswith('"') else scalar


def _require_count(names: dict[int, str], text: str, path: Path) -> dict[int, str]:
    declared = _COUNT.search(text)
    if declared and int(declared[1]) != len(names):
        msg = f"{path}: expected {declared[1]} names, as nc declares, found {len(names)}"
        raise FormatError(msg)
    return names
