"""What the transformers share: scikit-learn's contract, the unit of X, and a reference image."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from mnist_svm import (
    RECIPES,
    Blur,
    Deskew,
    GradientFeatures,
    KernelSVC,
    NormalizeContrast,
    NormalizeSize,
    ShapeFeatures,
)
from tests.support.recipes import quick_changes

ALIGNING = [Deskew(), NormalizeSize(side=32), NormalizeSize(upright=False)]
TRANSFORMERS = [*ALIGNING, Blur(), GradientFeatures()]
EVERY = [*TRANSFORMERS, NormalizeContrast(), ShapeFeatures()]


@parametrize_with_checks(EVERY)
def test_scikit_learn_checks_pass(estimator, check):
    # No check is waived.
    check(estimator)


# Names of features.


@pytest.fixture(scope="module")
def frame(test_set):
    """Twenty digits with names of columns, and an index that is not 0, 1, 2."""
    names = [f"pixel{i}" for i in range(784)]
    return pd.DataFrame(test_set.X[:20], columns=names, index=range(100, 120))


@pytest.mark.parametrize("transformer", EVERY, ids=str)
def test_a_data_frame_gives_a_data_frame_if_asked_for(transformer, frame):
    plain = clone(transformer).fit_transform(frame)
    assert type(plain) is np.ndarray
    transformer = clone(transformer).set_output(transform="pandas")
    named = transformer.fit_transform(frame)
    np.testing.assert_array_equal(named.to_numpy(), plain)
    assert named.columns.tolist() == transformer.get_feature_names_out().tolist()
    assert named.index.equals(frame.index)
    assert type(transformer.set_output(transform="default").transform(frame)) is np.ndarray


@pytest.mark.parametrize(
    ("transformer", "first", "last"),
    [
        (Deskew(), "pixel0", "pixel783"),
        (Blur(), "pixel0", "pixel783"),
        (NormalizeContrast(), "pixel0", "pixel783"),
        (NormalizeSize(side=32), "normalizesize0", "normalizesize1023"),
        (GradientFeatures(directions=4), "gradientfeatures0", "gradientfeatures195"),
        (ShapeFeatures(), "shapefeatures0", "shapefeatures1"),
    ],
)
def test_features_that_are_no_pixels_of_the_input_have_names_of_their_own(
    transformer, first, last, frame
):
    with pytest.raises(NotFittedError):
        transformer.get_feature_names_out()
    names = transformer.fit(frame).get_feature_names_out()
    assert (names[0], names[-1]) == (first, last)


@pytest.mark.parametrize("output", ["default", "pandas"])
@pytest.mark.parametrize("transformer", EVERY, ids=str)
def test_a_pipeline_takes_and_checks_names(transformer, output, frame, test_set):
    y = test_set.y[:20]
    plain = make_pipeline(clone(transformer), KernelSVC(random_state=0)).fit(frame.to_numpy(), y)
    named = clone(plain).set_output(transform=output).fit(frame, y)
    np.testing.assert_array_equal(named.predict(frame), plain.predict(frame.to_numpy()))
    has_names = hasattr(named[-1], "feature_names_in_")
    assert has_names == (output == "pandas")
    with pytest.raises(ValueError, match="feature names should match"):
        named.predict(frame[frame.columns[::-1]])


# The unit of X.


@pytest.mark.parametrize("transformer", EVERY, ids=str)
@pytest.mark.parametrize(("fitted", "given"), [(1, 1 / 255), (1 / 255, 1), (1, 257)])
def test_another_unit_than_that_of_fit_is_refused(transformer, fitted, given, test_set):
    X = test_set.X[:9].astype(np.float32)
    transformer = clone(transformer).fit(X * fitted)
    transformer.transform(X[:1] * fitted)
    transformer.transform(X[:1] * fitted / 50)
    transformer.transform(np.zeros((1, 784)))
    with pytest.raises(ValueError, match=r"expected X in the unit of fit.*; scale X as for fit"):
        transformer.transform(X * given)


def test_a_transformer_that_was_fitted_to_blank_images_takes_any_unit(test_set):
    deskew = Deskew().fit(np.zeros((1, 784)))
    assert deskew.transform(test_set.X[:1]).any()
    assert deskew.transform(test_set.X[:1] / 255).any()


@pytest.mark.parametrize("name", RECIPES)
def test_the_pipelines_of_all_recipes_refuse_another_unit(name, train_set):
    X, y = train_set.X[:100], train_set.y[:100]
    changes = quick_changes(name)
    if "epochs" in changes:
        # A network that has learned nothing predicts one digit.
        changes |= {"epochs": 20, "batch_size": 10, "learning_rate": 0.01}
    pipeline = RECIPES[name].pipeline(changes=changes, calibrate=False).fit(X, y)
    assert len(set(pipeline.predict(X))) == 10
    with pytest.raises(ValueError, match="with a maximum near 255, found a maximum of 1; scale X"):
        pipeline.predict(X / 255)


# Images transformed with the centroid, shear, scale or norm of a reference image.


@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=str)
def test_an_image_as_its_own_reference_is_transformed_as_usual(transformer, test_set):
    transformer.fit(test_set.X[:1])
    for row in test_set.X[:20, None]:
        np.testing.assert_array_equal(
            transformer.transform_with_reference(row, row), transformer.transform(row)
        )


def test_a_digit_deskewed_in_several_passes_is_its_own_reference(test_set, monkeypatch):
    deskew = Deskew().fit(test_set.X[:1])
    upright = deskew.transform(test_set.X)
    with monkeypatch.context() as patch:
        patch.setattr("mnist_svm.features.deskew.MAX_PASSES", 0)
        (leaning,) = np.nonzero((deskew.transform(test_set.X) != upright).any(axis=1))
    assert len(leaning)
    for index in leaning:
        row = test_set.X[index : index + 1]
        np.testing.assert_array_equal(
            deskew.transform_with_reference(row, row), upright[index : index + 1]
        )


def test_contrast_with_a_reference_is_neither_rounded_nor_clipped(test_set):
    contrast = NormalizeContrast().fit(test_set.X[:1])
    for row in test_set.X[:20, None]:
        scaled = contrast.transform_with_reference(row, row)
        assert np.linalg.norm(scaled) == pytest.approx(1000)
        np.testing.assert_array_equal(np.rint(np.minimum(scaled, 255)), contrast.transform(row))


@pytest.mark.parametrize("transformer", [*ALIGNING, Blur(), NormalizeContrast()], ids=str)
def test_the_transform_with_a_reference_is_linear(transformer, test_set):
    transformer.fit(test_set.X[:1])
    reference, first, second = test_set.X[:3, None].astype(np.float64)
    mixed = transformer.transform_with_reference(2 * first + 3 * second, reference)
    first, second = (
        transformer.transform_with_reference(image, reference) for image in (first, second)
    )
    np.testing.assert_allclose(mixed, 2 * first + 3 * second, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("transformer", ALIGNING, ids=str)
def test_a_blob_does_not_move_the_digit(transformer, test_set):
    transformer.fit(test_set.X[:1])
    row = test_set.X[:1]
    with_blob = row.reshape(28, 28).copy()
    with_blob[:2, :2] = 255
    with_blob = with_blob.reshape(1, 784)
    change = transformer.transform_with_reference(with_blob, row) - transformer.transform(row)
    side = int(np.sqrt(change.shape[1]))
    # Only the corner of the blob changes; without a reference, the blob would tilt the digit.
    assert not change.reshape(side, side)[side // 2 :].any()
    moved = transformer.transform(with_blob) - transformer.transform(row)
    assert moved.reshape(side, side)[side // 2 :].any()


@pytest.mark.parametrize("transformer", [Deskew(), NormalizeSize(), GradientFeatures()], ids=str)
def test_inverted_images_are_refused_unless_fit_saw_such(test_set, transformer):
    X = test_set.X[:100]
    transformer = clone(transformer).fit(X)
    with pytest.raises(ValueError, match="expected bright ink on a dark background, as in fit"):
        transformer.transform(255 - X)
    transformer.fit(255 - X).transform(255 - X)
    with pytest.raises(ValueError, match="found bright ink on a dark background"):
        transformer.transform(X)
    # A minority of inverted images passes: a garment may fill its frame.
    transformer.fit(X).transform(np.concatenate([255 - X[:20], X[20:]]))
