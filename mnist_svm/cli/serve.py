"""``mnist-svm serve``."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

import click

from mnist_svm.cli.options import describe_model, model_option
from mnist_svm.exceptions import sanitize

# Modules that the extra "serve" installs.
MODULES = (
    "fastapi",
    "fastapi_offline",
    "httptools",
    "prometheus_client",
    "pydantic_settings",
    "python_multipart",
    "uvicorn",
)


@click.command("serve")
@click.option("--host", help="Address to listen on; 0.0.0.0 accepts other machines.  [127.0.0.1]")
@click.option("-p", "--port", type=int, help="Port to listen on; 0 selects a free port.  [8000]")
@click.option(
    "--root-path",
    metavar="PATH",
    help="Path under which a reverse proxy publishes the server, if it strips that from requests.",
)
@model_option
@click.option(
    "--workers", type=int, help="Number of processes; one that dies is restarted.  [1; 1 to 64]"
)
@click.option(
    "--max-body",
    type=int,
    metavar="MiB",
    help="Maximum size of a request body.  [32; 1 to 1024]",
)
@click.option(
    "--max-pixels",
    type=int,
    metavar="MILLIONS",
    help="Maximum number of pixels per picture.  [32; 1 to 64]",
)
@click.option(
    "--max-files",
    type=int,
    metavar="N",
    help="Maximum number of pictures per request.  [64; 1 to 10000]",
)
@click.option(
    "--timeout",
    type=float,
    metavar="SECONDS",
    help="Time limit per request, including its upload.  [30; 0.1 to 3600]",
)
@click.option(
    "--queue",
    type=int,
    metavar="N",
    help="Maximum number of concurrent requests per worker; more get status 503.  [128]",
)
@click.option(
    "--corrections",
    type=click.Path(file_okay=False),
    metavar="FOLDER",
    help="Keep pictures that people correct on the page in FOLDER, to learn from them.",
)
@click.option(
    "--allow-origin",
    multiple=True,
    metavar="ORIGIN",
    help="Allow pages of this origin to use the API (CORS); repeatable; * allows all.",
)
def serve_command(**options: Any) -> None:
    """Serve a web page to draw and drop digits on, and a JSON API.

    The page is at /, the documentation of the API at /docs. POST pictures or arrays of one digit
    each to /predict, pictures of any number of digits to /read. On Ctrl-C or SIGTERM the server
    finishes the requests in progress and exits. On SIGHUP it takes over the model file anew.

    With --corrections, the page has buttons for the right digit under each answer, and one to learn
    from what was corrected, as `mnist-svm teach` does, while the server runs. This writes the
    server's model file; the model shipped with the package stays, and mnist-svm.joblib beside
    FOLDER takes its place. Whoever may use the API may teach.

    Each option has an environment variable, such as MNIST_SVM_PORT for --port. If
    MNIST_SVM_API_KEY is set, the API requires this key in the header X-API-Key or as a bearer
    token. The log on stderr has one line per request, as JSON unless stderr is a terminal. Needs an
    extra: pip install 'mnist-svm[serve]'.

    \b
    Examples:
      mnist-svm serve
      curl -F file=@images_test/7.png http://127.0.0.1:8000/predict
      mnist-svm serve --host 0.0.0.0 --port 80 --workers 4
      mnist-svm serve --corrections corrections
    """
    import sys

    from mnist_svm._io import require_writable
    from mnist_svm._optional import require_extra
    from mnist_svm.cli.exit_codes import echo_stderr
    from mnist_svm.cli.progress import is_terminal
    from mnist_svm.models.locate import find_model
    from mnist_svm.recognition.recognizer import Recognizer

    for module in MODULES:
        require_extra(module, f"serving needs {module}", "serve")
    from pydantic import ValidationError

    from mnist_svm.serve.run import listen, serve, url_of
    from mnist_svm.serve.settings import Settings

    given = {name: value for name, value in options.items() if value not in (None, ())}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise click.UsageError(_explain(error.errors()[0], given)) from None
    settings = settings.model_copy(update={"model": find_model(settings.model)})
    path = settings.current_model
    # Report an invalid model, or folder, before any worker starts.
    Recognizer.load(path)
    if settings.corrections is not None:
        settings.corrections.mkdir(exist_ok=True)
        require_writable(settings.corrections / "0")
        require_writable(settings.taught_model or path)
    with listen(settings.host, settings.port) as server:
        line = f"Serving on {url_of(server)} with {describe_model(path)}; press Ctrl-C to stop"
        serve(
            settings,
            server,
            is_terminal=is_terminal(sys.stderr),
            on_start=lambda: echo_stderr(line),
        )
    echo_stderr("Stopped; all requests in progress were finished")


def _explain(error: Mapping[str, Any], given: Container[str]) -> str:
    """Format a validation error of the settings, whose source is an option or a variable."""
    name = str(error["loc"][0])
    is_option = name in given
    source = f"--{name.replace('_', '-')}" if is_option else f"MNIST_SVM_{name.upper()}"
    return f"{source}: {error['msg']}, found {sanitize(str(error['input']))}"
