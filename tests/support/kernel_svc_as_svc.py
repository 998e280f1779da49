"""A pytest plugin: `sklearn.svm.SVC` is `KernelSVC`, in all modules that are imported later.

``--outcomes FILE`` writes the outcome of each test that made one, by the test's name, as JSON.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest
import sklearn.svm

# Imported before the change: its solvers call SVC.
from mnist_svm import KernelSVC

_outcomes: dict[str, str] = {}
_users: set[str] = set()
_running = ""


def _record_users(init):
    # `wraps` keeps the signature, from which scikit-learn reads the parameters.
    @functools.wraps(init)
    def recording(self, **parameters):
        _users.add(_running)
        init(self, **parameters)

    return recording


def pytest_addoption(parser):
    parser.addoption("--outcomes", type=Path)


def pytest_configure():
    # Not on import: collecting doctests imports this module as well.
    KernelSVC.__init__ = _record_users(KernelSVC.__init__)
    sklearn.svm.SVC = KernelSVC


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    global _running
    _running = item.nodeid
    return (yield)


def pytest_runtest_logreport(report):
    if report.when == "call" or not report.passed:
        _outcomes[report.nodeid] = report.outcome


def pytest_sessionfinish(session):
    outcomes = {name: _outcomes[name] for name in _outcomes if name in _users}
    session.config.getoption("--outcomes").write_text(json.dumps(outcomes))
