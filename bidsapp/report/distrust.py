"""What to distrust: reasons to doubt the numbers, in plain language.

Each check looks at the results of one model in one space and returns at most one note.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from bidsapp.report.html import Note
from bidsapp.report.participant_methods import alpha_range, random_weights, unit_words
from bidsapp.report.results import (
    NEGATIVE,
    POSITIVE,
    ModelResults,
    Results,
    SpaceResults,
    fact,
    rows_of,
    setting,
)
from bidsapp.results.cautions import Severity

FEW_PIECES = 6
MUCH_AT_EDGE = 0.2
MUCH_CONSTANT = 0.02
MEDIAL_WALL = 0.09  # share of the vertices of a hemisphere that is no cortex
LITTLE_COVERAGE = 0.5
SIMILAR_LAYERS = 0.9
#: recorded sentences whose subject is one of the checks below
_SAID_HERE = re.compile(
    r"units are constant|^Raw BOLD was analysed|^Only \d+ pieces|too few pieces to leave"
    r"|^Components were fitted on all pieces|has random weights|of the penalties of"
)
_SEVERITIES = ("serious", "caution", "note")

Check = Callable[[Results, SpaceResults, ModelResults], Note | None]


def distrust(results: Results) -> list[Note]:
    """Collect the notes of all spaces and models, the serious ones first, none twice."""
    notes = [*_warnings(results), *_computed(results)]
    unique = list({(note.title, note.text): note for note in notes}.values())
    return sorted(unique, key=lambda note: _SEVERITIES.index(note.severity))


def _computed(results: Results) -> Iterator[Note]:
    for space in results.spaces:
        for model in space.models:
            for check in CHECKS:
                note = check(results, space, model)
                if note is not None:
                    yield note


def _warnings(results: Results) -> Iterator[Note]:
    """Pass on what the analysis itself recorded."""
    for space in results.spaces:
        for warning in space.facts.get("warnings") or ():
            if isinstance(warning, Mapping):
                parts = [str(warning.get(key, "")) for key in ("path", "what", "remedy")]
                text = "; ".join(part for part in parts[1:] if part)
                yield Note("caution", f"{parts[0]}:" if parts[0] else "Recorded:", f"{text}.")
            elif not _SAID_HERE.search(str(warning)):
                yield Note("caution", "Recorded during the analysis:", str(warning))


def _random(_results: Results, space: SpaceResults, model: ModelResults) -> Note | None:
    if not random_weights(space.facts, model.name):
        return None
    text = (
        "Layers of an untrained network still differ in size, smoothness and receptive field, so "
        "they can predict the brain. Nothing here is evidence about learned features; compare "
        "with a run that has pretrained weights."
    )
    return Note("serious", f"{model.name} ran with random weights.", text)


def _all_pieces(_results: Results, space: SpaceResults, _model: ModelResults) -> Note | None:
    if setting(space.facts, "pca_fit") != "all":
        return None
    text = (
        "Components were fitted on all pieces, the held-out one among them, as the paper did. "
        "Scores may be optimistic; the robust variant answers the same question without this."
    )
    return Note("serious", "Test pieces took part in fitting.", text)


def _no_parcel(_results: Results, _space: SpaceResults, model: ModelResults) -> Note | None:
    parcels = rows_of(model.summary, lags=POSITIVE)
    if parcels.empty or not model.passed.empty:
        return None
    smallest = parcels["p_fwe"].min()
    text = (
        f"The smallest family-wise p is {smallest:.3f}. Best and centroid layers of this "
        "participant are then draws from noise and should not be interpreted."
    )
    return Note("serious", f"No parcel passes the test ({model.name}).", text)


def _negative_lags(_results: Results, _space: SpaceResults, model: ModelResults) -> Note | None:
    positive, negative = (rows_of(model.summary, lags=lags) for lags in (POSITIVE, NEGATIVE))
    if positive.empty or negative.empty:
        return None
    passed = (negative["p_fwe"] < model.level).mean()
    ratio = negative["r_max"].max() / max(positive["r_max"].max(), 1e-9)
    if passed <= 0.05 and ratio < 0.8:
        return None
    text = (
        f"At negative lags {100 * passed:.0f} % of the parcels pass and the largest score is "
        f"{ratio:.1f} times that at positive lags. The sound cannot follow the brain: slow trends "
        "shared by sound and scan may carry part of the scores."
    )
    severity: Severity = "serious" if ratio >= 1 else "caution"
    return Note(severity, f"The control does too well ({model.name}).", text)


def _baseline_wins(_results: Results, space: SpaceResults, model: ModelResults) -> Note | None:
    if space.baseline is None:
        return None
    best, other = (
        rows_of(table.summary, lags=POSITIVE).set_index("parcel")["r_max"]
        if not table.summary.empty
        else None
        for table in (model, space.baseline)
    )
    if best is None or other is None:
        return None
    chosen = model.passed["parcel"]
    if chosen.empty:
        return None
    share = float((other.reindex(chosen) >= best.reindex(chosen)).mean())
    if share < 0.25:
        return None
    text = (
        f"In {100 * share:.0f} % of the significant parcels a plain acoustic description "
        f"(the best of {', '.join(space.baseline.layers['layer'])}) predicts at least as well as "
        f"the best layer of {model.name}."
    )
    return Note("caution", "A simpler model explains much of it.", text)


def _alpha_edges(_results: Results, space: SpaceResults, model: ModelResults) -> Note | None:
    rows = rows_of(model.profile, lags=POSITIVE)
    if rows.empty or "alpha_edge_low" not in rows:
        return None
    low, high = (edge_share(rows, side).mean() for side in ("low", "high"))
    if not (low >= MUCH_AT_EDGE or high >= MUCH_AT_EDGE):
        return None
    grid = alpha_range(space.facts)
    limits = f" (10^{grid[0]:g} to 10^{grid[1]:g})" if grid else ""
    consequence = (
        "Units at the largest value are usually unresponsive and harmless; many at the smallest "
        "value mean that the grid should start lower."
    )
    text = (
        f"For significant units {100 * low:.0f} % of the choices are the smallest and "
        f"{100 * high:.0f} % the largest penalty offered{limits}. {consequence}"
    )
    severity: Severity = "caution" if low >= MUCH_AT_EDGE else "note"
    return Note(severity, f"Penalties sit at the edge of the grid ({model.name}).", text)


def edge_share(rows: Any, side: str) -> Any:
    """Return the share of penalties at one end of the grid for each row of a profile table.

    Parameters
    ----------
    rows
        Rows of the profile table.
    side
        ``low`` or ``high``.
    """
    values = rows[f"alpha_edge_{side}"].astype(float)
    if (values > 1).any() and "n_units" in rows:  # counts
        values = values / rows["n_units"].clip(lower=1)
    return values


def _few_pieces(results: Results, _space: SpaceResults, _model: ModelResults) -> Note | None:
    folds = results.table("folds")
    if folds.empty:
        return None
    n_pieces = folds["piece"].nunique()
    if n_pieces >= FEW_PIECES:
        return None
    text = (
        f"Each model was trained on at most {max(n_pieces - 1, 1)} of {n_pieces} pieces and had "
        "to generalise to one that it never heard. Read the scores of the single pieces, not "
        "only their mean; nothing can be said about music in general."
    )
    return Note("caution", f"Only {n_pieces} piece{'s' if n_pieces != 1 else ''}.", text)


def _split(results: Results, space: SpaceResults, _model: ModelResults) -> Note | None:
    folds = results.table("folds")
    if folds.empty or "split" not in set(folds["kind"]):
        return None
    gap = setting(space.facts, "purge_s")
    text = (
        "Too few pieces were there to hold out whole ones. Parts of one piece share themes, "
        "instruments and mood, so training has heard something like the test"
        + (f", although {gap:g} s between them were removed." if gap else ".")
    )
    return Note("caution", "Pieces were split for cross-validation.", text)


def _coverage(results: Results, _space: SpaceResults, _model: ModelResults) -> Note | None:
    alignment = results.table("alignment")
    if alignment.empty:
        return None
    runs = alignment.drop_duplicates("run")
    share = alignment["n_rows"].sum() / max(runs["n_trs"].sum(), 1)
    if share >= LITTLE_COVERAGE:
        return None
    text = (
        f"{alignment['n_rows'].sum():.0f} of {runs['n_trs'].sum():.0f} volumes have sound at all "
        "lags. See the alignment for what was left out."
    )
    return Note("caution", f"Only {100 * share:.0f} % of the volumes were used.", text)


def _constant(_results: Results, space: SpaceResults, _model: ModelResults) -> Note | None:
    n_units = fact(space.facts, "n_units", default=0)
    lost = (space.facts.get("n_constant") or 0) + (space.facts.get("n_nan") or 0)
    surface = space.grid is not None and space.grid.is_surface
    usual = MEDIAL_WALL if surface else 0.0
    if not n_units or lost / n_units < usual + MUCH_CONSTANT:
        return None
    text = (
        "They are constant or missing in at least one run and are undefined (NaN) in every map: "
        f"check the field of view and the registration ({space.space.title})."
    )
    return Note(
        "note", f"{100 * lost / n_units:.1f} % of the {unit_words(space)[1]} have no data.", text
    )


def _unpreprocessed(_results: Results, space: SpaceResults, _model: ModelResults) -> Note | None:
    runs = space.facts.get("runs") or ()
    if all(run.get("preprocessed", True) for run in runs):
        return None
    text = "No motion correction, no registration to a template: maps are in scanner space."
    return Note("serious", "Raw images were analysed.", text)


def _similar_layers(_results: Results, space: SpaceResults, model: ModelResults) -> Note | None:
    parcels = rows_of(model.parcels, lags=POSITIVE)
    if parcels.empty or parcels["layer_index"].nunique() < 3:
        return None
    wide = parcels.pivot_table(index="layer_index", columns="parcel", values="r").to_numpy()
    correlation = np.corrcoef(wide[:, np.isfinite(wide).all(axis=0)])
    neighbours = float(np.median(np.diag(correlation, 1)))
    if not neighbours >= SIMILAR_LAYERS:
        return None
    text = (
        f"Score maps of neighbouring layers correlate at {neighbours:.2f} (median, "
        f"{space.space.title}). Which of two neighbours wins is close to chance: read the best "
        "layer as a stage of the network (early, middle, late)."
    )
    return Note("note", f"Layers of {model.name} resemble each other.", text)


def _winner(_results: Results, _space: SpaceResults, model: ModelResults) -> Note | None:
    n_layers = len(model.layers)
    if n_layers < 2:
        return None
    text = (
        f"The largest of {n_layers} noisy scores is too large on average. Family-wise p-values "
        "account for this choice, the printed r does not: do not compare the best layer's r with "
        "the score of a single model. Means over significant units are selected in the same way."
    )
    return Note("note", "The best layer's r is optimistic.", text)


CHECKS: tuple[Check, ...] = (
    _random,
    _all_pieces,
    _no_parcel,
    _negative_lags,
    _unpreprocessed,
    _baseline_wins,
    _alpha_edges,
    _few_pieces,
    _split,
    _coverage,
    _constant,
    _similar_layers,
    _winner,
)
