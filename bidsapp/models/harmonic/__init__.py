"""Networks over mel spectrograms whose filters follow the harmonics of pitch classes."""
