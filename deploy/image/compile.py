"""Compile the modules that the commands and the server import, and no others.

The build of the image runs ``python compile.py FOLDER``. Python finds the bytecode in FOLDER if
PYTHONPYCACHEPREFIX says so. It has hashes in place of file times, which builders may change.
"""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path
from py_compile import PycInvalidationMode

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from mnist_svm.examples import FILES

COMMAND = [sys.executable, "-m", "mnist_svm"]
DIGIT = FILES / "digits" / "7.png"
PORT = 8000
SUFFIX = f".{sys.implementation.cache_tag}.pyc"


def write_data(path: Path) -> None:
    """Write 200 digits of scikit-learn's, enlarged to 28 x 28 pixels."""
    images, labels = load_digits(return_X_y=True)
    large = np.kron(images[:200].reshape(-1, 8, 8) * 15.9, np.ones((3, 3)))
    pixels = np.pad(large, ((0, 0), (2, 2), (2, 2))).astype(np.uint8)
    np.savez(path, images=pixels, labels=labels[:200])


def request(method: str, path: str, body: bytes = b"", kind: str = "") -> None:
    """Send a request to the server; end the build unless its status is 200."""
    connection = HTTPConnection("127.0.0.1", PORT, timeout=60)
    connection.request(method, path, body, {"Content-Type": kind})
    response = connection.getresponse()
    content = response.read()
    if response.status != 200:
        sys.exit(f"{method} {path}: {response.status} {content.decode()}")


def use_server() -> None:
    """Start the server, send requests and end it."""
    png = DIGIT.read_bytes()
    disposition = b'Content-Disposition: form-data; name="file"; filename="7.png"'
    form = b"--x\r\n" + disposition + b"\r\n\r\n" + png + b"\r\n--x--\r\n"
    with subprocess.Popen([*COMMAND, "serve", "--port", str(PORT)]) as server:  # noqa: S603
        try:
            while server.poll() is None:
                try:
                    request("GET", "/health")
                    break
                except ConnectionRefusedError:
                    time.sleep(0.1)
            for path in ("/", "/docs", "/openapi.json", "/ready", "/metrics"):
                request("GET", path)
            for path in ("/predict", "/read"):
                request("POST", path, png, "image/png")
                request("POST", path, form, "multipart/form-data; boundary=x")
        finally:
            server.terminate()
    if server.returncode != 0:
        sys.exit(f"the server exited with {server.returncode}")


def use_commands(folder: Path) -> None:
    """Run the commands on few pictures, and end the build if one fails."""

    def run(*arguments: str | Path) -> None:
        subprocess.run([*COMMAND, *arguments], check=True, cwd=folder)  # noqa: S603

    write_data(folder / "data.npz")
    with Image.open(DIGIT) as picture:
        for suffix in ("bmp", "gif", "jpg", "png", "ppm", "tiff", "webp"):
            picture.convert("RGB").save(folder / f"7.{suffix}")
    run("--version")
    run("predict", *folder.glob("7.*"))
    run("read", FILES / "page.jpg", "--annotate", "page.png")
    run("read", FILES / "forms", "--template", FILES / "form.json", "--review", "review.html")
    run("explain", DIGIT)
    run("train", "--recipe", "best", "--data", "data.npz")
    run("eval", "--data", "data.npz")
    run("teach", FILES / "hand" / "learn")


def compile_again(bytecode: Path) -> None:
    """Replace the bytecode that Python wrote when it imported modules."""
    sys.pycache_prefix = str(bytecode)
    for path in bytecode.rglob(f"*{SUFFIX}"):
        source = Path("/", path.relative_to(bytecode)).with_name(
            path.name.removesuffix(SUFFIX) + ".py"
        )
        if not compileall.compile_file(
            source, quiet=1, force=True, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH
        ):
            sys.exit(f"{source} does not compile")


if __name__ == "__main__":
    target = Path(sys.argv[1])
    os.environ["PYTHONPYCACHEPREFIX"] = str(target)
    with tempfile.TemporaryDirectory() as work:
        use_commands(Path(work))
        use_server()
    compile_again(target)
