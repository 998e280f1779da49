"""Review of numbers as one self-contained HTML page, on which a person corrects them."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from importlib.resources import files
from typing import Any

from mnist_svm import __version__
from mnist_svm.exceptions import sanitize
from mnist_svm.forms.table import Entry, Table, format_confidence


def render_review(
    table: Table, *, name: str, threshold: float = 0.9, reject_below: float = 0.0
) -> str:
    """Render the page on which numbers are compared with their pictures, and corrected.

    The page shows the numbers below a confidence, or all, and saves the table as a CSV file. What
    was not looked at is saved as `Table.to_csv` writes it. The page loads nothing, and its
    Content-Security-Policy forbids all scripts and styles but its own.

    Parameters
    ----------
    table : Table
        With pictures.
    name : str
        Name of the CSV file that the page saves.
    threshold : float, default=0.9
        Confidence below which numbers are shown.
    reject_below : float, default=0.0
        Confidence below which numbers that were not looked at are saved as "?".

    Returns
    -------
    str
        HTML.
    """
    style, script = _template("review.css"), _template("review.js")
    data = {
        "name": name,
        "threshold": threshold,
        "entries": [_entry(entry, reject_below) for entry in table.entries],
        "rows": [
            [cell if isinstance(cell, str) else [cell.entry, cell.shows] for cell in row]
            for row in table.padded_rows()
        ],
    }
    parts = {
        "version": __version__,
        "title": html.escape(sanitize(name)),
        "style": style,
        "style_hash": _hash(style),
        "script": script,
        "script_hash": _hash(script),
        # No "<", which could end the element.
        "data": json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),
    }
    # In one pass, so that nothing is replaced in what was inserted.
    return re.sub(r"\{\{ (\w+) \}\}", lambda match: parts[match[1]], _template("review.html"))


def _entry(entry: Entry, reject_below: float) -> dict[str, Any]:
    picture = "" if entry.picture is None else base64.b64encode(entry.picture).decode()
    return {
        "page": sanitize(entry.page),
        "name": sanitize(entry.name),
        "text": entry.text,
        "saved": entry.to_text(reject_below),
        "confidence": entry.confidence,
        "shown": format_confidence(entry.confidence),
        "picture": picture and f"data:image/jpeg;base64,{picture}",
    }


def _template(name: str) -> str:
    return files("mnist_svm.forms").joinpath("templates", name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    """Hash of an inline element, as Content-Security-Policy names it."""
    digest = hashlib.sha256(content.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
