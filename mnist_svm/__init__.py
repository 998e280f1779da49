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
    from mnist_svm.evaluation.measures import Evaluation as Evaluation
    from mnist_svm.evaluation.measures import evaluate as evaluate
    from mnist_svm.exceptions import FormatError as FormatError
    from mnist_svm.exceptions import MnistSvmError as MnistSvmError
    from mnist_svm.export.onnx import export_onnx as export_onnx
    from mnist_svm.features.distort import Distortion as Distortion
    from mnist_svm.features.transformers import Blur as Blur
    from mnist_svm.features.transformers import Deskew as Deskew
    from mnist_svm.features.transformers import GradientFeatures as GradientFeatures
    from mnist_svm.features.transformers import NormalizeContrast as NormalizeContrast
    from mnist_svm.features.transformers import NormalizeSize as NormalizeSize
    from mnist_svm.features.transformers import ShapeFeatures as ShapeFeatures
    from mnist_svm.forms.reading import FormReading as FormReading
    from mnist_svm.forms.reading import read_form as read_form
    from mnist_svm.forms.template import FormTemplate as FormTemplate
    from mnist_svm.models.file import Model as Model
    from mnist_svm.models.file import load_model as load_model
    from mnist_svm.models.file import save_model as save_model
    from mnist_svm.models.recipes import RECIPES as RECIPES
    from mnist_svm.models.recipes import Recipe as Recipe
    from mnist_svm.networks.conv_net import ConvNet as ConvNet
    from mnist_svm.pictures.decode import decode as decode
    from mnist_svm.pictures.normalize import normalize as normalize
    from mnist_svm.recognition.explain import draw_explanation as draw_explanation
    from mnist_svm.recognition.explain import explain as explain
    from mnist_svm.recognition.recognizer import Recognizer as Recognizer
    from mnist_svm.recognition.results import DigitReading as DigitReading
    from mnist_svm.recognition.results import PageReading as PageReading
    from mnist_svm.svm.calibration import Calibrated as Calibrated
    from mnist_svm.svm.classifier import KernelSVC as KernelSVC
    from mnist_svm.svm.coupled import CoupledSVC as CoupledSVC
    from mnist_svm.svm.one_class import OneClassKernelSVM as OneClassKernelSVM
    from mnist_svm.svm.regression import KernelSVR as KernelSVR
    from mnist_svm.svm.virtual import VirtualSupportVectors as VirtualSupportVectors
    from mnist_svm.training.train import train_model as train_model
    from mnist_svm.tuning.search import tune as tune

__version__: str  # of the installed package, looked up when it is asked for

# The public names of each module.
_NAMES = {
    "datasets.formats.idx": "read_idx write_idx",
    "datasets.load": "load_dataset",
    "datasets.types": "Dataset",
    "evaluation.measures": "Evaluation evaluate",
    "exceptions": "FormatError MnistSvmError",
    "export.onnx": "export_onnx",
    "features.distort": "Distortion",
    "features.transformers": "Blur Deskew GradientFeatures NormalizeContrast NormalizeSize "
    "ShapeFeatures",
    "forms.reading": "FormReading read_form",
    "forms.template": "FormTemplate",
    "models.file": "Model load_model save_model",
    "models.recipes": "RECIPES Recipe",
    "networks.conv_net": "ConvNet",
    "pictures.decode": "decode",
    "pictures.normalize": "normalize",
    "recognition.explain": "draw_explanation explain",
    "recognition.recognizer": "Recognizer",
    "recognition.results": "DigitReading PageReading",
    "svm.calibration": "Calibrated",
    "svm.classifier": "KernelSVC",
    "svm.coupled": "CoupledSVC",
    "svm.one_class": "OneClassKernelSVM",
    "svm.regression": "KernelSVR",
    "svm.virtual": "VirtualSupportVectors",
    "training.train": "train_model",
    "tuning.search": "tune",
}
_MODULES = {name: f"{__name__}.{module}" for module in _NAMES for name in _NAMES[module].split()}

__all__ = sorted(_MODULES)

# A type checker that saw this would accept any name.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name == "__version__":
            from importlib.metadata import version

            value = version("mnist-svm")
        elif name in _MODULES:
            value = getattr(import_module(_MODULES[name]), name)
        else:
            msg = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(msg)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
