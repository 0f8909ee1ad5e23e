"""Tags of a listening game made usable: what means the same becomes one tag.

The steps are those that Magtag5k was made with; its table of merged tags was not at hand, so
this one is our own and the numbers of clips and tags come near the published ones, not to them.

Source: Thielen et al., Natural music stimuli (misspelling, synonymy, compatibility, trivial
cases, sparseness, duplication).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]

SAME: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "arabic": ("middle eastern",),
        "beat": ("beats",),
        "calm": ("mellow",),
        "chant": ("chanting", "monks"),
        "choir": ("choral", "chorus"),
        "classical": ("clasical", "classic"),
        "drum": ("drums",),
        "eastern": ("oriental",),
        "electronic": ("electro", "electronica"),
        "female vocal": (
            *("female", "female singer", "female singing", "female vocals", "female voice"),
            *("girl", "woman", "woman singing", "women"),
        ),
        "flute": ("flutes",),
        "funk": ("funky",),
        "guitar": ("guitars",),
        "harpsichord": ("harpsicord",),
        "horn": ("horns",),
        "indian": ("india",),
        "irish": ("celtic",),
        "jazz": ("jazzy",),
        "male vocal": (
            *("male", "male singer", "male vocals", "male voice", "man", "man singing", "men"),
        ),
        "metal": ("heavy metal",),
        "no vocal": (
            *("no singer", "no singing", "no vocals", "no voice", "no voices", "instrumental"),
        ),
        "opera": ("operatic",),
        "orchestra": ("orchestral",),
        "quiet": ("soft",),
        "space": ("spacey",),
        "strings": ("string",),
        "synth": ("synthesizer",),
        "violin": ("violins", "fiddle"),
        "vocal": ("singer", "singing", "vocals", "voice", "voices"),
        "weird": ("strange", "different"),
    }
)
"""Tag → spellings and synonyms that become it."""
TRIVIAL = frozenset({"silence", "lol"})
"""Tags that say nothing about music."""

_NOT = ("no ", "not ", "no-", "not-")


def merged(names: Sequence[str], labels: Bools) -> tuple[list[str], Bools]:
    """Merge tags that mean the same, drop trivial ones.

    Parameters
    ----------
    names
        (n_tags,).
    labels
        (n_clips, n_tags).

    Returns
    -------
    names
        In the order in which they first come.
    labels
        (n_clips, n) whether a clip has the tag or one of its synonyms.
    """
    one = {synonym: tag for tag, synonyms in SAME.items() for synonym in synonyms}
    groups: dict[str, list[int]] = {}
    for column, name in enumerate(names):
        if name not in TRIVIAL:
            groups.setdefault(one.get(name, name), []).append(column)
    columns = [labels[:, members].any(axis=1) for members in groups.values()]
    return list(groups), np.column_stack(columns)


def contradictory(names: Sequence[str], labels: Bools) -> Bools:
    """Find clips with both a tag and its negation, after merging.

    Parameters
    ----------
    names, labels
        As `merged` takes them.

    Returns
    -------
    numpy.ndarray
        (n_clips,) of bool.
    """
    tags, merged_labels = merged(names, labels)
    column = {tag: number for number, tag in enumerate(tags)}
    found = np.zeros(len(labels), dtype=bool)
    for tag, number in column.items():
        for prefix in _NOT:
            positive = column.get(tag.removeprefix(prefix))
            if tag.startswith(prefix) and positive is not None:
                found |= merged_labels[:, number] & merged_labels[:, positive]
    return found


def richest_of_each(songs: Sequence[str], n_tags: npt.NDArray[np.int_]) -> Bools:
    """Choose one clip of each song: that with the most tags, the first of several.

    Clips of unknown song ('') all stay; negative `n_tags` are never chosen over others.
    """
    best: dict[str, int] = {}
    for clip, song in enumerate(songs):
        if song and (song not in best or n_tags[clip] > n_tags[best[song]]):
            best[song] = clip
    chosen = np.array([not song for song in songs])
    chosen[list(best.values())] = True
    return chosen
