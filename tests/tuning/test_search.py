"""Tests of the parameter search: trials, evaluation, storage, resuming, and the `tune` command."""

from __future__ import annotations

import itertools
import json
import re
import shlex
import signal
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from click.testing import CliRunner

import mnist_svm
from mnist_svm import RECIPES, Dataset, load_model, save_model
from mnist_svm.cli import cli
from mnist_svm.cli.progress import CLEAR_LINE
from mnist_svm.cli.trial_table import SearchReporter
from mnist_svm.exceptions import MissingExtraError, TrackingError
from mnist_svm.models.parameters import Parameters
from mnist_svm.models.pipelines import matching_names, settable_parameters
from mnist_svm.svm import fitting
from mnist_svm.svm._solver import libsvm, problem
from mnist_svm.svm.coupled import CoupledSVC
from mnist_svm.svm.fitted import fitted_svcs
from mnist_svm.training.train import TrainingConfig
from mnist_svm.tuning.search import SearchOptions, search_name, tune
from mnist_svm.tuning.space import (
    SPACES,
    BoolChoice,
    FloatRange,
    NameChoice,
    default_values,
    format_train_command,
    training_config,
)
from mnist_svm.tuning.splits import make_protocol
from mnist_svm.tuning.study import Study, StudyError
from mnist_svm.tuning.trials import RunningTrial, Trial
from tests.networks.small import require_keras
from tests.support.command_line import seen_on_a_terminal
from tests.support.paths import DATA
from tests.support.serving import eventually

POLY4 = RECIPES["poly4"]

# 250 images held out, and training sets of 250 and 1,250.
SMALL = ["--limit", 1500, "--data-dir", DATA]


def messages(result):
    """Lines of stderr, except those that name the current step."""
    lines = result.stderr.splitlines()
    return [line for line in lines if not line.startswith(("Reading", "Tuning"))]


@pytest.fixture(scope="module")
def protocol(train_set):
    return make_protocol(train_set, limit=1500)


@pytest.fixture(scope="module")
def several(train_set):
    """600 digits, and 300 others sorted by label, with weight 2."""
    order = 600 + np.argsort(train_set.labels[600:900], kind="stable")
    one, other = (
        replace(train_set, name=name, images=train_set.images[rows], labels=train_set.labels[rows])
        for name, rows in (("mnist", np.arange(600)), ("sorted", order))
    )
    return Dataset.concatenate([one, other], [1, 2])


@pytest.fixture(scope="module")
def search(train_set, protocol):
    """The state of a finished search of twelve trials, and their results."""
    results = []
    state = tune(POLY4, train_set, protocol, SearchOptions(n_trials=12), on_trial=results.append)
    return state, results


# --- trials ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_first_trial_has_the_default_parameters(search):
    state, _ = search
    first = state.finished[0]
    assert (first.number, first.state) == (0, "complete")
    assert first.parameters == {"C": 1.0, "gamma": 2e-5, "degree": 4, "coef0": 1.0}
    assert state.default == first


def test_the_best_trial_is_no_worse_than_the_defaults(search):
    state, _ = search
    best = state.ranking[0]
    assert best.errors <= state.default.errors
    assert best.errors == min(trial.errors for trial in state.ranking)
    assert {trial.state for trial in state.ranking} == {"complete"}


def test_ties_are_ranked_by_number(search):
    state, _ = search
    for trial, following in zip(state.ranking, state.ranking[1:], strict=False):
        assert (trial.errors, trial.number) < (following.errors, following.number)


def test_each_stage_has_more_images_and_some_trials_are_pruned(search):
    state, _ = search
    assert state.protocol.train_sizes == (250, 1250)
    for trial in state.finished:
        images = [size for size, _ in trial.stages]
        assert images == {"complete": [250, 1250], "pruned": [250]}[trial.state]
        assert trial.stages[-1][1] == 1 - trial.errors / 250
    assert {trial.state for trial in state.finished} == {"complete", "pruned"}


def run_trial(study, accuracy):
    """Run a trial with a made-up accuracy; return its parameters and whether it was pruned."""
    number, parameters = study.start_trial()
    pruned = study.should_prune(number, 0, accuracy)
    state = "pruned" if pruned else "complete"
    study.finish(Trial(number, state, parameters, ((500, accuracy),), 100, 0, 1.0))
    return parameters, pruned


def test_a_trial_that_falls_behind_the_better_half_is_pruned():
    study = Study(None, "halving", SPACES["poly4"], default_values(POLY4), 0)
    accuracies = (0.90, 0.80, 0.95, 0.91, 0.70)
    pruned = [run_trial(study, accuracy)[1] for accuracy in accuracies]
    assert pruned == [False, True, False, False, True]
    assert [trial.state == "pruned" for trial in study.finished_trials()] == pruned


@pytest.mark.parametrize("name", SPACES)
def test_the_defaults_are_within_the_search_space(name):
    recipe = RECIPES[name]
    defaults = default_values(recipe)
    assert list(defaults) == list(SPACES[name])
    for parameter, values in SPACES[name].items():
        value = defaults[parameter]
        if isinstance(values, BoolChoice):
            assert isinstance(value, bool)
            continue
        if isinstance(values, NameChoice):
            assert value in values.names
            continue
        assert values.low <= value <= values.high
        if not isinstance(values, FloatRange):
            assert type(value) is int
            assert (value - values.low) % values.step == 0
    assert training_config(recipe, defaults) == TrainingConfig(recipe, recipe.defaults)
    # A parameter that several views share has the same default in each.
    parameters = settable_parameters(recipe.pipeline(calibrate=False))
    for parameter in set(defaults) - {"C", "gamma", "degree", "coef0"}:
        assert {parameters[name] for name in matching_names(parameter, parameters)} == {
            defaults[parameter]
        }


def test_float_parameters_have_three_significant_digits(search):
    state, _ = search
    for trial in state.finished:
        assert all(float(f"{x:.3g}") == x for x in trial.parameters.values())


def test_another_seed_gives_other_parameters():
    def parameters_of(seed):
        study = Study(None, "seed", SPACES["poly4"], default_values(POLY4), seed)
        return [run_trial(study, 0.9)[0] for _ in range(3)]

    first, other, again = parameters_of(0), parameters_of(1), parameters_of(0)
    assert first == again
    assert first[0] == other[0] == default_values(POLY4)
    assert not [parameters for parameters in first[1:] if parameters in other]


# --- evaluation --------------------------------------------------------------------------------


def test_the_last_sixth_is_held_out(train_set):
    protocol = make_protocol(train_set)
    ((training, held_out),) = protocol.splits
    np.testing.assert_array_equal(training, np.arange(50_000))
    np.testing.assert_array_equal(held_out, np.arange(50_000, 60_000))
    assert protocol.train_sizes == (2_000, 10_000, 50_000)


def test_folds_hold_out_each_image_once(train_set):
    protocol = make_protocol(train_set, folds=3, limit=3001)
    held_out = np.concatenate([held_out for _, held_out in protocol.splits])
    assert len(np.unique(held_out)) == len(held_out) == protocol.n == 3001
    for training, held_out in protocol.splits:
        assert not np.intersect1d(training, held_out).size
    assert protocol.train_sizes[-1] == 2000


def test_the_errors_are_those_of_a_model_trained_on_the_other_images(search, train_set, protocol):
    state, results = search
    ((training, held_out),) = protocol.splits
    for number in (0, state.ranking[-1].number):
        (result,) = [result for result in results if result.number == number]
        model = POLY4.pipeline(Parameters("poly", **result.parameters), calibrate=False)
        model.fit(train_set.X[training], train_set.labels[training])
        wrong = model.predict(train_set.X[held_out]) != train_set.labels[held_out]
        assert result.errors == np.count_nonzero(wrong) == result.evaluation.errors


def test_each_trained_trial_is_reported_with_its_model(search, tmp_path):
    state, results = search
    assert [result.number for result in results] == list(range(12))
    for result, trial in zip(results, state.finished, strict=True):
        assert (result.state, result.parameters) == (trial.state, trial.parameters)
        info = result.model.info
        assert info.training.n_images == result.stages[-1][0]
        assert result.parameters["C"] == info.parameters.C
    save_model(tmp_path / "trial.joblib", results[-1].model)
    assert load_model(tmp_path / "trial.joblib").info == results[-1].model.info


def test_with_folds_a_result_has_no_model(train_set):
    results = []
    protocol = make_protocol(train_set, folds=2, limit=400)
    state = tune(POLY4, train_set, protocol, SearchOptions(1), on_trial=results.append)
    assert results[0].model is None
    assert results[0].n == state.ranking[0].n == 400


def test_a_failed_trial_does_not_end_the_search(train_set, monkeypatch):
    fit = CoupledSVC.fit

    def reject_high_degrees(self, *args):
        if self.degree > 4:
            msg = "too steep\nat the edge"
            raise ValueError(msg)
        return fit(self, *args)

    monkeypatch.setattr(CoupledSVC, "fit", reject_high_degrees)
    results = []
    protocol = make_protocol(train_set, limit=300)
    state = tune(POLY4, train_set, protocol, SearchOptions(8), on_trial=results.append)
    failed = [trial for trial in state.finished if trial.parameters["degree"] > 4]
    assert 0 < len(failed) < 8
    assert {(trial.state, trial.reason) for trial in failed} == {("failed", "too steep")}
    assert not {trial.number for trial in failed} & {result.number for result in results}
    assert len(state.finished) == 8


def overflowing(points):
    """A Gram matrix whose computation overflows on the way."""
    np.exp(np.full(2, 1e3))
    return points.astype(float) @ points.T


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"MAX_ITER": 1, "MAX_ITER_PER_SAMPLE": 0, "TIGHT_MAX_ITER": 1},
            "pairs did not converge",
        ),
        ({"fit_libsvm": lambda data, *args: overflowing(data)}, "overflow"),
    ],
)
@pytest.mark.parametrize("recipe", ["poly4", "virtual"])
def test_a_trial_whose_fit_stops_early_or_overflows_fails(
    train_set, monkeypatch, recipe, changes, reason
):
    for name, value in changes.items():
        for module in (libsvm, problem, fitting):
            monkeypatch.setattr(module, name, value, raising=False)
    protocol = make_protocol(train_set, limit=300)
    (trial,) = tune(RECIPES[recipe], train_set, protocol, SearchOptions(1, n_jobs=2)).finished
    assert trial.state == "failed"
    assert reason in trial.reason


def test_incomparable_searches_have_different_names(train_set):
    other = replace(train_set, sha256={"train-images-idx3-ubyte": "0"})
    names = {
        search_name(recipe, data, make_protocol(data, **options))
        for recipe, data, options in [
            (POLY4, train_set, {}),
            (RECIPES["gradient"], train_set, {}),
            (POLY4, other, {}),
            (POLY4, train_set, {"limit": 6000}),
            (POLY4, train_set, {"folds": 2}),
            (POLY4, train_set, {"random_state": 1}),
            (POLY4, Dataset.concatenate([train_set], [2]), {}),
            (POLY4, Dataset.concatenate([train_set], [3]), {}),
        ]
    }
    assert len(names) == 8


# --- storage, resuming -------------------------------------------------------------------------


def n_finished(database):
    """Number of finished trials in a database."""
    query = "select count(*) from trials where state in ('COMPLETE', 'PRUNED', 'FAIL')"
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            return connection.execute(query).fetchone()[0]
    except sqlite3.OperationalError:
        # The database does not exist yet, or is being written.
        return 0


def wait_for_trials(process, database, n):
    eventually(lambda: process.poll() is not None or n_finished(database) >= n)
    assert process.poll() is None, process.communicate()


@pytest.mark.slow
def test_a_killed_search_resumes_with_the_same_trials(search, start, run, tmp_path):
    state, _ = search
    storage = ["--storage", f"sqlite:///{tmp_path / 'search.db'}"]
    process = start("tune", *SMALL, *storage, "--trials", 12)
    wait_for_trials(process, tmp_path / "search.db", 2)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert 2 <= n_finished(tmp_path / "search.db") < 12
    output = json.loads(run("tune", *SMALL, *storage, "--trials", 12, "--json").stdout)
    assert [trial["number"] for trial in output["trials"]] == list(range(12))
    for trial, uninterrupted in zip(output["trials"], state.finished, strict=True):
        assert trial["parameters"] == uninterrupted.parameters
        assert (trial["state"], trial["errors"]) == (uninterrupted.state, uninterrupted.errors)


def test_an_unfinished_trial_is_restarted(tmp_path):
    def open_study():
        return Study(f"sqlite:///{tmp_path}/s.db", "name", SPACES["best"], {"C": 3.0}, 0)

    number, parameters = open_study().start_trial()
    for _ in range(2):
        study = open_study()
        assert study.start_trial() == (number, parameters)
        assert not study.should_prune(0, 0, 0.9)


# After ten trials, parameters are no more drawn at random.
@pytest.mark.parametrize(
    ("number", "n_stored"), [*((number, n) for number in (0, 1) for n in range(4)), (12, 2)]
)
def test_a_trial_killed_between_its_parameters_is_the_same_after_a_restart(
    tmp_path, monkeypatch, number, n_stored
):
    def open_study(name):
        study = Study(f"sqlite:///{tmp_path}/{name}.db", "name", SPACES["poly4"], {"C": 3.0}, 0)
        for i in range(len(study.finished_trials()), number):
            study.start_trial()
            study.finish(Trial(i, "complete", {}, ((100, 0.9),), 100, 10, 1.0, None))
        return study

    class KilledError(Exception):
        pass

    suggest, n_calls = Study._suggest, itertools.count()

    def suggest_and_die(*args):
        if next(n_calls) == n_stored:
            raise KilledError
        return suggest(*args)

    killed = open_study("killed")
    monkeypatch.setattr(Study, "_suggest", suggest_and_die)
    with pytest.raises(KilledError):
        killed.start_trial()
    monkeypatch.undo()
    assert open_study("killed").start_trial() == open_study("whole").start_trial()


def test_a_finished_search_is_shown_again_without_training(run, tmp_path, monkeypatch):
    storage = ["--storage", f"sqlite:///{tmp_path}/s.db", "--limit", 300, "--data-dir", DATA]
    first = json.loads(run("tune", *storage, "--trials", 3, "--json").stdout)
    monkeypatch.setattr(CoupledSVC, "fit", None)
    assert json.loads(run("tune", *storage, "--trials", 2, "--json").stdout) == first


@pytest.mark.slow
def test_ctrl_c_exits_with_130_and_says_how_to_resume(start, tmp_path):
    process = start("tune", *SMALL, "--storage", f"sqlite:///{tmp_path}/s.db")
    # The first trial is reported before the second one starts.
    wait_for_trials(process, tmp_path / "s.db", 2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    *_, interrupted, best = err.splitlines()
    assert "to resume, run the same command again" in interrupted
    assert best.startswith("Best so far: trial ")
    assert "mnist-svm train --recipe poly4" in best
    assert "Traceback" not in err


def test_the_first_trial_runs_however_short_the_timeout(run, tmp_path):
    options = ["--limit", 300, "--data-dir", DATA, "--storage", f"sqlite:///{tmp_path}/s.db"]
    result = run("tune", *options, "--timeout", 1e-9, "--json")
    assert result.exit_code == 0
    (only,) = json.loads(result.stdout)["trials"]
    assert only["number"] == 0


def test_the_test_images_are_not_needed(run, tmp_path):
    for name in ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"):
        (tmp_path / name).symlink_to(DATA / name)
    options = ["--limit", 300, "--trials", 1, "--storage", f"sqlite:///{tmp_path}/s.db"]
    assert run("tune", "--data-dir", tmp_path, *options).exit_code == 0


# --- output ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """A small search on the command line: its result with --json, then its result as text."""
    database = tmp_path_factory.mktemp("tune") / "search.db"
    arguments = ["tune", "--recipe", "gradient", "--limit", 300, "--trials", 4]
    arguments += ["--data-dir", DATA, "--storage", f"sqlite:///{database}"]
    results = [
        CliRunner().invoke(cli, [str(x) for x in [*arguments, *also]]) for also in (["--json"], [])
    ]
    assert [result.exit_code for result in results] == [0, 0]
    return results


def test_json_has_the_best_trial_and_all_others(outputs):
    content = json.loads(outputs[0].stdout)
    assert (content["recipe"], content["data"]) == ("gradient", "mnist")
    assert (content["images"], content["held_out"], content["sizes"]) == (300, 50, [250])
    assert len(content["trials"]) == 4
    best = min(content["trials"], key=lambda trial: trial["errors"])
    assert content["best"] == best
    assert content["default"] == content["trials"][0]
    assert content["command"].startswith("mnist-svm train --recipe gradient")


def test_the_text_compares_the_best_trial_with_the_defaults(outputs):
    content, text = json.loads(outputs[0].stdout), outputs[1].stdout
    best, default = content["best"], content["default"]
    assert f"Best        trial {best['number']}, {1 - best['errors'] / 50:.2%}" in text
    assert f"Default     trial 0, {1 - default['errors'] / 50:.2%}" in text
    assert text.splitlines()[-1] == content["command"]
    assert ("standard error" in text) == (best != default)


def test_stderr_has_no_unexpected_lines(outputs):
    for result in outputs:
        assert messages(result) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES)
def test_the_train_command_trains_with_the_parameters(run, tmp_path, name):
    recipe = RECIPES[name]
    study = Study(None, "name", SPACES[name], default_values(recipe), 0)
    run_trial(study, 0.9)
    values, _ = run_trial(study, 0.9)
    program, *command = shlex.split(format_train_command(recipe, ["mnist"], values))
    assert program == "mnist-svm"
    model = tmp_path / "model.joblib"
    if "cnn" in name:
        require_keras()
        command += ["--epochs", "1"]
    result = run(*command, "--limit", 20, "--data-dir", DATA, "-o", model)
    assert result.exit_code == 0, result.stderr
    loaded = load_model(model)
    config = training_config(recipe, values)
    assert {**loaded.info.changes, **config.changes} == loaded.info.changes
    for svc in fitted_svcs(loaded.pipeline):
        assert (svc.C, svc.gamma) == (config.parameters.C, config.parameters.gamma)
    parameters = settable_parameters(loaded.pipeline)
    for parameter, value in config.changes.items():
        assert {parameters[name] for name in matching_names(parameter, parameters)} == {value}


def test_the_command_is_quoted_for_the_shell():
    command = format_train_command(
        POLY4, ["my digits"], {**default_values(POLY4), "C": 2.0}, ["--limit", "9"]
    )
    assert command == "mnist-svm train --recipe poly4 --data 'my digits' --C 2.0 --limit 9"


def test_the_command_names_each_data_set_with_its_weight():
    command = format_train_command(POLY4, ["mnist", "mine/:5"], default_values(POLY4))
    assert command == "mnist-svm train --recipe poly4 --data mnist --data mine/:5"


# --- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--trials", 0], "--trials"),
        (["--timeout", 0], "--timeout"),
        (["--timeout", "nan"], "--timeout"),
        (["--folds", 1], "--folds"),
        (["--recipe", "none"], "--recipe"),
        (["--limit", 40], "40 images of mnist are too few"),
        (
            ["--limit", 60, "--folds", 30],
            "30 folds need at least 30 images of each class, the smallest class has",
        ),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_wrong_usage_exits_with_2(run, tmp_path, arguments, says):
    storage = tmp_path / "s.db"
    result = run("tune", "--data-dir", DATA, "--storage", f"sqlite:///{storage}", *arguments)
    assert result.exit_code == 2
    assert says in result.stderr
    assert not storage.exists()


def test_of_images_sorted_by_label_a_sixth_of_each_class_is_held_out(train_set):
    order = np.argsort(train_set.labels, kind="stable")
    in_order = replace(train_set, images=train_set.images[order], labels=train_set.labels[order])
    ((training, held_out),) = make_protocol(in_order).splits
    assert sorted([*training, *held_out]) == list(range(60_000))
    counts = np.bincount(in_order.labels[held_out])
    np.testing.assert_allclose(counts, np.bincount(train_set.labels) / 6, atol=1)


@pytest.mark.parametrize("folds", [None, 4])
def test_each_of_several_data_sets_is_split_by_itself(several, folds):
    protocol = make_protocol(several, folds=folds)
    n_held_out = 6 if folds is None else folds
    for training, held_out in protocol.splits:
        assert sorted([*training, *held_out]) == list(range(len(several.labels)))
        for number, part in enumerate(several.parts):
            inside = several.part_indices[held_out] == number
            assert abs(inside.sum() - part.n_images / n_held_out) <= 1
    if folds is None:
        # The first set is in no order, so that the last sixth is held out.
        ((_, held_out),) = protocol.splits
        assert held_out[:100].tolist() == list(range(500, 600))


def test_a_search_on_several_data_sets_repeats_their_weights(several):
    protocol, results = make_protocol(several), []
    tune(POLY4, several, protocol, SearchOptions(1), on_trial=results.append)
    (result,) = results
    assert result.command == "mnist-svm train --recipe poly4 --data mnist --data sorted:2"
    assert [(each.name, each.weight) for each in result.model.info.training.sets] == [
        ("mnist", 1),
        ("sorted", 2),
    ]


def corrupt(path):
    path.write_bytes(b"no database at all" * 100)


def foreign(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table notes (text)")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (corrupt, "file is not a database"),
        (foreign, "the database belongs to another application"),
        (lambda path: path.mkdir(), "unable to open database file"),
    ],
    ids=["corrupt", "foreign", "folder"],
)
def test_an_unusable_database_is_a_one_line_error(run, tmp_path, spoil, says):
    path = tmp_path / "s.db"
    spoil(path)
    result = run("tune", *SMALL, "--storage", f"sqlite:///{path}")
    assert result.exit_code == 1
    assert result.stdout == ""
    (line,) = messages(result)
    assert line.startswith(f"mnist-svm: error: sqlite:///{path}: {says}")


def test_a_foreign_database_is_left_as_it_was(run, tmp_path):
    path = tmp_path / "s.db"
    foreign(path)
    before = path.read_bytes()
    run("tune", *SMALL, "--storage", f"sqlite:///{path}")
    assert path.read_bytes() == before


def test_a_locked_database_is_a_one_line_error(run, tmp_path):
    address = f"sqlite:///{tmp_path}/s.db?timeout=0.1"
    with closing(sqlite3.connect(tmp_path / "s.db", isolation_level=None)) as other:
        other.execute("begin exclusive")
        result = run("tune", *SMALL, "--storage", address)
    assert result.exit_code == 1
    (line,) = messages(result)
    assert line.endswith("database is locked")


@pytest.mark.parametrize("url", ["nonsense", "nothing://here", ""])
def test_an_invalid_url_is_a_one_line_error(run, url):
    result = run("tune", *SMALL, "--storage", url)
    assert result.exit_code == 1
    (line,) = messages(result)
    assert line.startswith(f"mnist-svm: error: {url}: ")


def test_passwords_are_hidden(run):
    result = run("tune", *SMALL, "--storage", "postgresql://me:secret@127.0.0.1:1/db")
    assert result.exit_code == 1
    assert "me:***@127.0.0.1" in messages(result)[0]
    assert "secret" not in result.stderr


def test_a_trial_finished_by_another_process_is_an_error(tmp_path):
    slow, fast = (
        Study(f"sqlite:///{tmp_path}/s.db", "name", SPACES["poly4"], {}, 0) for _ in range(2)
    )
    slow.start_trial()
    run_trial(fast, 0.9)
    with pytest.raises(StudyError, match=r"s\.db: another process works on this search$"):
        slow.should_prune(0, 0, 0.9)


def test_without_optuna_the_error_names_the_extra_before_the_data_are_read(
    run, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "optuna", None)
    result = run("tune", "--data-dir", tmp_path)
    assert result.exit_code == 1
    (line,) = messages(result)
    assert line == "mnist-svm: error: tuning needs Optuna: pip install 'mnist-svm[tune]'"


def test_without_optuna_the_public_function_names_the_extra(train_set, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"^tuning needs Optuna: pip install .*\[tune\]'$"):
        mnist_svm.tune(RECIPES["poly4"], train_set)


def test_without_a_protocol_the_last_sixth_is_held_out(train_set):
    small = replace(train_set, images=train_set.images[:300], labels=train_set.labels[:300])
    state = mnist_svm.tune(RECIPES["poly4"], small, options=SearchOptions(n_trials=1))
    ((_, held_out),) = state.protocol.splits
    assert held_out.tolist() == list(range(250, 300))


def test_a_search_without_a_complete_trial_is_a_one_line_error(run, tmp_path, monkeypatch):
    def fit(*args):
        msg = "never"
        raise ValueError(msg)

    monkeypatch.setattr(CoupledSVC, "fit", fit)
    result = run("tune", *SMALL, "--trials", 2, "--storage", f"sqlite:///{tmp_path}/s.db")
    assert result.exit_code == 1
    assert result.stdout == ""
    (line,) = messages(result)
    assert line == "mnist-svm: error: no trial was completed; trial 0 failed: never"


# --- MLflow and the live table -----------------------------------------------------------------


class FakeTracker:
    """Records its calls in place of `MLflowTracker`."""

    instances: ClassVar[list[FakeTracker]] = []

    def __init__(self, uri, experiment):
        self.uri, self.experiment, self.logged, self.registered = uri, experiment, [], []
        self.instances.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    @property
    def n_logged(self):
        return len(self.logged)

    def log(self, result):
        self.logged.append(result.number)

    def register(self, number):
        self.registered.append(number)
        return f"models:/digits/{number}"


@pytest.fixture
def trackers(monkeypatch):
    monkeypatch.setattr("mnist_svm.tuning.mlflow_log.MLflowTracker", FakeTracker)
    monkeypatch.setattr(FakeTracker, "instances", [])
    return FakeTracker.instances


def test_new_trials_are_logged_to_mlflow_and_the_best_is_registered(run, tmp_path, trackers):
    options = ["--limit", 300, "--data-dir", DATA, "--storage", f"sqlite:///{tmp_path}/s.db"]
    output = json.loads(run("tune", *options, "--trials", 2, "--mlflow", "--json").stdout)
    result = run("tune", *options, "--trials", 3, "--mlflow", "sqlite:///other.db")
    (first, second), best = trackers, output["best"]["number"]
    assert (first.uri, first.experiment) == ("sqlite:///mlflow.db", output["search"])
    assert (first.logged, first.registered) == ([0, 1], [best])
    assert output["registered"] == f"models:/digits/{best}"
    assert (second.uri, second.logged) == ("sqlite:///other.db", [2])
    assert f"Registered in MLflow as models:/digits/{second.registered[0]}" in result.stdout


def test_without_a_new_trial_no_model_is_registered(run, tmp_path, trackers):
    options = ["--limit", 300, "--data-dir", DATA, "--storage", f"sqlite:///{tmp_path}/s.db"]
    options += ["--trials", 1]
    run("tune", *options)
    result = run("tune", *options, "--mlflow")
    assert result.exit_code == 0
    (line,) = messages(result)
    assert line == "No trial was trained in this run, so no model is registered in MLflow"
    assert trackers[0].registered == []


def test_a_failed_registration_still_prints_the_result(run, tmp_path, trackers, monkeypatch):
    def register(self, number):
        msg = "disk full"
        raise TrackingError(msg)

    monkeypatch.setattr(FakeTracker, "register", register)
    options = ["--limit", 300, "--data-dir", DATA, "--storage", f"sqlite:///{tmp_path}/s.db"]
    result = run("tune", *options, "--trials", 1, "--mlflow")
    assert result.exit_code == 1
    assert messages(result) == ["mnist-svm: error: disk full"]
    assert result.stdout.splitlines()[-1].startswith("mnist-svm train --recipe poly4")


def test_the_live_table_has_the_best_and_the_running_trials(search, train_set):
    state, _ = search
    reporter = SearchReporter(POLY4, train_set, SearchOptions())
    assert reporter.live_table() == ""
    running = RunningTrial(12, {**default_values(POLY4), "degree": 7}, "on 500 images")
    reporter.update(replace(state, running=(running,)))
    head, *best, last = reporter.live_table().splitlines()
    assert head.split() == ["trial", "accuracy", "errors", "seconds", "parameters"]
    assert [int(line.split()[0]) for line in best] == [t.number for t in state.ranking[:5]]
    assert last == "Trial 12 on 500 images, 12 of 30 finished: degree=7"


@pytest.mark.slow
def test_the_live_table_is_cleared_line_by_line(tmp_path):
    storage = ["--storage", f"sqlite:///{tmp_path}/s.db"]
    # Trials that take longer than the table stays as it is.
    images = ["--limit", 6000, "--data-dir", DATA]
    screen = seen_on_a_terminal("tune", *images, "--trials", 6, *storage)
    *updates, end = screen.split(CLEAR_LINE)
    heights = [text.count("\n") for text in updates]
    tables = [text for text in updates if re.search("[1-5] of 6 finished", text)]
    assert tables
    for text in tables:
        # The head, the best trials and the running one.
        trials = re.findall(r"^ +\d+ +[\d.]+%", text, re.MULTILINE)
        assert trials
        assert text.count("\n") == len(trials) + 2
    assert end == f"\x1b[{heights[-1]}A\x1b[J"


# --- train --set -------------------------------------------------------------------------------


def test_a_parameter_is_set_wherever_it_occurs():
    pipeline = RECIPES["best"].pipeline(changes={"directions": 8, "slanted__copies": 2})
    parameters = settable_parameters(pipeline)
    assert {x for name, x in parameters.items() if name.endswith("__directions")} == {8}
    assert [x for name, x in parameters.items() if name.endswith("__copies")] == [8, 2, 8]


def test_setting_a_distortion_does_not_change_the_recipe():
    changed = settable_parameters(RECIPES["best"].pipeline(changes={"distort__rotation": 0.25}))
    assert {x for name, x in changed.items() if name.endswith("__rotation")} == {0.25}
    again = settable_parameters(RECIPES["best"].pipeline())
    assert {x for name, x in again.items() if name.endswith("__rotation")} == {0.1}


@pytest.mark.parametrize(
    ("assignment", "says"),
    [
        ("gradient__direction=8", "did you mean gradients__directions"),
        ("svm__C=8", "there is no parameter 'svm__C' to set"),
        ("n_jobs=1", "there is no parameter 'n_jobs' to set"),
        ("gradients__directions=9", "directions must be a multiple of 4"),
        ("gradients__directions=8.0", "gradients__directions must be a whole number, got 8.0"),
        ("normalize__upright=1", "normalize__upright must be true or false, got 1"),
        ("normalize__extent=true", "normalize__extent must be a number, got True"),
        ("normalize__extent=nan", "extent must be above 0"),
        ("normalize__extent=wide", "normalize__extent must be a number, got 'wide'"),
        ("normalize__extent", "'normalize__extent' is not NAME=VALUE"),
        ("=3", "'=3' is not NAME=VALUE"),
    ],
)
def test_an_invalid_parameter_is_a_usage_error(run, tmp_path, assignment, says):
    output = tmp_path / "m.joblib"
    result = run("train", "--recipe", "gradient", "--set", assignment, "-o", output)
    assert result.exit_code == 2
    assert says in " ".join(result.stderr.split())
    assert "Reading" not in result.stderr


@pytest.mark.parametrize(
    ("recipe", "changes", "says"),
    [
        ("poly4", {"prepare__sigma": 1.0}, "this recipe has kernel parameters only"),
        ("best", {"copies": 0}, "copies must be at least 1, got 0"),
        ("best", {"distort__stretch": -1}, "stretch must be a finite number of at least 0"),
    ],
)
def test_an_invalid_change_is_rejected(recipe, changes, says):
    with pytest.raises(ValueError, match=says):
        RECIPES[recipe].pipeline(changes=changes)


def test_info_shows_the_parameters_that_were_set(run, tmp_path):
    model = tmp_path / "m.joblib"
    options = ["--recipe", "gradient", "--limit", 100, "--data-dir", DATA, "-o", model]
    result = run("train", *options, "--set", "normalize__side=28", "--set", "upright=false")
    assert result.exit_code == 0, result.stderr
    content = json.loads(run("info", model, "--json").stdout)
    assert content["changes"] == {"normalize__side": 28, "upright": False}
    normalize = load_model(model).pipeline["features"]["strokes"]["normalize"]
    assert (normalize.side, normalize.upright) == (28, False)
    assert "normalize" in run("info", model).stdout
