"""Pictures without a number: nothing is read, or "?", and the work is bounded."""

from __future__ import annotations

import pytest

from mnist_svm import Recognizer
from mnist_svm.models.file import Model
from mnist_svm.models.locate import SHIPPED
from tests.support.guises.unnumbered import UNNUMBERED, render_unnumbered

# Confidence from which a number counts as read.
THRESHOLD = 0.5
# Kinds of which a mark in some pictures is taken for a digit.
NOT_YET = {"specks", "blotches"}

# Images classified for a picture, at most: several for each of the 1,000 digits of a full page.
MAX_CLASSIFIED = 20_000


@pytest.fixture(scope="module")
def reader():
    return Recognizer.load(SHIPPED, n_jobs=1)


@pytest.mark.parametrize("kind", UNNUMBERED)
def test_nothing_is_read_where_there_is_no_number_and_the_work_is_bounded(
    reader, kind, monkeypatch
):
    classified = []
    predict_proba = Model.predict_proba

    def count(model, images):
        classified.append(len(images))
        return predict_proba(model, images)

    monkeypatch.setattr(Model, "predict_proba", count)
    page = reader.read_page(render_unnumbered(kind, 0))
    assert sum(classified) <= MAX_CLASSIFIED
    numbers = [number for row in page.rows for number in row.numbers]
    read = [number.text for number in numbers if number.to_text(THRESHOLD) != "?"]
    assert read == [] or kind in NOT_YET
