"""Hooks of MkDocs: formulas as MathML, generated parts, pages from elsewhere, links.

Browsers show MathML themselves, so that formulas need no JavaScript and nothing from other servers.
"""

from __future__ import annotations

import html
import logging
import os
import posixpath
import re
import textwrap
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from docs_links import find_faults
from docs_notebook import notebook_pages
from docs_reference import GENERATED
from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

import mnist_svm
from mnist_svm import exceptions

LOG = logging.getLogger("mkdocs.hooks")

ROOT = Path(__file__).resolve().parents[1]

# File of the repository -> page of the site.
PAGES = {
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
}
NOTEBOOK, NOTEBOOK_PAGE = "mnist_svm/examples/mnist-svm.ipynb", "tutorials/notebook.md"

# A link that is relative to the file.
LINK = re.compile(r"\[([^\]]*)\]\((?![a-z]+:|#)([^)\s#]+)(#[^)\s]*)?\)")

# What pymdownx.arithmatex leaves of $...$ and $$...$$.
INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
DISPLAY = re.compile(r'<div class="arithmatex">\s*\\\[(.*?)\\\]\s*</div>', re.DOTALL)

# What mkdocstrings writes after a parameter that its name and type describe, and of private bases.
NOTHING = re.compile(
    r'\s*\N{EN DASH}\s*<div class="doc-md-description">\s*</div>'
    r'|<p class="doc doc-class-bases">\s*Bases: <code>_\w+</code></p>'
)
# Code that fits on a line of a phone.
SHORT_CODE = re.compile(r"<code>(?=[^<\s]{1,24}</code>)")

# Code, and what may contain code but no further link.
LINK_OR_CODE = re.compile(
    r"<(?P<tag>a|autoref|h[1-6]|pre)\b.*?</(?P=tag)>|<code>(?P<code>[\w.]+)</code>", re.DOTALL
)
# A name of the package, or of a member: in the reference of Python, and in other pages.
BARE_NAME = re.compile(r"(?:mnist_svm\.)?(?P<public>\w+)(?P<member>\.\w+)?")
FULL_NAME = re.compile(r"mnist_svm\.(?P<public>\w+)(?P<member>\.\w+)?")

GENERATED_PART = re.compile(r"^<!-- generated: ([\w-]+) -->$", re.MULTILINE)
# What search engines show of a page: the first paragraph, of so many characters.
FIRST_PARAGRAPH = re.compile(r"^(?=[\w`*\[])((?:.+\n)+)", re.MULTILINE)
LINK_TEXT = re.compile(r"\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])")
MAX_DESCRIPTION = 160

# Instructions to the tests of the documentation.
COMMENT = re.compile(r"^<!--.*?-->\n", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are files elsewhere."""
    pages: dict[str, str | bytes] = {
        page: relocate((ROOT / path).read_text(encoding="utf-8"), page)
        for path, page in PAGES.items()
    }
    execute = os.environ.get("EXECUTE_NOTEBOOK") == "true"
    pages |= notebook_pages(ROOT / NOTEBOOK, NOTEBOOK_PAGE, ROOT / "data", execute=execute)
    for uri, content in pages.items():
        files.append(File.generated(config, uri, content=content))
    return files


def relocate(text: str, page: str) -> str:
    """Change links from the root of the repository to those from a page of the site.

    What is not on the site has no known address: then the text of the link stays.
    """

    def link(found: re.Match[str]) -> str:
        text, path, anchor = found[1], found[2], found[3] or ""
        target = PAGES.get(path) or (path.removeprefix("docs/") if path[:5] == "docs/" else None)
        if target is None:
            return text
        return f"[{text}]({posixpath.relpath(target, posixpath.dirname(page))}{anchor})"

    return LINK.sub(link, text)


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Put in the generated parts, leave out comments, and describe the page by its first lines."""
    markdown = GENERATED_PART.sub(lambda found: GENERATED[found[1]](), markdown)
    markdown = COMMENT.sub("", markdown)
    if first := FIRST_PARAGRAPH.search(markdown):
        text = LINK_TEXT.sub(r"\1", re.sub("[`*]", "", " ".join(first[1].split())))
        text = textwrap.shorten(text, MAX_DESCRIPTION, placeholder=" ...")
        page.meta.setdefault("description", html.escape(text))
    return markdown


def on_page_content(content: str, page: Any, **_: Any) -> str:
    """Turn LaTeX into MathML, and names of the package into links to the reference."""
    content = INLINE.sub(lambda found: _mathml(found[1], "inline"), content)
    content = DISPLAY.sub(lambda found: _mathml(found[1], "block"), content)
    content = NOTHING.sub("", content)
    names = BARE_NAME if page.file.src_uri.startswith("reference/python/") else FULL_NAME
    content = LINK_OR_CODE.sub(lambda found: _reference(found, names), content)
    return SHORT_CODE.sub('<code class="short">', content)


def on_post_page(output: str, **_: Any) -> str:
    """Take out the mark by which the theme would ask the repository's host for its stars."""
    return output.replace(' data-md-component="source"', "")


def on_post_build(config: Any) -> None:
    """Warn of dead links, which makes a strict build fail."""
    base = urlsplit(config.site_url or "").path or "/"
    for fault in find_faults(Path(config.site_dir), base):
        LOG.warning(fault)


def _mathml(latex: str, display: str) -> str:
    return convert(html.unescape(latex.strip()), display=display)


def _reference(found: re.Match[str], names: re.Pattern[str]) -> str:
    """Make a link of the code that a match is, if it is a name of the reference."""
    name = names.fullmatch(found["code"] or "")
    if name is None:
        return found[0]
    if name["public"] in mnist_svm.__all__:
        identifier = f"mnist_svm.{name['public']}{name['member'] or ''}"
    elif isinstance(vars(exceptions).get(name["public"]), type):
        identifier = f"mnist_svm.exceptions.{name['public']}"
    else:
        return found[0]
    # Without a warning if there is no such member.
    return f'<autoref identifier="{identifier}" optional>{found[0]}</autoref>'
