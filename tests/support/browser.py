"""A real browser that a test draws and drops with, and what its page then shows."""

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

# Across and down in a square whose sides are 1.
Stroke = Sequence[tuple[float, float]]

ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")

# Hands over files as if a person had dropped or pasted them.
HAND_OVER = """
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
    across: float, down: float, width: float, height: float, start: int, end: int
) -> list[tuple[float, float]]:
    """A part of an ellipse; degrees, from the right, clockwise."""
    angles = np.radians(np.linspace(start, end, 3 + abs(end - start) // 20))
    points = zip(across + width * np.cos(angles), down + height * np.sin(angles), strict=True)
    return [(float(x), float(y)) for x, y in points]


_BELLY = _arc(0.46, 0.68, 0.3, 0.29, -110, 140)

# Digits as people draw them.
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
    """A browser; where there is none, the test is skipped, but not in CI."""
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
    """What `mnist-svm serve` shows, in a browser."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, url: str, *, width: int = 1200, height: int = 900, **media: str) -> None:
        """Load the page anew, on a screen of that size.

        ``media`` are what people ask of pages; by default that nothing moves.
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
        """What people see of an element: nothing if it is hidden."""
        return str(self.find(selector).text)

    def texts(self, selector: str) -> list[str]:
        return [element.text for element in self.find_all(selector)]

    def click(self, selector: str) -> None:
        self.find(selector).click()

    def press(self, *keys: str) -> None:
        """Press keys together, wherever the focus is."""
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
        """Draw on the pad, so far from its left side and so large, in parts of its height."""
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
            for index, (across, down) in enumerate(stroke):
                place = (left + size * across) * height, ((1 - size) / 2 + size * down) * height
                actions.pointer_action.move_to_location(round(x + place[0]), round(y + place[1]))
                if index == 0:
                    actions.pointer_action.pointer_down()
            actions.pointer_action.pointer_up()
            actions.perform()

    def drop(self, *files: tuple[str, bytes]) -> None:
        """Drop files of these names and bytes on the page."""
        self._hand_over("drop", files)

    def paste(self, *files: tuple[str, bytes]) -> None:
        self._hand_over("paste", files)

    def choose(self, *paths: Path) -> None:
        """Choose files in the dialogue."""
        self.find("#choose").send_keys("\n".join(str(path) for path in paths))

    def shows(self, selector: str, text: str) -> None:
        """Wait until people see a text there."""
        eventually(lambda: self.text(selector) == text or None)

    def waits_for(self, script: str) -> Any:
        """Wait until JavaScript gives something true."""
        return eventually(lambda: self.run(f"return {script}"))

    def is_at_rest(self) -> None:
        """Wait until nothing is read."""
        self.waits_for("document.getElementById('answer').getAttribute('aria-busy') === 'false'")

    def saves(self, selector: str, folder: Path) -> str:
        """Click what saves a file, and give what is in it."""
        where = {"behavior": "allow", "downloadPath": str(folder)}
        self.driver.execute_cdp_cmd("Page.setDownloadBehavior", where)
        self.click(selector)
        return str(eventually(lambda: (folder / "mnist-svm.json").exists() and self._saved(folder)))

    def complaints(self) -> list[dict[str, Any]]:
        """What the browser logged since it was last asked, but for requests that were refused."""
        return [
            entry
            for entry in self.driver.get_log("browser")
            if not (entry["source"] == "network" and "a status of 4" in entry["message"])
        ]

    def _hand_over(self, event: str, files: Iterable[tuple[str, bytes]]) -> None:
        told = [(name, base64.b64encode(content).decode()) for name, content in files]
        self.run(HAND_OVER, event, told)

    @staticmethod
    def _saved(folder: Path) -> str:
        return (folder / "mnist-svm.json").read_text()
