"""A headless browser for tests of the web page: drawing, dropping files, reading the result."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.interaction import POINTER_MOUSE
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.support.serving import eventually

# Points (x, y) in the unit square, y downwards.
Stroke = Sequence[tuple[float, float]]

ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")

# Dispatches a drop or paste event with files.
DISPATCH_FILES = """
const [event, files] = arguments;
const transfer = new DataTransfer();
for (const [name, text] of files) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  transfer.items.add(new File([bytes], name));
}
const options = { bubbles: true, cancelable: true };
document.body.dispatchEvent(
  event === "drop"
    ? new DragEvent("drop", { ...options, dataTransfer: transfer })
    : new ClipboardEvent("paste", { ...options, clipboardData: transfer })
);
"""


def _arc(
    x: float, y: float, x_radius: float, y_radius: float, start: int, end: int
) -> list[tuple[float, float]]:
    """Return points of an elliptic arc; angles in degrees, clockwise from the right."""
    angles = np.radians(np.linspace(start, end, 3 + abs(end - start) // 20))
    points = zip(x + x_radius * np.cos(angles), y + y_radius * np.sin(angles), strict=True)
    return [(float(x), float(y)) for x, y in points]


_BELLY = _arc(0.46, 0.68, 0.3, 0.29, -110, 140)

# Strokes of each digit.
DIGITS: dict[int, list[Stroke]] = {
    0: [_arc(0.5, 0.5, 0.32, 0.48, -80, -440)],
    1: [[(0.35, 0.2), (0.52, 0.02), (0.52, 0.98)]],
    2: [[*_arc(0.48, 0.28, 0.28, 0.26, 190, 395), (0.45, 0.72), (0.2, 0.98), (0.82, 0.97)]],
    3: [[*_arc(0.47, 0.26, 0.26, 0.25, 200, 440), *_arc(0.47, 0.74, 0.3, 0.25, -80, 150)]],
    4: [[(0.35, 0.02), (0.18, 0.6), (0.85, 0.6)], [(0.65, 0.3), (0.62, 0.98)]],
    5: [[(0.3, 0.03), (0.26, 0.42), *_BELLY], [(0.3, 0.03), (0.8, 0.03)]],
    6: [[(0.65, 0.02), (0.4, 0.25), (0.24, 0.6), *_arc(0.49, 0.73, 0.25, 0.25, 180, -170)]],
    7: [[(0.15, 0.04), (0.8, 0.04), (0.55, 0.5), (0.4, 0.98)]],
    8: [
        [
            *_arc(0.5, 0.26, 0.24, 0.24, -60, -270),
            *_arc(0.5, 0.74, 0.28, 0.24, -90, 270),
            *_arc(0.5, 0.26, 0.24, 0.24, 90, -60),
        ]
    ],
    9: [[*_arc(0.48, 0.28, 0.26, 0.26, -20, -350), (0.74, 0.05), (0.72, 0.98)]],
}


@contextmanager
def browsing() -> Iterator[Page]:
    """Start a browser. Without one the test is skipped, or in CI fails."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        reason = "no browser: needs the commands chromium and chromedriver"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for argument in ARGUMENTS:
        options.add_argument(argument)
    chrome = webdriver.Chrome(options=options, service=Service(executable_path=driver))
    try:
        yield Page(chrome)
    finally:
        chrome.quit()


class Page:
    """The web page of `mnist-svm serve` in a browser."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, url: str, *, width: int = 1200, height: int = 900, **media: str) -> None:
        """Load the page on a screen of a given size.

        ``media`` are values of CSS media features; by default, motion is reduced.
        """
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        media = {"prefers_reduced_motion": "reduce", **media}
        features = [{"name": name.replace("_", "-"), "value": media[name]} for name in media]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        self.driver.get(url)

    def run(self, script: str, *arguments: Any) -> Any:
        """Run JavaScript in the page."""
        return self.driver.execute_script(script, *arguments)

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def find_all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """Return the visible text of an element, which is empty if it is hidden."""
        return str(self.find(selector).text)

    def texts(self, selector: str) -> list[str]:
        return [element.text for element in self.find_all(selector)]

    def click(self, selector: str) -> None:
        self.find(selector).click()

    def press(self, *keys: str) -> None:
        """Press keys together."""
        chain = ActionChains(self.driver)
        for key in keys:
            chain.key_down(key)
        for key in reversed(keys):
            chain.key_up(key)
        chain.perform()

    def draw(
        self,
        strokes: Iterable[Stroke],
        *,
        left: float = 0.3,
        size: float = 0.6,
        pointer: str = POINTER_MOUSE,
    ) -> None:
        """Draw on the pad; ``left`` and ``size`` are fractions of its height."""
        pad = self.find("#pad")
        self.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", pad)
        x, y, height = self.run(
            "const box = arguments[0].getBoundingClientRect();"
            "return [box.left, box.top, box.height]",
            pad,
        )
        for stroke in strokes:
            actions = ActionBuilder(
                self.driver, mouse=PointerInput(pointer, f"a {pointer}"), duration=8
            )
            for index, point in enumerate(stroke):
                pad_x = (left + size * point[0]) * height
                pad_y = ((1 - size) / 2 + size * point[1]) * height
                actions.pointer_action.move_to_location(round(x + pad_x), round(y + pad_y))
                if index == 0:
                    actions.pointer_action.pointer_down()
            actions.pointer_action.pointer_up()
            actions.perform()

    def drop(self, *files: tuple[str, bytes]) -> None:
        """Drop files, given by name and content, on the page."""
        self._dispatch_files("drop", files)

    def paste(self, *files: tuple[str, bytes]) -> None:
        self._dispatch_files("paste", files)

    def choose(self, *paths: Path) -> None:
        """Select files in the file dialog."""
        self.find("#choose").send_keys("\n".join(str(path) for path in paths))

    def wait_for_text(self, selector: str, text: str) -> None:
        """Wait until an element shows a text."""
        eventually(lambda: self.text(selector) == text or None)

    def wait_for(self, script: str) -> Any:
        """Wait until a JavaScript expression is true, and return its value."""
        return eventually(lambda: self.run(f"return {script}"))

    def wait_until_idle(self) -> None:
        """Wait until no request is in progress."""
        self.wait_for("document.getElementById('answer').getAttribute('aria-busy') === 'false'")

    def download(self, selector: str, folder: Path) -> str:
        """Click a download button, and return the content of the file."""
        behavior = {"behavior": "allow", "downloadPath": str(folder)}
        self.driver.execute_cdp_cmd("Page.setDownloadBehavior", behavior)
        self.click(selector)
        path = folder / "mnist-svm.json"
        return str(eventually(lambda: path.exists() and path.read_text()))

    def console_messages(self) -> list[dict[str, Any]]:
        """Return the new messages of the browser's console, except for error responses."""
        return [
            entry
            for entry in self.driver.get_log("browser")
            if not (entry["source"] == "network" and "a status of 4" in entry["message"])
        ]

    def _dispatch_files(self, event: str, files: Iterable[tuple[str, bytes]]) -> None:
        encoded = [(name, base64.b64encode(content).decode()) for name, content in files]
        self.run(DISPATCH_FILES, event, encoded)
