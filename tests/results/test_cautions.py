"""Cautions are data: read as they were written, the most severe first."""

from __future__ import annotations

import pytest

from bidsapp.results.cautions import Caution, from_json, in_order, to_json

NOTE = Caution("note", "Few items", "16 rows only.")
SERIOUS = Caution("serious", "Random weights", "Layers show the architecture only.")


def test_they_survive_a_summary_file_the_most_severe_first() -> None:
    assert from_json(to_json([NOTE, SERIOUS])) == [SERIOUS, NOTE]


def test_one_reason_is_told_once() -> None:
    assert in_order([NOTE, NOTE]) == [NOTE]


def test_an_unknown_severity_is_refused() -> None:
    with pytest.raises(ValueError, match="severity 'loud'"):
        Caution.read({"severity": "loud", "title": "x", "text": "y"})
