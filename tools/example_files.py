"""Make the files that ``mnist-svm examples`` writes, in ``mnist_svm/examples/files``.

    python -m tools.example_files

Ten digits, a page and six filled forms are made of the MNIST test set, as the tests make them. The
hand is drawn: zeros with a bar across, which the shipped model misreads, to be taught.
"""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from mnist_svm.datasets.load import load_dataset
from tests.support.guises.lines import Writers
from tests.support.guises.pages import render_form
from tools.form_figures import format_template
from tools.styles.allographs_form import make_form
from tools.styles.allographs_lines import Stroke, arc, line
from tools.styles.strokes import Allograph, draw_strokes

ROOT = Path(__file__).resolve().parents[1]
FILES = ROOT / "mnist_svm" / "examples" / "files"

# The forms, the longer side of their pictures, and the quality of their JPEGs.
FORMS, SIDE, QUALITY = range(20, 26), 1100, 55

# Zeros to learn from and to try; the pen at most, as a fraction of the height; the longer side of a
# picture in pixels; levels of grey of the paper and the ink.
N_LEARN, N_TRY, PEN = 8, 4, 0.11
PAPER, INK = 244, 40


def barred_zero(*, at: float, width: float, over: float, tilt: float) -> list[Stroke]:
    """A ring, and a bar across it at a height, `over` the ring on both sides, rising by `tilt`."""
    x = width / 2
    return [arc((0, 0.5), (x, 0.5), 0, 360), line((-x - over, at + tilt), (x + over, at - tilt))]


BARRED = make_form(
    0,
    barred_zero,
    pen=PEN,
    at=(0.42, 0.56),
    width=(0.55, 0.8),
    over=(0.12, 0.28),
    tilt=(-0.03, 0.06),
)


def main() -> None:
    """Write all files."""
    for folder in ("digits", "forms", "hand/learn/0", "hand/try"):
        (FILES / folder).mkdir(parents=True, exist_ok=True)
    for digit in range(10):
        shutil.copy(ROOT / "images_test" / f"{digit}.png", FILES / "digits")
    shutil.copy(ROOT / "docs" / "images" / "page.jpg", FILES)
    write_forms()
    write_hand()


def write_forms() -> None:
    """Write the forms, each filled in by another writer, and their template."""
    dataset = load_dataset("mnist", split="test")
    writers = Writers(dataset.images, dataset.labels)
    for k, index in enumerate(FORMS, 1):
        sheet = render_form(index, writers)
        with Image.open(io.BytesIO(sheet.file)) as photo:
            photo.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
            photo.save(FILES / "forms" / f"form-{k}.jpg", quality=QUALITY, optimize=True)
        (FILES / "form.json").write_text(format_template(sheet.template), encoding="utf-8")


def write_hand() -> None:
    """Write zeros with a bar across, dark on light."""
    barred = Allograph(0, "0-barred", BARRED)
    rng = np.random.default_rng(3)
    names = [f"learn/0/{k}.png" for k in range(1, N_LEARN + 1)]
    names += [f"try/{k}.png" for k in range(1, N_TRY + 1)]
    for name in names:
        coverage = draw_strokes(barred.strokes(rng), rng, widest=PEN).astype(np.float64) / 255
        picture = np.rint(PAPER + (INK - PAPER) * coverage + rng.normal(0, 2, coverage.shape))
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(
            FILES / "hand" / name, optimize=True
        )


if __name__ == "__main__":
    main()
