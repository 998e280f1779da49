# Build stage: install the package, which includes a trained model, and the server's dependencies.
FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv --without-pip /opt/mnist-svm
COPY pyproject.toml README.md LICENSE ./
COPY mnist_svm ./mnist_svm
# Tests of numpy, scipy and scikit-learn are a tenth of the size. Bytecode is compiled here because the
# file system is read-only later, and with hashes because builders may change file times.
RUN pip --python /opt/mnist-svm install --no-cache-dir --no-compile '.[serve]' \
 && find /opt/mnist-svm/lib -type d -name tests -prune -exec rm -r {} + \
 && python -m compileall -q --invalidation-mode unchecked-hash /opt/mnist-svm/lib

# Final stage: only the installed package.
FROM python:3.13-slim
LABEL org.opencontainers.image.title="mnist-svm" \
      org.opencontainers.image.description="Reads handwritten digits with a support vector machine: an HTTP server and a command" \
      org.opencontainers.image.licenses="MIT"
# The standard library comes without bytecode.
RUN useradd --uid 1000 --no-create-home --shell /usr/sbin/nologin reader \
 && python -m compileall -q --invalidation-mode unchecked-hash \
      -x '/(site-packages|dist-packages|ensurepip|idlelib|pydoc_data|test|tkinter|turtledemo)/' \
      "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
COPY --from=build /opt/mnist-svm /opt/mnist-svm
ENV PATH=/opt/mnist-svm/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /opt/mnist-svm
# Numeric, so that Kubernetes can verify that it is not root.
USER 1000:1000
EXPOSE 8000
# http.client, unlike urllib, ignores proxies in the environment.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-S", "-c", "from http.client import HTTPConnection as C; c = C('127.0.0.1', 8000, timeout=4); c.request('GET', '/health'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["mnist-svm"]
CMD ["serve", "--host", "0.0.0.0"]
