"""A model in MLflow's format: our own model file, and what MLflow's scoring asks of it.

MLflow keeps the name of this module, not a pickle, beside the model file. To load the model it
imports the module and calls `_load_pyfunc`, which reads the file as every command does.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mnist_svm.constants import IMAGE_SIDE
from mnist_svm.exceptions import FormatError
from mnist_svm.models.file import Model, load_model, save_model
from mnist_svm.recognition.recognizer import Recognizer

if TYPE_CHECKING:
    from mlflow.models import Model as MlflowModel
    from mlflow.models import ModelSignature

# As which the model file stands in the folder ``data`` of MLflow's model.
FILE = "model.joblib"

SHAPES = {(IMAGE_SIDE, IMAGE_SIDE), (IMAGE_SIDE * IMAGE_SIDE,)}


class ScoringModel:
    """What MLflow's pyfunc calls to predict.

    Parameters
    ----------
    model : Model
    """

    def __init__(self, model: Model) -> None:
        self._recognizer = Recognizer(model)

    def predict(
        self, model_input: Any, params: dict[str, Any] | None = None
    ) -> npt.NDArray[np.int64] | npt.NDArray[np.float64]:
        """Read images that are in MNIST form.

        Parameters
        ----------
        model_input : array, nested lists or DataFrame of shape (n, 784) or (n, 28, 28)
            Whole numbers of any type, 0-255, ink bright on a dark ground.
        params : dict, optional
            ``{"confidences": True}`` asks for these in place of the labels.

        Returns
        -------
        int64 ndarray of shape (n,), labels; or float64 ndarray of shape (n, k), 0 to 1, confidences
            in each of the sorted labels

        Raises
        ------
        FormatError
            If it is of another shape, or holds anything else.
        """
        readings = self._recognizer.classify(_images(model_input))
        return readings.confidences if (params or {}).get("confidences") else readings.labels


def write_mlflow_model(folder: str | os.PathLike[str], model: Model, about: MlflowModel) -> None:
    """Write a model in MLflow's format.

    Parameters
    ----------
    folder : path of a folder that does not exist yet
    model : Model
    about : mlflow.models.Model
        Says where the model belongs; what it is, is added.
    """
    from mlflow import pyfunc

    # Not inferred: MLflow would load the model in another process to see what it imports.
    requirements = [
        f"{package}=={version}"
        for package, version in model.metadata["versions"].items()
        if package != "python"
    ]
    about.metadata = dict(model.metadata)
    with TemporaryDirectory() as temporary:
        file = Path(temporary) / FILE
        save_model(file, model)
        pyfunc.save_model(
            folder,
            loader_module=__name__,
            data_path=file,
            mlflow_model=about,
            signature=_signature(),
            input_example=_example(),
            pip_requirements=requirements,
        )


def _load_pyfunc(path: str) -> ScoringModel:
    """What MLflow calls to load a model; the name is MLflow's."""
    return ScoringModel(load_model(path))


def _signature() -> ModelSignature:
    """What comes out; what goes in may be of either shape and any type, which MLflow cannot say."""
    from mlflow.models import ModelSignature
    from mlflow.types import ParamSchema, ParamSpec, Schema, TensorSpec

    return ModelSignature(
        outputs=Schema([TensorSpec(np.dtype(np.int64), (-1,))]),
        params=ParamSchema([ParamSpec("confidences", "boolean", default=False)]),
    )


def _example() -> npt.NDArray[np.uint8]:
    """One image, of a stroke that is a one."""
    image = np.zeros((1, IMAGE_SIDE, IMAGE_SIDE), np.uint8)
    image[:, 4:24, 13:16] = 255
    return image


def _images(given: Any) -> npt.NDArray[np.uint8]:
    """What was given, as uint8 of shape (n, 28, 28)."""
    try:
        values = np.asarray(given)
    except ValueError as error:
        msg = "expected images of one shape, found some of several"
        raise FormatError(msg) from error
    if values.shape[1:] not in SHAPES:
        msg = f"expected images of shape (n, 784) or (n, 28, 28), found {values.shape}"
        raise FormatError(msg)
    if values.dtype.kind not in "biuf":
        msg = f"expected pixels from 0 to 255, found {values.dtype}"
        raise FormatError(msg)
    with np.errstate(invalid="ignore"):
        pixels = values.astype(np.uint8)
    if not (pixels == values).all():
        msg = "expected pixels that are whole numbers from 0 to 255, found others"
        raise FormatError(msg)
    return pixels.reshape(-1, IMAGE_SIDE, IMAGE_SIDE)
