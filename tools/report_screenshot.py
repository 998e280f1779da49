"""Take the screenshot ``docs/images/report.png`` of a report on the shipped model.

    python -m tools.report_screenshot

Needs the extra `dev` and the commands chromium and chromedriver.
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

from PIL import Image

from mnist_svm.cli import cli
from mnist_svm.models.locate import SHIPPED
from tests.support.browser import Page, browsing

DOCS = Path(__file__).resolve().parents[1] / "docs" / "images"

WIDTH = 1200

# The screenshot ends below this element, the last of two rows of misread images.
LAST = ".misread > li:nth-child(14)"

# Size of the palette of the PNG: the page has few colours.
COLOURS = 128


def main() -> None:
    """Evaluate the shipped model and write the screenshot of the report."""
    with tempfile.TemporaryDirectory() as folder, browsing() as page:
        report = Path(folder) / "report.html"
        arguments = ["eval", "--model", str(SHIPPED), "--report", str(report)]
        cli(arguments, standalone_mode=False)
        page.driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        page.open(report.as_uri(), width=WIDTH)
        save(page, DOCS / "report.png")


def save(page: Page, path: Path) -> None:
    """Save the page from the top to `LAST` as a PNG."""
    end = page.run(
        "return document.querySelector(arguments[0]).getBoundingClientRect().bottom", LAST
    )
    size = {"width": WIDTH, "height": round(end) + 24}
    page.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {**size, "deviceScaleFactor": 1, "mobile": False}
    )
    with Image.open(io.BytesIO(page.driver.get_screenshot_as_png())) as picture:
        picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
