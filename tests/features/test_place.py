"""Place features: how full of ink the cells of a coarse grid are."""

from __future__ import annotations

import numpy as np

from mnist_svm.features.place import FULL, GRID, N_FEATURES, place_features


def images(*filled: tuple[slice, slice]) -> np.ndarray:
    image = np.zeros((1, 28, 28), np.uint8)
    for window in filled:
        image[0][window] = 255
    return image


def test_cells_without_and_full_of_ink_have_the_limits():
    features = place_features(np.full((2, 28, 28), 255, np.uint8), np.zeros((2, 28, 28), np.uint8))
    assert features.shape == (2, N_FEATURES)
    assert features.dtype == np.uint8
    assert (features[:, : GRID**2] == FULL).all()
    assert (features[:, GRID**2 :] == 0).all()


def test_a_feature_is_the_root_of_the_fullness_of_its_cell():
    own = images((slice(4, 6), slice(8, 10)))  # a quarter of the cell (1, 2)
    features = place_features(own, images())[0]
    wanted = np.zeros(N_FEATURES)
    wanted[GRID + 2] = FULL / 2
    np.testing.assert_array_equal(features, wanted)


def test_ink_of_others_follows_own_ink():
    window = slice(0, 4), slice(0, 4)
    features = place_features(images(), images(window))[0]
    assert np.flatnonzero(features).tolist() == [GRID**2]
