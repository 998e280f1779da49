"""Pictures as people send them, rendered from labelled digits of MNIST and UCI."""
