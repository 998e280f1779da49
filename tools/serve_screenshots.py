"""Take the screenshots of the web page: serve-light.png and serve-dark.png in ``docs/images``.

    python -m tools.serve_screenshots

One shows a drawn digit, the other a row of ``docs/images/page.jpg``. Needs the extra `dev` and the
commands chromium and chromedriver.
"""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from tests.support.browser import DIGITS, Page, browsing
from tests.support.serving import serving

DOCS = Path(__file__).resolve().parents[1] / "docs" / "images"

WIDTH, HEIGHT = 1200, 760

# Left, top, right, bottom in docs/images/page.jpg.
FIRST_ROW = 0, 0, 960, 180


def main() -> None:
    """Take both screenshots."""
    row = io.BytesIO()
    with Image.open(DOCS / "page.jpg") as paper:
        paper.crop(FIRST_ROW).save(row, format="PNG")
    # The screenshots show the default port.
    with serving("--port", "8000") as server, browsing() as page:
        page.driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        page.open(server.url, width=WIDTH, height=HEIGHT)
        page.draw(DIGITS[5])
        page.wait_for("document.getElementById('status').textContent.startsWith('Read as 5')")
        save(page, "serve-light.png")
        page.open(server.url, width=WIDTH, height=HEIGHT, prefers_color_scheme="dark")
        page.drop(("note.png", row.getvalue()))
        page.wait_for_text("#number", "72104 1495")
        page.find_all("#frame .box")[4].click()
        page.run("document.activeElement.blur()")
        save(page, "serve-dark.png")


def save(page: Page, name: str) -> None:
    """Save a screenshot of the whole page."""
    size = {"width": WIDTH, "height": page.run("return document.body.offsetHeight")}
    page.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {**size, "deviceScaleFactor": 1, "mobile": False}
    )
    page.run("scrollTo(0, 0)")
    page.driver.save_screenshot(str(DOCS / name))


if __name__ == "__main__":
    main()
