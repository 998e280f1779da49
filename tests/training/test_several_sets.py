"""Training on several data sets, each with a weight."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn import config_context

from mnist_svm import RECIPES, CoupledSVC, Dataset, train_model
from mnist_svm.svm.fitted import fitted_svcs
from mnist_svm.training.augmented import train_augmented
from mnist_svm.training.train import TrainingConfig
from tests.support.recipes import quick_changes

# Difference of probabilities where two problems have the same optimum, which the solver finds to
# its tolerance.
TOLERANCE = 0.002


def cut(dataset, name, first, n):
    rows = slice(first, first + n)
    return replace(dataset, name=name, images=dataset.images[rows], labels=dataset.labels[rows])


@pytest.fixture(scope="module")
def one(train_set):
    return cut(train_set, "one", 0, 400)


@pytest.fixture(scope="module")
def other(train_set):
    """24 other digits of each class, sorted by label.

    Of these, and of each twice, the same images are held out.
    """
    of_class = [30_000 + np.flatnonzero(train_set.labels[30_000:] == k)[:24] for k in range(10)]
    rows = np.concatenate(of_class)
    return replace(
        train_set, name="other", images=train_set.images[rows], labels=train_set.labels[rows]
    )


def arrays(model):
    """Everything that was fitted."""
    names = ("support_", "support_vectors_", "dual_coef_", "intercept_")
    fitted = [getattr(svc, name) for svc in fitted_svcs(model.pipeline) for name in names]
    return [array.tobytes() for array in fitted], model.pipeline[-1].temperature_


@pytest.mark.parametrize("recipe", ["poly4", "gradient"])
def test_weights_of_1_give_a_bit_equal_model(one, recipe):
    plain = arrays(train_model(recipe, one))
    assert arrays(train_model(recipe, Dataset.concatenate([one], [1]))) == plain
    assert arrays(train_model(recipe, replace(one, weights=np.ones(400)))) == plain


# With so low a C, many support vectors are at the bound that weights raise.
@pytest.mark.parametrize(("recipe", "C"), [("poly4", 1e-6), ("gradient", 0.02)])
def test_weight_2_is_as_good_as_each_image_twice(one, other, test_set, recipe, C):
    low = RECIPES[recipe].defaults.changed(C=C)
    rows = np.repeat(np.arange(240), 2)
    double = replace(other, images=other.images[rows], labels=other.labels[rows])
    weighted, repeated, plain = (
        train_model(recipe, dataset, parameters=low)
        for dataset in (
            Dataset.concatenate([one, other], [1, 2]),
            Dataset.concatenate([one, double]),
            Dataset.concatenate([one, other]),
        )
    )
    # Calibration takes chance samples of held-out images, not the same of other numbers of them.
    as_weighted, as_repeated, as_plain = (
        model.pipeline[-1].estimator_.predict_proba(
            model.pipeline[:-1].transform(test_set.X[:1000])
        )
        for model in (weighted, repeated, plain)
    )
    np.testing.assert_allclose(as_weighted, as_repeated, atol=TOLERANCE)
    assert np.abs(as_weighted - as_plain).max() > 10 * TOLERANCE
    temperatures = [model.info.calibration.temperature for model in (weighted, repeated)]
    assert temperatures[0] == pytest.approx(temperatures[1], rel=0.05)


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_svm_of_every_recipe_gets_the_weights(one, other, recipe, monkeypatch):
    dataset, calls = Dataset.concatenate([one, other], [1, 3]), []
    fit = CoupledSVC.fit

    def spy(self, X, y, sample_weight=None):
        calls.append((len(X), sample_weight))
        return fit(self, X, y, sample_weight)

    monkeypatch.setattr(CoupledSVC, "fit", spy)
    # Fewer images are faster, and stay in both sets.
    model = train_model(recipe, dataset, limit=90, changes=quick_changes(recipe))
    assert len(calls) >= 4 * model.info.n_svms
    for n, weights in calls:
        assert len(weights) == n
        assert set(weights) == {1, 3}


def test_routing_that_the_user_switched_on_makes_no_difference(one, other):
    dataset = Dataset.concatenate([one, other], [1, 2])
    expected = arrays(train_model("poly4", dataset))
    with config_context(enable_metadata_routing=True):
        assert arrays(train_model("poly4", dataset)) == expected


def test_a_third_of_each_set_is_held_out_at_a_time(one, other, monkeypatch):
    dataset, fitted = Dataset.concatenate([one, other]), []
    fit = CoupledSVC.fit

    def spy(self, X, y, sample_weight=None):
        fitted.append(np.array(X))
        return fit(self, X, y, sample_weight)

    monkeypatch.setattr(CoupledSVC, "fit", spy)
    train_model("poly4", dataset)
    *folds, features = fitted
    assert len(folds) == 3
    # No two images are alike.
    rows = {row.tobytes(): number for number, row in enumerate(features)}
    assert len(rows) == len(dataset.labels)
    for fold in folds:
        held_out = np.setdiff1d(np.arange(len(rows)), [rows[row.tobytes()] for row in fold])
        assert np.bincount(dataset.part_indices[held_out]) == pytest.approx([400 / 3, 80], abs=9)


def test_a_subset_has_each_set_in_its_proportion_and_says_so(one, other):
    info = train_model("poly4", Dataset.concatenate([one, other], [1, 2]), limit=300).info
    assert [(each.name, each.size, each.weight) for each in info.training.sets] == [
        ("one", 400, 1),
        ("other", 240, 2),
    ]
    n_one, n_other = (each.n_images for each in info.training.sets)
    assert n_one + n_other == info.training.n_images == 300
    assert n_other == pytest.approx(300 * 240 / 640, abs=10)
    assert info.training.sets[1].sha256 == other.sha256
    assert info.training.data == "one + other:2"
    # The record is enough to train it again.
    assert TrainingConfig.from_info(info).recipe.name == "poly4"


def test_the_cross_validated_error_is_that_of_mnist_alone(train_set, one):
    full = replace(train_set, name="mnist")
    joined = Dataset.concatenate([full, one])
    assert joined.name == "mnist + one"
    info = train_model("poly4", joined, limit=100).info
    assert info.cross_validation is None


def test_copies_of_an_image_have_its_weight(one, other, tmp_path, monkeypatch):
    calls = []
    fit = CoupledSVC.fit

    def spy(self, X, y, sample_weight=None):
        calls.append(sample_weight)
        return fit(self, X, y, sample_weight)

    monkeypatch.setattr(CoupledSVC, "fit", spy)
    recipe, dataset = RECIPES["gradient"], Dataset.concatenate([one, other], [1, 3])
    config = TrainingConfig(recipe, recipe.defaults)
    model = train_augmented(config, dataset, tmp_path / "work", copies=2)
    *folds, of_all = (weights.reshape(3, 640) for weights in calls)
    for by_copy in (*folds, of_all):
        np.testing.assert_array_equal(by_copy, np.tile(by_copy[0], (3, 1)))
    np.testing.assert_array_equal(of_all[0], dataset.weights)
    held_out = [np.flatnonzero(by_copy[0] == 0) for by_copy in folds]
    np.testing.assert_array_equal(np.sort(np.concatenate(held_out)), np.arange(640))
    for rows in held_out:
        assert np.bincount(dataset.part_indices[rows]) == pytest.approx([400 / 3, 80], abs=9)
    assert model.info.training.data == "one + other:3"


def test_other_weights_are_another_training(one, other, tmp_path):
    recipe = RECIPES["gradient"]
    config = TrainingConfig(recipe, recipe.defaults)
    joined = Dataset.concatenate([one, other], [1, 2])
    train_augmented(config, joined, tmp_path / "work", copies=1, limit=60)
    with pytest.raises(FileExistsError, match="holds another training, with different weights;"):
        train_augmented(
            config,
            Dataset.concatenate([one, other], [1, 3]),
            tmp_path / "work",
            copies=1,
            limit=60,
        )
