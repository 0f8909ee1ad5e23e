"""Sections of the participant report: results in, sections of a page out."""
