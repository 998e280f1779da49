"""``mnist-svm serve``."""

from __future__ import annotations

import click

from mnist_svm.cli.options import describe_model, model_option, require_finite
from mnist_svm.serve.settings import MIB, Settings

MILLION = 1_000_000

# Modules that the extra "serve" installs.
MODULES = (
    "fastapi",
    "fastapi_offline",
    "httptools",
    "prometheus_client",
    "python_multipart",
    "uvicorn",
)


@click.command("serve", context_settings={"show_default": True})
@click.option(
    "--host",
    envvar="MNIST_SVM_HOST",
    default="127.0.0.1",
    help="Address to listen on; 0.0.0.0 accepts other machines.",
)
@click.option(
    "-p",
    "--port",
    type=click.IntRange(0, 65535),
    envvar="MNIST_SVM_PORT",
    default=8000,
    help="Port to listen on; 0 selects a free port.",
)
@model_option
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    envvar="MNIST_SVM_WORKERS",
    default=1,
    help="Number of processes; one that dies is restarted.",
)
@click.option(
    "--max-body",
    type=click.IntRange(1, 1024),
    default=Settings.max_body // MIB,
    metavar="MiB",
    help="Maximum size of a request body.",
)
@click.option(
    "--max-pixels",
    type=click.IntRange(1, 64),
    default=Settings.max_pixels // MILLION,
    metavar="MILLIONS",
    help="Maximum number of pixels per picture.",
)
@click.option(
    "--max-files",
    type=click.IntRange(1, 10_000),
    default=Settings.max_files,
    metavar="N",
    help="Maximum number of pictures per request.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, 3600),
    callback=require_finite,
    default=Settings.timeout,
    metavar="SECONDS",
    help="Time limit per request, including its upload.",
)
@click.option(
    "--queue",
    type=click.IntRange(1, 100_000),
    default=Settings.queue,
    metavar="N",
    help="Maximum number of concurrent requests per worker; more get status 503.",
)
@click.option(
    "--allow-origin",
    "origins",
    multiple=True,
    metavar="ORIGIN",
    help="Allow pages of this origin to use the API (CORS); repeatable; * allows all.",
)
def serve_command(
    host: str,
    port: int,
    model: str | None,
    workers: int,
    max_body: int,
    max_pixels: int,
    max_files: int,
    timeout: float,
    queue: int,
    origins: tuple[str, ...],
) -> None:
    """Serve a web page to draw and drop digits on, and a JSON API.

    The page is at /, the documentation of the API at /docs. POST pictures or arrays of one digit
    each to /predict, pictures of any number of digits to /read. On Ctrl-C or SIGTERM the server
    finishes the requests in progress and exits.

    With MNIST_SVM_API_KEY in the environment, the API requires this key in the header X-API-Key or
    as a bearer token. The log on stderr has one line per request, as JSON unless stderr is a
    terminal. Needs an extra: pip install 'mnist-svm[serve]'.

    \b
    Examples:
      mnist-svm serve
      curl -F file=@images_test/7.png http://127.0.0.1:8000/predict
      mnist-svm serve --host 0.0.0.0 --port 80 --workers 4
    """
    import os
    import sys

    from mnist_svm._optional import require_extra
    from mnist_svm.cli.exit_codes import echo_stderr
    from mnist_svm.cli.progress import is_terminal
    from mnist_svm.models.locate import find_model
    from mnist_svm.recognition.recognizer import Recognizer

    for module in MODULES:
        require_extra(module, f"serving needs {module}", "serve")
    from mnist_svm.serve.run import listen, serve, url_of

    path = find_model(model)
    # Report an invalid model before any worker starts.
    Recognizer.load(path)
    settings = Settings(
        model=path,
        max_body=max_body * MIB,
        max_pixels=max_pixels * MILLION,
        max_files=max_files,
        timeout=timeout,
        queue=queue,
        origins=origins,
        # A key that was read from a file may end with a newline.
        api_key=os.environ.get("MNIST_SVM_API_KEY", "").strip() or None,
    )
    with listen(host, port) as server:
        line = f"Serving on {url_of(server)} with {describe_model(path)}; press Ctrl-C to stop"
        serve(
            settings,
            server,
            workers=workers,
            is_terminal=is_terminal(sys.stderr),
            on_start=lambda: echo_stderr(line),
        )
    echo_stderr("Stopped; all requests in progress were finished")
