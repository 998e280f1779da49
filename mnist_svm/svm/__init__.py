"""The learning machine; it knows nothing of images."""
