"""Hyperparameters of a recipe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

# Of a parameter of a pipeline: a whole number, a real one, or whether.
Value = bool | int | float


@dataclass(frozen=True)
class Parameters:
    """Hyperparameters of a kernel SVM.

    Attributes
    ----------
    kernel : ``"poly"``, ``(gamma <x, z> + coef0) ** degree``, or ``"rbf"``,
        ``exp(-gamma ||x - z||**2)``.
    C : price of a margin violation, positive.
    gamma : positive number, or ``"scale"`` or ``"auto"`` as in scikit-learn.
    degree : of the polynomial, at least 1; None for ``"rbf"``.
    coef0 : weight of the polynomial's lower-degree terms; None for ``"rbf"``.
    """

    kernel: str
    C: float
    gamma: float | str
    degree: int | None = None
    coef0: float | None = None

    def changed(self, **given: float | str | None) -> Parameters:
        """These parameters with those that are given, and not None, in their place.

        Raises
        ------
        ValueError
            If one is given that the kernel has not.
        """
        changes: dict[str, Any] = {name: x for name, x in given.items() if x is not None}
        for name in changes:
            if getattr(self, name) is None:
                msg = f"{name} has no meaning for the Gaussian kernel of this recipe"
                raise ValueError(msg)
        return replace(self, **changes)
