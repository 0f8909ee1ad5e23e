"""What `harmony` found, in a few sentences."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bidsapp.models.harmonic.names import QUADRANTS
from bidsapp.recipes.harmony import results as declared
from bidsapp.report.brain.projection import unit_words
from bidsapp.report.html import number_text, plural
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
    for space in results.spaces:
        yield from _unique(results, space)


def _emotions(results: Results) -> Iterator[str]:
    courses = results.table(declared.COURSES)
    columns = [name for name in QUADRANTS if name in courses]
    if courses.empty or not columns:
        return
    means = courses.groupby("piece")[columns].mean()
    counts = means.idxmax(axis=1).value_counts()
    listed = ", ".join(f"{counts.get(name, 0)} {name}" for name in columns)
    yield f"Emotion predicted for {plural(len(means), 'sound')}, by quadrant: {listed}."


def _unique(results: Results, space: Space) -> Iterator[str]:
    result = declared.UNIQUE_MEAN if results.is_group else declared.UNIQUE
    maps = results.maps(result, space)
    if maps is None or not np.isfinite(maps.values[0]).any():
        return
    word, words = unit_words(maps.units)[:2]
    adds = dict(zip(result.names, maps.values, strict=True))
    means = " and ".join(
        f"{name} adds {number_text(float(np.nanmean(values)), 4)}" for name, values in adds.items()
    )
    yield f"To the r of the other, on average over {words}, {means}."
    tested = results.maps(declared.UNIQUE_P, space) if results.is_group else None
    if tested is None:
        yield "Within a participant this is descriptive."
        return
    level = results.setting("significance", space)
    n = int((tested.values[0] <= level).sum())
    text = f"{plural(n, word, words)}" if n else f"no {word}"
    yield (
        f"What is unique to harmony is significant in {text} (family-wise p \u2264 {level:g}, "
        "sign flips: consistent over these listeners)."
    )
