"""Image features as scikit-learn transformers."""
