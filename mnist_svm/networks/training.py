"""Training of a network by Keras, epoch by epoch, resumable from a checkpoint."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import logsumexp

from mnist_svm._io import atomic_write
from mnist_svm._types import Float32Array, Float64Array, IntArray
from mnist_svm.networks.backend import import_keras
from mnist_svm.networks.epoch import Epoch
from mnist_svm.networks.inference import Network, calibrated_softmax
from mnist_svm.svm.calibration import best_temperature, calibration_error
from mnist_svm.svm.log import logger

# The learning rate grows over this share of the steps, and falls as a cosine after it, from its
# maximum to a hundredth of it.
WARM_UP_SHARE = 0.1
LAST_LEARNING_RATE = 0.01

# Samples that are distorted at a time.
SAMPLES_PER_BLOCK = 16_384

# Errors that NumPy raises for a file that is missing, damaged or no archive of arrays.
_UNREADABLE = (
    FileNotFoundError,
    ValueError,
    EOFError,
    KeyError,
    TypeError,
    NotImplementedError,
    zipfile.BadZipFile,
)

# Longest gradient, over all weights: networks without normalisation diverge otherwise.
MAX_GRADIENT_NORM = 5.0


@dataclass(frozen=True)
class Samples:
    """Samples of a training.

    Attributes
    ----------
    load : from row numbers and, to distort them, a generator of random numbers, to images:
        float32 of shape (n, height, width)
    codes : indices of their classes
    weights : factors of their losses, None for 1
    """

    load: Callable[[IntArray, np.random.RandomState | None], Float32Array]
    codes: IntArray
    weights: Float64Array | None

    def __len__(self) -> int:
        return len(self.codes)


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train; see `mnist_svm.networks.conv_net.ConvNet`."""

    epochs: int
    batch_size: int
    learning_rate: float
    patience: int


class Training:
    """A training that goes on from epoch to epoch.

    Its result is the state after the last epoch, when the learning rate is lowest: the loss on some
    thousand held-out images is too coarse to choose by. If the training ended early, it is the
    state after the epoch with the least loss.

    Parameters
    ----------
    model : keras.Model
        From `mnist_svm.networks.architectures.build_network`.
    train, held_out : Samples
        `held_out` may be empty.
    schedule : Schedule
    seed : int
        Seed of the order of the samples.
    """

    def __init__(
        self,
        model: Any,
        train: Samples,
        held_out: Samples,
        schedule: Schedule,
        seed: int,
    ) -> None:
        self.train = train
        self.held_out = held_out
        self.schedule = schedule
        self.seed = seed
        self.network = Network(model)
        self.log: list[Epoch] = []
        self.weights = self._best_weights = self.network.weights
        self._batch_size = min(schedule.batch_size, len(train))
        self._trained = self._compile(model)

    @property
    def is_finished(self) -> bool:
        """Whether all epochs are done, or the last ones did not improve the network."""
        return len(self.log) >= self.schedule.epochs or self._ended_early

    @property
    def _ended_early(self) -> bool:
        if not self.log or not len(self.held_out):
            return False
        n_worse = self.log[-1].epoch - self._best.epoch
        return n_worse >= self.schedule.patience and len(self.log) < self.schedule.epochs

    @property
    def _best(self) -> Epoch:
        return min(self.log, key=lambda each: each.held_out_loss)

    @property
    def kept(self) -> Epoch:
        """The epoch that `weights` are of."""
        return self._best if self._ended_early else self.log[-1]

    def epochs(self) -> Iterator[Epoch]:
        """Train until `is_finished`; yield after each epoch."""
        while not self.is_finished:
            start = time.perf_counter()
            loss = self._train_epoch(len(self.log) + 1)
            found = self._evaluate()
            rate = float(np.asarray(self._trained.optimizer.learning_rate))
            seconds = time.perf_counter() - start
            self.log.append(Epoch(len(self.log) + 1, loss, *found, rate, seconds))
            self.weights = self.network.weights
            if self._best is self.log[-1]:
                self._best_weights = self.weights
            self._report()
            self._keep_best_if_early()
            yield self.log[-1]

    def _keep_best_if_early(self) -> None:
        if self._ended_early:
            self.weights = self._best_weights
            logger.info("no better in %s epochs", self.schedule.patience)

    def _compile(self, model: Any) -> Any:
        """Return the model from images to logits, with the loss and the optimizer."""
        keras = import_keras()
        schedule = self.schedule
        n_steps = schedule.epochs * (len(self.train) // self._batch_size)
        n_warm_up = int(WARM_UP_SHARE * n_steps)
        rate = keras.optimizers.schedules.CosineDecay(
            LAST_LEARNING_RATE * schedule.learning_rate,
            n_steps - n_warm_up,
            alpha=LAST_LEARNING_RATE,
            warmup_target=schedule.learning_rate,
            warmup_steps=n_warm_up,
        )
        _, logits = model.outputs
        trained = keras.Model(model.inputs, logits)
        optimizer = keras.optimizers.Adam(rate, global_clipnorm=MAX_GRADIENT_NORM)
        trained.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        optimizer.build(trained.trainable_variables)
        return trained

    def _train_epoch(self, epoch: int) -> float:
        """Train on all samples once, in a new order; return the mean loss.

        Samples that do not fill a batch are left out; in another epoch, they are others.
        """
        rng = np.random.default_rng([self.seed, epoch])
        size = self._batch_size
        order = rng.permutation(len(self.train))[: len(self.train) // size * size]
        weights = self.train.weights
        losses = []
        per_block = max(SAMPLES_PER_BLOCK // size, 1) * size
        for block, start in enumerate(range(0, len(order), per_block)):
            rows = order[start : start + per_block]
            history = self._trained.fit(
                self.train.load(rows, np.random.RandomState([self.seed, epoch, block]))[..., None],
                self.train.codes[rows],
                sample_weight=None if weights is None else weights[rows],
                batch_size=size,
                shuffle=False,
                verbose=0,
            )
            losses.append((history.history["loss"][0], len(rows)))
        values, counts = zip(*losses, strict=True)
        return float(np.average(values, weights=counts))

    def _evaluate(self) -> tuple[float, float, float, float]:
        """Return best temperature, log loss, error rate and calibration error if held out."""
        codes, weights = self.held_out.codes, self.held_out.weights
        if not len(codes):
            return 1.0, 0.0, 0.0, 0.0
        logits = self._predict_held_out()
        temperature = best_temperature(calibrated_softmax(logits, 1.0), codes, weights)
        scaled = logits / temperature
        losses = logsumexp(scaled, axis=1) - scaled[np.arange(len(codes)), codes]
        is_right = logits.argmax(axis=1) == codes
        confidences = calibrated_softmax(logits, temperature).max(axis=1)
        return (
            temperature,
            float(np.average(losses, weights=weights)),
            float(np.average(~is_right, weights=weights)),
            calibration_error(confidences, is_right, weights),
        )

    def _predict_held_out(self) -> Float32Array:
        parts = []
        for start in range(0, len(self.held_out), SAMPLES_PER_BLOCK):
            rows = np.arange(start, min(start + SAMPLES_PER_BLOCK, len(self.held_out)))
            _, logits = self.network(self.held_out.load(rows, None))
            parts.append(logits)
        return np.concatenate(parts)

    def _report(self) -> None:
        last, n_epochs = self.log[-1], self.schedule.epochs
        seconds = np.mean([each.seconds for each in self.log]) * (n_epochs - last.epoch)
        logger.info(
            "epoch %s of %s: loss %.4f, error %.2f %%, %.0f min left",
            last.epoch,
            n_epochs,
            last.loss,
            100 * last.held_out_error,
            np.ceil(seconds / 60),
        )

    def save(self, path: Path, fingerprint: str) -> None:
        """Write the state to a file, atomically."""
        arrays: dict[str, Any] = {
            f"log_{field.name}": np.array([getattr(each, field.name) for each in self.log])
            for field in fields(Epoch)
        }
        arrays["fingerprint"] = np.array(fingerprint)
        arrays |= {f"best_{i}": array for i, array in enumerate(self._best_weights)}
        arrays |= {f"state_{i}": np.asarray(v.value) for i, v in enumerate(self._variables)}
        with atomic_write(path) as file:
            np.savez(file, **arrays)

    def restore(self, path: Path, fingerprint: str) -> bool:
        """Read the state; return False, and change nothing, if there is none of this training."""
        variables = self._variables
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = dict(file)
            states = [arrays[f"state_{i}"] for i in range(len(variables))]
            best = [arrays[f"best_{i}"] for i in range(len(self.weights))]
            columns = [arrays[f"log_{field.name}"].tolist() for field in fields(Epoch)]
        except _UNREADABLE:
            return False
        # Another version of Keras may have other variables.
        shapes = [tuple(variable.shape) for variable in variables]
        if str(arrays.get("fingerprint")) != fingerprint or shapes != [x.shape for x in states]:
            return False
        for variable, state in zip(variables, states, strict=True):
            variable.assign(state)
        self.weights, self._best_weights = self.network.weights, best
        self.log = [Epoch(*row) for row in zip(*columns, strict=True)]
        self._keep_best_if_early()
        return True

    @property
    def _variables(self) -> list[Any]:
        """Weights, statistics, seeds of the dropout, and the state of the optimizer."""
        trained = self._trained
        return [
            *trained.trainable_variables,
            *trained.non_trainable_variables,
            *trained.optimizer.variables,
        ]
