"""Search for the parameters of a network, pruned by epochs."""

from __future__ import annotations

import shlex

import pytest

from mnist_svm import RECIPES
from mnist_svm.models.recipes import Recipe
from mnist_svm.tuning.search import SearchOptions, tune
from mnist_svm.tuning.space import default_values, format_train_command
from mnist_svm.tuning.splits import make_protocol
from tests.networks.small import require_keras

require_keras()
pytest.importorskip("optuna", reason="needs the extra [tune]")

CNN: Recipe = RECIPES["cnn"]


@pytest.fixture(scope="module")
def protocol(train_set):
    return make_protocol(train_set, limit=600, epochs=3)


@pytest.fixture(scope="module")
def results():
    return []


@pytest.fixture(scope="module")
def state(train_set, protocol, results):
    options = SearchOptions(n_trials=4, storage=None)
    return tune(CNN, train_set, protocol, options, on_trial=results.append)


def test_the_stages_are_numbers_of_epochs(train_set):
    assert make_protocol(train_set, limit=600, epochs=30).stages == (3, 10, 30)
    assert make_protocol(train_set, limit=600, epochs=2).stages == (1, 2)


def test_all_images_are_used_from_the_first_stage_on(protocol):
    assert protocol.train_sizes == (500,)
    assert protocol.describe_stage(1) == "for 1 epochs"


@pytest.mark.slow
def test_the_first_trial_has_the_defaults_and_is_complete(state):
    first = state.finished[0]
    assert first.parameters == default_values(CNN)
    assert [size for size, _ in first.stages] == [1, 3]
    assert first.state == "complete"


@pytest.mark.slow
def test_trials_end_after_a_stage(state):
    for trial in state.finished:
        sizes = [size for size, _ in trial.stages]
        assert sizes == ([1, 3] if trial.state == "complete" else [1])
        assert trial.n == 100


@pytest.mark.slow
def test_a_stage_goes_on_where_the_last_one_ended(results):
    complete = [result for result in results if result.state == "complete"]
    for result in complete:
        log = result.model.pipeline[-1].fit_log_
        assert [epoch["epoch"] for epoch in log] == [1, 2, 3]


@pytest.mark.slow
def test_the_train_command_has_names_of_activations(state):
    values = {**default_values(CNN), "activation": "elu", "width": 0.5}
    command = shlex.split(format_train_command(CNN, ["mnist"], values))
    assert command[-4:] == ["--set", "width=0.5", "--set", "activation=elu"]
