"""A fitted pipeline as an ONNX graph, each step in operators that do what its numpy code does."""
