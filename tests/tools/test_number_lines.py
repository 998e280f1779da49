"""Lines of numbers that are drawn to train and calibrate reading."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from mnist_svm import load_dataset
from tests.support.paths import ROOT
from tools.number_lines import MARK, SHARED, Hands, draw_line


@pytest.fixture(scope="module")
def hands(train_set):
    styles = load_dataset("styles", split="test", data_dir=ROOT / "data")
    # Every ten digits are those of one complete style, or of a single digit.
    by_label = [np.flatnonzero(styles.labels == label)[:20] for label in range(10)]
    single = np.concatenate([part[:10] for part in by_label])
    complete = np.concatenate([part[10:] for part in by_label])
    order = np.concatenate([single, complete])
    ranges = [(10 * k, 10) for k in range(10)] + [(100, 100)]
    return Hands(
        (train_set.images[:600], train_set.labels[:600]),
        (styles.images[order], styles.labels[order]),
        ranges,
    )


@pytest.fixture(scope="module")
def drawn(hands):
    return [draw_line(hands, np.random.default_rng(seed)) for seed in range(60)]


def test_the_same_seed_draws_the_same_line(hands, drawn):
    for seed in range(5):
        again = draw_line(hands, np.random.default_rng(seed))
        assert again.text == drawn[seed].text
        np.testing.assert_array_equal(again.grey, drawn[seed].grey)
        np.testing.assert_array_equal(again.owner, drawn[seed].owner)


def test_lines_differ(drawn):
    assert len({line.grey.tobytes() for line in drawn}) == len(drawn)
    assert {len(line.text) for line in drawn} == set(range(1, 9))
    assert set("".join(line.text for line in drawn)) == set("0123456789")


def test_every_digit_owns_pixels_and_nothing_else_does(drawn):
    for line in drawn:
        assert line.grey.shape == line.owner.shape
        assert line.grey.dtype == np.uint8
        owners = set(np.unique(line.owner).tolist()) - {0, MARK, SHARED}
        assert owners == set(range(1, len(line.text) + 1))


def test_digits_are_owned_from_left_to_right(drawn):
    for line in drawn:
        middles = [
            float(np.mean(np.nonzero(line.owner == k + 1)[1])) for k in range(len(line.text))
        ]
        assert middles == sorted(middles)


def test_owned_pixels_have_the_ink(hands):
    darker = []
    for seed in range(30):
        line = draw_line(hands, np.random.default_rng(seed), texture=0)
        # A part of the pixels around the strokes is paper.
        owned = line.grey[line.owner > 0]
        paper = float(np.median(line.grey))
        darker.append(float(np.percentile(owned, 20)) < paper - 20)
        far = ndimage.binary_dilation(line.owner > 0, iterations=3)
        if (~far).any():
            assert np.percentile(owned, 20) < np.percentile(line.grey[~far], 50)
    assert np.mean(darker) > 0.9


def test_a_line_may_have_a_printed_pattern(hands):
    def roughness(texture: float) -> float:
        lines = [draw_line(hands, np.random.default_rng(s), texture=texture) for s in range(20)]
        return float(np.mean([line.grey[line.owner == 0].astype(float).std() for line in lines]))

    assert roughness(1) > 1.2 * roughness(0)
