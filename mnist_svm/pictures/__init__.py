"""Picture files to digit images: decoding, segmentation and normalization to MNIST form."""
