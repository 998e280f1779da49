"""What a training records of an epoch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Epoch:
    """An epoch of a training, and how well the network reads held-out images after it.

    Without held-out images, the temperature is 1, and the other values of them are 0.

    Attributes
    ----------
    epoch : its number, from 1
    loss : mean log loss on the distorted training images, with dropout
    temperature : best divisor of the logits on the held-out images
    held_out_loss : mean log loss at this temperature; without it, the loss would grow once the
        network is too sure of some errors
    held_out_error : error rate
    calibration_error : expected calibration error at this temperature
    learning_rate : at the end of the epoch
    seconds : its duration
    """

    epoch: int
    loss: float
    temperature: float
    held_out_loss: float
    held_out_error: float
    calibration_error: float
    learning_rate: float
    seconds: float
