"""Tests of representational similarity, and what they are computed from."""
