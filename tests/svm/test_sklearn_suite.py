"""scikit-learn's own tests of SVC, with KernelSVC in its place."""

from __future__ import annotations

import pytest

from tests.support.sklearn_suite import NOT_PASSED, reason_to_skip, run_suite


@pytest.mark.slow
def test_scikit_learn_s_tests_of_svc_pass_but_for_those_with_a_reason():
    if reason := reason_to_skip():
        pytest.skip(reason)
    outcomes = run_suite()
    # Fewer would mean that SVC was not replaced everywhere.
    assert len(outcomes) > 100
    failed = {name for name, outcome in outcomes.items() if outcome != "passed"}
    assert failed == set(NOT_PASSED)
