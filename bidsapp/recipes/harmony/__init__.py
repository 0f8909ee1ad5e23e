"""`harmony`: emotion of music from its harmony, explained, and harmony in the brain.

Source: Fong, Kumar and Sudhir, A theory-based explainable deep learning architecture for music
emotion, arXiv 2408.07113.
"""

from __future__ import annotations

from bidsapp.recipes.base.recipe import Recipe
from bidsapp.recipes.base.settings import read_remarks
from bidsapp.recipes.harmony import results
from bidsapp.recipes.harmony.settings import GROUP_VARIANTS, VARIANTS

_HERE = "bidsapp.recipes.harmony"

RECIPE = Recipe(
    name=results.RECIPE,
    question="What does harmony explain of music's emotion, of ratings and of responses to it?",
    paper="fong_harmony",
    variants=VARIANTS,
    group_variants=GROUP_VARIANTS,
    results=results.RESULTS,
    needs=("sounds", "ratings"),
    remarks=read_remarks(__name__),
    least_sounds=3,  # groups of nested cross-validation; fewer pieces are split
    least_sound_s=VARIANTS["robust"].min_block_s,
    design="music",
    check=f"{_HERE}.check_truth:CHECK",
    prepare="bidsapp.recipes.base.used_rows:prepare",
    cost=f"{_HERE}.cost:estimate",
    participant=f"{_HERE}.participant:participant",
    group=f"{_HERE}.group:group",
    report=f"{_HERE}.report:report",
)
