"""Read handwritten digits with classical machine learning.

The names below are imported when first used, so that ``import mnist_svm`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module

# What type checkers take for typing.TYPE_CHECKING, without the milliseconds of its import.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from mnist_svm.datasets.formats.idx import read_idx, write_idx
    from mnist_svm.datasets.load import Dataset, load_dataset
    from mnist_svm.evaluation.measures import evaluate
    from mnist_svm.exceptions import MnistSvmError
    from mnist_svm.features.blur import Blur
    from mnist_svm.features.contrast import NormalizeContrast
    from mnist_svm.features.deskew import Deskew
    from mnist_svm.features.distort import Distortion
    from mnist_svm.features.gradients import GradientFeatures
    from mnist_svm.features.size import NormalizeSize
    from mnist_svm.models.file import Model, load_model, save_model
    from mnist_svm.models.recipes import RECIPES
    from mnist_svm.recognition.explain import explain
    from mnist_svm.recognition.recognizer import Recognizer
    from mnist_svm.svm.calibration import Calibrated
    from mnist_svm.svm.classifier import KernelSVC
    from mnist_svm.svm.coupled import CoupledSVC
    from mnist_svm.svm.virtual import VirtualSupportVectors
    from mnist_svm.training.train import train_model

__version__ = "0.1.0"

__all__ = [
    "RECIPES",
    "Blur",
    "Calibrated",
    "CoupledSVC",
    "Dataset",
    "Deskew",
    "Distortion",
    "GradientFeatures",
    "KernelSVC",
    "MnistSvmError",
    "Model",
    "NormalizeContrast",
    "NormalizeSize",
    "Recognizer",
    "VirtualSupportVectors",
    "evaluate",
    "explain",
    "load_dataset",
    "load_model",
    "read_idx",
    "save_model",
    "train_model",
    "write_idx",
]

_HOMES = {
    "RECIPES": "models.recipes",
    "Blur": "features.blur",
    "Calibrated": "svm.calibration",
    "CoupledSVC": "svm.coupled",
    "Dataset": "datasets.load",
    "Deskew": "features.deskew",
    "Distortion": "features.distort",
    "GradientFeatures": "features.gradients",
    "KernelSVC": "svm.classifier",
    "MnistSvmError": "exceptions",
    "Model": "models.file",
    "NormalizeContrast": "features.contrast",
    "NormalizeSize": "features.size",
    "Recognizer": "recognition.recognizer",
    "VirtualSupportVectors": "svm.virtual",
    "evaluate": "evaluation.measures",
    "explain": "recognition.explain",
    "load_dataset": "datasets.load",
    "load_model": "models.file",
    "read_idx": "datasets.formats.idx",
    "save_model": "models.file",
    "train_model": "training.train",
    "write_idx": "datasets.formats.idx",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
