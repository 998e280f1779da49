# Build: install the package, which brings a trained model.
FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /opt/mnist-svm
COPY pyproject.toml README.md LICENSE ./
COPY mnist_svm ./mnist_svm
RUN /opt/mnist-svm/bin/pip install --no-cache-dir .

# Run: the installed package, nothing of the build.
FROM python:3.13-slim
RUN useradd --create-home --uid 1000 reader
COPY --from=build /opt/mnist-svm /opt/mnist-svm
ENV PATH=/opt/mnist-svm/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /opt/mnist-svm
USER reader
ENTRYPOINT ["mnist-svm"]
CMD ["--help"]
