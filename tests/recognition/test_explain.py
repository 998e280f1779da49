"""Explanations of test images, and the command `explain`."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from mnist_svm import RECIPES, FormatError, Model, Recognizer, load_model, train_model
from mnist_svm.drawing.canvas import FRAME
from mnist_svm.drawing.explanation_page import WIDTH
from mnist_svm.models.locate import SHIPPED
from mnist_svm.recognition.explain import explain
from mnist_svm.svm.fitted import fitted_svcs, svcs_with_transformers
from tests.support.paths import DIGITS

PAIRS = list(combinations(range(10), 2))


@pytest.fixture(scope="module")
def shipped():
    return Recognizer.load(SHIPPED)


@pytest.fixture(scope="module", params=["poly4", "gradient"])
def recognizer(request, small_model, shipped):
    return Recognizer(small_model) if request.param == "poly4" else shipped


@pytest.fixture(scope="module")
def explained(recognizer, test_set):
    """Return a cached function from the index of a test image to its explanation."""
    return cache(lambda index: explain(recognizer, test_set.images[index]))


@pytest.fixture(scope="module")
def average(train_set):
    """A model that averages three SVMs."""
    return Recognizer(train_model(RECIPES["best"], train_set, limit=300))


def split_model(model):
    """Return the transformers and the SVM of a model with one SVM."""
    *steps, (_, calibrated) = model.pipeline.steps
    return [step for _, step in steps], calibrated.estimator_


def decision_terms(svc, features, first, second):
    """Return the terms and the intercept of a decision function, by a loop over `dual_coef_`."""
    starts = np.concatenate([[0], np.cumsum(svc.n_support_)])
    low, high = min(first, second), max(first, second)
    terms = {}
    for owner, row in ((low, high - 1), (high, low)):
        for i in range(starts[owner], starts[owner + 1]):
            z = svc.support_vectors_[i].astype(float)
            if svc.kernel == "rbf":
                k = np.exp(-svc.gamma_ * ((features - z) ** 2).sum())
            else:
                k = (svc.gamma_ * (features @ z) + svc.coef0) ** svc.degree
            if svc.dual_coef_[row, i]:
                terms[i] = svc.dual_coef_[row, i] * k * (1 if first == low else -1)
    intercept = svc.intercept_[PAIRS.index((low, high))] * (1 if first == low else -1)
    return terms, intercept


@pytest.mark.parametrize("index", [18, 61])
def test_decision_matches_a_loop_over_support_vectors(recognizer, explained, test_set, index):
    explanation = explained(index)
    steps, svc = split_model(recognizer.model)
    features = test_set.X[index : index + 1]
    for step in steps:
        features = step.transform(features)
    terms, intercept = decision_terms(
        svc, features[0].astype(float), explanation.predicted.label, explanation.rival.label
    )
    assert explanation.decision_value == pytest.approx(sum(terms.values()) + intercept, abs=1e-6)
    assert (
        explanation.predicted.total + explanation.rival.total + explanation.intercept
        == pytest.approx(explanation.decision_value)
    )
    assert explanation.predicted.n_support + explanation.rival.n_support == len(terms)
    labels = np.repeat(svc.classes_, svc.n_support_)
    for side in (explanation.predicted, explanation.rival):
        own = {i: term for i, term in terms.items() if labels[i] == side.label}
        best = sorted(own, key=lambda i: -abs(own[i]))[:5]
        contributions = [vector.contribution for vector in side.strongest]
        assert [vector.index for vector in side.strongest] == svc.support_[best].tolist()
        assert contributions == pytest.approx([own[i] for i in best])


def test_labels_and_confidences_match_the_recognizer(recognizer, explained, test_set):
    for index in (1, 8, 18):
        explanation = explained(index)
        top = recognizer.classify(test_set.images[index : index + 1]).top(0, 2)
        assert [
            (side.label, side.confidence) for side in (explanation.predicted, explanation.rival)
        ] == top


def smallest_margin(recognizer, images, label):
    """Return the smallest decision value of a label against all others, for each image."""
    steps, svc = split_model(recognizer.model)
    X = images.reshape(len(images), 784)
    for step in steps:
        X = step.transform(X)
    svc.decision_function_shape = "ovo"
    values = svc.decision_function(X)
    svc.decision_function_shape = "ovr"
    signed = [
        values[:, i] * (1 if pair[0] == label else -1)
        for i, pair in enumerate(PAIRS)
        if label in pair
    ]
    return np.min(signed, axis=0)


@pytest.mark.parametrize("ink", [True, False], ids=["erased ink", "inked paper"])
def test_inverting_supporting_pixels_reduces_the_decision_value_more_than_others(
    recognizer, explained, test_set, ink
):
    changes = []
    for index in (1, 8, 18, 61, 321):
        image, explanation = test_set.images[index], explained(index)
        (chosen,) = np.nonzero(((image >= 128) == ink).ravel())
        order = chosen[np.argsort(explanation.heat_map.ravel()[chosen])]
        edited = np.stack([image.ravel()] * 3)
        edited[1, order[-10:]] = 0 if ink else 255
        edited[2, order[:10]] = 0 if ink else 255
        before, without_for, without_against = smallest_margin(
            recognizer, edited, explanation.predicted.label
        )
        changes.append((before - without_for, before - without_against))
    lost, lost_instead = np.transpose(changes)
    assert np.mean(lost) > 0.1
    assert np.mean(lost) > np.mean(lost_instead) + 0.2
    assert np.mean(lost > lost_instead) >= 0.75


def test_ink_at_the_maximum_of_the_heat_map_turns_the_three_into_an_eight(shipped):
    image = np.asarray(Image.open(DIGITS[3]).convert("L"))
    explanation = explain(shipped, image)
    assert (explanation.predicted.label, explanation.rival.label) == (3, 8)
    i, j = np.unravel_index(explanation.heat_map.argmax(), explanation.heat_map.shape)
    assert image[i, j] < 128
    edited = image.copy()
    edited[i - 1 : i + 2, j - 1 : j + 2] = 255
    assert shipped.classify(edited[None]).labels.tolist() == [8]


def test_gradient_map_matches_finite_differences(small_model, test_set):
    recognizer = Recognizer(small_model)
    image = test_set.images[18]
    explanation = explain(recognizer, image, rival=8)
    steps, svc = split_model(small_model)
    row = test_set.X[18:19]

    def decision(X):
        reference = row
        for step in steps:
            X, reference = (
                step.transform_with_reference(X, reference),
                step.transform(reference),
            )
        terms, intercept = decision_terms(svc, X[0].astype(float), 3, 8)
        return sum(terms.values()) + intercept

    heat = explanation.heat_map.ravel()
    for i in np.flatnonzero(np.abs(heat) > np.abs(heat).max() / 3)[:12]:
        more, less = row.astype(float), row.astype(float)
        more[0, i] += 2
        less[0, i] = max(less[0, i] - 2, 0)
        slope = (decision(more) - decision(less)) / (more - less)[0, i]
        change = (0.0 if row[0, i] >= 128 else 255.0) - row[0, i]
        assert heat[i] == pytest.approx(-slope * change, rel=0.05)


def test_pixels_outside_the_deskewed_image_have_no_heat(explained):
    # Slanted: deskewing moves corners out of the image.
    explanation = explained(2)
    assert explanation.heat_map[-1, -1] == pytest.approx(0, abs=1e-9)
    assert explanation.heat_map.any()


def test_explicit_rival(shipped, test_set):
    explanation = explain(shipped, test_set.images[4], rival=9)
    assert (explanation.predicted.label, explanation.rival.label) == (4, 9)
    assert not explanation.one_vs_rest
    _, svc = split_model(shipped.model)
    labels = dict(zip(svc.support_.tolist(), np.repeat(svc.classes_, svc.n_support_), strict=True))
    assert {labels[vector.index] for vector in explanation.rival.strongest} == {9}
    other = explain(shipped, test_set.images[4], rival=7)
    assert not np.allclose(explanation.heat_map, other.heat_map)


@pytest.mark.parametrize("rival", [4, 10, -1])
def test_invalid_rival(shipped, test_set, rival):
    with pytest.raises(ValueError, match=f"cannot compare the prediction 4 with {rival}; choose"):
        explain(shipped, test_set.images[4], rival=rival)


@pytest.mark.slow
def test_svm_with_the_largest_decision_value_is_explained(average, test_set):
    explanation = explain(average, test_set.images[0])
    assert explanation.n_svms == 3
    values = []
    for steps, svc in svcs_with_transformers(average.model.pipeline):
        features = test_set.X[:1]
        for step in steps:
            features = step.transform(features)
        pair = explanation.predicted.label, explanation.rival.label
        terms, intercept = decision_terms(svc, features[0].astype(float), *pair)
        values.append(sum(terms.values()) + intercept)
    assert explanation.svm_number == np.argmax(values) + 1
    assert explanation.decision_value == pytest.approx(max(values), abs=1e-6)


@pytest.mark.slow
def test_svcs_are_found_with_their_transformers(average, test_set):
    found = list(svcs_with_transformers(average.model.pipeline))
    assert [svc for _, svc in found] == list(fitted_svcs(average.model.pipeline))
    voting = average.model.pipeline[-1].estimator_
    confidences = []
    for steps, svc in found:
        features = test_set.X[:5]
        for step in steps:
            features = step.transform(features)
        confidences.append(svc.predict_proba(features))
    np.testing.assert_allclose(np.mean(confidences, axis=0), voting.predict_proba(test_set.X[:5]))


def test_two_classes(train_set, test_set):
    from dataclasses import replace

    of_two = np.isin(train_set.labels, (3, 8))
    data = replace(train_set, images=train_set.images[of_two], labels=train_set.labels[of_two])
    recognizer = Recognizer(train_model(RECIPES["gradient"], data, limit=400))
    explanation = explain(recognizer, test_set.images[18])
    assert (explanation.predicted.label, explanation.rival.label) == (3, 8)
    assert explanation.decision_value > 0


# --- the command -------------------------------------------------------------------------


def test_explain_draws_a_page(run, small_model_file, tmp_path):
    out = tmp_path / "why.png"
    result = run("explain", DIGITS[3], "-m", small_model_file, "-o", out)
    assert result.exit_code == 0
    first, second = result.stdout.splitlines()
    assert first.startswith(f"{DIGITS[3]}\t3\t")
    assert second.startswith("3 against ")
    assert result.stderr == f"Reading with {small_model_file}\nDrew {out}\n"
    page = Image.open(out)
    assert (page.format, page.mode, page.width) == ("PNG", "RGB", WIDTH)
    assert 900 < page.height < 1200
    assert out.stat().st_size < 200_000


def test_default_output_is_explain_png(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("explain", DIGITS[5]).exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["explain.png"]


def test_colours_of_the_page_match_the_heat_map(run, small_model_file, tmp_path):
    out = tmp_path / "why.png"
    result = run("explain", DIGITS[4], "-m", small_model_file, "-o", out, "--json")
    heat = np.array(json.loads(result.stdout)["heat_map"]["values"])
    pixels = np.asarray(Image.open(out)).astype(int)
    # The third tile begins under its frame; each of its pixels, away from the outline.
    top = next(y for y in range(300) if (pixels[y, 688:968] == FRAME).all())
    tile = pixels[top + 6 : top + 281 : 10, 693:968:10]
    blueness = tile[..., 2] - tile[..., 0]
    assert tile.shape[:2] == heat.shape
    clear = np.abs(heat) > np.abs(heat).max() / 10
    np.testing.assert_array_equal(blueness[clear] > 0, heat[clear] > 0)


def test_json_writes_no_page(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("explain", DIGITS[3], "--json")
    explanation = json.loads(result.stdout)
    assert list(tmp_path.iterdir()) == []
    assert (explanation["file"], explanation["label"]) == (str(DIGITS[3]), 3)
    assert 0 < explanation["rival"]["confidence"] < explanation["confidence"] < 1
    assert np.array(explanation["heat_map"]["values"]).shape == (28, 28)
    assert (explanation["svm"], explanation["n_svms"]) == (1, 1)
    sides, decision = explanation["support_vectors"], explanation["decision"]
    assert [side["label"] for side in sides] == [3, explanation["rival"]["label"]]
    assert sum(side["contribution"] for side in sides) + decision["intercept"] == pytest.approx(
        decision["value"]
    )
    for side in sides:
        assert {vector["label"] for vector in side["strongest"]} == {side["label"]}
        assert all(0 <= vector["index"] < 98_948 for vector in side["strongest"])


def test_explain_reads_standard_input(tmp_path, finish):
    out = tmp_path / "why.png"
    with DIGITS[7].open("rb") as file:
        code, stdout, _ = finish("explain", "-", "-o", out, stdin=file)
    assert code == 0
    assert stdout.startswith("-\t7\t")
    assert Image.open(out).width == WIDTH


def test_large_picture_is_reduced_in_colour(run, small_model_file, tmp_path):
    wide, out = tmp_path / "wide.png", tmp_path / "why.png"
    paper = (250, 240, 200)
    page = Image.new("RGB", (3000, 400), paper)
    ink = Image.open(DIGITS[2]).convert("L").resize((200, 200))
    page.paste((20, 30, 120), (1400, 100), ink)
    page.save(wide)
    assert run("explain", wide, "-m", small_model_file, "-o", out).exit_code == 0
    drawn = Image.open(out)
    assert drawn.width == WIDTH
    # 280 pixels wide, it is 37 high.
    shown = (np.asarray(drawn) == paper).all(axis=2).sum()
    assert 0.9 < shown / (280 * 37) < 1


@pytest.mark.parametrize("what", ["missing", "text", "blank", "folder"])
def test_bad_picture_is_reported_on_one_line(run, small_model_file, tmp_path, what):
    picture, out = tmp_path / "bad.png", tmp_path / "why.png"
    if what == "text":
        picture.write_text("this is text\n")
    elif what == "blank":
        Image.new("L", (28, 28), 255).save(picture)
    elif what == "folder":
        picture.mkdir()
    result = run("explain", picture, "-m", small_model_file, "-o", out)
    assert result.exit_code == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    expected = {
        "missing": "No such file or directory",
        "text": "not a picture in a supported format",
        "blank": "blank picture",
        "folder": "Is a directory",
    }[what]
    assert line.startswith(f"mnist-svm: error: {picture}: {expected}")
    assert not out.exists()


def test_explain_rejects_a_file_that_is_not_a_model(run, tmp_path):
    result = run("explain", DIGITS[3], "-m", DIGITS[4], "-o", tmp_path / "why.png")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"mnist-svm: error: {DIGITS[4]}: not a model file")


def test_unwritable_output_is_reported_before_the_work(run, tmp_path):
    out = tmp_path / "none" / "why.png"
    result = run("explain", tmp_path / "missing.png", "-o", out)
    assert result.exit_code == 1
    assert result.stderr == f"mnist-svm: error: {out}: No such file or directory\n"


@pytest.mark.parametrize("arguments", [[], ["--against", "3"], ["--against", "x"], ["--top", "3"]])
def test_usage_errors_exit_with_2(run, tmp_path, arguments):
    picture = [DIGITS[3]] if arguments else []
    result = run("explain", *picture, "-o", tmp_path / "why.png", *arguments)
    assert result.exit_code == 2
    assert "Usage: mnist-svm explain" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_model_with_a_network_has_no_explanation():
    model = load_model(SHIPPED)
    with_network = Model(model.step, replace(model.info, recipe="cnn-svm", n_weights=1000))
    with pytest.raises(FormatError, match="recipe cnn-svm, has a network, which has no support"):
        explain(Recognizer(with_network), np.zeros((28, 28), np.uint8))
