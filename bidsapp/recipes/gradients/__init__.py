"""Representational gradients of music (Kim, Overath and Sammler)."""
