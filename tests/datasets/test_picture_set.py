"""Pictures of a data set pass the same door as those of `mnist-svm predict`."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnist_svm import FormatError, Recognizer, load_dataset
from mnist_svm.datasets.formats.folder import write_folder
from mnist_svm.datasets.picture_set import PictureSet
from mnist_svm.pictures.normalize import normalize

N = 50


def paper(image: np.ndarray, side: int, ground: int = 230, ink: int = 60) -> np.ndarray:
    """A crop of paper with dark ink, of any size, as a camera takes it."""
    grey = ground + (ink - ground) * (image / 255)
    grey += np.random.default_rng(int(image.sum())).normal(0, 3, image.shape)
    picture = Image.fromarray(grey.clip(0, 255).round().astype(np.uint8))
    return np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC))


def framed(image: np.ndarray) -> np.ndarray:
    boxed = np.zeros_like(image)
    boxed[2:-2, 2:-2] = 255 - image[2:-2, 2:-2]
    return boxed


CROPS = {
    "of 28 x 28 in a thick frame": lambda i, image: framed(image),
    "of 28 x 28 on dark paper": lambda i, image: paper(image, 28, 115, 20),
    "of 28 x 28 on white paper": lambda i, image: paper(image, 28),
    "of 28 x 28, faint": lambda i, image: paper(image, 28, 200, 120),
    "of sizes from 26 to 30": lambda i, image: paper(image, 26 + i % 5),
    "of which a few have 28 x 28": lambda i, image: paper(image, 28 if i % 4 == 0 else 30),
    "of which most have 28 x 28": lambda i, image: paper(image, 30 if i % 4 == 0 else 28),
    "of which one in three is dark on white": lambda i, x: 255 - x if i % 3 == 0 else x,
    "off centre": lambda i, image: np.roll(image, (i % 5 - 2, i % 7 - 3), (0, 1)),
    "of which one has 28 x 28": lambda i, image: paper(image, 28 if i == 7 else 40),
}


def pictures(test_set, folder: Path, crop) -> Path:
    for i, (image, label) in enumerate(zip(test_set.images[:N], test_set.labels, strict=False)):
        (folder / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(crop(i, image)).save(folder / str(label) / f"{i:03}.png")
    return folder


@pytest.mark.parametrize("crop", CROPS.values(), ids=CROPS)
def test_a_data_set_of_pictures_is_read_as_predict_reads_its_files(test_set, tmp_path, crop):
    dataset = load_dataset(pictures(test_set, tmp_path, crop))
    recognizer = Recognizer.load()
    np.testing.assert_array_equal(dataset.labels, test_set.labels[:N])
    right = np.count_nonzero(recognizer.classify(dataset.images).labels == dataset.labels)
    files = sorted(tmp_path.glob("*/*.png"), key=lambda path: path.name)
    one_by_one = [reading.label for reading in recognizer.read(files)]
    assert right >= np.count_nonzero(one_by_one == dataset.labels) - 1
    assert right >= 0.97 * N


def tight(image: np.ndarray) -> np.ndarray:
    """A bilevel picture that is cropped to the digit, so that its border tells little."""
    rows, columns = np.nonzero(image > 127)
    box = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] > 127
    return np.kron(box * np.uint8(255), np.ones((3, 3), np.uint8))


@pytest.mark.parametrize("level", ["bright", "dark"])
def test_pictures_that_do_not_tell_their_polarity_have_that_of_the_others(test_set, level):
    crops = [tight(image) for image in test_set.images[:N]]
    grounds = [crop if level == "bright" else 255 - crop for crop in crops]
    images, notices = collect(grounds)
    labels = Recognizer.load().classify(images).labels
    alone = [normalize(ground) for ground in grounds]
    n_alone = np.count_nonzero(Recognizer.load().classify(alone).labels == test_set.labels[:N])
    assert np.count_nonzero(labels == test_set.labels[:N]) >= max(n_alone, 0.98 * N)
    assert any(f"has {level} ink in nearly all pictures" in notice for notice in notices)


def test_images_in_mnist_form_stay_to_the_byte_among_others(test_set, tmp_path):
    write_folder(tmp_path, test_set.images[:20], test_set.labels[:20])
    Image.fromarray(paper(test_set.images[20], 60)).save(tmp_path / "9" / "99.png")
    np.testing.assert_array_equal(load_dataset(tmp_path).images[:20], test_set.images[:20])


def collect(images, names=()):
    collected = PictureSet(names)
    for index, image in enumerate(images):
        collected.add_grey(image, f"{index}.png")
    return collected.finish()


def test_small_pictures_of_words_stay_as_they_are(test_set):
    shifted = np.roll(test_set.images[:20], 3, axis=2)
    images, (notice,) = collect(shifted, ["apple", "pear"])
    np.testing.assert_array_equal(images, shifted)
    assert notice == "has pictures of 28 x 28 that are no digits; they are taken as they are"


def test_small_pictures_of_solid_objects_stay_as_they_are():
    rng = np.random.default_rng(0)
    coats = np.zeros((30, 28, 28), np.uint8)
    coats[:, 2:27, 5:23] = rng.integers(120, 255, (30, 25, 18))
    images, notices = collect(coats, [str(label) for label in range(10)])
    np.testing.assert_array_equal(images, coats)
    assert notices


def test_a_picture_without_ink_is_told_and_blank(test_set):
    white = np.full((40, 40), 255, np.uint8)
    images, (notice,) = collect([test_set.images[0], white])
    assert not images[1].any()
    assert notice == "has no ink in 1.png; left blank"


def test_what_is_no_picture_is_refused_by_name():
    with pytest.raises(FormatError, match=r"^7\.png: not a picture"):
        PictureSet().add(io.BytesIO(b"text"), "7.png")
