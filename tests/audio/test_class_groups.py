"""Groups of classes are found in every vocabulary by name."""

from __future__ import annotations

from bidsapp.audio.class_groups import GENRES, INSTRUMENTS, MOODS, class_groups
from bidsapp.audio.networks import get_network
from bidsapp.audio.networks.taggers import TAGS


def test_tags_and_audioset_have_groups_and_other_vocabularies_none() -> None:
    for corpus, n_genres in (("mtt", 12), ("msd", 28)):
        groups = {group.name: group for group in class_groups(TAGS[corpus])}
        assert len(groups[GENRES].columns) == n_genres
        assert {TAGS[corpus][k] for k in groups[GENRES].columns} >= {"rock", "electronic"}
        assert MOODS in groups
    assert INSTRUMENTS in {group.name for group in class_groups(TAGS["mtt"])}
    audioset = ["Speech", "Happy music", "Jazz", "Sad music", "Reggae", "Blues"]
    found = {group.name: (group.columns, group.n) for group in class_groups(audioset)}
    assert found == {GENRES: ((2, 4, 5), 2), MOODS: ((1, 3), 1)}
    assert class_groups(["LABEL_0", "LABEL_1"]) == []


def test_networks_say_their_classes() -> None:
    assert get_network("musicnn-mtt", weights="random", seed=0).classes == TAGS["mtt"]
    assert get_network("baseline").classes == ()
