"""Images that are placed as another image is."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_svm import Blur, Deskew, GradientFeatures, NormalizeContrast, NormalizeSize

PLACING = [Deskew(), NormalizeSize(side=32), NormalizeSize(upright=False)]
ALL = [*PLACING, Blur(), GradientFeatures()]


@pytest.mark.parametrize("transformer", ALL, ids=str)
def test_an_image_placed_like_itself_is_transformed(transformer, test_set):
    transformer.fit(test_set.X[:1])
    for row in test_set.X[:20, None]:
        np.testing.assert_array_equal(
            transformer.transform_with_reference(row, row), transformer.transform(row)
        )


def test_a_digit_that_takes_more_than_one_pass_is_placed_like_itself(test_set, monkeypatch):
    deskew = Deskew().fit(test_set.X[:1])
    upright = deskew.transform(test_set.X)
    with monkeypatch.context() as patch:
        patch.setattr("mnist_svm.features.deskew.MAX_PASSES", 0)
        (leaning,) = np.nonzero((deskew.transform(test_set.X) != upright).any(axis=1))
    assert len(leaning)
    for at in leaning:
        row = test_set.X[at : at + 1]
        np.testing.assert_array_equal(
            deskew.transform_with_reference(row, row), upright[at : at + 1]
        )


def test_contrast_like_itself_is_neither_rounded_nor_cut_off(test_set):
    contrast = NormalizeContrast().fit(test_set.X[:1])
    for row in test_set.X[:20, None]:
        like = contrast.transform_with_reference(row, row)
        assert np.linalg.norm(like) == pytest.approx(1000)
        np.testing.assert_array_equal(np.rint(np.minimum(like, 255)), contrast.transform(row))


@pytest.mark.parametrize("transformer", [*PLACING, Blur(), NormalizeContrast()], ids=str)
def test_it_is_linear(transformer, test_set):
    transformer.fit(test_set.X[:1])
    like, one, other = test_set.X[:3, None].astype(np.float64)
    mixed = transformer.transform_with_reference(2 * one + 3 * other, like)
    apart = 2 * transformer.transform_with_reference(
        one, like
    ) + 3 * transformer.transform_with_reference(other, like)
    np.testing.assert_allclose(mixed, apart, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("transformer", PLACING, ids=str)
def test_a_blot_does_not_move_the_digit(transformer, test_set):
    transformer.fit(test_set.X[:1])
    row = test_set.X[:1]
    blotted = row.reshape(28, 28).copy()
    blotted[:2, :2] = 255
    blotted = blotted.reshape(1, 784)
    change = transformer.transform_with_reference(blotted, row) - transformer.transform(row)
    side = int(np.sqrt(change.shape[1]))
    # The change is where the blot is, and nowhere else; by itself, it would tilt the digit.
    assert not change.reshape(side, side)[side // 2 :].any()
    moved = transformer.transform(blotted) - transformer.transform(row)
    assert moved.reshape(side, side)[side // 2 :].any()
