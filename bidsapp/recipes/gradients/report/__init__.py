"""The pages of `gradients`, of a participant and of a group, from written results only."""

from __future__ import annotations

from bidsapp.recipes.gradients.report.group import group_page
from bidsapp.recipes.gradients.report.methods import methods
from bidsapp.recipes.gradients.report.participant_page import participant_page
from bidsapp.report.html import Page
from bidsapp.report.methods import Methods
from bidsapp.results.read import Results


def report(results: Results) -> tuple[Page, Methods]:
    """Arrange the page of a participant or of a group, and write the methods.

    Parameters
    ----------
    results
        What the recipe wrote.
    """
    text = methods(results)
    arrange = group_page if results.is_group else participant_page
    return arrange(results, text), text
