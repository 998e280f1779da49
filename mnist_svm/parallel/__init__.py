"""Parallel work: threads with single-threaded BLAS, or the workers of a Dask cluster."""
