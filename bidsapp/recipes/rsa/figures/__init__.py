"""Figures of this paper: dissimilarity matrices, distributions of scores and layers, the gyrus."""
