"""What `harmony` found, in a few sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bidsapp.models.harmonic.names import QUADRANTS
from bidsapp.recipes.harmony import results as declared
from bidsapp.report.brain.projection import unit_words
from bidsapp.report.brain.scales import passing
from bidsapp.report.html import number_text, plural
from bidsapp.report.methods import has_random_weights
from bidsapp.report.sections import flips_can_pass
from bidsapp.results.networks import network_title
from bidsapp.results.read import Results, Space


def sentences(results: Results) -> Iterator[str]:
    """Yield how the sounds were classified, and what harmony adds to acoustics in the brain.

    Parameters
    ----------
    results
        Of a participant or of the group.
    """
    if not results.is_group:
        yield from _emotions(results)
        yield from _parcels(results)
    else:
        yield from _group_parcels(results)
    yield from _unique(results, results.spaces[0])


def _emotions(results: Results) -> Iterator[str]:
    courses = results.table(declared.COURSES)
    columns = [name for name in QUADRANTS if name in courses]
    if courses.empty or not columns:
        return
    if has_random_weights(results, "harmonic"):
        yield "The harmonic network is untrained: the emotions it gives sounds mean nothing."
        return
    means = courses.groupby("piece")[columns].mean()
    counts = means.idxmax(axis=1).value_counts()
    listed = ", ".join(f"{counts.get(name, 0)} {name}" for name in columns)
    yield f"Emotion predicted for {plural(len(means), 'sound')}, by quadrant: {listed}."


def _parcels(results: Results) -> Iterator[str]:
    """Yield in how many parcels each network predicts held-out music, in the first space."""
    space = results.spaces[0]
    counts: list[tuple[int, str]] = []
    n_parcels = 0
    for network in results.networks(space):
        rows = results.table(declared.PARCELS, space, network)
        mask = results.maps(declared.SIGNIFICANT, space, network)
        labels = results.maps(declared.PARCEL_LABELS, space)
        if rows.empty or mask is None or labels is None:
            continue
        n_parcels = rows["parcel"].nunique()
        passed = np.unique(labels.values[0][mask.values[0] > 0])
        counts.append((passed.size, network_title(network)))
    level = results.setting("significance", space)
    test = f"displaced music (family-wise p \u2264 {level:g})"
    yield from verdict(counts, n_parcels, "", test)


def _group_parcels(results: Results) -> Iterator[str]:
    """Yield in how many parcels each network passes against displaced music."""
    space, level = results.spaces[0], results.setting("significance", results.spaces[0])
    counts: list[tuple[int, str]] = []
    n_parcels = 0
    for network in results.networks(space):
        rows = results.table(declared.DISPLACEMENT, space, network).dropna(subset=["effect"])
        if len(rows):
            least = rows.groupby("parcel")["p_fwe"].min()
            n_parcels = len(least)
            counts.append((int((least <= level).sum()), network_title(network)))
    over = f"over {plural(results.n_participants, 'listener')}, "
    test = f"the same music displaced alike in everybody (family-wise p \u2264 {level:g})"
    yield from verdict(counts, n_parcels, over, test)


def verdict(
    counts: Sequence[tuple[int, str]], n_parcels: int, over: str, test: str
) -> Iterator[str]:
    """Yield in how many parcels each network predicts music, or that none is shown to.

    Parameters
    ----------
    counts
        Significant parcels and name of each network; nothing is said of none.
    n_parcels
        Parcels that were tested.
    over
        Beginning of the sentence: over whom.
    test
        What music was tested against.
    """
    if not counts:
        return
    parcels = plural(n_parcels, "parcel")
    listed = ", ".join(f"{n} ({name})" for n, name in counts)
    text = (
        f"{over}responses to held-out music were predicted in {listed} of {parcels} better than "
        f"by {test}."
    )
    if not any(n for n, _ in counts):
        names = ", ".join(name for _, name in counts)
        text = (
            f"{over}it is not shown that responses to held-out music are predicted ({names}): in "
            f"none of {parcels} better than by {test}."
        )
    yield text[0].upper() + text[1:]


def _unique(results: Results, space: Space) -> Iterator[str]:
    result = declared.UNIQUE_MEAN if results.is_group else declared.UNIQUE
    maps = results.maps(result, space)
    if maps is None or not np.isfinite(maps.values[0]).any():
        return
    word, words = unit_words(maps.units)[:2]
    adds = dict(zip(result.names, maps.values, strict=True))
    harmony, acoustics = (
        number_text(float(np.nanmean(adds[name])), 4)
        for name in (declared.HARMONY, declared.ACOUSTICS)
    )
    text = (
        f"On average over {words}, harmony adds {harmony} to the r of acoustics, and acoustics "
        f"add {acoustics} to the r of harmony"
    )
    tested = results.maps(declared.UNIQUE_P, space) if results.is_group else None
    if tested is None:
        yield f"{text} (descriptive: not tested within a participant)."
        return
    yield f"{text}."
    if not flips_can_pass(results, space):
        yield "With so few listeners, no test of what is unique to harmony can pass."
        return
    level = results.setting("significance", space)
    n = int(passing(tested.values[0], level).sum())
    text = f"{plural(n, word, words)}" if n else f"no {word}"
    yield (
        f"What is unique to harmony is significant in {text} (family-wise p \u2264 {level:g}, "
        "sign flips: consistent over these listeners)."
    )
