"""Figures of the poster of Kim, Overath and Sammler."""
