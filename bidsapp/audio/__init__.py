"""Sound: decoding, log-mel spectrograms, networks."""
