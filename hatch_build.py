"""Build hook: the README for package indexes, where relative links lead nowhere."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

# [text](target) or ![text](target), but for addresses and places in the page.
RELATIVE_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)\s]+)\)")


def with_absolute_links(markdown: str, repository: str | None, tag: str) -> str:
    """Return a text with relative links made absolute, or without them if there is no address."""

    def absolute(link: re.Match[str]) -> str:
        bang, text, target = link.groups()
        if repository is None:
            return "" if bang else text
        return f"{bang}[{text}]({repository}/{'raw' if bang else 'blob'}/{tag}/{target})"

    return RELATIVE_LINK.sub(absolute, markdown)


class CustomMetadataHook(MetadataHookInterface):
    """Set the README and the addresses of the project.

    The environment variable REPOSITORY_URL is the address of the repository that publishes a
    release, such as ``https://github.com/owner/name``, and RELEASE_TAG is its tag. A wheel that is
    not published needs neither; its README has no links.
    """

    def update(self, metadata: dict[str, Any]) -> None:
        """Add ``readme`` and ``urls``."""
        repository = os.environ.get("REPOSITORY_URL")
        tag = os.environ.get("RELEASE_TAG", "main")
        markdown = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": with_absolute_links(markdown, repository, tag),
        }
        metadata["urls"] = {}
        if repository is not None:
            metadata["urls"] = {
                "Source": repository,
                "Changelog": f"{repository}/blob/{tag}/CHANGELOG.md",
                "Issues": f"{repository}/issues",
            }
