"""The pages of `harmony`, of a participant and of a group, from written results only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from bidsapp.brain.geometry import UnitSpace
from bidsapp.models.harmonic.names import PITCH_CLASSES
from bidsapp.recipes.base.score_results import BOOTSTRAP, DISPLACED, RATERS, SHIFT, SHIFT_FDR
from bidsapp.recipes.harmony import RECIPE
from bidsapp.recipes.harmony import results as declared
from bidsapp.recipes.harmony.answer import sentences
from bidsapp.recipes.harmony.figures import plane_figure, sound_figure, unique_figure
from bidsapp.recipes.harmony.listen import Arrays, written_sound
from bidsapp.report import sections
from bidsapp.report.brain.draw import BrainMap, draw
from bidsapp.report.brain.places import coordinate_words, region_after_z, with_regions
from bidsapp.report.brain.projection import unit_words
from bidsapp.report.brain.scales import largest, smallest
from bidsapp.report.courses import peak_section
from bidsapp.report.html import (
    Notes,
    Number,
    Page,
    Picture,
    Prose,
    Section,
    number_text,
    picture,
    plural,
)
from bidsapp.report.methods import (
    Methods,
    first_participant,
    has_random_weights,
    inference_sentences,
    render_methods,
    shared_context,
)
from bidsapp.report.tables import choose, table
from bidsapp.report.timing import alignment_section, quality_section
from bidsapp.results.cautions import Caution
from bidsapp.results.kinds import P_VALUE
from bidsapp.results.read import Results

_HEADING = "Harmony and the emotion of music"
_TITLES = {
    "harmonic": "harmonic network",
    "consonance": "roughness and harmonicity",
    "baseline": "acoustic descriptors",
}
_MOST_SOUNDS = 12
_MOST_ROWS = 200


def report(results: Results) -> tuple[Page, Methods]:
    """Arrange the page of a participant or of a group, and write the methods.

    Parameters
    ----------
    results
        What the recipe wrote.
    """
    text = methods(results)
    pairs = sections.pairs(results, _TITLES)
    own = (
        [sections.participants(results, declared.PARTICIPANTS, "Who takes part.")]
        if results.is_group
        else [emotion(results), use(results)]
    )
    page = [
        sections.glance(design(results), [(p.title, list(numbers(results, p))) for p in pairs]),
        sections.cautions(results),
        *own,
        *(encoding(results, pair) for pair in pairs),
        *(unique(results, space) for space in results.spaces),
        rating_means(results) if results.is_group else ratings(results),
        None if results.is_group else timing(results),
        None if results.is_group else quality(results),
        sections.claims(results),
        sections.methods_section(text),
        sections.fidelity(results),
        sections.about(results),
    ]
    shown = encoding(results, pairs[0]) if pairs else None
    answered = sections.found(results, sentences(results), shown)
    return sections.page(results, RECIPE.question, page, heading=_HEADING, answer=answered), text


def design(results: Results) -> list[Number]:
    """Return the numbers of the design."""
    facts = results.facts()
    if results.is_group:
        left = len(facts["left_out"])
        return [Number("Participants", str(results.n_participants), f"{left} left out")]
    return [
        Number("Sounds", str(facts["n_sounds"]), "of at least 6 s"),
        Number("Folds", str(facts["n_folds"]), "over pieces"),
        Number("Parcels", str(facts["n_parcels"]), ""),
    ]


def numbers(results: Results, pair: Any) -> Iterator[Number]:
    """Yield the numbers of one network."""
    score = declared.MEAN if results.is_group else declared.SCORE
    r = results.values(score, pair.space, pair.network)
    layers = results.layers(pair.network, pair.space)
    if np.isfinite(r).any():
        layer = int(np.unravel_index(int(np.nanargmax(r)), r.shape)[0])
        yield Number("Peak r", number_text(float(np.nanmax(r))), f"layer {layers[layer]}")
    passed = significant(results, pair)
    words = unit_words(results.units(pair.space))[1]
    if passed is not None:
        count = number_text(int(passed.sum()), 0)
        yield Number(f"Significant {words}", count, "family-wise")


def significant(results: Results, pair: Any) -> Any:
    """Return the units (n_units,) where any layer is significant; None if nothing was tested."""
    if not results.is_group:
        return results.values(declared.SIGNIFICANT, pair.space, pair.network)[0] > 0
    maps = results.maps(declared.P_FWE, pair.space, pair.network)
    if maps is None:
        return None
    return smallest(maps.values) < results.setting("significance", pair.space)


def emotion(results: Results) -> Section:
    """Show the predicted emotion of each sound over time, explained."""
    courses, gradcam = results.table(declared.COURSES), results.table(declared.GRADCAM)
    if courses.empty:
        return Section("Emotion of the sounds", "emotion", [Prose("No sound lasts 6 s.")])
    pieces = list(dict.fromkeys(courses["piece"]))
    plane = picture(
        plane_figure(courses),
        alt="Paths of the sounds in the plane of predicted valence and arousal",
        caption="Predicted valence (Q1 and Q4 less Q2 and Q3) and arousal (Q1 and Q2 less Q3 "
        "and Q4) of each sound over time; dots are means.",
    )
    arrays = results.arrays(declared.SOUNDS) or {}
    children = []
    n_shown = max(_MOST_SOUNDS, sum(name.startswith("sound") for name in arrays))
    for number, piece in enumerate(pieces[:n_shown], start=1):
        course, maps = (frame[frame["piece"] == piece] for frame in (courses, gradcam))
        shown = sound(piece, number, course, maps, arrays)
        children.append(Section(piece, f"sound{number}", [shown]))
    left = len(pieces) - len(children)
    more = f"{plural(left, 'more sound')} in the table of courses; all of them are shown with "
    notes = [Prose(f"{more}--set harmony.n_players={len(pieces)}.")] if left else []
    agreement = results.table(declared.AGREEMENT)
    parts: list[Any] = [plane, *notes]
    if has_random_weights(results, "harmonic"):
        words = "The harmonic network has random weights: its quadrants mean nothing."
        parts.insert(0, Notes([Caution("serious", "Untrained.", words)]))
    if not agreement.empty:
        caption = f"{declared.AGREEMENT.says} No test: moments of a sound are not independent."
        parts.append(table(agreement, declared.AGREEMENT.columns, caption))
    return Section("Emotion of the sounds", "emotion", parts, children)


def sound(
    piece: str, number: int, course: pd.DataFrame, gradcam: pd.DataFrame, arrays: Arrays
) -> Picture:
    """Show one sound over time, with its spectrogram and a player if they were written."""
    known = written_sound(arrays, number, gradcam[list(PITCH_CLASSES)].to_numpy(float))
    spectrogram, mp3 = known or (None, None)
    second = (
        " Second: mel spectrogram, and on it in colour Grad-CAM, on the bands that filters see. "
        "Third:"
    )
    player = (
        " A line follows the player (the beginning of a long sound); a click in the picture plays "
        "from there."
    )
    caption = (
        f"Top: probabilities of the quadrants in windows of 6 s.{second if known else ' Middle:'} "
        "Grad-CAM, what raises the logit of the likeliest quadrant, by pitch-class filter. "
        "Bottom: roughness and harmonicity, standardised within the sound."
        f"{player if known else ''}"
    )
    return picture(
        sound_figure(course, gradcam, spectrogram),
        alt=f"Quadrants, Grad-CAM and consonance of {piece} over time",
        caption=caption,
        mp3=mp3,
    )


def use(results: Results) -> Section | None:
    """List which sounds are most alike, and most different from, moments of others."""
    similarity = results.table(declared.SIMILARITY)
    if similarity.empty:
        return None
    best = similarity.sort_values("similarity", ascending=False)
    best = best.groupby(["piece", "start_s"], sort=False).head(1).sort_values(["piece", "start_s"])
    caption = (
        "For each moment the sound whose predicted emotion is most alike. The complete table, "
        f"contrasts included, is desc-{declared.SIMILARITY.desc}. Uncertainty near 2 bits means "
        "that the network does not know."
    )
    shown = table(best.head(_MOST_ROWS), declared.SIMILARITY.columns, caption)
    return Section("Moments and candidates", "use", [shown])


def encoding(results: Results, pair: Any) -> Section:
    """Show the maps and the layers of one network."""
    score = declared.MEAN if results.is_group else declared.SCORE
    r = results.values(score, pair.space, pair.network)
    units, mask = results.units(pair.space), significant(results, pair)
    drawn = [BrainMap("Largest r over layers", largest(r), score.scale)]
    tested = results.maps(declared.P_FWE, pair.space, pair.network) if results.is_group else None
    if tested is not None and sections.flips_can_pass(results, pair.space):
        drawn.append(BrainMap("Smallest family-wise p", smallest(tested.values), P_VALUE))
    level = results.setting("significance", pair.space)
    what = unit_words(units)[1] if results.is_group else "parcels"
    caption = f"Outlined: significant {what} (FWE p \u2264 {level:g})."
    if mask is None or not mask.any():
        caption = f"No {what} are significant (FWE p \u2264 {level:g})."
    if results.is_group and not sections.flips_can_pass(results, pair.space):
        caption = "Not tested: sign flips of so few participants cannot pass."
    profile = declared.GROUP_PROFILE if results.is_group else declared.PROFILE
    rows = table(results.table(profile, pair.space, pair.network), profile.columns, profile.says)
    peak = results.table(declared.PEAK, pair.space, pair.network)
    courses = None if results.is_group else peak_section(peak, declared.PEAK, pair.suffix)
    found = results.table(declared.DISPLACEMENT, pair.space, pair.network)
    children = [
        Section("Maps", f"maps{pair.suffix}", draw(drawn, units, mask, caption)),
        *([courses] if courses is not None else []),
        *([displaced(results, pair, found, units)] if len(found) else []),
        Section("Layers", f"layers{pair.suffix}", [rows]),
    ]
    key = declared.FLIP if results.is_group else SHIFT
    return Section(
        f"Results: {pair.title}",
        f"results{pair.suffix}",
        sections.claim(results, key),
        children,
    )


def displaced(results: Results, pair: Any, rows: pd.DataFrame, units: UnitSpace) -> Section:
    """Show the parcels of a group against music displaced alike in everybody."""
    best = rows.loc[rows.dropna(subset=["effect"]).groupby("parcel")["effect"].idxmax()]
    shown = with_regions(best.sort_values("effect", ascending=False).head(20), units)
    places = ("parcel", "structure", "x", "y", "z", "n_units")
    scores = ("layer", "mean_r", "effect", "p", "p_fwe")
    columns = region_after_z(choose(declared.DISPLACEMENT.columns, *places, *scores))
    caption = (
        f"The {len(shown)} parcels with the largest effect, in standard deviations of their null, "
        f"and the layer that has it. {coordinate_words(units)}"
    )
    parts = [table(shown, columns, caption), *sections.claim(results, DISPLACED)]
    return Section("Against displaced music", f"displacement{pair.suffix}", parts)


def unique(results: Results, space: Any) -> Section | None:
    """Show what harmony and acoustics add to each other."""
    result = declared.UNIQUE_MEAN if results.is_group else declared.UNIQUE
    maps = results.maps(result, space)
    if maps is None:
        return None
    drawn = [
        BrainMap(f"Unique to {name}", values, result.scale)
        for name, values in zip(result.names, maps.values, strict=True)
    ]
    mask = None
    caption = "Difference of r between the model of both and the model without it."
    if results.is_group:
        tested = results.maps(declared.UNIQUE_P, space)
        if tested is not None and sections.flips_can_pass(results, space):
            level = results.setting("significance", space)
            mask = tested.values[0] <= level
            which = (
                "Outlined: unique" if mask.any() else f"No {unit_words(maps.units)[1]} are unique"
            )
            caption += f" {which} to harmony, FWE p \u2264 {level:g}."
        else:
            caption += " Not tested: sign flips of so few participants cannot pass."
    else:
        caption += " Descriptive: no test within a participant."
    parts: list[Any] = draw(drawn, maps.units, mask, caption)
    parcels = results.table(declared.UNIQUE_PARCELS, space)
    if not parcels.empty:
        parts.append(
            picture(
                unique_figure(parcels),
                alt="Scores with and without harmony, and unique contributions, over parcels",
                caption=declared.UNIQUE_PARCELS.says,
            )
        )
        top = parcels.sort_values("unique_harmony", ascending=False).head(20)
        says = (
            "The twenty parcels to which harmony adds most (selected, so optimistic). "
            f"{coordinate_words(maps.units)}"
        )
        columns = region_after_z(declared.UNIQUE_PARCELS.columns)
        parts.append(table(with_regions(top, maps.units), columns, says))
    title = f"Unique contributions, {space.title}" if len(results.spaces) > 1 else None
    return Section(title or "Unique contributions", f"unique{space.anchor}", parts)


def ratings(results: Results) -> Section | None:
    """Show how well layers, harmony and acoustics predict ratings."""
    parts: list[Any] = []
    for network in results.networks():
        rows = results.table(declared.RATINGS, network=network)
        rows = rows[rows["piece"] == "mean"]
        if not rows.empty:
            words = f"{_TITLES.get(network, network)}: {declared.RATINGS.says}"
            parts.append(table(rows, declared.RATINGS.columns, words))
    both = results.table(declared.UNIQUE_RATINGS)
    if not both.empty:
        parts.append(table(both, declared.UNIQUE_RATINGS.columns, declared.UNIQUE_RATINGS.says))
    return Section("Ratings", "ratings", parts) if parts else None


def rating_means(results: Results) -> Section | None:
    """Tabulate how well layers predict ratings, over raters; None where nothing was rated."""
    parts: list[Any] = []
    for network in results.networks():
        rows = results.table(declared.GROUP_RATINGS, network=network)
        if not rows.empty:
            words = (
                f"{_TITLES.get(network, network)}: mean over raters, against music moved alike "
                "for all of them."
            )
            parts.append(table(rows, declared.GROUP_RATINGS.columns, words))
    if not parts:
        return None
    return Section("Ratings", "ratings", [*parts, *sections.claim(results, RATERS)])


def timing(results: Results) -> Section:
    """Show which sound meets which volumes."""
    return alignment_section(results.table(declared.ALIGNMENT), declared.ALIGNMENT, None)


def quality(results: Results) -> Section | None:
    """Show motion and signal-to-noise ratio of the runs."""
    return quality_section(results.table(declared.QUALITY), declared.QUALITY)


def methods(results: Results) -> Methods:
    """Write the methods text."""
    facts, own = results.facts(), first_participant(results)
    option = None if own is None else own.setting
    draws: dict[str, dict[str, Any]] = {
        **{
            key: {"n_draws": option("n_shifts") if option else 0}
            for key in (SHIFT, SHIFT_FDR, DISPLACED, RATERS)
        },
        declared.FLIP: {"n_draws": facts.get("n_flips", 0)},
        BOOTSTRAP: {"n_draws": facts["settings"].get("n_bootstrap", 0)},
    }
    lags = ", ".join(f"{lag:g}" for lag in option("lags_s")) if option else ""
    context = shared_context(results) | {
        "is_group": results.is_group,
        "own": None if own is None else own.facts(),
        "lags": lags,
        "inferences": inference_sentences(sections.used_inferences(results), draws),
    }
    return render_methods("harmony_methods.txt.j2", context)
