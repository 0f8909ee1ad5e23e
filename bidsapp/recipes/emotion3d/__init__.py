"""`emotion3d`: the emotion of a scene from single brain volumes, within and across people.

Source: Tanemura et al., poster, and its public code (lungerjo/DeepEmotion).
"""

from __future__ import annotations

from bidsapp.recipes.base.recipe import Recipe
from bidsapp.recipes.base.settings import read_remarks
from bidsapp.recipes.emotion3d.results import NAME, RESULTS
from bidsapp.recipes.emotion3d.settings import GROUP_VARIANTS, VARIANTS

_HERE = "bidsapp.recipes.emotion3d"

RECIPE = Recipe(
    name=NAME,
    question="Can emotion be decoded from single volumes of held-out runs and participants?",
    paper="tanemura",
    variants=VARIANTS,
    group_variants=GROUP_VARIANTS,
    results=RESULTS,
    needs=("intervals",),
    kinds=("volume",),
    remarks=read_remarks(__name__),
    design="emotions",
    group_reads_inputs=True,
    least_participants=2,
    prepare=f"{_HERE}.inputs:prepare",
    cost=f"{_HERE}.cost:estimate",
    participant=f"{_HERE}.participant:participant",
    group=f"{_HERE}.group:group",
    report=f"{_HERE}.report:report",
    check=f"{_HERE}.check_truth:CHECK",
)
