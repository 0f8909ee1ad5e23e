"""How often the tests of this very study pass where there is nothing to find.

``musicotopy-tools calibrate study --for`` analyses the study with foreign music and leaves the
rates beside the results.
"""

from __future__ import annotations

from pathlib import Path

from bidsapp.report.html import Part
from bidsapp.report.tables import table
from bidsapp.results.kinds import Column
from bidsapp.results.read import Results, read_stats

_COLUMNS = (
    Column("table", "table", text=True),
    Column("column", "p-value", text=True),
    Column("test", "test", text=True, prose=True),
    Column("rate", title="share of p \u2264 .05", digits=3),
    Column("values", title="p-values", digits=0),
    Column("any", title="analyses with any", digits=0),
    Column("studies", title="of", digits=0),
    Column("low", title="from", digits=2),
    Column("high", title="to", digits=2),
)


def own_rates_path(output_dir: Path) -> Path:
    """Return where the rates of a study stand beside its results."""
    return output_dir / "logs" / "calibration.tsv"


def own_rates(results: Results) -> list[Part]:
    """Show the rates of the tests of this study; nothing where they were not measured.

    Parameters
    ----------
    results
        Of a participant or of the group.
    """
    path = own_rates_path(results.root)
    if not path.is_file():
        return []
    rates = read_stats(path, (Column("recipe", text=True), Column("level", text=True), *_COLUMNS))
    level = "group" if results.is_group else "participant"
    rows = rates[(rates["recipe"] == results.recipe) & (rates["level"] == level)]
    caption = (
        "Error rates in this study: its BOLD and settings, analysed with music that nobody heard. "
        "A p-value that is not corrected should be at most .05 in .05 of the cases; of family-"
        "wise ones, in .05 of the analyses at least one. From, to: exact 95 % interval of the "
        "share of analyses with any. All analyses share the BOLD of this study: gross "
        "failures are seen"
    )
    return [table(rows, _COLUMNS, caption)] if len(rows) else []
