"""``mnist-svm serve``."""

from __future__ import annotations

import importlib.util

import click

from mnist_svm.cli.options import describe_model, model_option, require_finite
from mnist_svm.serve.settings import MIB, Settings

MILLION = 1_000_000

# What the extra brings.
EXTRA = (
    "fastapi",
    "fastapi_offline",
    "httptools",
    "prometheus_client",
    "python_multipart",
    "uvicorn",
)


@click.command("serve")
@click.option(
    "--host",
    envvar="MNIST_SVM_HOST",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; 0.0.0.0 for other machines too.",
)
@click.option(
    "-p",
    "--port",
    type=click.IntRange(0, 65535),
    envvar="MNIST_SVM_PORT",
    default=8000,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@model_option
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    envvar="MNIST_SVM_WORKERS",
    default=1,
    show_default=True,
    help="Processes that share the work; one that dies is started anew.",
)
@click.option(
    "--max-body",
    type=click.IntRange(1, 1024),
    default=Settings.max_body // MIB,
    show_default=True,
    metavar="MiB",
    help="Largest body of a request.",
)
@click.option(
    "--max-pixels",
    type=click.IntRange(1, 64),
    default=Settings.max_pixels // MILLION,
    show_default=True,
    metavar="MILLIONS",
    help="Largest picture.",
)
@click.option(
    "--max-files",
    type=click.IntRange(1, 10_000),
    default=Settings.max_files,
    show_default=True,
    metavar="N",
    help="Most pictures of a request.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, 3600),
    callback=require_finite,
    default=Settings.timeout,
    show_default=True,
    metavar="SECONDS",
    help="Longest time for a request, sending included.",
)
@click.option(
    "--queue",
    type=click.IntRange(1, 100_000),
    default=Settings.queue,
    show_default=True,
    metavar="N",
    help="Requests that a worker begins on; others are told to come again.",
)
@click.option(
    "--allow-origin",
    "origins",
    multiple=True,
    metavar="ORIGIN",
    help="Let pages of another origin use the API (CORS); may be repeated; * for all.",
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

    The page is at /, the API's documentation at /docs. POST pictures or arrays to /predict for one
    digit each, pictures to /read for any number of digits. Ctrl-C or SIGTERM ends it when what was
    begun is finished.

    If the environment has MNIST_SVM_API_KEY, the API asks for that key, in the header X-API-Key or
    as a bearer token; the page asks for it, too. Every request has a line in the log on stderr, as
    JSON where that is no terminal. Needs the extra: pip install 'mnist-svm[serve]'.

    \b
    Examples:
      mnist-svm serve
      curl -F file=@images_test/7.png http://127.0.0.1:8000/predict
      mnist-svm serve --host 0.0.0.0 --port 80 --workers 4
    """
    import os
    import sys

    from mnist_svm.cli.exit_codes import echo_stderr
    from mnist_svm.cli.progress import is_terminal
    from mnist_svm.exceptions import MissingExtraError
    from mnist_svm.models.locate import find_model
    from mnist_svm.recognition.recognizer import Recognizer

    if any(importlib.util.find_spec(name) is None for name in EXTRA):
        msg = "serve needs an extra; install it with: pip install 'mnist-svm[serve]'"
        raise MissingExtraError(msg)
    from mnist_svm.serve.run import listen, serve, url_of

    path = find_model(model)
    # A model that cannot be used is told before anything is begun.
    Recognizer.load(path)
    settings = Settings(
        model=path,
        max_body=max_body * MIB,
        max_pixels=max_pixels * MILLION,
        max_files=max_files,
        timeout=timeout,
        queue=queue,
        origins=origins,
        # A file that a key is kept in may end with a newline.
        api_key=os.environ.get("MNIST_SVM_API_KEY", "").strip() or None,
    )
    with listen(host, port) as server:
        line = f"Serving on {url_of(server)} with {describe_model(path)}; Ctrl-C ends it"
        terminal = is_terminal(sys.stderr)
        serve(settings, server, workers=workers, terminal=terminal, tell=lambda: echo_stderr(line))
    echo_stderr("Served; all that was begun is finished")
