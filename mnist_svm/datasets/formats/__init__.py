"""Readers and writers of data set files, one module a format."""
