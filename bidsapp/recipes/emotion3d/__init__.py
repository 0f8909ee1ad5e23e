"""Emotion from single volumes by a 3D CNN (Tanemura and colleagues), with splits that hold."""
