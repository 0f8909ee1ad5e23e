"""Names of pitch classes and quadrants; imports nothing."""

from __future__ import annotations

PITCH_CLASSES = ("A", "A#", "B", "C", "C#", "D", "D#", "E", "F", "F#", "G", "G#")
QUADRANTS = ("Q1", "Q2", "Q3", "Q4")
