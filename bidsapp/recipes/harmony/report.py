"""The pages of `harmony`, of a participant and of a group, from written results only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import pandas as pd

from bidsapp.models.harmonic.names import PITCH_CLASSES
from bidsapp.recipes.base.score_results import BOOTSTRAP, DISPLACED, RATERS, SHIFT, SHIFT_FDR
from bidsapp.recipes.harmony import RECIPE
from bidsapp.recipes.harmony import results as declared
from bidsapp.recipes.harmony.answer import sentences
from bidsapp.recipes.harmony.figures import plane_figure, sound_figure, unique_figure
from bidsapp.recipes.harmony.listen import Arrays, written_sound
from bidsapp.report import sections
from bidsapp.report.brain.draw import BrainMap, draw
from bidsapp.report.brain.places import (
    coordinate_words,
    region_after_z,
    strongest_parcels,
    top_parcels,
)
from bidsapp.report.brain.scales import largest, passing, smallest
from bidsapp.report.figures.style import Array
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
from bidsapp.report.methods import Methods, first_participant, has_random_weights
from bidsapp.report.tables import table
from bidsapp.report.timing import alignment_section, peak_section, quality_section
from bidsapp.report.view import View, results_section
from bidsapp.results.cautions import Caution
from bidsapp.results.kinds import P_VALUE, Maps
from bidsapp.results.read import Results

_HEADING = "Harmony and the emotion of music"
_MOST_SOUNDS = 12
_MOST_ROWS = 200


class HarmonyView(View):
    """Results of one network in one space."""

    @property
    def score(self) -> Maps:
        """What was declared of the scores of layers."""
        return declared.MEAN if self.is_group else declared.SCORE

    @cached_property
    def scores(self) -> Array:
        """(n_layers, n_units)."""
        return self.values(self.score)

    @cached_property
    def significant(self) -> Array | None:
        """(n_units,) where any layer is significant; None if nothing was tested, or can pass."""
        if not self.is_group:
            return self.mask(declared.SIGNIFICANT)
        if not sections.flips_can_pass(self.results, self.pair.space):
            return None
        tested = self.maps(declared.P_FWE)
        return None if tested is None else passing(smallest(tested), self.level)


def report(results: Results) -> tuple[Page, Methods]:
    """Arrange the page of a participant or of a group, and write the methods.

    Parameters
    ----------
    results
        What the recipe wrote.
    """
    text = methods(results)
    views = [HarmonyView(results, pair) for pair in sections.pairs(results)]
    spaces = [View(results, pair) for pair in sections.space_pairs(results)]
    shared = [*map(encoding, views), *map(unique, spaces)]
    body = (
        [
            sections.participants(results, declared.PARTICIPANTS, "Who takes part."),
            *shared,
            ratings(views),
        ]
        if results.is_group
        else [
            emotion(results),
            use(results),
            *shared,
            ratings(views),
            alignment_section(results.table(declared.ALIGNMENT), declared.ALIGNMENT),
            quality_section(results.table(declared.QUALITY), declared.QUALITY),
        ]
    )
    page = sections.standard_page(
        results,
        RECIPE.question,
        body,
        heading=_HEADING,
        numbers=(design(results), [(view.pair.title, list(numbers(view))) for view in views]),
        answer=sections.found(results, sentences(results), shared[0]),
        methods=text,
    )
    return page, text


def design(results: Results) -> list[Number]:
    """Return the numbers of the design."""
    facts = results.facts()
    if results.is_group:
        return [sections.participants_number(results)]
    return [
        Number("Sounds", str(facts["n_sounds"]), "of at least 6 s"),
        Number("Folds", str(facts["n_folds"]), "over pieces"),
        Number("Parcels", str(facts["n_parcels"]), ""),
    ]


def numbers(view: HarmonyView) -> Iterator[Number]:
    """Yield the numbers of one network."""
    if peak := view.peak(view.scores, 3):
        yield Number("Peak r", peak[0], f"layer {peak[1]}")
    if view.significant is not None:
        count = number_text(int(view.significant.sum()), 0)
        yield Number(f"Significant {view.words}", count, "family-wise")


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


def encoding(view: HarmonyView) -> Section:
    """Show the maps and the layers of one network."""
    intro = view.claim(declared.FLIP if view.is_group else SHIFT)
    return results_section(view, (maps, courses, displaced, layers), intro=intro)


def maps(view: HarmonyView) -> Section:
    """Show the largest score over layers, and of a group its p."""
    drawn = [BrainMap("Largest r over layers", largest(view.scores), view.score.scale)]
    flips = sections.flips_can_pass(view.results, view.pair.space)
    tested = view.maps(declared.P_FWE) if view.is_group else None
    if tested is not None and flips:
        drawn.append(BrainMap("Smallest family-wise p", smallest(tested), P_VALUE))
    what = view.words if view.is_group else "parcels"
    mask = view.significant
    caption = f"Outlined: significant {what} (FWE p \u2264 {view.level:g})."
    if mask is None or not mask.any():
        caption = f"No {what} are significant (FWE p \u2264 {view.level:g})."
    if mask is None:
        caption = "Nothing was tested."
    if view.is_group and not flips:
        caption = "Not tested: sign flips of so few participants cannot pass."
    return view.section("Maps", "maps", *draw(drawn, view.units, mask, caption))


def courses(view: HarmonyView) -> Section | None:
    """Show the response of a participant that is predicted best."""
    return peak_section(view.table(declared.PEAK), declared.PEAK, view.suffix)


def layers(view: HarmonyView) -> Section:
    """Tabulate the layers."""
    result = view.by_level(declared.PROFILE, declared.GROUP_PROFILE)
    return view.section("Layers", "layers", view.tabled(result))


def displaced(view: HarmonyView) -> Section | None:
    """Show the parcels of a group against music displaced alike in everybody."""
    rows = view.table(declared.DISPLACEMENT)
    if rows.empty:
        return None
    names = "layer", "mean_r", "effect", "p", "p_fwe"
    shown = strongest_parcels(rows, declared.DISPLACEMENT, view.units, *names)
    return view.section("Against displaced music", "displacement", shown, *view.claim(DISPLACED))


def unique(view: View) -> Section | None:
    """Show what harmony and acoustics add to each other."""
    result = view.by_level(declared.UNIQUE, declared.UNIQUE_MEAN)
    adds, tested, mask = view.maps(result), view.single(declared.UNIQUE_P), None
    if adds is None:
        return None
    drawn = [
        BrainMap(f"Unique to {name}", values, result.scale)
        for name, values in zip(result.names, adds, strict=True)
    ]
    caption = "Difference of r between the model of both and the model without it."
    if not view.is_group:
        caption += " Descriptive: no test within a participant."
    elif tested is not None and sections.flips_can_pass(view.results, view.pair.space):
        mask = passing(tested, view.level)
        which = "Outlined: unique" if mask.any() else f"No {view.words} are unique"
        caption += f" {which} to harmony, FWE p \u2264 {view.level:g}."
    else:
        caption += " Not tested: sign flips of so few participants cannot pass."
    parts = draw(drawn, view.units, mask, caption)
    parcels = view.table(declared.UNIQUE_PARCELS)
    if not parcels.empty:
        alt = "Scores with and without harmony, and unique contributions, over parcels"
        says = declared.UNIQUE_PARCELS.says
        parts.append(picture(unique_figure(parcels), alt=alt, caption=says))
        says = (
            "The twenty parcels to which harmony adds most (selected, so optimistic). "
            f"{coordinate_words(view.units)}"
        )
        top = top_parcels(parcels, "unique_harmony", 20, view.units)
        parts.append(table(top, region_after_z(declared.UNIQUE_PARCELS.columns), says))
    where = f", {view.pair.title}" if view.suffix else ""
    return view.section(f"Unique contributions{where}", "unique", *parts)


def ratings(views: Sequence[HarmonyView]) -> Section | None:
    """Tabulate how well layers predict ratings; None where nothing was rated."""
    results, parts = views[0].results, []
    says = declared.RATINGS.says
    if results.is_group:
        says = "mean over raters, against music moved alike for all of them."
    for view in {view.pair.network: view for view in views}.values():
        result = view.by_level(declared.RATINGS, declared.GROUP_RATINGS)
        rows = view.table(result)
        rows = rows if view.is_group else rows[rows["piece"] == "mean"]
        if not rows.empty:
            parts.append(view.tabled(result, f"{view.title}: {says}", rows))
    if not results.table(declared.UNIQUE_RATINGS).empty:
        parts.append(views[0].tabled(declared.UNIQUE_RATINGS))
    claim = sections.claim(results, RATERS)
    return Section("Ratings", "ratings", [*parts, *claim]) if parts else None


def methods(results: Results) -> Methods:
    """Write the methods text."""
    facts, own = results.facts(), first_participant(results)
    n_shifts = own.setting("n_shifts") if own else 0
    return sections.methods_of(
        results,
        {
            **dict.fromkeys((SHIFT, SHIFT_FDR, DISPLACED, RATERS), n_shifts),
            declared.FLIP: facts.get("n_flips", 0),
            BOOTSTRAP: facts["settings"].get("n_bootstrap", 0),
        },
        lags=", ".join(f"{lag:g}" for lag in own.setting("lags_s")) if own else "",
    )
