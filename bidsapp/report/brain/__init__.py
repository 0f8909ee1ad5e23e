"""Maps of the brain: their colours, figures on the cortex and in slices, and the viewer.

A `draw.BrainMap` is a map with a title and a scale; `draw.draw` turns maps into figures and
`viewer.viewer` into an interactive cortex, both with the colours of `scales.look`.
"""
