"""musicotopy: where, how well and at which level of abstraction the brain follows music."""

__version__ = "0.1.0"
