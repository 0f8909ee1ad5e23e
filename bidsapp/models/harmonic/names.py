"""Names of pitch classes, quadrants and columns; imports nothing."""

from __future__ import annotations

PITCH_CLASSES = ("A", "A#", "B", "C", "C#", "D", "D#", "E", "F", "F#", "G", "G#")
QUADRANTS = ("Q1", "Q2", "Q3", "Q4")
MATCH_COLUMNS = {
    "piece": "sound with the moment",
    "start_s": "start of the moment, in seconds",
    "candidate": "other sound, as a whole",
    "similarity": "1 - Jensen-Shannon distance of the quadrants: 1 alike, 0 without a common one",
    "valence_contrast": "predicted valence of the candidate less that of the moment (-2 to 2)",
    "arousal_contrast": "predicted arousal of the candidate less that of the moment (-2 to 2)",
    "uncertainty": "entropy of the quadrants of both on average, in bits: 2 is no knowledge",
}
"""Columns of a table of moments and candidates, with what they mean."""
