"""Digits, and networks that have learned them."""

from __future__ import annotations

import pytest

from tests.networks.small import make_net

IMAGES = 2000


@pytest.fixture(scope="session")
def digits(train_set):
    """Some images of MNIST and their labels."""
    return train_set.X[:IMAGES], train_set.labels[:IMAGES]


@pytest.fixture(scope="session")
def few(digits):
    """So few that the smallest network trains on them in a second."""
    X, y = digits
    return X[:400], y[:400]


@pytest.fixture(scope="session")
def learned(digits):
    """A network that has learned to read."""
    return make_net(width=0.5, epochs=10, batch_size=32, learning_rate=0.005).fit(*digits)


@pytest.fixture(scope="session")
def quick(few):
    """The smallest network, trained for a moment."""
    return make_net().fit(*few)
