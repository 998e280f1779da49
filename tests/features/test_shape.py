"""Slant and proportion, compared with angles of drawn digits, and under shears and scalings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from mnist_svm.features.moments import image_moments
from mnist_svm.features.shape import restore_shape, shape_ratios
from mnist_svm.features.transformers import ShapeFeatures

SIDE = 112


@pytest.fixture(scope="module")
def digits(test_set):
    """Digits twice as large, so that blur matters less, in frames that no shear leaves."""
    large = np.kron(test_set.images[:100], np.ones((1, 2, 2), np.uint8))
    return np.pad(large, [(0, 0), (28, 28), (28, 28)])


def ratios(image):
    slant, proportion = shape_ratios(image_moments(image[None]))
    return float(slant[0]), float(proportion[0])


def moved(image, *, shear=0.0, height=1.0, width=1.0, down=0.0, right=0.0):
    """Shear to the left at the top, scale and shift an image about its centre, by SciPy."""
    matrix = np.linalg.inv([[height, 0], [shear * height, width]])
    middle = np.full(2, (SIDE - 1) / 2)
    offset = middle - matrix @ (middle + np.array([down, right]))
    return ndimage.affine_transform(image.astype(float), matrix, offset, order=1)


def shear_of(slant):
    return slant / np.sqrt(1 - slant**2)


@given(index=st.integers(0, 99), shear=st.floats(-0.5, 0.5))
@settings(deadline=None, max_examples=60)
def test_a_shear_adds_to_the_slant_and_leaves_the_proportion(digits, index, shear):
    slant, proportion = ratios(digits[index])
    sheared, same = ratios(moved(digits[index], shear=shear))
    assert shear_of(sheared) == pytest.approx(shear_of(slant) + shear, abs=0.03)
    assert same == pytest.approx(proportion, abs=0.03)


@given(
    index=st.integers(0, 99),
    size=st.floats(0.7, 1.5),
    down=st.floats(-9, 9),
    right=st.floats(-9, 9),
    brightness=st.floats(0.3, 1),
)
@settings(deadline=None, max_examples=60)
def test_size_position_and_brightness_change_nothing(digits, index, size, down, right, brightness):
    other = brightness * moved(digits[index], height=size, width=size, down=down, right=right)
    assert ratios(other) == pytest.approx(ratios(digits[index]), abs=0.03)


@given(index=st.integers(0, 99), factor=st.floats(0.6, 1.6))
@settings(deadline=None, max_examples=60)
def test_a_wider_digit_has_a_larger_proportion(digits, index, factor):
    _, before = ratios(digits[index])
    _, after = ratios(moved(digits[index], width=factor))
    tangent = before / np.sqrt(1 - before**2)
    assert after / np.sqrt(1 - after**2) == pytest.approx(factor * tangent, rel=0.08, abs=0.02)


@pytest.mark.parametrize(
    ("rows", "columns", "slant", "proportion"),
    [
        (np.arange(20), np.full(20, 9), 0, 0),
        (np.full(20, 9), np.arange(20), 0, 1),
        (np.arange(20), np.arange(20), np.sqrt(0.5), 0),
        (np.arange(20), np.arange(20)[::-1], -np.sqrt(0.5), 0),
        ([0, 0, 19, 19], [0, 19, 0, 19], 0, np.sqrt(0.5)),
        ([], [], 0, np.sqrt(0.5)),
    ],
    ids=["vertical", "horizontal", "leans left", "leans right", "square", "blank"],
)
def test_lines_have_the_sines_of_their_angles(rows, columns, slant, proportion):
    image = np.zeros((28, 28), np.uint8)
    image[np.asarray(rows, int) + 4, np.asarray(columns, int) + 4] = 255
    assert ratios(image) == pytest.approx((slant, proportion), abs=0.09)
    features = ShapeFeatures(weight=100).fit_transform(image.reshape(1, -1))
    assert features.dtype == np.uint8
    expected = [127.5 + 100 * slant, 100 * proportion]
    assert features[0].astype(float) == pytest.approx(expected, abs=9.5)


def test_a_one_with_a_long_upstroke_differs_from_a_seven_of_the_same_form():
    """A shear and a change of width turn the one into the seven: only these features differ."""
    one = np.zeros((SIDE, SIDE))
    for k in range(40):
        one[20 + k, 50:53] = 255
    for k in range(20):
        one[20 + k, 51 - k : 53 - k] = 255
    seven = moved(one, shear=-0.5, width=0.8)
    features = ShapeFeatures().fit_transform(np.stack([one, seven]).reshape(2, -1)).astype(int)
    assert abs(features[0] - features[1])[0] > 60


def test_features_beyond_uint8_are_clipped(test_set):
    features = ShapeFeatures(weight=5000).fit_transform(test_set.X[:500])
    assert set(np.unique(features[:, 0])) >= {0, 255}
    assert (features[:, 1] == 255).all()


@pytest.mark.parametrize("weight", [0, -1.0, float("nan"), float("inf")])
def test_weights_out_of_range_are_rejected(test_set, weight):
    with pytest.raises(ValueError, match="weight must be positive"):
        ShapeFeatures(weight=weight).fit(test_set.X[:5])


def test_edited_copies_keep_the_shape_of_their_reference(test_set):
    shape = ShapeFeatures().fit(test_set.X[:10])
    expected = shape.transform(test_set.X[:1])
    edited = shape.transform_with_reference(test_set.X[:10], test_set.X[:1])
    np.testing.assert_array_equal(edited, np.repeat(expected, 10, axis=0))


@pytest.mark.parametrize("weight", [60.0, 150.0])
def test_the_shape_is_given_back_to_upright_digits_of_equal_width_and_height(digits, weight):
    shape = ShapeFeatures(weight=weight)
    features = shape.fit_transform(digits.reshape(len(digits), -1))
    m = image_moments(digits)
    upright = np.stack(
        [
            moved(
                image,
                shear=-s_ij / s_ii * np.sqrt(s_ii / (s_jj - s_ij**2 / s_ii)),
                width=np.sqrt(s_ii / (s_jj - s_ij**2 / s_ii)),
            )
            for image, s_ii, s_ij, s_jj in zip(digits, m.s_ii, m.s_ij, m.s_jj, strict=True)
            if s_jj - s_ij**2 / s_ii > 0.1 * s_ii
        ]
    )
    wide = m.s_jj - m.s_ij**2 / m.s_ii > 0.1 * m.s_ii
    restored = restore_shape(np.rint(upright).astype(np.uint8), features[wide], weight)
    again = shape.transform(restored.reshape(len(restored), -1))
    assert abs(again.astype(int) - features[wide]).max() <= 0.05 * weight


def test_a_blank_image_stays_blank_whatever_its_shape_should_be():
    blank = np.zeros((3, 28, 28), np.uint8)
    features = np.array([[0, 0], [255, 255], [128, 170]], np.uint8)
    assert not restore_shape(blank, features, 240.0).any()
