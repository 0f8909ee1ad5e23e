"""`gradients`: layers of an audio network along cortical gradients, by encoding models.

Source: Kim, Overath and Sammler, poster.
"""

from __future__ import annotations

from bidsapp.recipes.base.recipe import Recipe
from bidsapp.recipes.base.settings import read_remarks
from bidsapp.recipes.gradients import group_results, results
from bidsapp.recipes.gradients.settings import GROUP_VARIANTS, VARIANTS

_HERE = "bidsapp.recipes.gradients"

RECIPE = Recipe(
    name=results.RECIPE,
    question="Are the layers of an audio network encoded along a cortical gradient?",
    paper="kim_gradients",
    variants=VARIANTS,
    group_variants=GROUP_VARIANTS,
    results=(*group_results.RESULTS, *results.RESULTS),  # mean scores define the units of a group
    needs=("sounds", "ratings"),
    remarks=read_remarks(__name__),
    least_sounds=3,  # groups of nested cross-validation; fewer pieces are split
    least_sound_s=VARIANTS["robust"].min_block_s,
    design="music",
    check=f"{_HERE}.check_truth:CHECK",
    refuse=f"{_HERE}.group_files:refuse",
    prepare="bidsapp.recipes.base.used_rows:prepare",
    cost=f"{_HERE}.cost:estimate",
    participant=f"{_HERE}.participant:participant",
    group=f"{_HERE}.group:group",
    group_files=f"{_HERE}.group_files:group_files",
    report=f"{_HERE}.report:report",
)
