"""Read handwritten digits with a support vector machine.

Public names are imported when first used, so that ``import mnist_svm`` loads nothing else.
"""

from __future__ import annotations

from importlib import import_module

# As typing.TYPE_CHECKING for type checkers, without importing typing.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from mnist_svm.datasets.formats.idx import read_idx as read_idx
    from mnist_svm.datasets.formats.idx import write_idx as write_idx
    from mnist_svm.datasets.load import load_dataset as load_dataset
    from mnist_svm.datasets.types import Dataset as Dataset
    from mnist_svm.evaluation.measures import evaluate as evaluate
    from mnist_svm.exceptions import MnistSvmError as MnistSvmError
    from mnist_svm.features.distort import Distortion as Distortion
    from mnist_svm.features.transformers import Blur as Blur
    from mnist_svm.features.transformers import Deskew as Deskew
    from mnist_svm.features.transformers import GradientFeatures as GradientFeatures
    from mnist_svm.features.transformers import NormalizeContrast as NormalizeContrast
    from mnist_svm.features.transformers import NormalizeSize as NormalizeSize
    from mnist_svm.models.file import Model as Model
    from mnist_svm.models.file import load_model as load_model
    from mnist_svm.models.file import save_model as save_model
    from mnist_svm.models.recipes import RECIPES as RECIPES
    from mnist_svm.recognition.explain import draw_explanation as draw_explanation
    from mnist_svm.recognition.explain import explain as explain
    from mnist_svm.recognition.recognizer import Recognizer as Recognizer
    from mnist_svm.svm.calibration import Calibrated as Calibrated
    from mnist_svm.svm.classifier import KernelSVC as KernelSVC
    from mnist_svm.svm.coupled import CoupledSVC as CoupledSVC
    from mnist_svm.svm.virtual import VirtualSupportVectors as VirtualSupportVectors
    from mnist_svm.training.train import train_model as train_model

__version__ = "0.1.0"

# The module that defines each public name.
_MODULES = {
    "RECIPES": "mnist_svm.models.recipes",
    "Blur": "mnist_svm.features.transformers",
    "Calibrated": "mnist_svm.svm.calibration",
    "CoupledSVC": "mnist_svm.svm.coupled",
    "Dataset": "mnist_svm.datasets.types",
    "Deskew": "mnist_svm.features.transformers",
    "Distortion": "mnist_svm.features.distort",
    "GradientFeatures": "mnist_svm.features.transformers",
    "KernelSVC": "mnist_svm.svm.classifier",
    "MnistSvmError": "mnist_svm.exceptions",
    "Model": "mnist_svm.models.file",
    "NormalizeContrast": "mnist_svm.features.transformers",
    "NormalizeSize": "mnist_svm.features.transformers",
    "Recognizer": "mnist_svm.recognition.recognizer",
    "VirtualSupportVectors": "mnist_svm.svm.virtual",
    "draw_explanation": "mnist_svm.recognition.explain",
    "evaluate": "mnist_svm.evaluation.measures",
    "explain": "mnist_svm.recognition.explain",
    "load_dataset": "mnist_svm.datasets.load",
    "load_model": "mnist_svm.models.file",
    "read_idx": "mnist_svm.datasets.formats.idx",
    "save_model": "mnist_svm.models.file",
    "train_model": "mnist_svm.training.train",
    "write_idx": "mnist_svm.datasets.formats.idx",
}

__all__ = list(_MODULES)


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_MODULES]
