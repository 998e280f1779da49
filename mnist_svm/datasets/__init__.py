"""Data sets: bytes in, labelled images out."""
