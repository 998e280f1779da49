"""Data sets of any form are read as they were meant, or refused; never otherwise."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from mnist_svm import load_dataset
from mnist_svm.exceptions import MnistSvmError
from tests.support.any_shape import write_any
from tests.support.mutation import N_EXAMPLES

# Sets that are written and read in the quick tests, and in all.
N_QUICK, N_CASES, N_RUNS = 100, 2 * N_EXAMPLES, 6

# Some are ambiguous: a table of few images without column names, with equal labels.
MAX_REFUSED = 0.04


def refused(tmp_path, test_set, seeds) -> Counter[str]:
    """Write and read a set for each seed; return the forms that were refused."""
    found: Counter[str] = Counter()
    for seed in seeds:
        rng = np.random.default_rng(seed)
        chosen = rng.integers(0, 10_000, rng.integers(1, 13))
        source, parts, form = write_any(
            rng, tmp_path / str(seed), test_set.images[chosen], test_set.labels[chosen]
        )
        for part, (images, labels) in parts.items():
            split = "train" if part == "all" else part
            try:
                dataset = load_dataset(source, split=split)
            except MnistSvmError as error:
                found[f"{form}: {error}"] += 1
                continue
            names = dataset.class_names
            found_labels = [names.get(label, label) for label in dataset.labels.tolist()]
            assert found_labels == labels.tolist(), (seed, form)
            np.testing.assert_array_equal(dataset.images, images, err_msg=f"{seed} {form}")
    return found


def test_a_data_set_of_any_form_is_read_or_refused(tmp_path, test_set):
    assert refused(tmp_path, test_set, range(N_QUICK)).total() <= 2 * MAX_REFUSED * N_QUICK


@pytest.mark.fuzz
@pytest.mark.parametrize("run", range(N_RUNS))
def test_data_sets_of_any_form_are_read_or_refused(tmp_path, test_set, run):
    n = N_CASES // N_RUNS
    seeds = range(N_QUICK + run * n, N_QUICK + (run + 1) * n)
    assert refused(tmp_path, test_set, seeds).total() <= 2 * MAX_REFUSED * n
