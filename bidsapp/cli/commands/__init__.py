"""Subcommands of `musicotopy-tools`, one module each."""
