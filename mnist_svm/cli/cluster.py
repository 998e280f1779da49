"""The option ``--dask``, and work done with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

dask_option = click.option(
    "--dask",
    metavar="ADDRESS",
    help="Let a Dask cluster do the heavy work: the address of its scheduler, such as "
    "tcp://10.0.0.5:8786 (needs the extra [dask]).",
)


def require_dask_for(address: str | None) -> None:
    """Fail early if a cluster was asked for and Dask is not installed.

    Parameters
    ----------
    address : str or None
    """
    if address is not None:
        from mnist_svm.parallel.workers import require_dask

        require_dask()


@contextmanager
def use_cluster(address: str | None) -> Iterator[None]:
    """Let a cluster do heavy work meanwhile, if there is one.

    joblib knows it in one thread: that which is to do the work must enter.

    Parameters
    ----------
    address : str or None
        Of a Dask scheduler.
    """
    if address is None:
        yield
        return
    from mnist_svm.cli.exit_codes import echo_stderr
    from mnist_svm.parallel.dask_cluster import connect

    with connect(address) as tasks:
        echo_stderr(f"The Dask cluster at {address} does {tasks} tasks at a time")
        yield
