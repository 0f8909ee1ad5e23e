"""`reconstruct`: from brain activity to the music that was heard.

Source: Denk et al. 2025, Nature Communications (Brain2Music).
"""

from __future__ import annotations

from bidsapp.recipes.base.recipe import Recipe
from bidsapp.recipes.reconstruct.results import RECIPE as NAME
from bidsapp.recipes.reconstruct.results import RESULTS
from bidsapp.recipes.reconstruct.settings import GROUP_VARIANTS, REMARKS, VARIANTS

_HERE = "bidsapp.recipes.reconstruct"

RECIPE = Recipe(
    name=NAME,
    question="Which music was heard, as told from brain activity?",
    paper="denk2025",
    variants=VARIANTS,
    group_variants=GROUP_VARIANTS,
    results=RESULTS,
    needs=("sounds",),
    remarks=REMARKS,
    least_sounds=12,
    design="genres",
    group_reads_inputs=True,
    prepare=f"{_HERE}.inputs:prepare",
    refuse=f"{_HERE}.inputs:refuse",
    check=f"{_HERE}.check_truth:CHECK",
    cost=f"{_HERE}.cost:estimate",
    participant=f"{_HERE}.participant:participant",
    group=f"{_HERE}.group:group",
    report=f"{_HERE}.report:report",
)
