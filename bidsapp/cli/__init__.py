"""The command line: one table of options, two commands."""
