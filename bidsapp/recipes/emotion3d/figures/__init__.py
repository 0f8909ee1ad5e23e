"""Figures of the reports of `emotion3d`."""
