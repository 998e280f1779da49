"""The option ``--dask``, and work done with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

dask_option = click.option(
    "--dask",
    metavar="ADDRESS",
    help="Run heavy work on a Dask cluster: the address of its scheduler, such as "
    "tcp://10.0.0.5:8786 (needs the extra [dask]).",
)


def require_dask_for(address: str | None) -> None:
    """Raise MissingExtraError if an address is given and Dask is not installed."""
    if address is not None:
        from mnist_svm.parallel.workers import require_dask

        require_dask()


@contextmanager
def use_cluster(address: str | None) -> Iterator[None]:
    """Run heavy work of this thread on the Dask cluster at an address, if it is not None."""
    if address is None:
        yield
        return
    from mnist_svm.cli.exit_codes import echo_stderr
    from mnist_svm.parallel.dask_cluster import connect

    with connect(address) as n_tasks:
        echo_stderr(f"The Dask cluster at {address} runs {n_tasks} tasks at a time")
        yield
