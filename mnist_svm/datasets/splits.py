"""Names of the splits of a data set, as folders and files have them."""

from __future__ import annotations

from collections.abc import Mapping

# In lower case. The first split is for choosing parameters, and is left out.
SPLIT_NAMES: Mapping[str, frozenset[str]] = {
    "validation": frozenset({"val", "valid", "validation", "dev"}),
    "train": frozenset({"train", "training", "trainingset", "train_images", "training_set"}),
    "test": frozenset({"test", "testing", "testset", "test_images", "testing_set", "test_set"}),
}


def split_meant(*names: str) -> str | None:
    """Return the split that a name, or one of several words of it, means; None if none does.

    A name that has words for several splits, such as "train-val", means the first of
    "validation", "train" and "test".
    """
    words = {name.casefold() for name in names}
    return next((split for split, meant in SPLIT_NAMES.items() if words & meant), None)
