"""Recipe `rsa`: layers of a sound network, searchlight representational similarity analysis."""
