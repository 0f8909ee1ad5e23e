"""Where searchlights are like a layer beyond acoustics."""

from __future__ import annotations

import numpy as np

from bidsapp.recipes.rsa import results as declared
from bidsapp.recipes.rsa.report.view import RsaView
from bidsapp.report.brain.draw import BrainMap, draw
from bidsapp.report.html import Part, Prose, Section, number_text
from bidsapp.report.methods import enumerated
from bidsapp.report.tables import choose, numbered, table


def beyond_acoustics(view: RsaView) -> Section | None:
    """Show where a layer is like the brain beyond acoustics; None where it was not tested."""
    if view.beyond is None:
        return None
    labels = view.values(declared.BEYOND_BEST)[0]
    n = int((labels > 0).sum())
    verb = "has" if len(view.summary["acoustics"]) == 1 else "have"
    words = (
        f"In {number_text(n, 0)} of {view.count(np.isfinite(view.largest))} a layer is like the "
        f"brain when {acoustic_words(view)} {verb} been regressed out of the responses "
        f"(FWE p \u2264 {view.level:g}, permutation of clips). Scores and layers of the other "
        "sections keep acoustics. The test is conservative."
    )
    parts: list[Part] = [Prose(words)]
    if n:
        title = declared.BEYOND_BEST.title
        drawn = [BrainMap.of(declared.BEYOND_BEST, labels, view.layers, title=title)]
        parts += draw(drawn, view.units, labels > 0, "Nothing is drawn where no layer passes.")
    profile = declared.GROUP_PROFILE if view.is_group else declared.PROFILE
    names = ["layer", "n_significant", "n_beyond"] + ["acoustic_share"] * (not view.is_group)
    caption = "Significant searchlights of each layer, with acoustics and beyond them"
    if not view.is_group:
        caption += (
            "; acoustic share: of the layer's ranked dissimilarities, explained by those of the "
            "features"
        )
    cells = {"layer": numbered("layer_index", "layer")}
    parts.append(table(view.profile, choose(profile.columns, *names), caption, cells=cells))
    parts += view.claim(declared.BEYOND_ACOUSTICS)
    return view.section("Beyond acoustics", "beyond", *parts)


def acoustic_words(view: RsaView) -> str:
    """Name the features that were removed."""
    words = {"centroid": "spectral centroid", "mel": "mel bands"}
    return enumerated([words.get(name, name) for name in view.summary["acoustics"]])


def found_beyond(view: RsaView) -> str:
    """Say in how many searchlights a layer is like the brain beyond acoustics, if tested."""
    if view.beyond is None or not view.significant.any():
        return ""
    n = int((view.values(declared.BEYOND_BEST)[0] > 0).sum())
    where = f"in {number_text(n, 0)}" if n else "in none"
    return f"Beyond {acoustic_words(view)} it is shown {where}."
