"""P-values are counted where the app has written them."""

from __future__ import annotations

from pathlib import Path

from bidsapp.cli.commands.calibrate import count_p, rates


def test_p_values_of_finished_participants(finished: tuple[Path, Path]) -> None:
    counts: dict = {}
    count_p(finished[0], counts)
    rows = {(row["table"], row["column"]): row for row in rates(counts)}
    parcels = rows["Scores of parcels", "p"]
    assert parcels["level"] == "participant"
    assert parcels["test"] == "Circular shifts of the responses"
    assert parcels["studies"] == 2
    assert 0 <= float(parcels["rate"]) <= 1
    assert rows["Best layer of parcels", "p_fwe"]["values"] % 12 == 0
    assert ("Scores of parcels", "q") not in rows
