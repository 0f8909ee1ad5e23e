"""Spin tests: random rotations of the cortical sphere, the null distribution and its p-values."""
