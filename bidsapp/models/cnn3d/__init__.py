"""Decoding of single volumes by small three-dimensional convolutional networks."""
