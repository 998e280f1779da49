"""Stratified subsets of several data sets."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_svm.datasets.subset import stratified_subset

PARTS = np.repeat([0, 1, 2], [6000, 3000, 30])
# The second set is sorted by class, the third has few images and no class 3.
LABELS = np.concatenate(
    [
        np.random.default_rng(0).integers(0, 4, 6000),
        np.repeat([0, 1, 2, 3], 750),
        np.arange(30) % 3,
    ]
)


@pytest.mark.parametrize("size", [4, 100, 999, 4000, 9030])
def test_classes_and_the_sets_within_them_keep_their_proportions(size):
    subset = stratified_subset(LABELS, size, 0, PARTS)
    assert len(np.unique(subset)) == size
    for label in range(4):
        of_class = label == LABELS
        n = np.count_nonzero(of_class[subset])
        assert abs(n - size * of_class.mean()) <= 1
        for part in range(3):
            of_part = np.count_nonzero(of_class[subset] & (PARTS[subset] == part))
            assert abs(of_part - n * (PARTS[of_class] == part).mean()) <= 1


def test_a_smaller_subset_is_part_of_a_larger_one():
    smaller, larger = (stratified_subset(LABELS, size, 5, PARTS) for size in (300, 1000))
    assert set(smaller) < set(larger)


def test_a_single_set_has_the_same_subset_as_without_parts():
    alone = stratified_subset(LABELS, 500, 1)
    np.testing.assert_array_equal(
        np.bincount(LABELS[stratified_subset(LABELS, 500, 1, np.zeros(9030, int))]),
        np.bincount(LABELS[alone]),
    )
    np.testing.assert_array_equal(stratified_subset(LABELS, 500, 1, np.zeros(9030, int)), alone)
