"""The collection of pictures that people send: the same each time, as told, and read."""

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
from tests.support.guises.guises import GUISES, drawn, uci_digits
from tests.support.guises.lines import KINDS, Hands, drawn_lines
from tests.support.guises.strokes import INKED, thinned
from tests.support.paths import DATA, ROOT

COUNT = 8


@pytest.fixture(scope="module")
def digits(train_set):
    """The last 10,000 training digits, and their labels."""
    return train_set.images[50_000:], train_set.labels[50_000:]


# --- reading -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def right(small_model, digits):
    """How many of the digits are read rightly in each guise."""
    images, labels = (of[:COUNT] for of in digits)
    counts = {}
    for guise in GUISES:
        files = [drawn(guise, image, index) for index, image in enumerate(images)]
        seen = np.stack([normalize(decode(io.BytesIO(file)).grey) for file in files])
        read = small_model.pipeline.predict(seen.reshape(COUNT, 784))
        counts[guise] = np.count_nonzero(read == labels)
    return counts


@pytest.mark.slow
@pytest.mark.parametrize("guise", GUISES)
def test_digits_in_a_guise_are_read(right, guise):
    assert right["plain"] == COUNT
    assert right[guise] >= COUNT - 2


def test_guises_cost_few_digits_in_all(right):
    assert sum(right.values()) >= 0.95 * COUNT * len(GUISES)


def test_digits_of_eight_pixels_are_read(small_model):
    images, labels = uci_digits()
    seen = np.stack([normalize(image) for image in images[:500]])
    read = small_model.pipeline.predict(seen.reshape(500, 784))
    assert np.mean(read == labels[:500]) > 0.8


# --- drawing -----------------------------------------------------------------------------


def test_a_picture_depends_on_seed_guise_and_index_alone(digits):
    images, _ = digits
    first = [drawn(guise, images[3], 3) for guise in GUISES]
    for image in images[:5]:
        drawn("marker", image, 0)
    assert [drawn(guise, images[3], 3) for guise in reversed(GUISES)] == first[::-1]
    for other in ({"index": 4}, {"index": 3, "seed": 1}):
        others = [drawn(guise, images[3], **other) for guise in GUISES]
        same = {guise for guise, one, two in zip(GUISES, others, first) if one == two}
        # Nothing is drawn at random for two, and few sizes are tiny.
        assert {"plain", "inverted"} <= same <= {"plain", "inverted", "tiny"}


def test_another_process_draws_the_same(digits, tmp_path):
    images, _ = digits
    script = (
        "import sys; from pathlib import Path; from guises import drawn; import numpy as np\n"
        "image = np.load(sys.argv[1])\n"
        "Path(sys.argv[2]).write_bytes(drawn('rough paper', image, 7, seed=2))\n"
    )
    np.save(tmp_path / "digit.npy", images[7])
    subprocess.run(
        [sys.executable, "-c", script, tmp_path / "digit.npy", tmp_path / "picture"],
        cwd=ROOT / "tests" / "pictures",
        check=True,
    )
    assert (tmp_path / "picture").read_bytes() == drawn("rough paper", images[7], 7, seed=2)


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
def test_files_are_what_people_send(digits, guise, kind, mode):
    image = Image.open(io.BytesIO(drawn(guise, digits[0][0], 0)))
    assert (image.format, image.mode) == (kind, mode)


def test_a_ring_is_thinned_to_its_middle_line():
    i, j = np.indices((41, 41)) - 20
    line = thinned(np.abs(np.hypot(i, j) - 14) < 4)
    assert np.abs(np.hypot(i, j)[line] - 14).max() < 1.5
    # Closed, and one pixel thick: each pixel has two neighbours, or three at a corner.
    around = ndimage.convolve(line.astype(int), np.ones((3, 3), int), mode="constant")[line] - 1
    assert around.min() == 2
    assert around.max() <= 3
    assert ndimage.label(~line)[1] == 2


# --- numbers in rows ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def hands(digits):
    return Hands(*digits)


@pytest.fixture
def page(hands, monkeypatch):
    """A page's rows, and its ink as it is before it comes on paper."""
    monkeypatch.setattr(lines, "_on_paper", lambda cover, *_: cover)

    def drawn_on_nothing(kind, index):
        page = drawn_lines(kind, hands, index)
        return page.rows, page.file > INKED

    return drawn_on_nothing


def strangers(rows, ink):
    """How many connected pieces of ink are in no digit's box."""
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
def test_digits_that_stand_apart_are_connected_to_no_other(page, kind):
    assert all(strangers(*page(kind, index)) == 0 for index in range(20))


def test_marks_are_in_no_box(page):
    assert all(1 <= strangers(*page("points and dashes", index)) <= 2 for index in range(20))


def test_touching_digits_are_one_piece(page):
    assert all(strangers(*page("touching pairs", index)) == 1 for index in range(20))


def test_the_text_is_of_the_digits_written(digits):
    images, labels = digits
    ones = Hands(images[labels == 1], labels[labels == 1])
    rows = drawn_lines("rows on a page", ones, 0).rows
    assert {character for row in rows for character in row.text} == {"1"}


def test_a_page_of_numbers_is_the_same_each_time(hands):
    for kind in KINDS:
        assert drawn_lines(kind, hands, 5) == drawn_lines(kind, hands, 5)
        assert drawn_lines(kind, hands, 5) != drawn_lines(kind, hands, 6)


# --- the files ---------------------------------------------------------------------------


@pytest.mark.slow
def test_the_collection_is_written_with_labels_in_the_names(digits, hands, tmp_path, monkeypatch):
    monkeypatch.setenv("MNIST_SVM_DATA", str(DATA))
    monkeypatch.setattr(sys, "argv", ["make.py", str(tmp_path), "--count", "1"])
    with parallel_config(backend="sequential"):
        make.main()
    images, labels = digits
    for guise in GUISES:
        [path] = (tmp_path / guise.replace(" ", "_")).iterdir()
        assert path.stem == f"{labels[0]}_00000"
        assert path.read_bytes() == drawn(guise, images[0], 0)
    page = drawn_lines("rows on a page", hands, 0)
    boxes = json.loads((tmp_path / "rows_on_a_page" / "boxes.json").read_text())
    [(name, rows)] = boxes.items()
    assert name.startswith("-".join(row.text for row in page.rows) + "_")
    assert (tmp_path / "rows_on_a_page" / name).read_bytes() == page.file
    assert [row["boxes"] for row in rows] == [list(map(list, row.boxes)) for row in page.rows]
    assert len(list((tmp_path / "uci").iterdir())) == 1797
