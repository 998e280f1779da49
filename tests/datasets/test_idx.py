"""The IDX reader and writer, tested on bytes that are built here."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from mnist_svm.datasets.formats.idx import (
    MAX_BYTES,
    read_idx,
    read_images_and_labels,
    write_idx,
)
from mnist_svm.exceptions import FormatError
from tests.support.mutation import MUTATIONS, fuzzed, mutated
from tests.support.paths import DATA

# Type code, struct code, numpy type, and values at the limits of its range.
ELEMENTS = [
    (0x08, "B", np.uint8, [0, 1, 255]),
    (0x09, "b", np.int8, [-128, -1, 127]),
    (0x0B, "h", np.int16, [-32768, 258, 32767]),
    (0x0C, "i", np.int32, [-(2**31), 16909060, 2**31 - 1]),
    (0x0D, "f", np.float32, [-1.5, 0.25, 3e38]),
    (0x0E, "d", np.float64, [-1e300, 0.1, 1e-300]),
]
DTYPES = [dtype for _, _, dtype, _ in ELEMENTS]


def idx_bytes(byte: int, dims: list[int], payload: bytes) -> bytes:
    return bytes([0, 0, byte, len(dims)]) + struct.pack(f">{len(dims)}I", *dims) + payload


@pytest.fixture
def written(tmp_path: Path):
    def write(content: bytes, name: str = "file-idx") -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize(("byte", "code", "dtype", "values"), ELEMENTS)
def test_every_element_type_is_read_big_endian(written, byte, code, dtype, values):
    path = written(idx_bytes(byte, [3], struct.pack(f">3{code}", *values)))
    array = read_idx(path)
    assert array.dtype == np.dtype(dtype)
    assert array.dtype.isnative
    assert array.tolist() == np.array(values, dtype=dtype).tolist()


@pytest.mark.parametrize(("byte", "code", "dtype", "values"), ELEMENTS)
def test_every_element_type_is_written_big_endian(tmp_path, byte, code, dtype, values):
    path = tmp_path / "file-idx"
    write_idx(path, np.array(values, dtype=dtype))
    assert path.read_bytes() == idx_bytes(byte, [3], struct.pack(f">3{code}", *values))


@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3), (2, 0, 4), (1, 2, 3, 4), (1,) * 20])
def test_any_number_of_dimensions_survives_a_round_trip(tmp_path, shape):
    array = np.arange(np.prod(shape, dtype=int), dtype=np.int16).reshape(shape)
    write_idx(tmp_path / "file-idx", array)
    back = read_idx(tmp_path / "file-idx")
    assert back.shape == shape
    np.testing.assert_array_equal(back, array)


def test_last_index_varies_fastest(written):
    path = written(idx_bytes(0x08, [2, 3], bytes(range(6))))
    assert read_idx(path).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_gzip_is_detected_by_content_not_by_name(written):
    content = idx_bytes(0x08, [2], b"\x07\x09")
    assert read_idx(written(gzip.compress(content), "plain-name")).tolist() == [7, 9]
    assert read_idx(written(content, "name.gz")).tolist() == [7, 9]


def test_gzip_output_is_reproducible(tmp_path):
    array = np.arange(1000, dtype=np.float32)
    for name in ("a.gz", "b.gz"):
        write_idx(tmp_path / name, array)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
    np.testing.assert_array_equal(read_idx(tmp_path / "a.gz"), array)


def test_mnist_is_rewritten_byte_for_byte(tmp_path):
    source = DATA / "t10k-images-idx3-ubyte.gz"
    write_idx(tmp_path / "again", read_idx(source))
    assert (tmp_path / "again").read_bytes() == gzip.decompress(source.read_bytes())


def test_an_array_from_a_file_is_writable(written):
    array = read_idx(written(idx_bytes(0x08, [2], b"\x07\x09")))
    array[0] = 1
    assert array.tolist() == [1, 9]


MNIST_HEADER = idx_bytes(0x08, [3, 2], b"")
GZIPPED = gzip.compress(idx_bytes(0x08, [1000], bytes(range(250)) * 4), mtime=0)
BAD_FILES = {
    "empty": (b"", "empty file, expected IDX"),
    "text": (b"label,pixel0\n", "not an IDX file.* found 6c 61 62 65"),
    "three bytes": (b"\0\0\x08", "not an IDX file.* found 00 00 08"),
    "wrong magic": (b"\0\x01\x08\x01\0\0\0\x01\x05", "first bytes 00 00, found 00 01 08 01"),
    "unknown type": (b"\0\0\x0a\x01\0\0\0\x01\x05", "unknown IDX element type 0a"),
    "truncated header": (MNIST_HEADER[:9], "truncated: 2 dimensions take 8 bytes.* found 5"),
    "no payload": (MNIST_HEADER, "declares 6 bytes, found 0"),
    "truncated payload": (MNIST_HEADER + b"12345", "declares 6 bytes, found 5"),
    "trailing bytes": (MNIST_HEADER + b"1234567", "trailing bytes after the 6"),
    "overflowing dimensions": (
        idx_bytes(0x08, [2**32 - 1] * 3, b"x"),
        "declares 79,228,162,458,924,105,385,300,197,375 bytes .* over the limit",
    ),
    "empty but impossible shape": (idx_bytes(0x0E, [0] + [2**32 - 1] * 3, b""), "over the limit"),
    "too many dimensions": (
        idx_bytes(0x08, [1] * 65, b"x"),
        "of 65 dimensions, expected at most 64",
    ),
    "truncated gzip": (GZIPPED[:-20], "truncated gzip file"),
    "gzip header alone": (GZIPPED[:10], "truncated gzip file"),
    "gzip cut in its header": (GZIPPED[:5], "truncated gzip file"),
    "damaged gzip": (GZIPPED[:40] + b"\xff" * 20 + GZIPPED[60:], "damaged gzip file"),
    "gzip with a wrong checksum": (GZIPPED[:-8] + b"\0" * 8, "damaged gzip file"),
    "gzip with bytes after it": (GZIPPED + b"more", "damaged gzip file"),
    "gzip of nothing": (gzip.compress(b""), "empty file"),
}


@pytest.mark.parametrize(("content", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_an_invalid_file_is_refused(written, content, message):
    path = written(content)
    with pytest.raises(FormatError, match=message) as caught:
        read_idx(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_small_gzip_that_declares_gigabytes_allocates_almost_nothing(written):
    path = written(gzip.compress(idx_bytes(0x08, [MAX_BYTES], b"x")))
    assert path.stat().st_size < 50
    tracemalloc.start()
    with pytest.raises(FormatError, match="declares 2,147,483,648 bytes, found 1"):
        read_idx(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20


def test_the_limit_can_be_lowered(written):
    path = written(idx_bytes(0x0C, [10], bytes(40)))
    assert read_idx(path, max_bytes=40).shape == (10,)
    with pytest.raises(FormatError, match=r"declares 40 bytes .* over the limit of 39"):
        read_idx(path, max_bytes=39)


@pytest.mark.parametrize("dtype", [np.int64, np.bool_, np.complex64, "U3"])
def test_a_type_that_idx_lacks_cannot_be_written(tmp_path, dtype):
    with pytest.raises(ValueError, match="IDX has no element type"):
        write_idx(tmp_path / "file-idx", np.zeros(3, dtype=dtype))
    assert not list(tmp_path.iterdir())


def test_different_numbers_of_images_and_labels_are_refused(tmp_path):
    write_idx(tmp_path / "images", np.zeros((3, 28, 28), dtype=np.uint8))
    write_idx(tmp_path / "labels", np.zeros(4, dtype=np.uint8))
    with pytest.raises(FormatError, match=r"images holds 3 images, but .*labels holds 4 labels"):
        read_images_and_labels(tmp_path / "images", tmp_path / "labels")


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((3, 28, 27), np.uint8), np.zeros(3, np.uint8), r"shape \(n, 28, 28\), found"),
        (np.zeros((3, 784), np.uint8), np.zeros(3, np.uint8), r"shape \(n, 28, 28\), found"),
        (np.zeros((3, 28, 28), np.int8), np.zeros(3, np.uint8), "expected uint8 images"),
        (np.zeros((3, 28, 28), np.float32) + 300, np.zeros(3, np.uint8), "image 1: .* found 300"),
        (np.zeros((3, 28, 28), np.uint8), np.zeros((3, 2), np.uint8), r"labels of shape \(n,\)"),
        (np.zeros((3, 28, 28), np.uint8), np.full(3, -1, np.int32), "image 1: .* found -1"),
        (np.zeros((3, 28, 28), np.uint8), np.full(3, 0.5), "image 1: .* found 0.5"),
        (np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.uint8), "no images"),
    ],
)
def test_arrays_of_other_shapes_or_types_are_refused(tmp_path, images, labels, message):
    write_idx(tmp_path / "images", images)
    write_idx(tmp_path / "labels", labels)
    with pytest.raises(FormatError, match=message):
        read_images_and_labels(tmp_path / "images", tmp_path / "labels")


@settings(deadline=None, max_examples=200)
@given(
    array=st.sampled_from(DTYPES).flatmap(
        lambda dtype: npst.arrays(dtype, npst.array_shapes(min_dims=0, max_dims=5, min_side=0))
    ),
    suffix=st.sampled_from(["", ".gz"]),
)
def test_every_array_survives_a_round_trip(tmp_path_factory, array, suffix):
    path = tmp_path_factory.mktemp("idx") / f"file{suffix}"
    write_idx(path, array)
    back = read_idx(path)
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


def mnist_sample() -> bytes:
    """Return the first five test images as an IDX file."""
    images = gzip.decompress((DATA / "t10k-images-idx3-ubyte.gz").read_bytes())
    return idx_bytes(0x08, [5, 28, 28], images[16 : 16 + 5 * 784])


SAMPLE = mnist_sample()


@pytest.mark.fuzz
@fuzzed
@given(mutations=MUTATIONS, layer=st.sampled_from(["plain", "inside gzip", "gzip itself"]))
def test_a_mutated_file_is_read_or_refused_and_nothing_else(tmp_path, mutations, layer):
    content = {
        "plain": lambda: mutated(SAMPLE, mutations),
        "inside gzip": lambda: gzip.compress(mutated(SAMPLE, mutations), 1),
        "gzip itself": lambda: mutated(gzip.compress(SAMPLE, 1, mtime=0), mutations),
    }[layer]()
    path = tmp_path / "mutated"
    path.write_bytes(content)
    try:
        array = read_idx(path)
    except FormatError:
        return
    # The reader is strict: writing the array gives the same bytes.
    write_idx(tmp_path / "again", array)
    plain = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    assert (tmp_path / "again").read_bytes() == plain
