"""The pages of `gradients`."""

from bidsapp.report.html import Page
from bidsapp.report.methods import Methods
from bidsapp.results.read import Results


def report(results: Results) -> tuple[Page, Methods]:
    """Return the page and the methods text."""
    return Page(results.title, "", ()), Methods("", ())
