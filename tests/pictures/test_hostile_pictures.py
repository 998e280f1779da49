"""Damaged and hostile picture files are decoded or rejected with one line, in little memory."""

from __future__ import annotations

import io
import random
import struct
import sys

import numpy as np
import PIL
import pytest
from PIL import Image

from mnist_svm.exceptions import PictureError, TooLargeError
from mnist_svm.pictures import decode as picture
from mnist_svm.pictures.decode import decode
from mnist_svm.pictures.normalize import normalize
from tests.support.hostile import encode_image, mutants, mutate, seed_files
from tests.support.hostile_files import (
    GOOD_JPEG,
    HOSTILE_FILES,
    jpeg_with_segments,
    progressive_jpeg,
)
from tests.support.paths import DIGITS, ROOT

SHIPPED = ROOT / "mnist_svm" / "models" / "gradient.joblib"


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return seed_files(np.asarray(Image.open(DIGITS[3]).convert("L")))


def test_every_seed_file_is_decoded(files):
    for name, data in files.items():
        if name == "tiff YCbCr" and int(PIL.__version__.split(".")[0]) < 13:
            # Pillow does not read what it wrote.
            with pytest.raises(PictureError, match="damaged picture"):
                decode(io.BytesIO(data))
            continue
        # One in MNIST form, or its negative, keeps its contrast.
        assert normalize(decode(io.BytesIO(data)).grey).max() >= 128, name


@pytest.mark.fuzz
@pytest.mark.parametrize("seed", range(5))
def test_a_mutated_picture_is_decoded_or_raises_a_picture_error(files, seed, monkeypatch, capfd):
    # Large sizes below the limit would only take time.
    monkeypatch.setattr(picture, "MAX_PIXELS", 1 << 17)
    n_decoded = 0
    for index, data in enumerate(mutants(list(files.values()), 1000, seed)):
        try:
            grey = decode(io.BytesIO(data)).grey
            image = normalize(grey)
        except PictureError as error:
            message = str(error)
            assert message.isprintable(), (seed, index)
            assert len(message) < 250, (seed, index)
        else:
            assert grey.dtype == np.uint8, (seed, index)
            assert image.shape == (28, 28), (seed, index)
            n_decoded += 1
    # Mutations are mild enough to pass the headers, and strong enough to do damage.
    assert 200 < n_decoded < 600
    # libtiff, Pillow's logger and its warnings print nothing.
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_with_a_damaged_exif_block_is_decoded(kind):
    draw = random.Random(0)
    exif = Image.Exif()
    exif.update({0x0112: 3, 0x010F: "maker", 0x011A: 72.0, 0x011B: 72.0, 0x0128: 2})
    exif[0x8769] = {0x9003: "2024:01:01 00:00:00"}
    good = exif.tobytes()
    bright = Image.new("L", (8, 8), 200)
    blocks = [mutate(good, [good], draw) for _ in range(400)]
    blocks.append(
        good.replace(struct.pack(">HHII", 0x011A, 5, 1, 74), b"\x01\x1a\0\2\0\0\0\0\0\0\0\0")
    )
    for block in blocks:
        assert decode(
            io.BytesIO(encode_image(bright, kind, exif=block))
        ).grey.mean() == pytest.approx(200, abs=2)


# --- hostile files, through the command line -----------------------------------------------


# Runs a command and prints its peak memory in KiB. In a process of its own, because the system
# reports at least the peak of the parent.
PRINT_PEAK_MEMORY = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.slow
def test_each_hostile_file_is_reported_on_one_line_in_little_memory(start, tmp_path):
    for name, (data, _) in HOSTILE_FILES.items():
        (tmp_path / name).write_bytes(data)
    paths = [*(tmp_path / name for name in HOSTILE_FILES), DIGITS[7]]
    before = [sys.executable, "-c", PRINT_PEAK_MEMORY]
    process = start("predict", *paths, "-m", SHIPPED, before=before)
    out, err = process.communicate()
    first, *lines, peak = err.splitlines()
    assert first.startswith("Reading with ")
    assert len(lines) == len(HOSTILE_FILES)
    for line, (name, (_, message)) in zip(lines, HOSTILE_FILES.items(), strict=True):
        assert line.startswith(f"mnist-svm: error: {tmp_path / name}: ")
        assert message in line, line
    assert out.startswith(f"{DIGITS[7]}\t7\t")
    assert process.returncode == 1
    assert int(peak) < 500 << 10


def test_files_of_cameras_are_within_the_limits():
    camera = jpeg_with_segments(
        b"\xff\xe1\xff\xff" + bytes(65_533),
        *[b"\xff\xe2\xff\xff" + bytes(65_533)] * 255,
        b"\xff" * 100,
    )
    # A video with arbitrary content may follow the picture.
    film = b"\xff\xda\0\2" * 1000 + b"\xff\xe9\0\2" * 10_000
    for data in (camera, GOOD_JPEG + film, progressive_jpeg(20)):
        assert decode(io.BytesIO(data)).grey.shape == (28, 28)


def test_comments_in_the_header_of_a_ppm_are_skipped():
    data = b"P5 # made by hand\n28\n# wide\n28 255\n" + bytes(784)
    assert decode(io.BytesIO(data)).grey.shape == (28, 28)


def test_a_picture_over_max_pixels_is_rejected_before_it_is_decoded():
    content = DIGITS[7].read_bytes()
    assert decode(io.BytesIO(content), max_pixels=784).grey.shape == (28, 28)
    with pytest.raises(TooLargeError, match="28 x 28 pixels, over the limit of 783"):
        decode(io.BytesIO(content), max_pixels=783)
