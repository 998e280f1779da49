"""Pipeline steps as ONNX operators, one module for each module of NumPy code."""
