"""Searching for better parameters: what is tried, what is kept, and how it goes on."""

from __future__ import annotations

import json
import shlex
import signal
import sqlite3
import sys
import time
from contextlib import closing
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from click.testing import CliRunner

from mnist_svm import RECIPES, load_model, save_model
from mnist_svm.cli import cli
from mnist_svm.cli.progress import CLEAR_LINE
from mnist_svm.cli.trial_table import Teller
from mnist_svm.exceptions import TrackingError
from mnist_svm.models.pipelines import matching_names, settable_parameters
from mnist_svm.svm.coupled import CoupledSVC
from mnist_svm.svm.fitted import fitted_svcs
from mnist_svm.tuning.search import UnderWay, search_name, tune
from mnist_svm.tuning.space import SPACES, Ended, Real, Switch, divided, own_values, train_command
from mnist_svm.tuning.splits import protocol_for
from mnist_svm.tuning.study import Study, StudyError
from tests.support.command_line import seen_on_a_terminal
from tests.support.paths import DATA

POLY4 = RECIPES["poly4"]

# 250 images held out, and training sets of 250 and 1,250.
SMALL = ["--limit", 1500, "--data-dir", DATA]


def errors_of(result):
    """What stderr says beside what is being done."""
    lines = result.stderr.splitlines()
    return [line for line in lines if not line.startswith(("Reading", "Tuning"))]


@pytest.fixture(scope="module")
def small(train_set):
    return protocol_for(train_set, limit=1500)


@pytest.fixture(scope="module")
def searched(train_set, small):
    """A search of twelve trials, and what was told of each."""
    tried = []
    standing = tune(POLY4, train_set, small, trials=12, observe=tried.append)
    return standing, tried


# --- what is tried -----------------------------------------------------------------------------


def test_the_first_trial_is_the_recipe_as_it_is(searched):
    standing, _ = searched
    first = standing.ended[0]
    assert (first.number, first.state) == (0, "complete")
    assert first.parameters == {"C": 1.0, "gamma": 2e-5, "degree": 4, "coef0": 1.0}
    assert standing.default == first


def test_the_winner_is_no_worse_than_the_recipe_as_it_is(searched):
    standing, _ = searched
    best = standing.ranking[0]
    assert best.errors <= standing.default.errors
    assert best.errors == min(trial.errors for trial in standing.ranking)
    assert {trial.state for trial in standing.ranking} == {"complete"}


def test_of_equals_the_earlier_wins(searched):
    standing, _ = searched
    for one, next_ in zip(standing.ranking, standing.ranking[1:], strict=False):
        assert (one.errors, one.number) < (next_.errors, next_.number)


def test_trials_are_trained_on_more_and_more_images_or_given_up(searched):
    standing, _ = searched
    assert standing.protocol.sizes == (250, 1250)
    for trial in standing.ended:
        images = [size for size, _ in trial.stages]
        assert images == {"complete": [250, 1250], "pruned": [250]}[trial.state]
        assert trial.stages[-1][1] == 1 - trial.errors / 250
    assert {trial.state for trial in standing.ended} == {"complete", "pruned"}


def attempt(study, accuracy):
    """A trial of a made-up accuracy: its parameters, and whether it was worth going on with."""
    number, parameters = study.begin()
    promising = study.promising(number, 0, accuracy)
    state = "complete" if promising else "pruned"
    study.end(Ended(number, state, parameters, ((500, accuracy),), 100, 0, 1.0))
    return parameters, promising


def test_a_trial_that_falls_behind_the_better_half_is_given_up():
    study = Study(None, "halving", SPACES["poly4"], own_values(POLY4), 0)
    accuracies = (0.90, 0.80, 0.95, 0.91, 0.70)
    promising = [attempt(study, accuracy)[1] for accuracy in accuracies]
    assert promising == [True, False, True, True, False]
    assert [trial.state == "complete" for trial in study.ended()] == promising


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_within_its_own_search_space(name):
    recipe = RECIPES[name]
    own = own_values(recipe)
    assert list(own) == list(SPACES[name])
    for parameter, of in SPACES[name].items():
        value = own[parameter]
        if isinstance(of, Switch):
            assert isinstance(value, bool)
            continue
        assert of.low <= value <= of.high
        assert isinstance(of, Real) or (type(value) is int and (value - of.low) % of.step == 0)
    assert divided(recipe, own) == (recipe.defaults, {})
    # What several views share has one value to begin with.
    known = settable_parameters(recipe.pipeline(calibrate=False))
    for parameter in set(own) - {"C", "gamma", "degree", "coef0"}:
        assert {known[place] for place in matching_names(parameter, known)} == {own[parameter]}


def test_real_numbers_are_short_enough_to_type(searched):
    standing, _ = searched
    for trial in standing.ended:
        assert all(float(f"{x:.3g}") == x for x in trial.parameters.values())


def test_another_seed_tries_other_parameters():
    def tried(seed):
        study = Study(None, "seed", SPACES["poly4"], own_values(POLY4), seed)
        return [attempt(study, 0.9)[0] for _ in range(3)]

    one, other, again = tried(0), tried(1), tried(0)
    assert one == again
    assert one[0] == other[0] == own_values(POLY4)
    assert not [parameters for parameters in one[1:] if parameters in other]


# --- what is measured --------------------------------------------------------------------------


def test_the_last_sixth_is_held_out(train_set):
    protocol = protocol_for(train_set)
    ((known, held),) = protocol.splits
    np.testing.assert_array_equal(known, np.arange(50_000))
    np.testing.assert_array_equal(held, np.arange(50_000, 60_000))
    assert protocol.sizes == (2_000, 10_000, 50_000)


def test_folds_read_each_image_once(train_set):
    protocol = protocol_for(train_set, folds=3, limit=3001)
    read = np.concatenate([held for _, held in protocol.splits])
    assert len(np.unique(read)) == len(read) == protocol.n == 3001
    for known, held in protocol.splits:
        assert not np.intersect1d(known, held).size
    assert protocol.sizes[-1] == 2000


def test_the_errors_are_those_of_a_machine_that_has_not_seen_the_images(searched, train_set, small):
    standing, tried = searched
    ((known, held),) = small.splits
    for number in (0, standing.ranking[-1].number):
        (one,) = [trial for trial in tried if trial.number == number]
        parameters, _ = divided(POLY4, one.parameters)
        machine = POLY4.pipeline(parameters, calibrate=False)
        machine.fit(train_set.X[known], train_set.labels[known])
        wrong = machine.predict(train_set.X[held]) != train_set.labels[held]
        assert one.errors == np.count_nonzero(wrong) == one.evaluation.errors


def test_each_trial_that_was_trained_is_told_with_its_model(searched, tmp_path):
    standing, tried = searched
    assert [trial.number for trial in tried] == list(range(12))
    for trial, ended in zip(tried, standing.ended, strict=True):
        assert (trial.state, trial.parameters) == (ended.state, ended.parameters)
        metadata = trial.model.metadata
        assert metadata["training"]["images"] == trial.stages[-1][0]
        assert metadata["parameters"]["C"] == trial.parameters["C"]
    save_model(tmp_path / "tried.joblib", tried[-1].model)
    assert load_model(tmp_path / "tried.joblib").metadata == tried[-1].model.metadata


def test_folds_leave_no_one_model(train_set):
    tried = []
    protocol = protocol_for(train_set, folds=2, limit=400)
    standing = tune(POLY4, train_set, protocol, trials=1, observe=tried.append)
    assert tried[0].model is None
    assert tried[0].n == standing.ranking[0].n == 400


def test_a_trial_that_cannot_be_trained_does_not_end_the_search(train_set, monkeypatch):
    fit = CoupledSVC.fit

    def no_high_degrees(self, *args):
        if self.degree > 4:
            msg = "too steep\nat the edge"
            raise ValueError(msg)
        return fit(self, *args)

    monkeypatch.setattr(CoupledSVC, "fit", no_high_degrees)
    tried = []
    protocol = protocol_for(train_set, limit=300)
    standing = tune(POLY4, train_set, protocol, trials=8, observe=tried.append)
    failed = [trial for trial in standing.ended if trial.parameters["degree"] > 4]
    assert 0 < len(failed) < 8
    assert {(trial.state, trial.reason) for trial in failed} == {("failed", "too steep")}
    assert not {trial.number for trial in failed} & {trial.number for trial in tried}
    assert len(standing.ended) == 8


def test_searches_that_cannot_be_compared_have_names_of_their_own(train_set):
    other = replace(train_set, sha256={"train-images-idx3-ubyte": "0"})
    names = {
        search_name(recipe, data, protocol_for(data, **options))
        for recipe, data, options in [
            (POLY4, train_set, {}),
            (RECIPES["gradient"], train_set, {}),
            (POLY4, other, {}),
            (POLY4, train_set, {"limit": 6000}),
            (POLY4, train_set, {"folds": 2}),
            (POLY4, train_set, {"random_state": 1}),
        ]
    }
    assert len(names) == 6


# --- how it goes on ----------------------------------------------------------------------------


def trials_ended(database):
    """How many trials a database has that ended."""
    ended = "select count(*) from trials where state in ('COMPLETE', 'PRUNED', 'FAIL')"
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            return connection.execute(ended).fetchone()[0]
    except sqlite3.OperationalError:
        # Not there yet, or being written.
        return 0


def wait_for(process, database, ended):
    while process.poll() is None and trials_ended(database) < ended:
        time.sleep(0.01)
    assert process.poll() is None, process.communicate()


def test_a_search_that_was_killed_goes_on_as_if_it_had_not_been(searched, start, run, tmp_path):
    standing, _ = searched
    storage = ["--storage", f"sqlite:///{tmp_path / 'search.db'}"]
    process = start("tune", *SMALL, *storage, "--trials", 12)
    wait_for(process, tmp_path / "search.db", 2)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = trials_ended(tmp_path / "search.db")
    assert 2 <= before < 12
    told = json.loads(run("tune", *SMALL, *storage, "--trials", 12, "--json").stdout)
    assert [trial["number"] for trial in told["trials"]] == list(range(12))
    for trial, never_killed in zip(told["trials"], standing.ended, strict=True):
        assert trial["parameters"] == never_killed.parameters
        assert (trial["state"], trial["errors"]) == (never_killed.state, never_killed.errors)


def test_the_trial_under_way_is_taken_up_again(tmp_path):
    def study():
        return Study(f"sqlite:///{tmp_path}/s.db", "one", SPACES["best"], {"C": 3.0}, 0)

    number, parameters = study().begin()
    again = study()
    assert again.begin() == (number, parameters)
    assert again.promising(0, 0, 0.9)
    resumed = study()
    assert resumed.begin() == (number, parameters)
    assert resumed.promising(0, 0, 0.9)


def test_a_search_that_is_done_is_told_again_without_any_training(run, tmp_path, monkeypatch):
    storage = ["--storage", f"sqlite:///{tmp_path}/s.db", "--limit", 300, "--data-dir", DATA]
    first = json.loads(run("tune", *storage, "--trials", 3, "--json").stdout)
    monkeypatch.setattr(CoupledSVC, "fit", None)
    assert json.loads(run("tune", *storage, "--trials", 2, "--json").stdout) == first


def test_ctrl_c_ends_with_130_and_says_how_to_go_on(start, tmp_path):
    process = start("tune", *SMALL, "--storage", f"sqlite:///{tmp_path}/s.db")
    # That one has ended is known to who watches once another has begun.
    wait_for(process, tmp_path / "s.db", 2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    *_, interrupted, best = err.splitlines()
    assert "to go on, give the same command again" in interrupted
    assert best.startswith("Best so far: trial ")
    assert "mnist-svm train --recipe poly4" in best
    assert "Traceback" not in err


def test_the_recipe_as_it_is_is_tried_however_little_time_there_is(run, tmp_path):
    options = ["--limit", 300, "--data-dir", DATA, "--storage", f"sqlite:///{tmp_path}/s.db"]
    result = run("tune", *options, "--timeout", 1e-9, "--json")
    assert result.exit_code == 0
    (only,) = json.loads(result.stdout)["trials"]
    assert only["number"] == 0


def test_the_test_images_are_not_read(run, tmp_path):
    for name in ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"):
        (tmp_path / name).symlink_to(DATA / name)
    options = ["--limit", 300, "--trials", 1, "--storage", f"sqlite:///{tmp_path}/s.db"]
    assert run("tune", "--data-dir", tmp_path, *options).exit_code == 0


# --- what is told ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A small search on the command line, told for machines and then for people."""
    database = tmp_path_factory.mktemp("tune") / "search.db"
    arguments = ["tune", "--recipe", "gradient", "--limit", 300, "--trials", 4]
    arguments += ["--data-dir", DATA, "--storage", f"sqlite:///{database}"]
    results = [
        CliRunner().invoke(cli, [str(x) for x in [*arguments, *also]]) for also in (["--json"], [])
    ]
    assert [result.exit_code for result in results] == [0, 0]
    return results


def test_json_tells_everything(told):
    content = json.loads(told[0].stdout)
    assert (content["recipe"], content["data"]) == ("gradient", "mnist")
    assert (content["images"], content["held_out"], content["sizes"]) == (300, 50, [250])
    assert len(content["trials"]) == 4
    best = min(content["trials"], key=lambda trial: trial["errors"])
    assert content["best"] == best
    assert content["default"] == content["trials"][0]
    assert content["command"].startswith("mnist-svm train --recipe gradient")


def test_the_text_sets_the_winner_beside_the_recipe_as_it_is(told):
    content, text = json.loads(told[0].stdout), told[1].stdout
    best, default = content["best"], content["default"]
    assert f"Winner      trial {best['number']}, {1 - best['errors'] / 50:.2%}" in text
    assert f"Default     trial 0, {1 - default['errors'] / 50:.2%}" in text
    assert text.splitlines()[-1] == content["command"]
    assert ("standard error" in text) == (best != default)


def test_stderr_says_what_is_done_and_no_more(told):
    for result in told:
        assert errors_of(result) == []


@pytest.mark.parametrize("name", RECIPES)
def test_the_train_command_trains_with_the_parameters(run, tmp_path, name):
    recipe = RECIPES[name]
    study = Study(None, "drawn", SPACES[name], own_values(recipe), 0)
    attempt(study, 0.9)
    values, _ = attempt(study, 0.9)
    program, *command = shlex.split(train_command(recipe, "mnist", values))
    assert program == "mnist-svm"
    model = tmp_path / "model.joblib"
    result = run(*command, "--limit", 20, "--data-dir", DATA, "-o", model)
    assert result.exit_code == 0, result.stderr
    loaded = load_model(model)
    parameters, changes = divided(recipe, values)
    assert loaded.metadata["parameters"].get("pipeline", {}) == changes
    for machine in fitted_svcs(loaded.pipeline):
        assert (machine.C, machine.gamma) == (parameters.C, parameters.gamma)
    known = settable_parameters(loaded.pipeline)
    for parameter, value in changes.items():
        assert {known[place] for place in matching_names(parameter, known)} == {value}


def test_the_command_is_quoted_for_the_shell():
    command = train_command(POLY4, "my digits", {**own_values(POLY4), "C": 2.0}, ["--limit", "9"])
    assert command == "mnist-svm train --recipe poly4 --data 'my digits' --C 2.0 --limit 9"


# --- what goes wrong ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--trials", 0], "--trials"),
        (["--timeout", 0], "--timeout"),
        (["--timeout", "nan"], "--timeout"),
        (["--folds", 1], "--folds"),
        (["--recipe", "none"], "--recipe"),
        (["--limit", 40], "40 images of mnist are too few"),
        (["--limit", 60, "--folds", 30], "30 folds need as many images of each class"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_wrong_usage_ends_with_2(run, tmp_path, arguments, says):
    storage = tmp_path / "s.db"
    result = run("tune", "--data-dir", DATA, "--storage", f"sqlite:///{storage}", *arguments)
    assert result.exit_code == 2
    assert says in result.stderr
    assert not storage.exists()


def test_of_images_in_the_order_of_their_labels_a_sixth_of_each_class_is_held_out(train_set):
    order = np.argsort(train_set.labels, kind="stable")
    in_order = replace(train_set, images=train_set.images[order], labels=train_set.labels[order])
    ((known, held),) = protocol_for(in_order).splits
    assert sorted([*known, *held]) == list(range(60_000))
    counts = np.bincount(in_order.labels[held])
    np.testing.assert_allclose(counts, np.bincount(train_set.labels) / 6, atol=1)


def test_of_mnist_the_last_10_000_are_held_out(train_set):
    ((known, held),) = protocol_for(train_set).splits
    assert (known[-1], held[0], held[-1]) == (49_999, 50_000, 59_999)


def corrupt(path):
    path.write_bytes(b"no database at all" * 100)


def foreign(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table notes (text)")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (corrupt, "file is not a database"),
        (foreign, "a database of something else, expected one of Optuna"),
        (lambda path: path.mkdir(), "unable to open database file"),
    ],
    ids=["corrupt", "foreign", "folder"],
)
def test_a_database_that_cannot_be_used_is_one_line(run, tmp_path, spoil, says):
    path = tmp_path / "s.db"
    spoil(path)
    result = run("tune", *SMALL, "--storage", f"sqlite:///{path}")
    assert result.exit_code == 1
    assert result.stdout == ""
    (line,) = errors_of(result)
    assert line.startswith(f"mnist-svm: error: sqlite:///{path}: {says}")


def test_a_foreign_database_is_left_as_it_was(run, tmp_path):
    path = tmp_path / "s.db"
    foreign(path)
    before = path.read_bytes()
    run("tune", *SMALL, "--storage", f"sqlite:///{path}")
    assert path.read_bytes() == before


def test_a_locked_database_is_one_line(run, tmp_path):
    address = f"sqlite:///{tmp_path}/s.db?timeout=0.1"
    with closing(sqlite3.connect(tmp_path / "s.db", isolation_level=None)) as other:
        other.execute("begin exclusive")
        result = run("tune", *SMALL, "--storage", address)
    assert result.exit_code == 1
    (line,) = errors_of(result)
    assert line.endswith("database is locked")


@pytest.mark.parametrize("address", ["nonsense", "nothing://here", ""])
def test_an_address_that_is_none_is_one_line(run, address):
    result = run("tune", *SMALL, "--storage", address)
    assert result.exit_code == 1
    (line,) = errors_of(result)
    assert line.startswith(f"mnist-svm: error: {address}: ")


def test_passwords_are_not_told(run):
    result = run("tune", *SMALL, "--storage", "postgresql://me:secret@127.0.0.1:1/db")
    assert result.exit_code == 1
    assert "me:***@127.0.0.1" in errors_of(result)[0]
    assert "secret" not in result.stderr


def test_a_second_process_at_the_same_search_ends_with_one_line(tmp_path):
    def study():
        return Study(f"sqlite:///{tmp_path}/s.db", "one", SPACES["poly4"], {}, 0)

    slow, fast = study(), study()
    slow.begin()
    attempt(fast, 0.9)
    with pytest.raises(StudyError, match=r"s\.db: another process works on this search$"):
        slow.promising(0, 0, 0.9)


def test_without_optuna_the_extra_is_hinted_at_before_the_data_are_read(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    result = run("tune", "--data-dir", tmp_path)
    assert result.exit_code == 1
    (line,) = errors_of(result)
    assert line == "mnist-svm: error: tuning needs Optuna: pip install 'mnist-svm[tune]'"


def test_no_trial_that_can_be_trained_is_one_line(run, tmp_path, monkeypatch):
    def fit(*args):
        msg = "never"
        raise ValueError(msg)

    monkeypatch.setattr(CoupledSVC, "fit", fit)
    result = run("tune", *SMALL, "--trials", 2, "--storage", f"sqlite:///{tmp_path}/s.db")
    assert result.exit_code == 1
    assert result.stdout == ""
    (line,) = errors_of(result)
    assert line == "mnist-svm: error: no trial could be trained to its end; the first: never"


# --- MLflow, and a person who looks on ---------------------------------------------------------


class Tracker:
    """Stands in for MLflow's."""

    made: ClassVar[list[Tracker]] = []

    def __init__(self, uri, experiment):
        self.uri, self.experiment, self.log_of = uri, experiment, []
        self.registered = []
        self.made.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def log(self, tried):
        self.log_of.append(tried.number)

    def register(self, number):
        self.registered.append(number)
        return f"models:/digits/{number}"


@pytest.fixture
def trackers(monkeypatch):
    monkeypatch.setattr("mnist_svm.tuning.mlflow_log.Tracker", Tracker)
    monkeypatch.setattr(Tracker, "made", [])
    return Tracker.made


def test_mlflow_is_told_each_new_trial_and_registers_the_best(run, tmp_path, trackers):
    options = ["--limit", 300, "--data-dir", DATA, "--storage", f"sqlite:///{tmp_path}/s.db"]
    first = json.loads(run("tune", *options, "--trials", 2, "--mlflow", "--json").stdout)
    result = run("tune", *options, "--trials", 3, "--mlflow", "sqlite:///other.db")
    (one, other), best = trackers, first["best"]["number"]
    assert (one.uri, one.experiment) == ("sqlite:///mlflow.db", first["search"])
    assert (one.log_of, one.registered) == ([0, 1], [best])
    assert first["registered"] == f"models:/digits/{best}"
    assert (other.uri, other.log_of) == ("sqlite:///other.db", [2])
    assert f"Registered in MLflow as models:/digits/{other.registered[0]}" in result.stdout


def test_without_a_new_trial_nothing_is_registered_and_that_is_said(run, tmp_path, trackers):
    options = ["--limit", 300, "--data-dir", DATA, "--storage", f"sqlite:///{tmp_path}/s.db"]
    options += ["--trials", 1]
    run("tune", *options)
    result = run("tune", *options, "--mlflow")
    assert result.exit_code == 0
    assert errors_of(result) == ["No trial was new, so nothing is registered in MLflow"]
    assert trackers[0].registered == []


def test_what_mlflow_cannot_register_costs_no_result(run, tmp_path, trackers, monkeypatch):
    def register(self, number):
        msg = "no room"
        raise TrackingError(msg)

    monkeypatch.setattr(Tracker, "register", register)
    options = ["--limit", 300, "--data-dir", DATA, "--storage", f"sqlite:///{tmp_path}/s.db"]
    result = run("tune", *options, "--trials", 1, "--mlflow")
    assert result.exit_code == 1
    assert errors_of(result) == ["mnist-svm: error: no room"]
    assert result.stdout.splitlines()[-1].startswith("mnist-svm train --recipe poly4")


def test_a_terminal_sees_the_best_and_the_trial_at_work(searched):
    standing, _ = searched
    teller = Teller(POLY4, "mnist", 30, [])
    assert teller.live() == ""
    at_work = UnderWay(12, {**own_values(POLY4), "degree": 7}, 500)
    teller.follow(replace(standing, under_way=(at_work,)))
    head, *best, last = teller.live().splitlines()
    assert head.split() == ["trial", "accuracy", "errors", "seconds", "parameters"]
    assert [int(line.split()[0]) for line in best] == [t.number for t in standing.ranking[:5]]
    assert last == "Trial 12, 12 of 30 ended; on 500 images: degree=7"


def test_the_table_is_wiped_line_by_line_at_the_end(tmp_path):
    storage = ["--storage", f"sqlite:///{tmp_path}/s.db"]
    seen = seen_on_a_terminal("tune", *SMALL, "--trials", 2, *storage)
    *shown, end = seen.split(CLEAR_LINE)
    above = [text.count("\n") for text in shown]
    # The head, the first trial and the one at work.
    assert {n for n, text in zip(above, shown, strict=True) if "Trial 1, 1 of 2" in text} == {3}
    assert end == f"\x1b[{above[-1]}A\x1b[J"


# --- train --set -------------------------------------------------------------------------------


def test_a_parameter_is_set_wherever_it_occurs(train_set):
    pipeline = RECIPES["best"].pipeline(changes={"directions": 8, "slanted__copies": 2})
    known = settable_parameters(pipeline)
    assert {x for place, x in known.items() if place.endswith("__directions")} == {8}
    assert [x for place, x in known.items() if place.endswith("__copies")] == [8, 2, 8]


def test_a_distortion_is_set_without_changing_the_recipe():
    changed = settable_parameters(RECIPES["best"].pipeline(changes={"distort__rotation": 0.25}))
    assert {x for place, x in changed.items() if place.endswith("__rotation")} == {0.25}
    again = settable_parameters(RECIPES["best"].pipeline())
    assert {x for place, x in again.items() if place.endswith("__rotation")} == {0.1}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("gradient__direction=8", "did you mean gradients__directions"),
        ("svm__C=8", "there is no parameter 'svm__C' to set"),
        ("n_jobs=1", "there is no parameter 'n_jobs' to set"),
        ("gradients__directions=9", "directions must be a multiple of 4"),
        ("gradients__directions=8.0", "gradients__directions must be a whole number, got 8.0"),
        ("normalize__upright=1", "normalize__upright must be true or false, got 1"),
        ("normalize__extent=true", "normalize__extent must be a number, got True"),
        ("normalize__extent=nan", "extent must be above 0"),
        ("normalize__extent=wide", "'wide' is neither a number nor true or false"),
        ("normalize__extent", "'normalize__extent' is not NAME=VALUE"),
        ("=3", "'=3' is not NAME=VALUE"),
    ],
)
def test_what_cannot_be_set_is_wrong_usage(run, tmp_path, given, says):
    output = tmp_path / "m.joblib"
    result = run("train", "--recipe", "gradient", "--set", given, "-o", output)
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
def test_a_change_that_cannot_be_made_is_refused(recipe, changes, says):
    with pytest.raises(ValueError, match=says):
        RECIPES[recipe].pipeline(changes=changes)


def test_info_tells_what_was_set(run, tmp_path):
    model = tmp_path / "m.joblib"
    options = ["--recipe", "gradient", "--limit", 100, "--data-dir", DATA, "-o", model]
    result = run("train", *options, "--set", "normalize__side=28", "--set", "upright=false")
    assert result.exit_code == 0, result.stderr
    content = json.loads(run("info", model, "--json").stdout)
    assert content["parameters"]["pipeline"] == {"normalize__side": 28, "upright": False}
    normalize = load_model(model).pipeline["normalize"]
    assert (normalize.side, normalize.upright) == (28, False)
    assert "normalize" in run("info", model).stdout
