"""`Distortion` is a scikit-learn estimator: its parameters are within reach of its tools."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from mnist_svm.features.distort import Distortion
from mnist_svm.svm.coupled import CoupledSVC
from mnist_svm.svm.virtual import VirtualSupportVectors


def test_parameters_are_set_through_virtual_support_vectors():
    virtual = VirtualSupportVectors(CoupledSVC(), Distortion(rotation=0.1, shift=1.0))
    virtual.set_params(distort__rotation=0.2)
    assert virtual.distort.get_params() == Distortion(rotation=0.2, shift=1.0).get_params()


def test_a_clone_is_independent():
    original = VirtualSupportVectors(CoupledSVC(), Distortion(rotation=0.1))
    copy = clone(original).set_params(distort__rotation=0.2)
    assert (original.distort.rotation, copy.distort.rotation) == (0.1, 0.2)


def test_a_grid_search_reaches_the_distortion(train_set):
    virtual = VirtualSupportVectors(
        CoupledSVC(gamma=1e-6), Distortion(smoothness=3.0), copies=1, random_state=0
    )
    search = GridSearchCV(virtual, {"distort__shift": [0.0, 1.0]}, cv=2)
    search.fit(train_set.X[:300], train_set.labels[:300])
    assert set(search.cv_results_["param_distort__shift"]) == {0.0, 1.0}
    assert len(set(search.cv_results_["mean_test_score"])) == 2
    assert virtual.distort.shift == 0.0


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"smoothness": 0.0}, "smoothness must be positive, got 0.0"),
        ({"shift": -1.0}, "shift must be a finite number of at least 0, got -1.0"),
        ({"displacement": np.inf}, "displacement must be a finite number of at least 0, got inf"),
    ],
)
def test_parameters_are_checked_when_used(parameters, message):
    distortion = Distortion(**parameters)
    with pytest.raises(ValueError, match=message):
        distortion(np.zeros((1, 784)), np.random.RandomState(0))
