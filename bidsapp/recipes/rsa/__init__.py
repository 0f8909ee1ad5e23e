"""`rsa`: layers of a sound network against searchlights, by representational similarity.

Source: Thielen et al.; Güçlü et al. (2016), Brains on beats.
"""

from __future__ import annotations

from bidsapp.recipes.base.recipe import Recipe
from bidsapp.recipes.base.settings import read_remarks
from bidsapp.recipes.rsa.results import RECIPE as NAME
from bidsapp.recipes.rsa.results import RESULTS
from bidsapp.recipes.rsa.settings import GROUP_VARIANTS, VARIANTS

RECIPE = Recipe(
    name=NAME,
    question="Which layer of a sound network is each searchlight like?",
    paper="thielen2016",
    variants=VARIANTS,
    group_variants=GROUP_VARIANTS,
    results=RESULTS,
    needs=("sounds", "grey_matter"),
    remarks=read_remarks(__name__),
    least_sounds=20,
    design="clips",
    check="bidsapp.recipes.rsa.check_truth:CHECK",
    prepare="bidsapp.recipes.rsa.prepare:prepare",
    cost="bidsapp.recipes.rsa.cost:estimate",
    participant="bidsapp.recipes.rsa.participant:participant",
    group="bidsapp.recipes.rsa.group:group",
    report="bidsapp.recipes.rsa.report:report",
)
