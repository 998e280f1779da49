"""Pipeline steps as ONNX operators, one module for each module of NumPy code.

A converter takes the input of a fitted step as a `builder.Value`, and returns its output. The input
of a transformer has shape (n, height, width).
"""
