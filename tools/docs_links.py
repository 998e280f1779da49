"""Check the links of a built site: inside, to pages and anchors; outside, nothing is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Attributes by which an element loads something; the link of an <a> is followed by people alone.
LOADING = {"src", "srcset", "data", "poster", "href"}


@dataclass
class Page(HTMLParser):
    """What a page refers to, and its anchors.

    Attributes
    ----------
    links : addresses of links
    loaded : addresses that a browser loads to show the page
    anchors : what a link can have after "#"
    """

    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Collect the addresses and the anchors of an element."""
        values = {name: value or "" for name, value in attributes}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        addresses = [values[name] for name in sorted(LOADING & values.keys())]
        if tag == "a" or (tag == "link" and values.get("rel") in {"canonical", "prev", "next"}):
            self.links += addresses
        else:
            self.loaded += addresses

    def has_anchor(self, anchor: str) -> bool:
        """Whether a link may end in this anchor, or in none."""
        return not anchor or anchor in self.anchors


def find_faults(site: Path, base: str = "/") -> Iterator[str]:
    """Yield a line for each link to a page, a file or an anchor of the site that does not exist.

    Also for everything that a page loads from another server. `base` is the path under which the
    site is published: links of the page of errors begin with it.
    """
    pages = {path.resolve(): parse(path) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(site.resolve()).as_posix()
        for address in [*page.links, *page.loaded]:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                if address in page.loaded and parts.scheme != "data":
                    yield f"{name} loads {address}"
                continue
            target = resolve(site, base, path, unquote(parts.path))
            if not target.is_file():
                yield f"{name} links to {address}, which does not exist"
            elif target in pages and not pages[target].has_anchor(unquote(parts.fragment)):
                yield f"{name} links to {address}, where this anchor does not exist"


def parse(path: Path) -> Page:
    """Read a page."""
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


@cache
def resolve(site: Path, base: str, page: Path, path: str) -> Path:
    """Return the file that a path in a link of a page stands for."""
    if path.startswith("/"):
        target = site / path.removeprefix(base).lstrip("/")
    else:
        target = page.parent / path if path else page
    target = target.resolve()
    return target / "index.html" if target.is_dir() else target
