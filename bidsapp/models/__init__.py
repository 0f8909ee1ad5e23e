"""Models: arrays in, arrays out. No file, no name of a subject, no configuration."""
