"""Size normalisation, compared with SciPy's affine transform and with the target moments."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from mnist_svm.features.moments import image_moments
from mnist_svm.features.transformers import NormalizeSize


def sized(images, **parameters):
    transformer = NormalizeSize(**parameters)
    out = transformer.fit_transform(images.reshape(len(images), -1))
    return out.reshape(len(images), transformer.side, transformer.side)


@pytest.mark.parametrize("side", [28, 40])
def test_every_digit_becomes_upright_centred_and_of_one_size(test_set, side):
    moments = image_moments(sized(test_set.images, side=side, extent=0.18))
    middle = (side - 1) / 2
    # Quantiles, because the frame cuts off the tips of a few digits.
    assert np.quantile(abs(moments.mu_i - middle), 0.999) < 0.02 * side
    assert np.quantile(abs(moments.mu_j - middle), 0.999) < 0.02 * side
    assert np.quantile(abs(moments.s_ij) / moments.s_ii, 0.99) < 0.02
    longer = np.sqrt(np.maximum(moments.s_ii, moments.s_jj))
    assert np.quantile(abs(longer / (0.18 * side) - 1), 0.99) < 0.04


def test_the_shorter_side_follows_the_map_of_the_aspect_ratio(test_set):
    images = test_set.images[:500]
    m = image_moments(images)
    upright = m.s_jj - m.s_ij**2 / m.s_ii
    ratio = np.sqrt(np.minimum(m.s_ii, upright) / np.maximum(m.s_ii, upright))
    out = image_moments(sized(images, side=56, extent=0.15))
    actual = np.sqrt(np.minimum(out.s_ii, out.s_jj) / np.maximum(out.s_ii, out.s_jj))
    assert np.median(abs(actual / np.sqrt(np.sin(ratio * np.pi / 2)) - 1)) < 0.02


@pytest.mark.parametrize("upright", [True, False])
def test_pixels_equal_those_of_scipy_s_affine_transform(test_set, upright):
    images = test_set.images[:40]
    out = sized(images, side=32, extent=0.17, upright=upright)
    for image, actual in zip(images, out, strict=True):
        m = image_moments(image[None])
        s_ii, s_ij, s_jj = m.s_ii[0], m.s_ij[0], m.s_jj[0]
        shear = s_ij / s_ii if upright else 0.0
        height, width = np.sqrt(s_ii), np.sqrt(s_jj - shear * s_ij if upright else s_jj)
        ratio = np.sqrt(np.sin(np.pi / 2 * min(height, width) / max(height, width)))
        longer = 0.17 * 32
        scale_i = height / (longer if height >= width else longer * ratio)
        scale_j = width / (longer if width >= height else longer * ratio)
        matrix = np.array([[scale_i, 0], [shear * scale_i, scale_j]])
        offset = np.array([m.mu_i[0], m.mu_j[0]]) - matrix @ np.full(2, 15.5)
        expected = ndimage.affine_transform(
            image.astype(float), matrix, offset, (32, 32), order=1, mode="grid-constant"
        )
        np.testing.assert_allclose(actual, expected, atol=0.01)


def test_without_upright_the_slant_is_kept(test_set):
    images = test_set.images[:300]
    before = image_moments(images)
    after = image_moments(sized(images, upright=False))
    slant = [m.s_ij / np.sqrt(m.s_ii * m.s_jj) for m in (before, after)]
    np.testing.assert_allclose(*slant, atol=0.1)


def test_a_blank_image_stays_blank_and_a_point_stays_a_point():
    images = np.zeros((2, 28, 28))
    images[1, 3, 20] = 255
    blank, point = sized(images)
    assert not blank.any()
    assert point.max() > 0
    assert ndimage.center_of_mass(point) == pytest.approx((13.5, 13.5))


@pytest.mark.parametrize("changes", [{"side": 0}, {"side": 1000}, {"extent": 0.0}, {"extent": 2}])
def test_parameters_out_of_range_are_rejected(test_set, changes):
    with pytest.raises(ValueError, match=f"{next(iter(changes))} must be"):
        NormalizeSize(**changes).fit(test_set.X[:5])
