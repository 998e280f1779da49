"""Convolutional networks as scikit-learn estimators, by Keras with JAX (the extra [cnn])."""
