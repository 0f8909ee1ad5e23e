"""Group level of `rsa`: what participants' searchlights have in common with layers.

It reads nothing but the results of the participant level:

``collect``
    which participants are complete and heard the same clips;
``design``, ``patterns``
    their model RDMs, and their patterns in a common space;
``search``
    scores of all searchlights, their clip permutation null and noise ceilings, slab by slab;
``layer_maps``, ``shape``
    best layers and how sure they are; hemispheres and the axis of the superior temporal gyrus;
``analyse``
    the order of the analysis, like a methods section;
``outputs``, ``tables``, ``summary``, ``wording``
    files, and sentences on what was done, what it licenses and what to distrust.
"""
