"""ConvNet, the estimator: scikit-learn's contract, learning, samples, units and labels."""

from __future__ import annotations

import pickle
import random

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import log_loss
from sklearn.utils.estimator_checks import parametrize_with_checks

from mnist_svm.networks import architectures
from mnist_svm.networks.training import Training
from tests.networks.small import are_equal, held_out_rows, make_net, require_keras

require_keras()

# scikit-learn's checks that ConvNet does not pass, and why.
NOT_PASSED = {
    "check_sample_weight_equivalence_on_dense_data": (
        "expects that a sample of weight 2 is the same as two samples; those would be in two "
        "batches, in another order"
    )
}


@pytest.mark.slow
@parametrize_with_checks(
    [make_net(width=0.1, epochs=8, batch_size=16, dropout=0.0)],
    expected_failed_checks=lambda net: NOT_PASSED,
)
def test_scikit_learn_checks_pass(estimator, check, monkeypatch):
    # They check the estimator, whatever its layers, and compile the network anew for each shape.
    monkeypatch.setattr(architectures, "SMALL", architectures.SMALL[:1])
    check(estimator)


# --- learning -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_it_learns_to_read(learned, test_set):
    assert learned.score(test_set.X[:2000], test_set.labels[:2000]) > 0.9


def test_the_same_seed_gives_the_same_weights(quick, few):
    assert are_equal(make_net().fit(*few), quick)


def test_another_seed_gives_other_weights(quick, few):
    assert not are_equal(make_net(random_state=1).fit(*few), quick)


def test_a_generator_is_a_seed(few):
    one, again = (make_net(random_state=np.random.RandomState(5)).fit(*few) for _ in range(2))
    assert are_equal(one, again)


def test_a_fit_leaves_the_generators_of_the_process_alone(few):
    random.seed(3)
    np.random.seed(3)
    expected = random.random(), np.random.random()
    random.seed(3)
    np.random.seed(3)
    make_net().fit(*few)
    assert (random.random(), np.random.random()) == expected


def test_a_second_fit_is_as_the_first(quick, few):
    X, y = few
    net = make_net().fit(X, (y + 1) % 10)
    net.predict(X[:1])
    net.fit(X, y)
    assert are_equal(net, quick)
    np.testing.assert_array_equal(net.predict_proba(X), quick.predict_proba(X))


def test_each_epoch_is_yielded(few):
    epochs = list(make_net().fit_epochs(*few))
    assert [epoch.epoch for epoch in epochs] == [1, 2]
    assert all(epoch.loss > 0 and epoch.held_out_loss > 0 for epoch in epochs)


def test_a_network_predicts_between_epochs(quick, few):
    X, _ = few
    net = make_net()
    first, last = [net.predict_proba(X) for _ in net.fit_epochs(*few)]
    assert quick.fit_log_[1]["held_out_loss"] < quick.fit_log_[0]["held_out_loss"]
    assert np.abs(first - last).max() > 0.01
    np.testing.assert_array_equal(last, quick.predict_proba(X))


def test_verbose_prints_each_epoch(few, capsys):
    make_net(verbose=True).fit(*few)
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("epoch 1 of 2: loss ")
    assert second.startswith("epoch 2 of 2: loss ")


def test_a_fit_prints_nothing_otherwise(few, capsys):
    make_net().fit(*few)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


@pytest.mark.slow
def test_predictions_do_not_depend_on_their_batches(learned, test_set):
    X = test_set.X[:300]
    expected = learned.predict_proba(X)
    for sizes in ([1] * 20, [7, 16, 17, 100], [128, 129], [299, 1]):
        parts = np.split(X, np.cumsum(sizes))[: len(sizes)]
        together = np.concatenate([learned.predict_proba(part) for part in parts])
        np.testing.assert_allclose(together, expected[: len(together)], atol=1e-5)


@pytest.mark.slow
def test_the_last_hidden_layer_gives_the_probabilities(learned, test_set):
    X = test_set.X[:50]
    hidden = learned.transform(X)
    *_, kernel, bias = learned.weights_
    assert hidden.shape == (50, 64)
    assert hidden.dtype == np.float32
    logits = (hidden @ kernel + bias) / learned.temperature_
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, learned.predict_proba(X), atol=1e-5)


def test_a_pickled_network_predicts_the_same(quick, few):
    X, _ = few
    back = pickle.loads(pickle.dumps(quick))
    np.testing.assert_array_equal(back.predict_proba(X), quick.predict_proba(X))


def test_a_clone_has_the_parameters_and_is_not_fitted(quick):
    back = clone(quick)
    assert back.get_params() == quick.get_params()
    assert not hasattr(back, "weights_")


# --- distorted copies ---------------------------------------------------------------------------


class Spy:
    """Distorts nothing, and keeps what it is called with."""

    def __init__(self):
        self.calls = []

    def __call__(self, X, rng):
        self.calls.append((X.copy(), rng.randint(1 << 30)))
        return X


def test_only_samples_to_train_on_are_distorted(few):
    X, y = few
    spy = Spy()
    make_net(distort=spy).fit(X, y)
    # Eight batches of 45 in each of two epochs.
    assert sum(len(rows) for rows, _ in spy.calls) == 2 * 360
    distorted = {row.tobytes() for rows, _ in spy.calls for row in rows}
    held_out = {row.tobytes() for row in np.float32(X[held_out_rows(y)]) / np.float32(255)}
    assert len(held_out) == 40
    assert not distorted & held_out


def test_each_epoch_has_its_own_distortions(few):
    spy = Spy()
    make_net(distort=spy).fit(*few)
    assert len({number for _, number in spy.calls}) == len(spy.calls) > 1


def test_dark_ink_is_distorted_as_bright_ink(few):
    X, y = few
    bright, dark = Spy(), Spy()
    make_net(distort=bright).fit(X, y)
    make_net(distort=dark).fit(255 - X, y)
    for (one, _), (other, _) in zip(bright.calls, dark.calls, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_copies_that_are_the_images_change_nothing(quick, few):
    assert are_equal(make_net(distort=Spy()).fit(*few), quick)


def test_the_network_learns_from_the_copies(quick, few):
    assert not are_equal(make_net(distort=lambda X, rng: X[:, ::-1]).fit(*few), quick)


# --- weights of samples -------------------------------------------------------------------------


@pytest.mark.slow
def test_a_sample_of_weight_0_is_as_left_out(few):
    X, y = few
    # Which also has another unit and another class.
    more, labels = np.concatenate([X, 7 * X[:20]]), np.append(y, np.full(20, 10))
    weights = np.append(np.ones(len(X)), np.zeros(20))
    left_out = make_net().fit(X, y, np.ones(len(X)))
    net = make_net().fit(more, labels, weights)
    assert are_equal(net, left_out)
    assert net.classes_.tolist() == list(range(10))
    np.testing.assert_array_equal(net.predict_proba(X), left_out.predict_proba(X))


@pytest.mark.slow
def test_a_negative_weight_is_as_0(few):
    X, y = few
    weights = np.ones(len(X))
    weights[:40] = 0
    expected = make_net().fit(X, y, weights)
    assert are_equal(make_net().fit(X, y, np.where(weights > 0, 1, -3)), expected)


@pytest.mark.slow
def test_doubling_all_weights_changes_nothing(few):
    X, y = few
    weights = np.random.default_rng(0).uniform(0.5, 2, len(X))
    one, other = (make_net().fit(X, y, factor * weights) for factor in (1, 2))
    assert are_equal(one, other)
    assert one.temperature_ == other.temperature_
    assert one.calibration_error_ == other.calibration_error_


@pytest.mark.slow
def test_a_class_of_heavy_samples_is_predicted_more_often(quick, few):
    X, y = few
    net = make_net().fit(X, y, np.where(y == 8, 50, 1))
    assert np.mean(net.predict(X) == 8) > 2 * np.mean(quick.predict(X) == 8)


@pytest.mark.parametrize("weight", [0, -1])
def test_only_samples_of_no_weight_are_an_error(few, weight):
    X, y = few
    with pytest.raises(ValueError, match="all samples have zero or negative weights"):
        make_net().fit(X, y, np.full(len(X), weight))


# --- units, polarity and labels -----------------------------------------------------------------


def test_values_of_0_to_1_are_read_as_those_of_0_to_255(quick, few):
    X, y = few
    net = make_net().fit(X / 255, y)
    np.testing.assert_allclose(net.predict_proba(X / 255), quick.predict_proba(X), atol=1e-5)


def test_dark_ink_is_read_as_bright_ink(quick, few):
    X, y = few
    net = make_net().fit(255 - X, y)
    assert net.inverted_
    np.testing.assert_allclose(net.predict_proba(255 - X), quick.predict_proba(X), atol=0.02)


def test_negatives_are_refused(quick, few):
    X, _ = few
    with pytest.raises(ValueError, match="expected bright ink on a dark background, as in fit"):
        quick.predict(255 - X)


def test_another_unit_is_refused(quick, few):
    X, _ = few
    with pytest.raises(ValueError, match="expected X in the unit of fit"):
        quick.predict(X / 255)


@pytest.fixture(scope="module")
def of_any_polarity(few):
    return make_net(architecture="abs").fit(*few)


@pytest.mark.slow
def test_abs_reads_negatives_as_the_images(of_any_polarity, few):
    X, _ = few
    expected = of_any_polarity.predict_proba(X)
    np.testing.assert_allclose(of_any_polarity.predict_proba(255 - X), expected, atol=1e-4)
    assert np.ptp(expected, axis=0).min() > 0.01


@pytest.mark.slow
def test_abs_learns_the_same_from_negatives(of_any_polarity, few):
    X, y = few
    net = make_net(architecture="abs").fit(255 - X, y)
    expected = of_any_polarity.predict_proba(X)
    np.testing.assert_allclose(net.predict_proba(X), expected, atol=0.02)


def test_labels_may_be_text(quick, few):
    X, y = few
    names = np.array(["a", "b", "c", "d", "e", "f", "g", "h", "i", "ten"])
    net = make_net().fit(X, names[y])
    np.testing.assert_array_equal(net.classes_, names)
    np.testing.assert_array_equal(net.predict(X), names[quick.predict(X)])


def test_labels_need_not_be_indices(quick, few):
    X, y = few
    net = make_net().fit(X, 10 * y - 3)
    assert are_equal(net, quick)
    np.testing.assert_array_equal(net.predict(X), 10 * quick.predict(X) - 3)


@pytest.mark.slow
def test_two_classes_are_told_apart(digits):
    X, y = digits
    rows = np.flatnonzero(np.isin(y, [0, 1]))[:400]
    net = make_net().fit(X[rows], y[rows])
    assert net.predict_proba(X[rows]).shape == (400, 2)
    assert net.score(X[rows], y[rows]) > 0.8


def test_one_class_is_an_error(few):
    X, y = few
    with pytest.raises(ValueError, match="at least 2 classes, found 1 class"):
        make_net().fit(X, np.ones_like(y))


def test_weights_that_leave_one_class_are_an_error(few):
    X, y = few
    with pytest.raises(ValueError, match="at least 2 classes, found 1 class"):
        make_net().fit(X, y, y == 3)


def test_negative_values_are_an_error(few):
    X, y = few
    with pytest.raises(ValueError, match="Negative values in data passed to ConvNet"):
        make_net().fit(X - 1.0, y)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("architecture", "lenet"),
        ("architecture", None),
        ("activation", "gelu"),
        ("width", 0),
        ("width", 2.1),
        ("width", float("nan")),
        ("width", "1"),
        ("dropout", -0.1),
        ("dropout", 1),
        ("epochs", 0),
        ("epochs", 2.0),
        ("batch_size", 0),
        ("batch_size", 1.5),
        ("learning_rate", 0),
        ("learning_rate", float("inf")),
        ("validation_fraction", -0.1),
        ("validation_fraction", 0.6),
        ("patience", 0),
        ("patience", None),
        ("image_shape", (28, 27)),
        ("image_shape", (-28, -28)),
    ],
)
def test_an_invalid_parameter_is_named(few, name, value):
    with pytest.raises(ValueError, match=rf"^{name}\b") as caught:
        make_net(**{name: value}).fit(*few)
    assert "\n" not in str(caught.value)


# --- held-out samples ---------------------------------------------------------------------------


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.slow
def test_a_tenth_of_each_class_is_held_out(learned, digits):
    X, y = digits
    rows = held_out_rows(y)
    *_, last = learned.fit_log_
    assert learned.n_held_out_ == len(rows) == 200
    assert last["held_out_error"] == pytest.approx(1 - learned.score(X[rows], y[rows]))
    loss = log_loss(y[rows], learned.predict_proba(X[rows]))
    assert last["held_out_loss"] == pytest.approx(loss, rel=1e-3)


def test_labels_of_held_out_samples_do_not_affect_the_training(quick, few):
    X, y = few
    # In this order, a tenth of each class is held out by both labels.
    rows = held_out_rows(y)
    order = np.append(np.setdiff1d(np.arange(len(y)), rows), rows)
    X, y = X[order], y[order]
    others = y.copy()
    others[-len(rows) :] = np.random.default_rng(0).permutation(y[-len(rows) :])
    net = make_net().fit(X, others)
    assert are_equal(net, quick)
    assert net.fit_log_[1]["held_out_error"] > quick.fit_log_[1]["held_out_error"]


@pytest.mark.slow
def test_no_other_temperature_has_a_smaller_loss(learned, digits):
    X, y = digits
    rows = held_out_rows(y)
    logits = np.log(learned.predict_proba(X[rows])) * learned.temperature_
    losses = [
        log_loss(y[rows], softmax(logits / (factor * learned.temperature_)))
        for factor in (0.9, 1, 1.1)
    ]
    assert losses[1] == min(losses)
    assert learned.temperature_ != 1


@pytest.mark.slow
def test_the_calibration_error_is_that_of_15_bins(learned, digits):
    X, y = digits
    rows = held_out_rows(y)
    probabilities = learned.predict_proba(X[rows])
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == y[rows]
    bins = np.ceil(confidence * 15)
    gaps = [abs((confidence - right)[bins == number].sum()) for number in range(1, 16)]
    assert learned.calibration_error_ == pytest.approx(sum(gaps) / len(rows), abs=1e-5)
    assert learned.calibration_error_ > 0


def test_nothing_need_be_held_out(few):
    net = make_net(validation_fraction=0).fit(*few)
    assert (net.n_held_out_, net.temperature_) == (0, 1)
    assert np.isnan(net.calibration_error_)
    assert [epoch["held_out_loss"] for epoch in net.fit_log_] == [0, 0]


def test_nothing_is_held_out_if_a_class_has_too_few_samples(few):
    X, y = few
    rows = np.append(np.flatnonzero(y != 5), np.flatnonzero(y == 5)[:9])
    net = make_net().fit(X[rows], y[rows])
    assert net.n_held_out_ == 0
    assert len(net.classes_) == 10


@pytest.fixture
def losses(monkeypatch):
    """Losses on the held-out samples, in place of those that the epochs of a fit have."""
    listed = [1.0, 0.5, 0.7, 0.6]
    monkeypatch.setattr(
        Training, "_evaluate", lambda self: (1.0 + len(self.log), listed[len(self.log)], 0.1, 0.0)
    )
    return listed


def fit_and_keep(net, few):
    """The weights after each epoch but the last, and those that are kept."""
    seen = [net.weights_ for _ in net.fit_epochs(*few)]
    return seen, net.weights_


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_epochs_that_are_no_better_end_the_training(few, losses):
    losses[2:] = [0.5, 0.4]
    net = make_net(epochs=4, patience=1).fit(*few)
    assert [epoch["held_out_loss"] for epoch in net.fit_log_] == [1, 0.5, 0.5]


def test_a_training_that_ends_early_keeps_the_best_epoch(few, losses):
    net = make_net(epochs=4, patience=1)
    (_, second, third), kept = fit_and_keep(net, few)
    assert third is kept
    assert same(kept, second)


def test_a_training_that_ends_early_is_calibrated_at_its_best_epoch(few, losses):
    net = make_net(epochs=4, patience=1)
    temperatures = [net.temperature_ for _ in net.fit_epochs(*few)]
    assert temperatures == [1, 2, 2]


def test_a_training_to_its_end_keeps_the_last_epoch(few, losses):
    net = make_net(epochs=4, patience=2)
    (_, second, third, last), kept = fit_and_keep(net, few)
    assert last is kept
    assert not same(last, third)
    assert not same(last, second)


def test_without_held_out_samples_the_last_weights_are_kept(few):
    X, _ = few
    net = make_net(validation_fraction=0)
    seen = [net.predict_proba(X) for _ in net.fit_epochs(*few)]
    np.testing.assert_array_equal(net.predict_proba(X), seen[-1])
    assert np.abs(seen[0] - seen[-1]).max() > 0.01
