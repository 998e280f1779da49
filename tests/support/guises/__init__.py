"""Digits in the guises that people send, drawn from MNIST's and UCI's."""
