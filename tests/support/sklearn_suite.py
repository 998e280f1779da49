"""scikit-learn's own tests of SVC, with KernelSVC in its place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import sklearn

from tests.support.paths import ROOT

SKLEARN = Path(sklearn.__file__).parent
MODULES = [SKLEARN / "svm" / "tests" / name for name in ("test_svm.py", "test_sparse.py")]

# Of scikit-learn; other versions have other tests.
VERSION = "1.9"

WARNING = (
    "expects the text of SVC's warning that the fit did not converge; this one tells how far from "
    "the optimum it is"
)
SPARSE = "expects that samples to predict are not sparse if those of the fit were not; they may be"
DEPRECATED = "expects that `probability` is deprecated; it is not"

# The tests that do not pass, and why.
NOT_PASSED = {
    "test_svm.py::test_tweak_params": (
        "sets the private `_dual_coef_`; setting `dual_coef_` changes predictions"
    ),
    "test_svm.py::test_bad_input[42-lil_matrix]": SPARSE,
    "test_svm.py::test_bad_input[42-lil_array]": SPARSE,
    "test_svm.py::test_libsvm_convergence_warnings[42]": WARNING,
    "test_sparse.py::test_timeout[lil_matrix]": WARNING,
    "test_sparse.py::test_timeout[lil_array]": WARNING,
    "test_svm.py::test_unfitted": "expects the name SVC in an error; it has the name KernelSVC",
    "test_svm.py::test_gamma_scale": "reads the private `_gamma`; `gamma_` has the value",
    "test_svm.py::test_svc_raises_error_internal_representation": (
        "sets the private `_n_support`, by which libsvm would read beyond its arrays"
    ),
    "test_svm.py::test_probability_raises_futurewarning[True-KernelSVC-SVC]": DEPRECATED,
    "test_svm.py::test_probability_raises_futurewarning[False-KernelSVC-SVC]": DEPRECATED,
    "test_svm.py::test_svc_nusvc_probA_probB_deprecated[KernelSVC]": (
        "reads the deprecated `probA_` and `probB_`, sigmoids of libsvm; probabilities are "
        "calibrated by a temperature"
    ),
}


def reason_to_skip() -> str | None:
    """Why the tests cannot be run, or their outcomes not be compared with `NOT_PASSED`."""
    if not sklearn.__version__.startswith(f"{VERSION}."):
        return f"scikit-learn is {sklearn.__version__}; NOT_PASSED is about the tests of {VERSION}"
    missing = [str(path) for path in MODULES if not path.exists()]
    return f"scikit-learn was installed without {', '.join(missing)}" if missing else None


def run_suite() -> dict[str, str]:
    """Run the tests; return the outcome of each one that made a KernelSVC, such as "passed"."""
    ignored = ("PYTEST_ADDOPTS", "SKLEARN_TESTS_GLOBAL_RANDOM_SEED")
    environment = {name: value for name, value in os.environ.items() if name not in ignored}
    with tempfile.TemporaryDirectory() as folder:
        config, outcomes = Path(folder) / "pytest.ini", Path(folder) / "outcomes.json"
        config.write_text("[pytest]\n")
        # Without the settings of this repository, but with scikit-learn's conftest.py.
        result = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-q", "-p", "tests.support.kernel_svc_as_svc"),
                *("-p", "no:cacheprovider", "-c", config, "--rootdir", SKLEARN),
                *("--outcomes", outcomes, *MODULES),
            ],
            cwd=ROOT,
            env=environment | {"PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if not outcomes.exists():
            raise RuntimeError(result.stdout)
        found = json.loads(outcomes.read_text())
    return {name.rpartition("svm/tests/")[2]: outcome for name, outcome in found.items()}
