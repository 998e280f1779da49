"""Arrays of every type and layout as images in MNIST form."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_np

from mnist_svm.exceptions import FormatError
from mnist_svm.pictures.images import IMAGES_PER_BLOCK, to_mnist_images

# Strokes on a dark background, of all values of ink.
IMAGES = np.zeros((4, 28, 28), np.uint8)
IMAGES[:, 4:24, 8:20] = np.arange(4 * 20 * 12).reshape(4, 20, 12) % 256
IMAGES[:, 14, 14] = 255
BINARY = np.where(IMAGES > 127, 255, 0).astype(np.uint8)
X = IMAGES.reshape(4, 784)

ACCEPTED = {
    "uint8": (IMAGES, None, IMAGES),
    "rows": (X, None, IMAGES),
    "channels last": (IMAGES[..., None], None, IMAGES),
    "channels first": (IMAGES[:, None], None, IMAGES),
    "not contiguous": (np.asfortranarray(IMAGES), None, IMAGES),
    "read-only": (np.frombuffer(IMAGES.tobytes(), np.uint8).reshape(4, 784), None, IMAGES),
    "nested lists": (IMAGES.tolist(), None, IMAGES),
    "one image": (IMAGES[2], None, IMAGES[2:3]),
    "one row": (X[2], None, IMAGES[2:3]),
    "one image with channels last": (IMAGES[2, ..., None], None, IMAGES[2:3]),
    "one image with channels first": (IMAGES[2:3], None, IMAGES[2:3]),
    "bool": (IMAGES > 127, None, BINARY),
    "bool, stated": (IMAGES > 127, "0-255", BINARY),
    "0 and 1": ((IMAGES > 127).astype(int), None, BINARY),
    "0 and 1 as uint8": ((IMAGES > 127).astype(np.uint8), None, BINARY),
    "0 and 1 as floats": ((IMAGES > 127).astype(float), None, BINARY),
    "int64": (IMAGES.astype(np.int64), None, IMAGES),
    "uint16": (IMAGES.astype(np.uint16), None, IMAGES),
    "uint16 to 65535, stated": (IMAGES.astype(np.uint16) * 257, "0-65535", IMAGES),
    "float16 to 1": ((IMAGES / 255).astype(np.float16), None, IMAGES),
    "float32 to 1": (IMAGES / np.float32(255), None, IMAGES),
    "float64 to 1": (X / 255, None, IMAGES),
    "float64 to 1, stated": (X / 255, "0-1", IMAGES),
    "float64 to 255": (IMAGES.astype(float), None, IMAGES),
    "fractions to 255": (np.clip(IMAGES + 0.4, 0, 255), None, IMAGES),
    "dark, stated": (np.minimum(IMAGES, 1) * 1.5, "0-255", np.minimum(IMAGES, 1) * 2),
    "dark uint8, stated": (np.minimum(IMAGES, 1), "0-255", np.minimum(IMAGES, 1)),
    "blank": (np.zeros((2, 784)), None, np.zeros((2, 28, 28))),
    "blank uint8": (np.zeros((2, 28, 28), np.uint8), None, np.zeros((2, 28, 28))),
    "no images": (np.zeros((0, 28, 28)), None, np.zeros((0, 28, 28))),
    "an empty list": ([], None, np.zeros((0, 28, 28))),
}


@pytest.mark.parametrize(("array", "stated", "expected"), ACCEPTED.values(), ids=ACCEPTED)
def test_images_of_every_type_and_layout_are_converted(array, stated, expected):
    images = to_mnist_images(array, range=stated, check_polarity=True)
    assert images.dtype == np.uint8
    assert images.flags.c_contiguous
    np.testing.assert_array_equal(images, expected)


VALUES = "expected values from 0 to 255, or from 0 to 1, found"
SHAPE = r"expected images of shape \(n, 28, 28\), .* or \(n, 784\), found"
AMBIGUOUS = 'or from 0 to 255 with a maximum of 2 or more, found {}; state the range, "0-1" or'
INVERTED = r"expected bright ink on a dark background, found the opposite in {0} of {1}; "

REFUSED = {
    "16 bits": (IMAGES.astype(np.uint16) * 257, None, f'{VALUES} \\d+; .* state .* "0-65535"'),
    "256": (np.full((2, 784), 256), None, f"{VALUES} 256; scale to 0-255"),
    "infinite": (np.full((2, 784), np.inf), None, f"{VALUES} inf; scale to 0-255"),
    "negative": (X / 127.5 - 1, None, f"{VALUES} -1; undo the standardization"),
    "negative integers": (-IMAGES.astype(int), None, f"{VALUES} -\\d+; undo"),
    "nan": (np.full((2, 784), np.nan), None, f"{VALUES} nan; replace missing values"),
    "nan, stated": (np.full((2, 784), np.nan), "0-1", "from 0 to 1, found nan; replace"),
    "to 1.5": (X / 170, None, AMBIGUOUS.format("1.5")),
    "scaled twice": (X / 255 / 255, None, AMBIGUOUS.format("0.00392157")),
    "to 1.5, stated": (X / 170, "0-1", r"from 0 to 1, found 1\.\d+; state the range of the values"),
    "uint8, stated": (IMAGES, "0-1", "from 0 to 1, found 2; state the range of the values"),
    "text": ("7.png", None, "expected numbers, found <U5; convert to uint8, 0-255"),
    "words": (np.full((2, 784), "0"), None, "expected numbers, found <U1"),
    "objects": (np.full((2, 784), None), None, "expected numbers, found object"),
    "complex": (X + 0j, None, "expected numbers, found complex128"),
    "ragged": ([[0] * 784, [0]], None, "of one shape, found lists of several lengths; give each"),
    "colour picture": (np.zeros((28, 28, 3)), None, rf"{SHAPE} \(28, 28, 3\); convert colours"),
    "colours last": (np.zeros((5, 28, 28, 3)), None, rf"{SHAPE} \(5, 28, 28, 3\); convert colours"),
    "colours first": (np.zeros((5, 3, 28, 28)), None, rf"{SHAPE} \(5, 3, 28, 28\); convert col"),
    "large": (np.zeros((280, 280)), None, rf"{SHAPE} \(280, 280\); resize to 28 x 28, or read the"),
    "27 columns": (np.zeros((5, 28, 27)), None, rf"{SHAPE} \(5, 28, 27\); resize to 28 x 28"),
    "a number": (5, None, rf"{SHAPE} \(\)"),
    "inverted": (255 - IMAGES, None, INVERTED.format(4, 4) + r"subtract from 255 \(255 - images\)"),
    "one inverted": (255 - IMAGES[0], None, INVERTED.format(1, 1)),
    "most inverted": (np.concatenate([255 - IMAGES, IMAGES[:3]]), None, INVERTED.format(4, 7)),
    "inverted fractions": (1 - X / 255, None, r"subtract from 1 \(1 - images\)"),
    "inverted bools": (IMAGES < 128, None, r"subtract from 1 \(1 - images\)"),
}


@pytest.mark.parametrize(("array", "stated", "message"), REFUSED.values(), ids=REFUSED)
def test_other_arrays_are_refused_with_what_to_do(array, stated, message):
    with pytest.raises(FormatError, match=message) as caught:
        to_mnist_images(array, range=stated, source="digits", check_polarity=True)
    assert str(caught.value).startswith("digits: ")
    assert "\n" not in str(caught.value)


def test_an_unknown_range_is_refused():
    with pytest.raises(ValueError, match="range: expected one of 0-255, 0-1, 0-65535, found '0-2'"):
        to_mnist_images(IMAGES, range="0-2")


def test_uint8_images_are_not_copied():
    assert np.shares_memory(to_mnist_images(X, check_polarity=True), X)


def test_the_error_has_the_number_of_the_image():
    rows = np.zeros((IMAGES_PER_BLOCK + 9, 784), np.int16)
    rows[IMAGES_PER_BLOCK + 4, 5] = 256
    with pytest.raises(FormatError, match=rf"image {IMAGES_PER_BLOCK + 5:,}: .* found 256"):
        to_mnist_images(rows)


@pytest.mark.parametrize(
    "images",
    [
        np.concatenate([255 - IMAGES[:2], IMAGES[:2]]),  # Half of them is not most.
        np.pad(np.zeros((3, 22, 22), np.uint8), ((0, 0), (3, 3), (3, 3)), constant_values=255),
        255 - IMAGES,
    ],
    ids=["half", "frames", "unchecked"],
)
def test_other_images_are_not_refused_as_inverted(images, request):
    check = "unchecked" not in request.node.name
    np.testing.assert_array_equal(to_mnist_images(images, check_polarity=check), images)


TYPES = [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)]
TYPES += ["float16", "float32", "float64"]
LAYOUTS = [(3, 28, 28), (3, 28, 28, 1), (3, 1, 28, 28), (3, 784), (28, 28), (784,)]


@settings(deadline=None, max_examples=300)
@given(data=st.data(), dtype=st.sampled_from(TYPES), shape=st.sampled_from(LAYOUTS))
def test_any_array_of_numbers_is_converted_or_refused(data, dtype, shape):
    numbers = st_np.from_dtype(np.dtype(dtype))
    few = st.sampled_from([0, 1, 2, 100, 127])
    values = data.draw(st.lists(numbers, max_size=5) | st.lists(few, max_size=5))
    array = np.zeros(shape, dtype)
    array.flat[: len(values)] = values
    largest = float(array.max())
    is_plain = largest == 0 or 0.01 <= largest <= 1 or 2 <= largest <= 255
    if (array >= 0).all() and is_plain:
        scale = 255 if largest <= 1 else 1
        exact = array.astype(float).reshape(-1, 28, 28) * scale
        rounding = 0.57 if dtype == "float16" else 0.5001
        assert np.abs(to_mnist_images(array) - exact).max() <= rounding
    else:
        with pytest.raises(FormatError, match=r"found .*; "):
            to_mnist_images(array)


@settings(deadline=None)
@given(shape=st.lists(st.sampled_from([0, 1, 2, 3, 27, 28, 784]), max_size=3).map(tuple))
def test_any_other_shape_is_named_in_the_error(shape):
    array = np.zeros(shape, np.uint8)
    one = {(28, 28), (28, 28, 1), (1, 28, 28), (784,)}
    if shape[:1] == (0,) or {shape, shape[1:]} & one:
        assert to_mnist_images(array).size == array.size
    else:
        with pytest.raises(FormatError, match=re.escape(f"found {shape}; ")):
            to_mnist_images(array)
