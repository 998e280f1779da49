"""Explanations of real digits, and the command that draws them."""

from __future__ import annotations

import json
from functools import cache
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from mnist_svm import RECIPES, Recognizer, train_model
from mnist_svm.drawing.contact_sheet import FRAME
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
    """Explanations of test images by their number."""
    return cache(lambda index: explain(recognizer, test_set.images[index]))


@pytest.fixture(scope="module")
def average(train_set):
    """A model of three machines with distorted copies."""
    return Recognizer(train_model(RECIPES["best"], train_set, limit=300))


def taken_apart(model):
    """The transformers of a model of one machine, and that machine."""
    *steps, (_, calibrated) = model.pipeline.steps
    return [step for _, step in steps], calibrated.estimator_


def pair_value(machine, features, first, second):
    """A decision value from scikit-learn's layout of coefficients, one support vector at a time."""
    starts = np.concatenate([[0], np.cumsum(machine.n_support_)])
    low, high = min(first, second), max(first, second)
    terms = {}
    for owner, row in ((low, high - 1), (high, low)):
        for place in range(starts[owner], starts[owner + 1]):
            z = machine.support_vectors_[place].astype(float)
            if machine.kernel == "rbf":
                k = np.exp(-machine.gamma_ * ((features - z) ** 2).sum())
            else:
                k = (machine.gamma_ * (features @ z) + machine.coef0) ** machine.degree
            if machine.dual_coef_[row, place]:
                terms[place] = machine.dual_coef_[row, place] * k * (1 if first == low else -1)
    constant = machine.intercept_[PAIRS.index((low, high))] * (1 if first == low else -1)
    return terms, constant


@pytest.mark.parametrize("index", [18, 61])
def test_the_decision_is_told_as_a_loop_finds_it(recognizer, explained, test_set, index):
    told = explained(index)
    steps, machine = taken_apart(recognizer.model)
    features = test_set.X[index : index + 1]
    for step in steps:
        features = step.transform(features)
    terms, constant = pair_value(
        machine, features[0].astype(float), told.read.label, told.rival.label
    )
    assert told.value == pytest.approx(sum(terms.values()) + constant, abs=1e-6)
    assert told.read.total + told.rival.total + told.intercept == pytest.approx(told.value)
    assert told.read.n + told.rival.n == len(terms)
    labels = np.repeat(machine.classes_, machine.n_support_)
    for side in (told.read, told.rival):
        own = {at: term for at, term in terms.items() if labels[at] == side.label}
        best = sorted(own, key=lambda at: -abs(own[at]))[:5]
        assert [of.index for of in side.strongest] == machine.support_[best].tolist()
        assert [of.contribution for of in side.strongest] == pytest.approx([own[at] for at in best])
        assert {of.label for of in side.strongest} == {side.label}


def test_the_answers_are_those_of_the_recognizer(recognizer, explained, test_set):
    for index in (1, 8, 18):
        told = explained(index)
        top = recognizer.classify(test_set.images[index : index + 1]).top(0, 2)
        assert [(side.label, side.confidence) for side in (told.read, told.rival)] == top


def lead(recognizer, images, label):
    """The narrowest decision value of a label against all others, of changed images."""
    steps, machine = taken_apart(recognizer.model)
    X = images.reshape(len(images), 784)
    for step in steps:
        X = step.transform(X)
    machine.decision_function_shape = "ovo"
    values = machine.decision_function(X)
    machine.decision_function_shape = "ovr"
    mine = [
        values[:, at] * (1 if pair[0] == label else -1)
        for at, pair in enumerate(PAIRS)
        if label in pair
    ]
    return np.min(mine, axis=0)


@pytest.mark.parametrize("ink", [True, False], ids=["erased ink", "inked paper"])
def test_turning_what_spoke_for_a_digit_hurts_it_more_than_what_spoke_against(
    recognizer, explained, test_set, ink
):
    changes = []
    for index in (1, 8, 18, 61, 321):
        image, told = test_set.images[index], explained(index)
        (chosen,) = np.nonzero(((image >= 128) == ink).ravel())
        order = chosen[np.argsort(told.heat.ravel()[chosen])]
        turned = np.stack([image.ravel()] * 3)
        turned[1, order[-10:]] = 0 if ink else 255
        turned[2, order[:10]] = 0 if ink else 255
        before, without_for, without_against = lead(recognizer, turned, told.read.label)
        changes.append((before - without_for, before - without_against))
    lost, lost_instead = np.transpose(changes)
    assert np.mean(lost) > 0.1
    assert np.mean(lost) > np.mean(lost_instead) + 0.2
    assert np.mean(lost > lost_instead) >= 0.75


def test_a_spot_of_ink_on_the_bluest_paper_makes_an_eight_of_the_readme_s_three(shipped):
    image = np.asarray(Image.open(DIGITS[3]).convert("L"))
    told = explain(shipped, image)
    assert (told.read.label, told.rival.label) == (3, 8)
    i, j = np.unravel_index(told.heat.argmax(), told.heat.shape)
    assert image[i, j] < 128
    spotted = image.copy()
    spotted[i - 1 : i + 2, j - 1 : j + 2] = 255
    assert shipped.classify(spotted[None]).labels.tolist() == [8]


def test_the_gradient_is_carried_back_to_the_image(small_model, test_set):
    recognizer = Recognizer(small_model)
    image = test_set.images[18]
    told = explain(recognizer, image, against=8)
    steps, machine = taken_apart(small_model)
    row = test_set.X[18:19]

    def decision(X):
        like = row
        for step in steps:
            X, like = step.transform_with_reference(X, like), step.transform(like)
        terms, constant = pair_value(machine, X[0].astype(float), 3, 8)
        return sum(terms.values()) + constant

    for at in np.flatnonzero(np.abs(told.heat.ravel()) > np.abs(told.heat).max() / 3)[:12]:
        more, less = row.astype(float), row.astype(float)
        more[0, at] += 2
        less[0, at] = max(less[0, at] - 2, 0)
        slope = (decision(more) - decision(less)) / (more - less)[0, at]
        change = (0.0 if row[0, at] >= 128 else 255.0) - row[0, at]
        assert told.heat.ravel()[at] == pytest.approx(-slope * change, rel=0.05)


def test_a_pixel_that_the_machine_never_sees_says_nothing(explained):
    # This one is slanted, so that corners of its frame are moved out of sight.
    told = explained(2)
    assert told.heat[-1, -1] == pytest.approx(0, abs=1e-9)
    assert told.heat.any()


def test_a_reading_can_be_set_against_any_digit(shipped, test_set):
    told = explain(shipped, test_set.images[4], against=9)
    assert (told.read.label, told.rival.label, told.against) == (4, 9, 9)
    assert {of.label for of in told.rival.strongest} == {9}
    other = explain(shipped, test_set.images[4], against=7)
    assert not np.allclose(told.heat, other.heat)


@pytest.mark.parametrize("against", [4, 10, -1])
def test_a_reading_cannot_be_set_against_itself_or_the_unknown(shipped, test_set, against):
    with pytest.raises(ValueError, match=f"4 was read, and cannot be set against {against}"):
        explain(shipped, test_set.images[4], against=against)


def test_of_several_machines_the_surest_speaks(average, test_set):
    told = explain(average, test_set.images[0])
    assert told.machines == 3
    values = []
    for steps, machine in svcs_with_transformers(average.model.pipeline):
        features = test_set.X[:1]
        for step in steps:
            features = step.transform(features)
        pair = told.read.label, told.rival.label
        terms, constant = pair_value(machine, features[0].astype(float), *pair)
        values.append(sum(terms.values()) + constant)
    assert told.machine == np.argmax(values) + 1
    assert told.value == pytest.approx(max(values), abs=1e-6)


def test_every_machine_comes_with_its_preparation(average, test_set):
    found = list(svcs_with_transformers(average.model.pipeline))
    assert [machine for _, machine in found] == list(fitted_svcs(average.model.pipeline))
    voting = average.model.pipeline[-1].estimator_
    confidences = []
    for steps, machine in found:
        features = test_set.X[:5]
        for step in steps:
            features = step.transform(features)
        confidences.append(machine.predict_proba(features))
    np.testing.assert_allclose(np.mean(confidences, axis=0), voting.predict_proba(test_set.X[:5]))


def test_two_classes_are_explained_too(train_set, test_set):
    from dataclasses import replace

    of_two = np.isin(train_set.labels, (3, 8))
    data = replace(train_set, images=train_set.images[of_two], labels=train_set.labels[of_two])
    recognizer = Recognizer(train_model(RECIPES["gradient"], data, limit=400))
    told = explain(recognizer, test_set.images[18])
    assert (told.read.label, told.rival.label) == (3, 8)
    assert told.value > 0


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


def test_the_page_is_explain_png_unless_told_otherwise(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("explain", DIGITS[5]).exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["explain.png"]


def test_the_page_shows_blue_and_red_where_the_map_is(run, small_model_file, tmp_path):
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


def test_explain_speaks_json_and_then_draws_nothing(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("explain", DIGITS[3], "--json")
    told = json.loads(result.stdout)
    assert list(tmp_path.iterdir()) == []
    assert (told["file"], told["digit"]) == (str(DIGITS[3]), 3)
    assert 0 < told["rival"]["confidence"] < told["confidence"] < 1
    assert np.array(told["heat_map"]["values"]).shape == (28, 28)
    assert (told["machine"], told["machines"]) == (1, 1)
    sides, decision = told["support_vectors"], told["decision"]
    assert [side["digit"] for side in sides] == [3, told["rival"]["digit"]]
    assert sum(side["contribution"] for side in sides) + decision["intercept"] == pytest.approx(
        decision["value"]
    )
    for side in sides:
        assert {of["label"] for of in side["strongest"]} == {side["digit"]}
        assert all(0 <= of["index"] < 60_000 for of in side["strongest"])


def test_a_picture_on_standard_input_is_explained(tmp_path, finish):
    out = tmp_path / "why.png"
    with DIGITS[7].open("rb") as file:
        code, stdout, _ = finish("explain", "-", "-o", out, stdin=file)
    assert code == 0
    assert stdout.startswith("-\t7\t")
    assert Image.open(out).width == WIDTH


def test_a_large_picture_fits_the_page_in_its_colours(run, small_model_file, tmp_path):
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
def test_a_bad_picture_ends_with_one_line(run, small_model_file, tmp_path, what):
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
        "text": "not a picture in a format that is read here",
        "blank": "blank picture",
        "folder": "Is a directory",
    }[what]
    assert line.startswith(f"mnist-svm: error: {picture}: {expected}")
    assert not out.exists()


def test_explain_refuses_a_file_that_is_no_model(run, tmp_path):
    result = run("explain", DIGITS[3], "-m", DIGITS[4], "-o", tmp_path / "why.png")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"mnist-svm: error: {DIGITS[4]}: not a model file")


def test_explain_finds_out_at_once_that_it_cannot_write(run, tmp_path):
    out = tmp_path / "none" / "why.png"
    result = run("explain", tmp_path / "missing.png", "-o", out)
    assert result.exit_code == 1
    assert result.stderr == f"mnist-svm: error: {out}: No such file or directory\n"


@pytest.mark.parametrize("arguments", [[], ["--against", "3"], ["--against", "x"], ["--top", "3"]])
def test_wrong_usage_of_explain_ends_with_2(run, tmp_path, arguments):
    picture = [DIGITS[3]] if arguments else []
    result = run("explain", *picture, "-o", tmp_path / "why.png", *arguments)
    assert result.exit_code == 2
    assert "Usage: mnist-svm explain" in result.stderr
    assert list(tmp_path.iterdir()) == []
