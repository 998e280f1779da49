"""Damage to files, as hypothesis draws it."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from mnist_svm.datasets.load import load_images
from mnist_svm.exceptions import DataMissingError, FormatError

# Number of damaged files in a test: hundreds for every change, thousands in `nox -s test-all`.
N_EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "300"))

fuzzed = settings(
    deadline=None,
    max_examples=N_EXAMPLES,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

# Of each mutation: where (as a part of the length), what is done there, and new bytes.
MUTATIONS = st.lists(
    st.tuples(
        st.one_of(st.floats(0, 1), st.floats(0, 0.005)),
        st.sampled_from(["replace", "insert", "delete", "cut"]),
        st.binary(min_size=1, max_size=12),
    ),
    min_size=1,
    max_size=4,
)


def mutated(content: bytes, mutations) -> bytes:
    for where, what, new in mutations:
        at = round(where * len(content))
        rest = {"replace": len(new), "insert": 0, "delete": len(new), "cut": len(content)}[what]
        middle = new if what in ("replace", "insert") else b""
        content = content[:at] + middle + content[at + rest :]
    return content


def assert_read_or_refused(path: Path) -> None:
    """Check that the images of a file are read, or refused with its name on one line."""
    refused = None
    try:
        images = load_images(path)
    except (FormatError, DataMissingError) as error:
        refused = str(error)
    if refused is None:
        assert images.shape[1:] == (28, 28)
    else:
        assert str(path) in refused
        assert "\n" not in refused
