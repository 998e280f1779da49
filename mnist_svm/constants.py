"""Constants of images in MNIST form; no NumPy, so that help texts load fast."""

from __future__ import annotations

# Rows and columns of an image in MNIST form, and its number of pixels.
IMAGE_SIDE = 28
IMAGE_SHAPE = (IMAGE_SIDE, IMAGE_SIDE)
N_PIXELS = IMAGE_SIDE * IMAGE_SIDE

# A pixel that is all ink, in MNIST form.
WHITE = 255
