"""Compare the classes of a data set with those of a model, by their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mnist_svm._types import Labels
from mnist_svm.datasets.class_names import list_names, number_meant, recode
from mnist_svm.datasets.types import Dataset
from mnist_svm.exceptions import FormatError
from mnist_svm.models.info import ModelInfo


def with_labels_of_model(dataset: Dataset, info: ModelInfo) -> Dataset:
    """Return a data set with the labels that a model has for the same classes.

    Names are compared: the labels of a set of words may be others than the model's. Names that mean
    digits are the same in all languages, and upper case is lower case. Labels without names are
    taken as the model's, if it has them all, with a notice if they have names there.

    Parameters
    ----------
    dataset : Dataset
    info : ModelInfo

    Returns
    -------
    Dataset

    Raises
    ------
    FormatError
        If the data set has a class that the model does not know; with the classes of both.
    """
    known = names_of_model(info)
    names = names_of_labels(dataset.labels, dataset.class_names)
    by_key = {class_key(name): label for label, name in known.items()}
    if all(class_key(name) in by_key for name in names.values()):
        labels = recode(dataset.labels, {x: by_key[class_key(name)] for x, name in names.items()})
        return replace(dataset, labels=labels, class_names=_named(known))
    if not dataset.class_names and info.class_names and names.keys() <= known.keys():
        meaning = list_names(f"{label} = {known[label]}" for label in names)
        notice = f"has labels without names, which are taken as the model's: {meaning}"
        notices = (*dataset.notices, notice)
        return replace(dataset, class_names=_named(known), notices=notices)
    unknown = list_names(name for name in names.values() if class_key(name) not in by_key)
    msg = (
        f"{dataset.name}: the model does not know the class{'es' if ',' in unknown else ''} "
        f"{unknown}; the data set has {list_names(names.values())}, "
        f"the model {list_names(known.values())}"
    )
    raise FormatError(msg)


def class_key(name: str) -> str:
    """Return what is compared of the name of a class."""
    number = number_meant(name)
    return name.casefold().strip() if number is None else str(number)


def names_of_labels(labels: Labels, class_names: Mapping[int, str]) -> dict[int, str]:
    """Return the name of each label that occurs: its class name, or its number."""
    return {label: class_names.get(label, str(label)) for label in np.unique(labels).tolist()}


def names_of_model(info: ModelInfo) -> dict[int, str]:
    """Return the name of each label of a model: its class name, or its number."""
    names = zip(info.classes, info.class_names or (), strict=False)
    return {label: str(label) for label in info.classes} | dict(names)


def as_spelled_by(names: Mapping[int, str], known: Mapping[int, str]) -> dict[int, str]:
    """Return names of classes, spelled as the same classes in `known` are."""
    spelled = {class_key(name): name for name in known.values()}
    return {label: spelled.get(class_key(name), name) for label, name in names.items()}


def _named(known: Mapping[int, str]) -> dict[int, str]:
    return {label: name for label, name in known.items() if name != str(label)}
