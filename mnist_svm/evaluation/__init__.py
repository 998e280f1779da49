"""Accuracy, calibration, learning curves, and reports of them."""
