"""ConvNet: the scikit-learn estimator."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, check_non_negative, validate_data

from mnist_svm._types import Array, BoolArray, Float32Array, Float64Array, IntArray
from mnist_svm.features.base import ImageEstimator
from mnist_svm.networks.architectures import ARCHITECTURES, build_network
from mnist_svm.networks.board import Board
from mnist_svm.networks.epoch import Epoch
from mnist_svm.networks.inference import (
    Network,
    calibrated_softmax,
    center_images,
    scale_images,
    to_input,
)
from mnist_svm.networks.parameters import check_network_parameters
from mnist_svm.networks.training import Samples, Schedule, Training
from mnist_svm.svm.held_out import consecutive_parts
from mnist_svm.svm.log import log_to, logger
from mnist_svm.svm.validation import check_used_weights

# From rows of pixels and a generator of random numbers to as many distorted rows.
Distort = Callable[[Array, np.random.RandomState], Array]

# Parameters that do not affect the result.
WITHOUT_EFFECT = ("checkpoint", "tensorboard", "verbose")


class ConvNet(ClassifierMixin, TransformerMixin, ImageEstimator):  # type: ignore[misc]
    """Convolutional network, trained by Keras with JAX: the extra [cnn].

    A part of the samples is held out. After each epoch, the network reads it; training ends early
    if its log loss does not fall any more, with the weights of the best epoch. The probabilities
    are calibrated on it (by a temperature, as those of `mnist_svm.Calibrated`). The learning rate
    rises over the first tenth of the steps, and then falls as a cosine. JAX computes on all cores
    of the CPU, or on the accelerator that it finds.

    As a transformer, for example before an SVM, it returns its last hidden layer.

    Parameters
    ----------
    architecture : str, default="cnn"
        One of `mnist_svm.networks.architectures.ARCHITECTURES`: "cnn", "abs", "dropout",
        "mobilenet", "vgg16", "resnet50", "resnet164" or "wideresnet28-10".
    width : float, default=1.0
        Factor of the numbers of channels and units of the hidden layers, above 0 and at most 2.
    activation : {"auto", "relu", "elu", "silu", "tanh", "abs"}, default="auto"
        Activation of the hidden layers; "auto" is that of the architecture.
    dropout : float, default=0.3
        Share of the values that dropout sets to zero, 0 to less than 1.
    distort : callable or None, default=None
        Called with samples, an ndarray of shape (n, n_features), and a numpy.random.RandomState;
        returns a distorted copy of each sample: a `mnist_svm.Distortion`, for example. In each
        epoch, the network is trained on other copies.
    epochs : int, default=30
        Largest number of epochs.
    batch_size : int, default=128
        Samples of a step.
    learning_rate : float, default=0.002
        Largest learning rate of Adam.
    validation_fraction : float, default=0.1
        Share of the samples of each class that is held out, 0 to less than 1. The samples are not
        shuffled. None are held out if a class has too few.
    patience : int, default=12
        Epochs without a smaller loss on the held-out samples after which training ends. The loss
        falls again as the learning rate does, so that few epochs would end it too early.
    image_shape : (int, int) or None, default=None
        Height and width of the images; None takes the most nearly square shape.
    checkpoint : str or None, default=None
        Folder to store the state of a fit in after each epoch. A fit resumes from the file in it
        that a fit with the same data and parameters left; the result is that of an uninterrupted
        fit. Files are not deleted after the fit, so that it is not done again.
    tensorboard : str or None, default=None
        Folder to write the training curves to, for TensorBoard, which must be installed.
    random_state : int, RandomState instance or None, default=None
        Seed of the weights, the order of the samples, the dropout and the distortions.
    verbose : bool or int, default=False
        Whether to print each epoch on stderr. The logger ``mnist_svm.svm`` always gets them.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Labels, ascending.
    weights_ : list of float32 ndarray
        Weights of the layers, in Keras's order.
    fit_log_ : list of dict
        One per epoch, with the fields of `mnist_svm.networks.epoch.Epoch`.
    temperature_ : float
        Divisor of the logits; 1 without held-out samples.
    n_held_out_ : int
        Number of held-out samples.
    calibration_error_ : float
        Expected calibration error on them, NaN without any.
    image_shape_, n_features_in_, feature_names_in_, data_max_, inverted_
        As of all estimators of images, see `mnist_svm.features.base.ImageEstimator`.

    References
    ----------
    P. Y. Simard, D. Steinkraus, J. C. Platt, "Best practices for convolutional neural networks
    applied to visual document analysis", ICDAR (2003), for the distorted copies.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from mnist_svm import ConvNet
    >>> X, y = load_digits(return_X_y=True)
    >>> net = ConvNet(epochs=15, batch_size=32, random_state=0)
    >>> round(net.fit(X[:1500], y[:1500]).score(X[1500:], y[1500:]), 2)  # doctest: +SKIP
    0.95
    """

    classes_: Array
    weights_: list[Float32Array]
    fit_log_: list[dict[str, Any]]
    temperature_: float
    n_held_out_: int
    calibration_error_: float
    _compiled: dict[str, Any]

    def __init__(
        self,
        *,
        architecture: str = "cnn",
        width: float = 1.0,
        activation: str = "auto",
        dropout: float = 0.3,
        distort: Distort | None = None,
        epochs: int = 30,
        batch_size: int = 128,
        learning_rate: float = 0.002,
        validation_fraction: float = 0.1,
        patience: int = 12,
        image_shape: tuple[int, int] | None = None,
        checkpoint: str | None = None,
        tensorboard: str | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool | int = False,
    ) -> None:
        self.architecture = architecture
        self.width = width
        self.activation = activation
        self.dropout = dropout
        self.distort = distort
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.image_shape = image_shape
        self.checkpoint = checkpoint
        self.tensorboard = tensorboard
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            One flattened image per row, non-negative.
        y : array-like of shape (n_samples,)
            Labels of any type.
        sample_weight : array-like of shape (n_samples,), optional
            Factor of the loss of each sample. Samples of weight 0 or less are ignored.

        Returns
        -------
        ConvNet
            The fitted estimator.

        Raises
        ------
        MissingExtraError
            If Keras, JAX or, for `tensorboard`, TensorBoard is not installed.
        ValueError
            If a parameter or the data are invalid, or fewer than two classes remain.
        OSError
            If the `checkpoint` cannot be read or written.
        """
        with log_to(_print) if self.verbose else nullcontext():
            for _ in self.fit_epochs(X, y, sample_weight):
                pass
        return self

    def fit_epochs(
        self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> Iterator[Epoch]:
        """Train as `fit` does, and yield after each epoch: the network can then predict.

        Parameters, errors : as of `fit`.

        Yields
        ------
        Epoch
        """
        check_network_parameters(self)
        self._compiled = {}
        rows, labels = validate_data(self, X, y)
        check_non_negative(rows, "ConvNet")
        check_classification_targets(labels)
        weights = None
        if sample_weight is not None:
            used, weights = check_used_weights(sample_weight, len(labels))
            rows, labels, weights = rows[used], labels[used], weights / weights.mean()
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            msg = f"ConvNet needs samples of at least 2 classes, found {len(self.classes_)} class"
            raise ValueError(msg)
        self._learn_form(rows)
        training = self._start(rows, codes, weights)
        yield from self._run(training, self._fingerprint(training, rows, codes, weights))

    def predict(self, X: npt.ArrayLike) -> Array:
        """Predict the label of each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,), of the dtype of the labels
        """
        probabilities = self.predict_proba(X)
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])

    def predict_proba(self, X: npt.ArrayLike) -> Float64Array:
        """Compute calibrated probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        float64 ndarray of shape (n_samples, k), 0 to 1, each row adding up to 1

        Raises
        ------
        ValueError
            If ``X`` is not a finite, non-negative matrix with the number of columns seen by `fit`,
            in its unit, and, but for the architecture "abs", of its polarity.
        """
        _, logits = self._compute(X)
        return calibrated_softmax(logits, self.temperature_)

    def transform(self, X: npt.ArrayLike) -> Float32Array:
        """Compute the last hidden layer.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        float32 ndarray of shape (n_samples, n_units)

        Raises
        ------
        ValueError
            As of `predict_proba`.
        """
        hidden, _ = self._compute(X)
        return hidden

    def _start(self, rows: Array, codes: IntArray, weights: Float64Array | None) -> Training:
        """Split the samples, and build the network."""
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        is_held_out = _held_out(codes, self.validation_fraction)

        def samples(index: IntArray) -> Samples:
            chosen = None if weights is None else weights[index]
            return Samples(lambda i, rng: self._load(rows[index[i]], rng), codes[index], chosen)

        schedule = Schedule(self.epochs, self.batch_size, self.learning_rate, self.patience)
        train, held_out = map(samples, map(np.flatnonzero, (~is_held_out, is_held_out)))
        return Training(self._build(seed), train, held_out, schedule, seed)

    def _build(self, seed: int | None = None) -> Any:
        return build_network(
            self.architecture,
            self.image_shape_,
            len(self.classes_),
            width=self.width,
            activation=self.activation,
            dropout=self.dropout,
            seed=seed,
        )

    @property
    def reads_either_polarity(self) -> bool:
        """Whether images and their negatives are read alike."""
        return self.architecture in ARCHITECTURES and ARCHITECTURES[self.architecture].any_polarity

    def _load(self, rows: Array, rng: np.random.RandomState | None) -> Float32Array:
        """Scale rows for training, and distort them if there is a generator."""
        scaled = scale_images(rows, self.data_max_, inverted=self.inverted_)
        if rng is not None and self.distort is not None:
            scaled = np.asarray(self.distort(scaled, rng), np.float32)
        images = scaled.reshape(-1, *self.image_shape_)
        return center_images(images) if self.reads_either_polarity else images

    def _run(self, training: Training, fingerprint: str) -> Iterator[Epoch]:
        """Train, and store the result of each epoch here and in the checkpoint."""
        path = None if self.checkpoint is None else Path(self.checkpoint) / f"{fingerprint}.npz"
        with ExitStack() as stack:
            board = None
            if self.tensorboard is not None:
                board = stack.enter_context(closing(Board(self.tensorboard)))
            if path is not None and training.restore(path, fingerprint):
                logger.info("resuming after epoch %s", len(training.log))
                self._store(training)
            for epoch in training.epochs():
                if path is not None:
                    training.save(path, fingerprint)
                if board is not None:
                    board.add(epoch)
                self._store(training)
                yield epoch

    def _store(self, training: Training) -> None:
        self.weights_ = training.weights
        self.fit_log_ = [asdict(epoch) for epoch in training.log]
        self.n_held_out_ = len(training.held_out)
        self.temperature_ = training.kept.temperature
        self.calibration_error_ = training.kept.calibration_error if self.n_held_out_ else np.nan

    def _fingerprint(
        self, training: Training, rows: Array, codes: IntArray, weights: Float64Array | None
    ) -> str:
        """Return a hash of all that determines the result of a fit."""
        parameters = self.get_params(deep=False)
        for name in (*WITHOUT_EFFECT, "random_state"):
            del parameters[name]
        digest = hashlib.blake2b(repr((training.seed, parameters)).encode(), digest_size=16)
        for array in (rows, codes, weights):
            digest.update(b"" if array is None else np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def _compute(self, X: npt.ArrayLike) -> tuple[Float32Array, Float32Array]:
        """Compute the last hidden layer and the logits."""
        images = self._validate_images(X, either_polarity=self.reads_either_polarity)
        return self._network(
            to_input(images, self.data_max_, self.inverted_, self.reads_either_polarity)
        )

    @property
    def keras_model(self) -> Any:
        """The keras.Model, from images to the last hidden layer and the logits."""
        check_is_fitted(self)
        return self._network.model

    @property
    def _network(self) -> Network:
        """The network with `weights_`; it is compiled once."""
        # In a dict, because predictions must not set attributes.
        compiled = self.__dict__.setdefault("_compiled", {})
        network: Network = compiled.get("network") or Network(self._build())
        if compiled.get("weights") is not self.weights_:
            network.set_weights(self.weights_)
            compiled.update(network=network, weights=self.weights_)
        return network

    def __getstate__(self) -> dict[str, Any]:
        # Compiled functions cannot be pickled.
        state = dict(super().__getstate__())
        state.pop("_compiled", None)
        return state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags


def _held_out(codes: IntArray, fraction: float) -> BoolArray:
    """Whether each sample is held out: the last part of each class, none if a class has too few."""
    n_parts = round(1 / fraction) if fraction else 0
    if not n_parts or np.bincount(codes).min() < n_parts:
        return np.zeros(len(codes), np.bool_)
    return np.asarray(consecutive_parts(codes, n_parts) == n_parts - 1)


def _print(message: str) -> None:
    print(message, file=sys.stderr)  # noqa: T201 - what verbose asks for
