r"""Searchlight representational similarity analysis that never stores an RDM.

For one searchlight, with Spearman dissimilarities:

1. Centred doubled ranks of the members within each item, by counting comparisons: integers.
2. Their product with themselves, an exact integer matrix. Without ties it has at most
   :math:`n (n^2 - 1) / 6 + 1` different values for n members, so
3. ranks over pairs come from counting values, not from sorting.
4. Products of these integer ranks with integer ranks of the models, summed in integers.

Numerators of all scores are integers, hence the same for any number of threads, any division
of the searchlights and any device. Everything else - partial correlation given nuisance RDMs,
noise ceilings - follows from these products. Patterns with ties and other dissimilarities are
ranked by a sort with the same mid-ranks.
"""

from __future__ import annotations

from bidsapp.models.searchlight.clips import ClipNull, clip_null
from bidsapp.models.searchlight.group import GroupScores, group_searchlight
from bidsapp.models.searchlight.scores import SearchlightScores, searchlight_rsa
from bidsapp.models.searchlight.table import ModelTable, model_table

__all__ = [
    "ClipNull",
    "GroupScores",
    "ModelTable",
    "SearchlightScores",
    "clip_null",
    "group_searchlight",
    "model_table",
    "searchlight_rsa",
]
