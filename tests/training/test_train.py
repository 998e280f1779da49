"""Recipes and training on real digits."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from mnist_svm import RECIPES, Calibrated, Deskew, KernelSVC, Recognizer, train_model
from mnist_svm.datasets.subset import stratified_subset
from mnist_svm.exceptions import FormatError
from mnist_svm.svm.fitted import fitted_svcs


def test_the_default_recipe_deskews_and_then_separates():
    pipeline = RECIPES["poly4"].pipeline()
    assert isinstance(pipeline[0], Deskew)
    assert isinstance(pipeline[-1], Calibrated)
    svc = pipeline[-1].estimator
    assert isinstance(svc, KernelSVC)
    assert (svc.kernel, svc.degree) == ("poly", 4)


def test_trainings_with_the_same_seed_are_bit_equal_by_any_number_of_threads(train_set):
    one, *others = (
        train_model(RECIPES["poly4"], train_set, limit=2000, n_jobs=n_jobs)
        for n_jobs in (None, None, 1)
    )
    (svc,) = fitted_svcs(one.pipeline)
    for other in others:
        assert other.pipeline[-1].temperature_ == one.pipeline[-1].temperature_
        (same,) = fitted_svcs(other.pipeline)
        for name in ("support_", "dual_coef_", "intercept_", "support_vectors_"):
            assert getattr(svc, name).tobytes() == getattr(same, name).tobytes(), name


@pytest.mark.slow
def test_a_recipe_may_be_given_by_its_name(train_set):
    info = train_model("gradient", train_set, limit=300).info
    assert (info.recipe, info.parameters) == ("gradient", RECIPES["gradient"].defaults)


def test_the_error_for_an_unknown_recipe_lists_the_recipes(train_set):
    with pytest.raises(ValueError, match=r"expected one of poly4, .*gradient.*, found 'gradients'"):
        train_model("gradients", train_set)


def test_another_seed_takes_another_subset(train_set):
    one, other = (stratified_subset(train_set.labels, 500, seed) for seed in (0, 1))
    assert len(np.intersect1d(one, other)) < 50


@pytest.mark.parametrize("size", [10, 999, 6000, 59_995, 60_000])
def test_a_subset_has_every_digit_in_its_proportion(train_set, size):
    subset = stratified_subset(train_set.labels, size, 0)
    assert len(np.unique(subset)) == size
    counts = Counter(train_set.labels[subset].tolist())
    for digit, n in Counter(train_set.labels.tolist()).items():
        assert abs(counts[digit] - size * n / 60_000) <= 1


def test_no_images_give_no_readings(small_model):
    readings = Recognizer(small_model).classify(np.zeros((0, 28, 28), dtype=np.uint8))
    assert readings.labels.shape == (0,)
    assert readings.probabilities.shape == (0, 10)


def test_a_subset_smaller_than_the_number_of_classes_is_refused(train_set):
    with pytest.raises(ValueError, match="cannot hold 10 classes"):
        stratified_subset(train_set.labels, 9, 0)


def test_one_class_alone_cannot_be_learned(train_set):
    alone = replace(train_set, images=train_set.images[:1], labels=train_set.labels[:1])
    with pytest.raises(FormatError, match="expected at least two classes"):
        train_model(RECIPES["poly4"], alone)


def test_the_model_says_how_it_was_made(small_model):
    info = small_model.info
    assert info.recipe == "poly4"
    assert info.training.n_images == 6000
    (mnist,) = info.training.sets
    assert (mnist.name, mnist.n_images, mnist.size, mnist.weight) == ("mnist", 6000, 60_000, 1)
    assert mnist.sha256["train-images-idx3-ubyte"].startswith("ba891046")
    assert 0 < info.training.kkt_violation <= 2e-3
    assert info.training.augmentation is None
    (svc,) = fitted_svcs(small_model.pipeline)
    assert (info.n_svms, info.n_support_vectors) == (1, len(svc.support_))
    assert info.calibration.temperature == small_model.pipeline[-1].temperature_
    assert info.calibration.n_held_out == 6000
    assert 0 < info.calibration.calibration_error < 0.015
    # The cross-validated error is that of the whole training set.
    assert info.cross_validation is None
