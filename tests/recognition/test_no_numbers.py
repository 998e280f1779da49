"""Pictures without a number: the work is bounded."""

from __future__ import annotations

import pytest

from mnist_svm import Recognizer
from mnist_svm.models.file import Model
from mnist_svm.models.locate import SHIPPED
from tests.support.guises.unnumbered import UNNUMBERED, render_unnumbered

# Images classified for a picture, at most: several for each of the 1,000 digits of a full page.
MAX_CLASSIFIED = 20_000


@pytest.fixture(scope="module")
def reader():
    return Recognizer.load(SHIPPED, n_jobs=1)


@pytest.mark.parametrize("kind", UNNUMBERED)
def test_the_work_on_a_picture_without_numbers_is_bounded(reader, kind, monkeypatch):
    classified = []
    predict_proba = Model.predict_proba

    def count(model, images):
        classified.append(len(images))
        return predict_proba(model, images)

    monkeypatch.setattr(Model, "predict_proba", count)
    reader.read_page(render_unnumbered(kind, 0))
    assert sum(classified) <= MAX_CLASSIFIED
