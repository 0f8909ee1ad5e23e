"""Figures of the group report."""
