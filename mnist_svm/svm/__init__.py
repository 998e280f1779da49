"""Kernel support vector classification, for any numeric data."""
