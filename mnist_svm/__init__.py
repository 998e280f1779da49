"""Read handwritten digits with classical machine learning.

The names below are imported when first used, so that ``import mnist_svm`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module

# What type checkers take for typing.TYPE_CHECKING, without the milliseconds of its import.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from mnist_svm.datasets.idx import read_idx, write_idx
    from mnist_svm.datasets.load import Dataset, load_dataset
    from mnist_svm.errors import MnistSvmError
    from mnist_svm.explanation import explain
    from mnist_svm.imaging.blur import Blur
    from mnist_svm.imaging.contrast import NormalizeContrast
    from mnist_svm.imaging.deskew import Deskew
    from mnist_svm.imaging.distort import Distortion
    from mnist_svm.imaging.gradients import GradientFeatures
    from mnist_svm.imaging.size import NormalizeSize
    from mnist_svm.modelfile import Model, load_model, save_model
    from mnist_svm.recipes import RECIPES
    from mnist_svm.recognizer import Recognizer
    from mnist_svm.report import evaluate
    from mnist_svm.svm.classifier import KernelSVC
    from mnist_svm.svm.confidence import Calibrated
    from mnist_svm.svm.coupled import CoupledSVC
    from mnist_svm.svm.virtual import VirtualSupportVectors
    from mnist_svm.training import train_model

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
    "RECIPES": "recipes",
    "Blur": "imaging.blur",
    "Calibrated": "svm.confidence",
    "CoupledSVC": "svm.coupled",
    "Dataset": "datasets.load",
    "Deskew": "imaging.deskew",
    "Distortion": "imaging.distort",
    "GradientFeatures": "imaging.gradients",
    "KernelSVC": "svm.classifier",
    "MnistSvmError": "errors",
    "Model": "modelfile",
    "NormalizeContrast": "imaging.contrast",
    "NormalizeSize": "imaging.size",
    "Recognizer": "recognizer",
    "VirtualSupportVectors": "svm.virtual",
    "evaluate": "report",
    "explain": "explanation",
    "load_dataset": "datasets.load",
    "load_model": "modelfile",
    "read_idx": "datasets.idx",
    "save_model": "modelfile",
    "train_model": "training",
    "write_idx": "datasets.idx",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
