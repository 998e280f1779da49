"""Quiet use of an MLflow tracking store, with one-line errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from mnist_svm._optional import default_environment, require_extra, silence_loggers
from mnist_svm.exceptions import MnistSvmError, TrackingError, error_text

# Environment variables that MLflow reads on each call. A user's own values take precedence.
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # Do not copy the uv lock file of the current folder into each model.
    "MLFLOW_UV_AUTO_DETECT": "false",
    # Do not warn if git is not installed.
    "GIT_PYTHON_REFRESH": "quiet",
}
# Give up after 15 seconds; MLflow's default takes four minutes.
RETRY_SETTINGS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3"}
FAIL_FAST_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",  # seconds
}

# Schemes of URIs of databases, without the driver.
DATABASES = ("mssql", "mysql", "postgresql", "sqlite")

# Loggers that report each step of MLflow and of its database.
NOISY_LOGGERS = ("mlflow", "alembic", "urllib3")


@contextmanager
def mlflow_session(uri: str, *, fail_fast: bool = False) -> Iterator[None]:
    """Use MLflow without its messages; turn its errors into one-line TrackingErrors.

    MLflow reads the environment and the levels of its loggers, which are those of the process. They
    are restored when no thread is in such a block. Warnings are the caller's to filter. With
    `fail_fast`, each request is sent only once. Raises MissingExtraError without MLflow.
    """
    settings = SETTINGS | (FAIL_FAST_SETTINGS if fail_fast else RETRY_SETTINGS)
    with default_environment(settings):
        # Import MLflow before silencing its loggers: the import configures them.
        require_extra("mlflow", "logging to MLflow needs it", "mlflow")
        try:
            with silence_loggers(NOISY_LOGGERS):
                yield
        except Exception as error:
            from requests import RequestException

            # RequestException is an OSError; other OSErrors are not MLflow's.
            is_own = isinstance(error, (MnistSvmError, OSError))
            if is_own and not isinstance(error, RequestException):
                raise
            msg = hide_passwords(f"{uri}: {_reason(error)}")
            raise TrackingError(msg) from error


def require_database(uri: str) -> None:
    """Raise an error if the URI is that of a database that cannot be read.

    MLflow itself would retry for minutes.
    """
    if urlsplit(uri).scheme.split("+")[0] not in DATABASES:
        return
    from sqlalchemy import create_engine, inspect
    from sqlalchemy.pool import NullPool

    inspect(create_engine(uri, poolclass=NullPool)).get_table_names()


def artifact_location(uri: str, experiment: str) -> str | None:
    """URI of an experiment's artifact folder, next to a SQLite database; None for other stores."""
    if not urlsplit(uri).scheme.startswith("sqlite"):
        return None
    from sqlalchemy import make_url

    database = make_url(uri).database
    if database in (None, "", ":memory:"):
        return None
    folder = re.sub(r"[^\w-]+", "-", experiment, flags=re.ASCII)[:100]
    return (Path(database).resolve().parent / "mlartifacts" / folder).as_uri()


def hide_passwords(text: str) -> str:
    """Remove user names and passwords from the URLs in a text."""
    return re.sub(r"(?<=//)[^/@\s]*@", "", text)


def _reason(error: Exception) -> str:
    """Why MLflow failed, on one line."""
    from requests import ConnectionError as RequestsConnectionError
    from requests import Timeout

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, (RequestsConnectionError, Timeout)):
            return "no MLflow server responds; start one with: mlflow server"
        cause = cause.__cause__ or cause.__context__
    return f"MLflow error: {error_text(error)}"
