"""The guises of test pictures are reproducible, as documented, and classified correctly."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import numpy as np
import pytest
from joblib import parallel_config
from PIL import Image
from scipy import ndimage

from mnist_svm.pictures.decode import decode
from mnist_svm.pictures.normalize import normalize
from tests.support.guises import lines, make
from tests.support.guises.guises import GUISES, load_uci_digits, render_guise
from tests.support.guises.lines import KINDS, Writers, render_page
from tests.support.guises.strokes import INK_THRESHOLD, thin
from tests.support.paths import DATA, ROOT

COUNT = 8


@pytest.fixture(scope="module")
def digits(train_set):
    """The last 10,000 training digits, and their labels."""
    return train_set.images[50_000:], train_set.labels[50_000:]


# --- reading -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def right(small_model, digits):
    """Number of digits that are classified correctly, by guise."""
    images, labels = (part[:COUNT] for part in digits)
    counts = {}
    for guise in GUISES:
        files = [render_guise(guise, image, index) for index, image in enumerate(images)]
        normalized = np.stack([normalize(decode(io.BytesIO(file)).grey) for file in files])
        predicted = small_model.pipeline.predict(normalized.reshape(COUNT, 784))
        counts[guise] = np.count_nonzero(predicted == labels)
    return counts


@pytest.mark.slow
@pytest.mark.parametrize("guise", GUISES)
def test_digits_in_each_guise_are_classified(right, guise):
    assert right["plain"] == COUNT
    assert right[guise] >= COUNT - 2


@pytest.mark.slow
def test_few_digits_are_misclassified_over_all_guises(right):
    assert sum(right.values()) >= 0.95 * COUNT * len(GUISES)


def test_digits_of_8_x_8_pixels_are_classified(small_model):
    images, labels = load_uci_digits()
    normalized = np.stack([normalize(image) for image in images[:500]])
    predicted = small_model.pipeline.predict(normalized.reshape(500, 784))
    assert np.mean(predicted == labels[:500]) > 0.8


# --- drawing -----------------------------------------------------------------------------


def test_a_picture_depends_on_seed_guise_and_index_alone(digits):
    images, _ = digits
    first = [render_guise(guise, images[3], 3) for guise in GUISES]
    for image in images[:5]:
        render_guise("marker", image, 0)
    assert [render_guise(guise, images[3], 3) for guise in reversed(GUISES)] == first[::-1]
    for other in ({"index": 4}, {"index": 3, "seed": 1}):
        others = [render_guise(guise, images[3], **other) for guise in GUISES]
        same = {guise for guise, one, two in zip(GUISES, others, first) if one == two}
        # Two guises have nothing random; few sizes are tiny.
        assert {"plain", "inverted"} <= same <= {"plain", "inverted", "tiny"}


def test_another_process_renders_the_same_file(digits, tmp_path):
    images, _ = digits
    script = (
        "import sys; from pathlib import Path; import numpy as np\n"
        "from tests.support.guises.guises import render_guise\n"
        "image = np.load(sys.argv[1])\n"
        "Path(sys.argv[2]).write_bytes(render_guise('rough paper', image, 7, seed=2))\n"
    )
    np.save(tmp_path / "digit.npy", images[7])
    subprocess.run(
        [sys.executable, "-c", script, tmp_path / "digit.npy", tmp_path / "picture"],
        cwd=ROOT,
        check=True,
    )
    assert (tmp_path / "picture").read_bytes() == render_guise("rough paper", images[7], 7, seed=2)


@pytest.mark.parametrize(
    ("guise", "kind", "mode"),
    [
        ("plain", "PNG", "L"),
        ("transparent", "PNG", "RGBA"),
        ("gif", "GIF", "P"),
        ("fax", "TIFF", "1"),
        ("deep tiff", "TIFF", "I;16"),
        ("keystone", "JPEG", "RGB"),
    ],
)
def test_guises_have_the_formats_of_real_pictures(digits, guise, kind, mode):
    image = Image.open(io.BytesIO(render_guise(guise, digits[0][0], 0)))
    assert (image.format, image.mode) == (kind, mode)


def test_a_ring_is_thinned_to_its_centre_line():
    i, j = np.indices((41, 41)) - 20
    line = thin(np.abs(np.hypot(i, j) - 14) < 4)
    assert np.abs(np.hypot(i, j)[line] - 14).max() < 1.5
    # Closed, and one pixel thick: each pixel has two neighbours, or three at a corner.
    around = ndimage.convolve(line.astype(int), np.ones((3, 3), int), mode="constant")[line] - 1
    assert around.min() == 2
    assert around.max() <= 3
    assert ndimage.label(~line)[1] == 2


# --- numbers in rows ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def writers(digits):
    return Writers(*digits)


@pytest.fixture
def page(writers, monkeypatch):
    """A page's rows, and its ink before it is printed on paper."""
    monkeypatch.setattr(lines, "_print_page", lambda cover, *_: cover)

    def render_ink(kind, index):
        page = render_page(kind, writers, index)
        return page.rows, page.file > INK_THRESHOLD

    return render_ink


def components_outside(rows, ink):
    """Number of connected components of ink that are in no digit's box."""
    boxes = [box for row in rows for box in row.boxes]
    pieces = ndimage.find_objects(ndimage.label(ink, np.ones((3, 3)))[0])
    return sum(
        not any(
            box.top <= piece[0].start
            and piece[0].stop <= box.bottom
            and box.left <= piece[1].start
            and piece[1].stop <= box.right
            for box in boxes
        )
        for piece in pieces
    )


@pytest.mark.parametrize("kind", KINDS)
def test_each_digit_fills_its_box(page, kind):
    for index in range(10):
        rows, ink = page(kind, index)
        for row in rows:
            assert 1 <= len(row.text) == len(row.boxes) <= 8
            for box in row.boxes:
                part = ink[box.top : box.bottom, box.left : box.right]
                assert all(side.any() for side in (part[0], part[-1], part[:, 0], part[:, -1]))


@pytest.mark.parametrize("kind", ["natural spacing", "rows on a page"])
def test_separate_digits_are_not_connected(page, kind):
    assert all(components_outside(*page(kind, index)) == 0 for index in range(20))


def test_marks_are_in_no_box(page):
    assert all(
        1 <= components_outside(*page("points and dashes", index)) <= 2 for index in range(20)
    )


def test_touching_digits_are_one_component(page):
    assert all(components_outside(*page("touching pairs", index)) == 1 for index in range(20))


def test_the_text_has_the_labels_of_the_digits(digits):
    images, labels = digits
    ones = Writers(images[labels == 1], labels[labels == 1])
    rows = render_page("rows on a page", ones, 0).rows
    assert {character for row in rows for character in row.text} == {"1"}


def test_a_page_of_numbers_is_the_same_each_time(writers):
    for kind in KINDS:
        assert render_page(kind, writers, 5) == render_page(kind, writers, 5)
        assert render_page(kind, writers, 5) != render_page(kind, writers, 6)


# --- the files ---------------------------------------------------------------------------


@pytest.mark.slow
def test_the_collection_is_written_with_labels_in_the_names(digits, writers, tmp_path, monkeypatch):
    monkeypatch.setenv("MNIST_SVM_DATA", str(DATA))
    monkeypatch.setattr(sys, "argv", ["make.py", str(tmp_path), "--count", "1"])
    with parallel_config(backend="sequential"):
        make.main()
    images, labels = digits
    for guise in GUISES:
        [path] = (tmp_path / guise.replace(" ", "_")).iterdir()
        assert path.stem == f"{labels[0]}_00000"
        assert path.read_bytes() == render_guise(guise, images[0], 0)
    page = render_page("rows on a page", writers, 0)
    boxes = json.loads((tmp_path / "rows_on_a_page" / "boxes.json").read_text())
    [(name, rows)] = boxes.items()
    assert name.startswith("-".join(row.text for row in page.rows) + "_")
    assert (tmp_path / "rows_on_a_page" / name).read_bytes() == page.file
    assert [row["boxes"] for row in rows] == [list(map(list, row.boxes)) for row in page.rows]
    assert len(list((tmp_path / "uci").iterdir())) == 1797
