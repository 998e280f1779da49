"""Measures and plots of an evaluation, compared with counts made by hand."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from PIL import Image

from mnist_svm.drawing.contact_sheet import draw_contact_sheet
from mnist_svm.evaluation.measures import evaluate, plot_confusion
from mnist_svm.exceptions import MissingExtraError

TRUE = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 2])
READ = np.array([0, 0, 1, 1, 1, 2, 2, 2, 0, 1])


def test_confusion_matrix():
    assert evaluate(TRUE, READ).matrix.tolist() == [[2, 1, 0], [0, 2, 0], [1, 1, 3]]


def test_measures_per_class():
    evaluation = evaluate(TRUE, READ)
    np.testing.assert_allclose(evaluation.precision, [2 / 3, 2 / 4, 1])
    np.testing.assert_allclose(evaluation.recall, [2 / 3, 1, 3 / 5])
    np.testing.assert_allclose(evaluation.f1, [2 / 3, 2 / 3, 3 / 4])


def test_error_interval_is_the_wilson_interval():
    # Wilson (1927), written out: 124 errors in 10,000 images.
    true = np.zeros(10_000, dtype=int)
    read = (np.arange(10_000) < 124).astype(int)
    n, p, z = 10_000, 0.0124, 1.959963984540054
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    low, high = evaluate(true, read).error_interval
    assert (low, high) == pytest.approx((centre - half, centre + half), abs=1e-12)


def test_confusions_are_sorted_by_frequency():
    true = np.array([4, 4, 4, 9, 9, 3])
    read = np.array([9, 9, 4, 4, 9, 5])
    assert evaluate(true, read).confusions() == [(4, 9, 2), (3, 5, 1), (9, 4, 1)]


def test_json_keys():
    content = evaluate(TRUE, READ).to_dict()
    assert content["n"] == 10
    assert content["accuracy"] == pytest.approx(0.7)
    assert content["error_rate"] == pytest.approx(0.3)
    assert content["confusion_matrix"] == [[2, 1, 0], [0, 2, 0], [1, 1, 3]]
    assert [row["label"] for row in content["per_class"]] == [0, 1, 2]


# Ascending.
CONFIDENCE = np.linspace(0.55, 1, 10)


def test_no_confidence_report_without_confidences():
    assert evaluate(TRUE, READ).confidence_report is None
    assert "rejection" not in evaluate(TRUE, READ).to_dict()
    assert "alibration" not in evaluate(TRUE, READ).to_text()


def test_json_lists_errors_left_after_rejection():
    # A hundred copies of each: 1000 images, of which 50 are 5 %.
    true, read, confidence = (np.repeat(part, 100) for part in (TRUE, READ, CONFIDENCE))
    confidence -= np.tile(np.arange(100), 10) * 1e-6
    content = evaluate(true, read, confidence).to_dict()
    assert [point["n"] for point in content["rejection"]] == [1000, 995, 990, 980, 950]
    # The first hundred were read right, so no error goes with them.
    assert [point["errors"] for point in content["rejection"]] == [300] * 5
    assert content["rejection"][-1]["accuracy"] == pytest.approx(650 / 950)
    assert content["rejection"][0]["reject_below"] == 0
    assert content["rejection"][1]["reject_below"] == pytest.approx(0.55 - 94e-6)


def test_calibration_error_is_reported():
    evaluation = evaluate(TRUE, READ, np.ones(10))
    assert evaluation.to_dict()["expected_calibration_error"] == pytest.approx(0.3)
    assert "Calibration error  30.00%" in evaluation.to_text()


def test_images_of_equal_confidence_are_kept_together():
    evaluation = evaluate(TRUE, READ, np.full(10, 0.7))
    assert evaluation.confidence_report.calibration_error == pytest.approx(0)
    assert {(point.n, point.errors) for point in evaluation.confidence_report.rejection} == {
        (10, 3)
    }


def test_calibration_bins():
    confidence = np.array([0.61, 0.65, 0.999, 1.0, 0.2])
    right = np.array([1, 0, 1, 1, 0])
    bins = evaluate(right, np.ones(5, dtype=int), confidence).confidence_report.bins
    assert [(bin_.n, bin_.correct) for bin_ in bins] == [(1, 0), (2, 1), (2, 2)]
    # The edges are parts of 15, and a confidence on one is in the bin below it.
    assert [(bin_.low * 15, bin_.high * 15) for bin_ in bins] == [(2, 3), (9, 10), (14, 15)]
    assert [bin_.confidence for bin_ in bins] == pytest.approx([0.2, 0.63, 0.9995])
    assert [bin_.accuracy for bin_ in bins] == [0, 0.5, 1]


def test_calibration_error_is_the_mean_over_the_bins():
    rng = np.random.default_rng(0)
    confidence = rng.random(2000)
    right = (rng.random(2000) < confidence**2).astype(int)
    report = evaluate(right, np.ones(2000, dtype=int), confidence).confidence_report
    gaps = sum(bin_.n * abs(bin_.confidence - bin_.accuracy) for bin_ in report.bins)
    assert report.calibration_error == pytest.approx(gaps / 2000)


def test_answered_and_misread_at_every_threshold():
    confidence = np.array([0.5, 0.9, 0.7, 0.7, 0.8])
    report = evaluate(
        np.array([1, 1, 0, 1, 0]), np.ones(5, dtype=int), confidence
    ).confidence_report
    # 0.9 alone, with 0.8, with both of 0.7, with 0.5.
    assert report.answered.tolist() == [1, 2, 4, 5]
    assert report.misread.tolist() == [0, 1, 2, 2]


def test_no_errors():
    evaluation = evaluate(TRUE, TRUE)
    assert evaluation.to_dict()["accuracy"] == 1
    assert evaluation.error_interval[0] == 0
    assert "confusions" not in evaluation.to_text()


def test_text_fits_80_columns_and_is_aligned(small_model, test_set):
    probabilities = small_model.pipeline.predict_proba(test_set.X)
    read, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    lines = evaluate(test_set.labels, read, confidence).to_text().splitlines()
    assert max(map(len, lines)) <= 80
    assert len({len(line) for line in lines[-6:]}) == 1
    rows = [line for line in lines[:15] if line.endswith("%")]
    assert len(rows) == 10
    assert len({len(row) for row in rows}) == 1


def test_class_that_is_never_predicted_is_listed():
    evaluation = evaluate(np.array([0, 1]), np.array([0, 0]))
    assert evaluation.classes.tolist() == [0, 1]
    assert evaluation.precision[1] == 0


def test_plot_can_be_saved():
    buffer = io.BytesIO()
    plot_confusion(evaluate(TRUE, READ)).savefig(buffer, format="png")
    image = Image.open(buffer)
    assert image.format == "PNG"
    assert min(image.size) > 500


def test_plot_without_matplotlib_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mnist-svm\[plot\]'"):
        plot_confusion(evaluate(TRUE, READ))


def test_a_contact_sheet_shows_every_image_dark_on_light(test_set):
    images = test_set.images[:12]
    sheet = draw_contact_sheet(images, [str(n) for n in range(12)], title="Twelve")
    pixels = np.asarray(sheet)
    first = pixels[42 : 42 + 84 : 3, 10 : 10 + 84 : 3, 0]
    np.testing.assert_array_equal(first, 255 - images[0])
    assert sheet.size[0] > 10 * 84


def test_captions_are_red(test_set):
    sheet = np.asarray(draw_contact_sheet(test_set.images[:1], ["7"], title="One"))
    is_red = (sheet == (190, 30, 45)).all(axis=2)
    # The caption is below the title and the image.
    assert is_red.any()
    assert not is_red[: 42 + 84].any()


def test_an_empty_contact_sheet_is_a_page_with_its_title():
    sheet = draw_contact_sheet(np.zeros((0, 28, 28), dtype=np.uint8), [], title="0 misread")
    assert np.asarray(sheet).min() < 128


def test_captions_must_match_images(test_set):
    with pytest.raises(ValueError, match="2 images, but 1 captions"):
        draw_contact_sheet(test_set.images[:2], ["7"], title="")
