"""Figures of the reports of `rsa`."""
