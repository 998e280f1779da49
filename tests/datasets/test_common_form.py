"""Arrays of images are looked at as a set: polarity, background, frame."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_svm import FormatError, Recognizer
from mnist_svm.datasets.common_form import to_common_form
from mnist_svm.pictures.mnist_form import are_mnist_form, is_mnist_form

N = 300


@pytest.fixture(scope="module")
def digits(test_set):
    return test_set.images[:N]


def on_paper(images, paper, ink, noise=3.0):
    grey = paper + (ink - paper) * (images / 255)
    grey += np.random.default_rng(0).normal(0, noise, images.shape)
    return grey.clip(0, 255).round().astype(np.uint8)


def test_the_form_of_a_set_is_that_of_each_image(digits):
    images = np.concatenate([digits, 255 - digits, np.roll(digits, 4, axis=2), digits // 3])
    expected = [is_mnist_form(image) for image in images]
    np.testing.assert_array_equal(are_mnist_form(images), expected)
    assert are_mnist_form(digits).all()


def test_all_of_mnist_stays_to_the_byte(train_set):
    form = to_common_form(train_set.images.copy(), "set")
    np.testing.assert_array_equal(form.images, train_set.images)
    assert not form.inverted
    assert not form.notices


@pytest.mark.parametrize("n", [1, 2, N])
def test_a_set_of_dark_ink_is_inverted(digits, n):
    form = to_common_form(255 - digits[:n], "set")
    np.testing.assert_array_equal(form.images, digits[:n])
    assert form.inverted


@settings(max_examples=50, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_each_image_of_a_mixed_set_gets_its_polarity(digits, is_dark):
    n = len(is_dark)
    mixed = np.where(np.array(is_dark)[:, None, None], 255 - digits[:n], digits[:n])
    np.testing.assert_array_equal(to_common_form(mixed, "set").images, digits[:n])


def test_a_mixed_set_is_told(digits):
    mixed = digits.copy()
    mixed[:100] = 255 - mixed[:100]
    (notice,) = to_common_form(mixed, "set").notices
    assert notice.startswith("has dark ink on a bright background in 100 of 300 images")


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("dark", [False, True])
def test_a_frame_is_removed(digits, width, dark):
    ground = 255 if dark else 0
    framed = np.full_like(digits, 255 - ground)
    inner = slice(width, -width)
    framed[:, inner, inner] = (255 - digits if dark else digits)[:, inner, inner]
    form = to_common_form(framed, "set")
    expected = np.zeros_like(digits)
    expected[:, inner, inner] = digits[:, inner, inner]
    np.testing.assert_array_equal(form.images, expected)
    assert form.notices[0].startswith(f"has a frame of {width} pixel")


@pytest.mark.parametrize(
    ("paper", "ink"), [(90, 10), (115, 20), (140, 30), (200, 120), (230, 60), (60, 200)]
)
def test_digits_on_grey_are_read(digits, test_set, paper, ink):
    form = to_common_form(on_paper(digits[:100], paper, ink), "set")
    labels = Recognizer.load().classify(form.images).labels
    assert np.count_nonzero(labels == test_set.labels[:100]) >= 97
    assert "grey background in 100 of 100 images" in form.notices[0]


def test_strays_on_grey_in_a_set_of_digits_are_mended(digits):
    images = digits.copy()
    images[:20] = on_paper(images[:20], 120, 10)
    form = to_common_form(images, "set")
    np.testing.assert_array_equal(form.images[20:], digits[20:])
    assert are_mnist_form(form.images[:20]).mean() > 0.9
    assert "grey background in 20 of 300 images" in form.notices[0]


def filled(digits):
    """Other objects than digits in MNIST form: they fill the image."""
    return np.kron(digits[:, 4:24, 4:24], np.ones((1, 2, 2), np.uint8))[:, 6:34, 6:34].copy()


def test_a_set_of_other_objects_stays_to_the_byte(digits):
    images = filled(digits)
    form = to_common_form(images.copy(), "set")
    np.testing.assert_array_equal(form.images, images)
    assert not form.notices


def test_a_mixture_of_other_objects_would_be_a_guess(digits):
    images = filled(digits)
    images[:120] = 255 - images[:120]
    with pytest.raises(FormatError, match="expected one background in all images"):
        to_common_form(images, "set")


def test_noise_on_grey_is_refused():
    noise = np.random.default_rng(0).normal(128, 4, (50, 28, 28)).astype(np.uint8)
    with pytest.raises(FormatError, match="no digit stands out"):
        to_common_form(noise, "set")
