"""Figures of the reports: arrays in, matplotlib figure out, no global state touched."""
