"""Import of Keras with its JAX backend, which the extra [cnn] installs."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import numpy as np

from mnist_svm._optional import require_extra
from mnist_svm.exceptions import MissingExtraError

NEED = "networks need Keras and JAX"
BACKEND = "jax"

_seed_lock = Lock()


def import_keras() -> Any:
    """Import Keras, which takes some seconds the first time.

    Raises MissingExtraError if Keras or JAX is not installed, or Keras runs on something else.
    """
    chosen = os.environ.setdefault("KERAS_BACKEND", BACKEND)
    if chosen == BACKEND:
        require_extra("jax", NEED, "cnn")
        keras = require_extra("keras", NEED, "cnn")
        chosen = keras.config.backend()
    if chosen != BACKEND:
        msg = f"networks need Keras's backend {BACKEND!r}, found {chosen!r}: set KERAS_BACKEND=jax"
        raise MissingExtraError(msg)
    return keras


def has_accelerator() -> bool:
    """Return whether JAX computes on something other than the CPU."""
    import jax

    return bool(jax.default_backend() != "cpu")


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let Keras draw weights and seeds from `seed`; restore the global generators it draws from."""
    keras = import_keras()
    with _seed_lock:
        python_state, numpy_state = random.getstate(), np.random.get_state()
        try:
            keras.utils.set_random_seed(seed)
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)
