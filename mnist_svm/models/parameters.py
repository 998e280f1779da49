"""Hyperparameters of the SVMs of a recipe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

# Type of a pipeline parameter's value.
Value = bool | int | float | str


@dataclass(frozen=True)
class Parameters:
    """Hyperparameters of a kernel SVM, as in `mnist_svm.svm.classifier.KernelSVC`.

    Attributes
    ----------
    kernel : ``"poly"``, ``(gamma <x, z> + coef0) ** degree``, or ``"rbf"``,
        ``exp(-gamma ||x - z||**2)``
    C : penalty of a margin violation, positive
    gamma : positive number, or ``"scale"`` or ``"auto"`` as in scikit-learn
    degree : degree of the polynomial, at least 1; None for ``"rbf"``
    coef0 : constant of the polynomial kernel; None for ``"rbf"``
    """

    kernel: str
    C: float
    gamma: float | str
    degree: int | None = None
    coef0: float | None = None

    def changed(self, **values: float | str | None) -> Parameters:
        """Return a copy with other values; None keeps a value.

        Raises
        ------
        ValueError
            If the kernel does not have one of the parameters.
        """
        changes: dict[str, Any] = {name: x for name, x in values.items() if x is not None}
        for name in changes:
            if getattr(self, name) is None:
                msg = f"{name} has no meaning for the Gaussian kernel of this recipe"
                raise ValueError(msg)
        return replace(self, **changes)
