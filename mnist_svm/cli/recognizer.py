"""Load a recognizer for a command, and say which model it uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mnist_svm.cli.exit_codes import echo_stderr
from mnist_svm.cli.options import describe_model
from mnist_svm.models.locate import find_model

if TYPE_CHECKING:
    from mnist_svm.recognition.recognizer import Recognizer


def load_recognizer(model: str | None) -> Recognizer:
    """Load the model of the option ``--model`` and report it on stderr."""
    from mnist_svm.recognition.recognizer import Recognizer

    path = find_model(model)
    recognizer = Recognizer.load(path)
    echo_stderr(f"Reading with {describe_model(path)}")
    return recognizer
