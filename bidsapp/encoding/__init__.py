"""Voxelwise encoding models: rows of volumes, layer designs, scores with their null, ratings.

What recipes that predict responses or ratings from layers of a network share; it knows no recipe
and no configuration.
"""
