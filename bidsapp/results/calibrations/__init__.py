"""Calibration of each inference: p-values on null data, or coverage of an interval."""
