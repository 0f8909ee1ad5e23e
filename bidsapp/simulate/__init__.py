"""Simulated datasets with a planted truth, and the check of what came back."""
