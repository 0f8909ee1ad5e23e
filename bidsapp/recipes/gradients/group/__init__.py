"""Group level of `gradients`: group maps, and their test against the functional gradient.

It reads nothing but the results of the participant level:

``collect``
    which participants are complete and belong together;
``analyse``
    the order of the analysis, like a methods section;
``maps``
    group mean, sign-flip test, best and centroid layer, from scores kept on disk (``stack``);
``cortex``, ``spin``, ``spin_tables``
    the surface on which layer maps are compared with the functional gradient, by rotation;
``subjects``
    the same comparison in each participant, tested over participants;
``profiles``, ``ratings``, ``isc``
    layer profiles of regions and ratings, and how alike participants respond;
``outputs``, ``writer``, ``summary``, ``wording``
    files, and sentences on what was done, what it licenses and what to distrust.
"""
