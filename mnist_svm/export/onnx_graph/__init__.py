"""The steps of a pipeline as ONNX operators, one module for each module of numpy code."""
