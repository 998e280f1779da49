"""Models in MLflow's format: the model file and a pyfunc wrapper for scoring.

MLflow stores the name of this module instead of a pickle. To load a model, it imports the module
and calls `_load_pyfunc`, which reads the model file as every command does.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mnist_svm._types import Images
from mnist_svm.constants import IMAGE_SIDE, WHITE
from mnist_svm.models.file import Model, load_model, save_model
from mnist_svm.recognition.recognizer import Recognizer

if TYPE_CHECKING:
    from mlflow.models import Model as MlflowModel
    from mlflow.models import ModelSignature

# Name of the model file in the ``data`` folder of the MLflow model.
MODEL_FILE = "model.joblib"


class ScoringModel:
    """The Python model that MLflow's pyfunc calls to predict."""

    def __init__(self, model: Model) -> None:
        self._recognizer = Recognizer(model)

    def predict(
        self, model_input: Any, params: dict[str, Any] | None = None
    ) -> npt.NDArray[np.int64] | npt.NDArray[np.float64]:
        """Classify images in MNIST form.

        Parameters
        ----------
        model_input : array, nested lists or DataFrame of shape (n, 784) or (n, 28, 28)
            Images as `Recognizer.classify` accepts them; ink bright on a dark background.
        params : dict, optional
            ``{"confidences": True}`` returns probabilities instead of labels.

        Returns
        -------
        int64 ndarray of shape (n,), labels; or float64 ndarray of shape (n, k), 0 to 1, the
            probability of each of the sorted labels

        Raises
        ------
        FormatError
            If `Recognizer.classify` refuses the input.
        """
        readings = self._recognizer.classify(model_input)
        return readings.probabilities if (params or {}).get("confidences") else readings.labels


def write_mlflow_model(
    folder: str | os.PathLike[str], model: Model, mlflow_model: MlflowModel
) -> None:
    """Write a model in MLflow's format to a new folder.

    `mlflow_model` identifies the run and artifact; the description of `model` is added to it.
    """
    from mlflow import pyfunc

    # Listed here, because MLflow would infer them by loading the model in another process.
    requirements = [
        f"{package}=={version}"
        for package, version in model.info.versions.items()
        if package != "python"
    ]
    mlflow_model.metadata = model.info.to_dict()
    with TemporaryDirectory() as temporary:
        file = Path(temporary) / MODEL_FILE
        save_model(file, model)
        pyfunc.save_model(
            folder,
            loader_module=__name__,
            data_path=file,
            mlflow_model=mlflow_model,
            signature=_signature(),
            input_example=_input_example(),
            pip_requirements=requirements,
        )


def _load_pyfunc(path: str) -> ScoringModel:
    """Load a model; MLflow calls this name."""
    return ScoringModel(load_model(path))


def _signature() -> ModelSignature:
    """Return the signature without inputs: MLflow cannot express several shapes and types."""
    from mlflow.models import ModelSignature
    from mlflow.types import ParamSchema, ParamSpec, Schema, TensorSpec

    return ModelSignature(
        outputs=Schema([TensorSpec(np.dtype(np.int64), (-1,))]),
        params=ParamSchema([ParamSpec("confidences", "boolean", default=False)]),
    )


def _input_example() -> Images:
    """Return one image of a vertical stroke, a 1."""
    image = np.zeros((1, IMAGE_SIDE, IMAGE_SIDE), np.uint8)
    image[:, 4:24, 13:16] = WHITE
    return image
