"""Encoding models of `reconstruct`: which embeddings of the clips predict which responses.

Source: Denk et al. 2025, encoding (section 4.2), variance partitioning (A.1.8), principal
components of weights (A.1.7).
"""
