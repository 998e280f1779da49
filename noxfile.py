"""Sessions for development: `nox -l` lists them, `nox -s lint` runs one."""

from __future__ import annotations

import nox

nox.needs_version = ">=2025.5"
nox.options.sessions = ["lint", "test"]
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
REST = "slow or browser or cluster or fuzz"


def install(session: nox.Session, group: str) -> None:
    """Install the package from here, and a group of pyproject.toml."""
    session.install("--editable", ".", f"--group={group}")


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff, mypy and the layers of imports."""
    install(session, "test")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    for platform in ("linux", "darwin", "win32"):
        cache = f"--cache-dir={session.create_tmp()}/{platform}"
        session.run("mypy", "--strict", f"--platform={platform}", cache, "mnist_svm")
    session.run("lint-imports")


@nox.session(python=PYTHONS)
def test(session: nox.Session) -> None:
    """Quick tests, on each Python that is installed."""
    install(session, "dev")
    session.run("pytest", "-n", "2", *session.posargs)


@nox.session(python="3.15")
def prerelease(session: nox.Session) -> None:
    """Quick tests, on a Python for which not all extras can be installed yet."""
    session.install("--editable", ".[dask,onnx,parquet,plot,serve,tune]", "--group=tools")
    session.run("pytest", "-n", "2", "tests", *session.posargs)


@nox.session(name="test-all")
def test_all(session: nox.Session) -> None:
    """All tests, with their coverage, and thousands of damaged files."""
    install(session, "dev")
    session.run("pytest", "-n", "2", "--cov", *session.posargs)
    options = ["--cov", "--cov-append", "-m", REST, *session.posargs]
    session.run("pytest", "-n", "2", *options, env={"FUZZ_EXAMPLES": "3000"})
    session.run("coverage", "report", "--skip-covered", "--skip-empty")


@nox.session(python="3.11", venv_backend="uv")
def lowest(session: nox.Session) -> None:
    """Quick tests, on the lowest versions of all dependencies that pyproject.toml allows."""
    extras = "cnn,dask,fast,mlflow,onnx,parquet,plot,serve,tune"
    session.install("--resolution=lowest-direct", "--editable", f".[{extras}]")
    session.install("--group=test")
    # Old releases of dependencies use what new ones of others deprecate.
    quiet = ("-W", "ignore::DeprecationWarning", "-W", "ignore::FutureWarning")
    # JAX 0.5.0 crashes when it reads compiled functions from files.
    env = {"JAX_COMPILATION_CACHE_DIR": ""}
    session.run("pytest", "-n", "2", *quiet, "tests", "mnist_svm", *session.posargs, env=env)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation into site/, with warnings and dead links as errors."""
    install(session, "docs")
    session.run("mkdocs", "build", "--strict", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Run a benchmark: nox -s bench -- recipes --seeds 1."""
    install(session, "bench")
    name, *arguments = session.posargs or ["startup"]
    # Set, these halve the speed of NumPy on some processors.
    slow = {"OPENBLAS_CORETYPE": None, "OPENBLAS_L2_SIZE": None}
    session.run("python", "-m", f"benchmarks.{name}", *arguments, env=slow)
