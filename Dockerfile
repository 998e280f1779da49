# The dependencies, a layer of their own, which is the same until deploy/image/requirements.txt changes.
FROM python:3.13-slim AS dependencies
RUN apt-get update --quiet=2 && apt-get install --quiet=2 --yes --no-install-recommends binutils
COPY deploy/image/requirements.txt /build/
# Left out are debugging symbols, tests, what only compilers and type checkers read, and two things that
# are not used here: the decoder of AVIF and the second documentation page of FastAPI.
RUN python -m venv --without-pip /opt/mnist-svm \
 && pip --python /opt/mnist-svm install --no-cache-dir --no-compile --only-binary :all: \
      --require-hashes --requirement /build/requirements.txt \
 && cd /opt/mnist-svm/lib \
 && find . -name '*.so*' -type f -exec strip --strip-unneeded {} + \
 && find . -type d '(' -name test -o -name tests ')' -prune -exec rm -r {} + \
 && find . -regextype posix-extended -type f \
      -regex '.*\.(a|c|cpp|h|pxd|pyi|pyx|tp)|.*/(pillow\.libs/libavif-|fastapi_offline/static/redoc)[^/]*' -delete

# The package, which includes a trained model, and the bytecode of what it imports. Python does not write
# bytecode when it runs, as the file system is read-only then.
FROM dependencies AS package
COPY deploy/image/build-requirements.txt /build/
RUN pip install --no-cache-dir --only-binary :all: --require-hashes \
      --requirement /build/build-requirements.txt
WORKDIR /build
COPY deploy/image/compile.py ./
COPY pyproject.toml hatch_build.py README.md LICENSE /src/
COPY mnist_svm /src/mnist_svm
# Without a version, that of pyproject.toml.
ARG VERSION
RUN SETUPTOOLS_SCM_PRETEND_VERSION=$VERSION pip wheel --no-cache-dir --no-deps --no-build-isolation /src \
 && pip --python /opt/mnist-svm install --no-cache-dir --no-compile --no-deps --root /package ./*.whl \
 && cp -r /package/opt / \
 && /opt/mnist-svm/bin/python compile.py /package/opt/mnist-svm/bytecode

FROM python:3.13-slim
LABEL org.opencontainers.image.title="mnist-svm" \
      org.opencontainers.image.description="Reads handwritten digits with a support vector machine: an HTTP server and a command" \
      org.opencontainers.image.licenses="MIT"
RUN useradd --uid 1000 --no-create-home --shell /usr/sbin/nologin reader
COPY --from=dependencies /opt/mnist-svm /opt/mnist-svm
COPY --from=package /package /
ENV PATH=/opt/mnist-svm/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPYCACHEPREFIX=/opt/mnist-svm/bytecode \
    PYTHONUNBUFFERED=1
WORKDIR /opt/mnist-svm
# Numeric, so that Kubernetes can verify that it is not root.
USER 1000:1000
EXPOSE 8000
# http.client, unlike urllib, ignores proxies in the environment.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-S", "-c", "from http.client import HTTPConnection as C; c = C('127.0.0.1', 8000, timeout=4); c.request('GET', '/health'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["mnist-svm"]
CMD ["serve", "--host", "0.0.0.0"]
