"""Distortions and virtual support vectors, on real digits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from sklearn.pipeline import Pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from mnist_svm import Deskew, KernelSVC
from mnist_svm.features.distort import Distortion
from mnist_svm.features.transformers import GradientFeatures
from mnist_svm.svm.coupled import CoupledSVC
from mnist_svm.svm.virtual import VirtualSupportVectors

GENTLE = Distortion(displacement=0.6, rotation=0.1, stretch=0.08)


def make_svc():
    return CoupledSVC(C=10, random_state=0)


@pytest.mark.slow
@parametrize_with_checks(
    [CoupledSVC(), VirtualSupportVectors(make_svc(), Distortion(displacement=0.1), random_state=0)]
)
def test_scikit_learn_checks_pass(estimator, check):
    # No check is waived.
    check(estimator)


# --- distortions --------------------------------------------------------------------------


def rng(seed=0):
    return np.random.RandomState(seed)


def test_no_distortion_changes_nothing(test_set):
    np.testing.assert_array_equal(Distortion()(test_set.X[:300], rng()), test_set.X[:300])


def test_the_same_seed_gives_the_same_copies(test_set):
    X = test_set.X[:200]
    one, again, other = (GENTLE(X, rng(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert abs(one - other).mean() > 1


def displaced(distortion, n=2000):
    """Where pixels come from, minus where they are: read off images that rise evenly."""
    rows, columns = np.indices((28, 28), dtype=np.float32)
    i, j = (
        distortion(np.tile(ramp.ravel(), (n, 1)), rng()).reshape(n, 28, 28) - ramp
        for ramp in (rows, columns)
    )
    # Leave out the edge, where the ramps end.
    inner = slice(6, 22)
    return i[:, inner, inner], j[:, inner, inner]


def test_elastic_displacements_have_the_root_mean_square_that_is_asked_for():
    for field in displaced(Distortion(displacement=0.7)):
        assert np.sqrt((field**2).mean()) == pytest.approx(0.7, rel=0.05)
        assert abs(field.mean()) < 0.05


def test_elastic_displacements_are_smooth():
    rough, smooth = (
        displaced(Distortion(displacement=0.7, smoothness=sigma))[0] for sigma in (1.5, 5)
    )
    assert abs(np.diff(smooth, axis=1)).mean() < 0.4 * abs(np.diff(rough, axis=1)).mean()


def test_shifts_fill_their_range_evenly():
    i, j = displaced(Distortion(shift=1.5))
    for field in (i, j):
        assert abs(field - field[:, :1, :1]).max() < 1e-3
        shift = field[:, 0, 0]
        assert -1.5 <= shift.min() < -1.45
        assert 1.45 < shift.max() <= 1.5
        assert abs(shift.mean()) < 0.08
    assert abs(np.corrcoef(i[:, 0, 0], j[:, 0, 0])[0, 1]) < 0.1


class Extreme(np.random.RandomState):
    """Always draws the largest."""

    def uniform(self, low, high, size):
        return np.full(size, high)


def test_a_rotation_is_that_of_scipy(test_set):
    image = test_set.X[:1].astype(float)
    ours = Distortion(rotation=0.3)(image, Extreme()).reshape(28, 28)
    theirs = ndimage.rotate(
        image.reshape(28, 28), np.degrees(0.3), reshape=False, order=1, mode="grid-constant"
    )
    np.testing.assert_allclose(ours, theirs, atol=0.01)


@pytest.mark.slow
def test_a_gentle_distortion_leaves_a_digit_what_it_is(small_model, test_set):
    pipeline, X, y = small_model.pipeline, test_set.X, test_set.labels
    plain = (pipeline.predict(X) == y).mean()
    bent = (pipeline.predict(GENTLE(X, rng())) == y).mean()
    assert plain - 0.02 < bent < plain + 0.005


@pytest.mark.parametrize("strength", [-1.0, float("nan"), float("inf")])
def test_a_strength_that_makes_no_sense_is_refused(strength):
    with pytest.raises(ValueError, match="rotation must be a finite number of at least 0"):
        Distortion(rotation=strength)(np.zeros((1, 784)), rng())


# --- virtual support vectors -----------------------------------------------------------------


@pytest.fixture(scope="module")
def small(train_set):
    return train_set.X[:1500], train_set.labels[:1500]


def pipeline():
    return Pipeline([("deskew", Deskew()), ("gradients", GradientFeatures()), ("svm", make_svc())])


@pytest.fixture(scope="module")
def fitted(small):
    return VirtualSupportVectors(pipeline(), GENTLE, copies=4, random_state=0).fit(*small)


@pytest.mark.slow
def test_each_support_vector_is_copied(small, fitted):
    support = pipeline().fit(*small)[-1].support_
    assert fitted.n_virtual_ == 4 * len(support)
    assert fitted.estimator_[-1].shape_fit_[0] == 1500 + 4 * len(support)


@pytest.mark.slow
@pytest.mark.parametrize(("most", "copies"), [(2.5, 2), (0.5, 1)])
def test_many_support_vectors_have_fewer_copies(small, monkeypatch, most, copies):
    support = pipeline().fit(*small)[-1].support_
    monkeypatch.setattr("mnist_svm.svm.virtual.MAX_COPIES", int(most * len(support)))
    fitted = VirtualSupportVectors(pipeline(), GENTLE, copies=4).fit(*small)
    assert fitted.n_virtual_ == copies * len(support)


@pytest.mark.slow
def test_copies_have_the_label_of_their_support_vector(small):
    X, y = small
    arguments = {}

    def spy(support, random_state):
        arguments["support"] = support
        # The copy is the same image: with another label it would not be separable.
        return support

    virtual = VirtualSupportVectors(pipeline(), spy, copies=1).fit(X, y)
    assert set(map(bytes, arguments["support"])) <= set(map(bytes, X))
    assert virtual.score(X, y) == pipeline().fit(X, y).score(X, y)


def test_virtual_support_vectors_make_fewer_errors(small, fitted, test_set):
    X, y = test_set.X, test_set.labels
    plain = pipeline().fit(*small)
    errors = [int((model.predict(X) != y).sum()) for model in (plain, fitted)]
    assert errors[1] < 0.95 * errors[0]


def test_two_fits_with_the_same_seed_are_bit_equal(small, fitted):
    again = VirtualSupportVectors(pipeline(), GENTLE, copies=4, random_state=0).fit(*small)
    one, other = (model.estimator_[-1].dual_coef_ for model in (fitted, again))
    assert one.tobytes() == other.tobytes()


def test_methods_are_those_of_the_estimator():
    assert hasattr(VirtualSupportVectors(make_svc(), GENTLE), "predict_proba")
    assert not hasattr(VirtualSupportVectors(KernelSVC(), GENTLE), "predict_proba")


def test_zero_copies_are_rejected(small):
    with pytest.raises(ValueError, match="copies must be at least 1, got 0"):
        VirtualSupportVectors(pipeline(), GENTLE, copies=0).fit(*small)
