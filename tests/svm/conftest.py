"""With Numba and without."""

from __future__ import annotations

import pytest

from mnist_svm.svm._solver.compilation import is_compiler_installed


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(False, id="numpy"),
        pytest.param(
            True,
            id="numba",
            marks=pytest.mark.skipif(not is_compiler_installed(), reason="needs Numba"),
        ),
    ],
)
def use_numba(request):
    """Whether solvers use compiled loops."""
    return request.param
