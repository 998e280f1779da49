"""Hooks of MkDocs: formulas as MathML, and pages and pictures that are files elsewhere.

Browsers show MathML themselves, so that formulas need no JavaScript and nothing from other servers.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]

# Page of the site -> file of the repository.
ELSEWHERE = {
    "tutorials/notebook.ipynb": "mnist_svm/examples/mnist-svm.ipynb",
    "project/changelog.md": "CHANGELOG.md",
    "project/contributing.md": "CONTRIBUTING.md",
    "project/security.md": "SECURITY.md",
}

# Folder of the repository -> folder of the site, for pictures that benchmarks write.
PICTURES = {"benchmarks": "results"}

# What pymdownx.arithmatex leaves of $...$ and $$...$$.
INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
DISPLAY = re.compile(r'<div class="arithmatex">\s*\\\[(.*?)\\\]\s*</div>', re.DOTALL)

# Instructions to the tests of the documentation.
COMMENT = re.compile(r"^<!--.*?-->\n", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages and pictures that are files elsewhere."""
    for uri, path in ELSEWHERE.items():
        content = (ROOT / path).read_text(encoding="utf-8")
        if uri.endswith(".md"):
            # Links there are relative to the root of the repository.
            content = re.sub(r"\]\(docs/", "](../", content)
        files.append(File.generated(config, uri, content=content))
    for source, target in PICTURES.items():
        for path in sorted((ROOT / source).glob("*.png")):
            picture = File.generated(config, f"{target}/{path.name}", abs_src_path=str(path))
            files.append(picture)
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Leave out comments."""
    return COMMENT.sub("", markdown)


def on_page_content(page: str, **_: Any) -> str:
    """Turn LaTeX into MathML."""
    page = INLINE.sub(lambda found: _mathml(found[1], "inline"), page)
    return DISPLAY.sub(lambda found: _mathml(found[1], "block"), page)


def _mathml(latex: str, display: str) -> str:
    return convert(html.unescape(latex.strip()), display=display)
