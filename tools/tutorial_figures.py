"""Make the pictures of the tutorials: tutorial-* in ``docs/images``.

python -m tools.tutorial_figures
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from mnist_svm.cli import cli
from mnist_svm.examples import FILES
from mnist_svm.models.locate import SHIPPED

DOCS = Path(__file__).resolve().parents[1] / "docs" / "images"

# Height of a picture in a row, and the gap between two, in pixels.
HEIGHT, GAP = 84, 6


def main() -> None:
    """Write them all."""
    shutil.copy(FILES / "forms" / "form-1.jpg", DOCS / "tutorial-form.jpg")
    save_row(sorted((FILES / "digits").glob("*.png")), DOCS / "tutorial-digits.png")
    save_row(sorted((FILES / "hand" / "try").glob("*.png")), DOCS / "tutorial-zeros.png")
    photo = str(FILES / "hand" / "learn" / "0" / "1.png")
    seen = str(DOCS / "tutorial-seen.png")
    cli(["predict", photo, "--show", seen, "--model", str(SHIPPED)], standalone_mode=False)


def save_row(paths: Iterable[Path], target: Path) -> None:
    """Save pictures in a row, scaled to one height."""
    pictures = []
    for path in paths:
        with Image.open(path) as picture:
            size = round(picture.width * HEIGHT / picture.height), HEIGHT
            pictures.append(picture.convert("L").resize(size, Image.Resampling.BICUBIC))
    width = sum(picture.width + GAP for picture in pictures) - GAP
    row = Image.new("LA", (width, HEIGHT))
    left = 0
    for picture in pictures:
        row.paste(picture, (left, 0))
        left += picture.width + GAP
    row.save(target, optimize=True)


if __name__ == "__main__":
    main()
