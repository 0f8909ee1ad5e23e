"""The first sentences of `harmony`: what is shown, and that nothing is where nothing is."""

from __future__ import annotations

from bidsapp.recipes.harmony.answer import verdict


def test_parcels_are_counted_by_network() -> None:
    (text,) = verdict([(3, "harmonic network"), (0, "acoustics")], 30, "over 8 listeners, ", "it")
    assert text.startswith("Over 8 listeners, responses to held-out music were predicted in 3 (")
    assert "0 (acoustics) of 30 parcels better than by it." in text


def test_none_is_not_called_a_prediction() -> None:
    (text,) = verdict([(0, "harmonic network"), (0, "acoustics")], 1, "", "displaced music")
    assert text == (
        "It is not shown that responses to held-out music are predicted (harmonic network, "
        "acoustics): in none of 1 parcel better than by displaced music."
    )
    assert list(verdict([], 0, "", "")) == []
