"""Make the form of the documentation: form.jpg, form.json and review.png in ``docs/images``.

    python -m tools.form_figures

The form is filled with digits of the MNIST test set and photographed, as the tests do it. The
screenshot is of ``mnist-svm read form.jpg --template form.json --review`` there. Needs the group
`dev` and the commands chromium and chromedriver.
"""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from mnist_svm.cli import cli
from mnist_svm.datasets.load import load_dataset
from mnist_svm.models.locate import SHIPPED
from tests.support.browser import Page, browsing
from tests.support.guises.lines import Writers
from tests.support.guises.pages import FIELDS, render_form

DOCS = Path(__file__).resolve().parents[1] / "docs" / "images"

# Number of the form; longer side of its picture, and quality of its JPEG.
INDEX, SIDE, QUALITY = 9, 1400, 80

# Size of the screenshot, and of the palette of its PNG.
WIDTH, HEIGHT, COLOURS = 1000, 760, 128


def main() -> None:
    """Write all three."""
    dataset = load_dataset("mnist", split="test")
    sheet = render_form(INDEX, Writers(dataset.images, dataset.labels))
    with Image.open(io.BytesIO(sheet.file)) as photo:
        photo.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        photo.save(DOCS / "form.jpg", quality=QUALITY)
    (DOCS / "form.json").write_text(format_template(sheet.template))
    with tempfile.TemporaryDirectory() as folder, browsing() as page:
        review = Path(folder) / "review.html"
        arguments = ["read", "docs/images/form.jpg", "--template", "docs/images/form.json"]
        options = ["--model", str(SHIPPED), "--review", str(review)]
        cli([*arguments, *options], standalone_mode=False)
        page.driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        page.open(review.as_uri(), width=WIDTH, height=HEIGHT)
        page.click("#all")
        page.run("document.querySelector('main input').focus()")
        save(page, DOCS / "review.png")


def format_template(template: dict[str, Any]) -> str:
    """The template as JSON, a line for each field, with the number of digits where it is known."""
    digits = {name: least if least == most else [least, most] for name, *_, least, most in FIELDS}
    fields = ",\n    ".join(
        json.dumps(field | {"digits": digits[field["name"]]}) for field in template["fields"]
    )
    size = json.dumps([round(side) for side in template["size"]])
    return f'{{\n  "page": "marks",\n  "size": {size},\n  "fields": [\n    {fields}\n  ]\n}}\n'


def save(page: Page, path: Path) -> None:
    """Save the upper part of the page as a PNG."""
    with Image.open(io.BytesIO(page.driver.get_screenshot_as_png())) as picture:
        picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
