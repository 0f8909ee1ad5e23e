"""Layer features of sounds: Gram matrices, principal components, and their place in time."""
