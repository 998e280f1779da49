"""Images transformed with the centroid, shear, scale or norm of a reference image."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_svm import Blur, Deskew, GradientFeatures, NormalizeContrast, NormalizeSize

ALIGNING = [Deskew(), NormalizeSize(side=32), NormalizeSize(upright=False)]
TRANSFORMERS = [*ALIGNING, Blur(), GradientFeatures()]


@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=str)
def test_an_image_as_its_own_reference_is_transformed_as_usual(transformer, test_set):
    transformer.fit(test_set.X[:1])
    for row in test_set.X[:20, None]:
        np.testing.assert_array_equal(
            transformer.transform_with_reference(row, row), transformer.transform(row)
        )


def test_a_digit_deskewed_in_several_passes_is_its_own_reference(test_set, monkeypatch):
    deskew = Deskew().fit(test_set.X[:1])
    upright = deskew.transform(test_set.X)
    with monkeypatch.context() as patch:
        patch.setattr("mnist_svm.features.deskew.MAX_PASSES", 0)
        (leaning,) = np.nonzero((deskew.transform(test_set.X) != upright).any(axis=1))
    assert len(leaning)
    for index in leaning:
        row = test_set.X[index : index + 1]
        np.testing.assert_array_equal(
            deskew.transform_with_reference(row, row), upright[index : index + 1]
        )


def test_contrast_with_a_reference_is_neither_rounded_nor_clipped(test_set):
    contrast = NormalizeContrast().fit(test_set.X[:1])
    for row in test_set.X[:20, None]:
        scaled = contrast.transform_with_reference(row, row)
        assert np.linalg.norm(scaled) == pytest.approx(1000)
        np.testing.assert_array_equal(np.rint(np.minimum(scaled, 255)), contrast.transform(row))


@pytest.mark.parametrize("transformer", [*ALIGNING, Blur(), NormalizeContrast()], ids=str)
def test_the_transform_with_a_reference_is_linear(transformer, test_set):
    transformer.fit(test_set.X[:1])
    reference, first, second = test_set.X[:3, None].astype(np.float64)
    mixed = transformer.transform_with_reference(2 * first + 3 * second, reference)
    first, second = (
        transformer.transform_with_reference(image, reference) for image in (first, second)
    )
    np.testing.assert_allclose(mixed, 2 * first + 3 * second, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("transformer", ALIGNING, ids=str)
def test_a_blob_does_not_move_the_digit(transformer, test_set):
    transformer.fit(test_set.X[:1])
    row = test_set.X[:1]
    with_blob = row.reshape(28, 28).copy()
    with_blob[:2, :2] = 255
    with_blob = with_blob.reshape(1, 784)
    change = transformer.transform_with_reference(with_blob, row) - transformer.transform(row)
    side = int(np.sqrt(change.shape[1]))
    # Only the corner of the blob changes; without a reference, the blob would tilt the digit.
    assert not change.reshape(side, side)[side // 2 :].any()
    moved = transformer.transform(with_blob) - transformer.transform(row)
    assert moved.reshape(side, side)[side // 2 :].any()
