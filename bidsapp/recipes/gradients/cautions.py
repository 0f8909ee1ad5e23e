"""Reasons to doubt results of `gradients`, at both levels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bidsapp.encoding.rows import Rows
from bidsapp.recipes.base import cautions
from bidsapp.recipes.base.study import GroupStudy, ParticipantStudy
from bidsapp.recipes.gradients.settings import GradientsGroupSettings, GradientsSettings
from bidsapp.results.cautions import Caution
from bidsapp.results.networks import network_title

if TYPE_CHECKING:
    from bidsapp.brain.spin_surface import Cortex
    from bidsapp.recipes.base.group_maps import GroupMaps
    from bidsapp.recipes.base.scores import Scores
    from bidsapp.recipes.base.spins import Spins
    from bidsapp.recipes.gradients.condition import Condition

BASELINE = "baseline"
_FEW_ROTATIONS, _FEW_PARTICIPANTS = 999, 12
_MUCH_AT_EDGE, _LITTLE_COVERAGE, _SIMILAR_LAYERS, _MANY_PARCELS = 0.2, 0.5, 0.9, 0.25
_CONTROL_RATIO = 0.8


def of_participant(
    study: ParticipantStudy, rows: Rows, networks: Mapping[str, Sequence[Scores]]
) -> list[Caution]:
    """Return the cautions of one participant's analysis.

    Parameters
    ----------
    study
        The participant.
    rows
        At positive lags.
    networks
        Network → its scores, at positive lags first.
    """
    bold = study.bold
    weights = {name: both[0].bank.weights for name, both in networks.items()}
    found = [
        *cautions.of_encoded_bold(study, weights),
        *_of_design(study, rows),
        *cautions.of_ratings(study, rows),
    ]
    baseline = networks.get(BASELINE)
    for name, both in networks.items():
        if name != BASELINE:
            found += _of_network(name, both, baseline, study.settings)
    problems = (*bold.problems, *bold.units.problems, *study.inputs.problems)
    return [*found, *cautions.of_problems(problems)]


def _of_design(study: ParticipantStudy, rows: Rows) -> Iterator[Caution]:
    settings: GradientsSettings = study.settings
    yield from cautions.of_pieces(rows, settings.purge_s)
    used, n_trs = rows.n_used, sum(run.n_trs for run in study.inputs.runs)
    if used < _LITTLE_COVERAGE * n_trs:
        yield Caution(
            "caution",
            f"Only {100 * used / n_trs:.0f} % of the volumes were used",
            f"{used} of {n_trs} volumes have sound at all lags; see the alignment.",
        )
    if settings.pca_fit == "all":
        yield Caution(
            "serious",
            "Test pieces took part in fitting",
            "Components were fitted on all pieces, the held-out one among them, as the paper did. "
            "Scores may be optimistic; the robust variant answers the same question without this.",
        )
    if settings.centre == "train":
        text = "Differences between the means of pieces take part in the fit."
        yield Caution("caution", "Means of pieces were fitted", text)
    if not settings.mask_maps:
        yield Caution(
            "caution",
            "Layer maps are not masked",
            "Best and centroid layers are shown at every voxel or vertex: where nothing responds "
            "they are dominated by noise.",
        )
    yield from cautions.few_shifts(settings.n_shifts)


def _of_network(
    name: str,
    both: Sequence[Scores],
    baseline: Sequence[Scores] | None,
    settings: GradientsSettings,
) -> Iterator[Caution]:
    """Yield what the scores of one network themselves give reason to doubt."""
    positive, level = both[0], settings.significance
    test, n_layers = positive.test, len(positive.layers)
    passed = test.p_family <= level
    known = np.isfinite(test.p_family)
    if known.any() and not passed.any():
        yield Caution(
            "serious",
            f"No parcel is significant ({network_title(name)})",
            f"The smallest family-wise p is {np.nanmin(test.p_family):.3f}. Best and centroid "
            "layers of this participant are dominated by noise and should not be interpreted.",
        )
    if len(both) > 1:
        yield from _of_control(name, both)
    if baseline is not None and passed.any():
        other = baseline[0].test.r.max(axis=0)
        share = float((other[passed] >= test.r.max(axis=0)[passed]).mean())
        if share >= _MANY_PARCELS:
            yield Caution(
                "caution",
                "The acoustic baseline explains much of it",
                f"In {100 * share:.0f} % of the significant parcels a plain acoustic description "
                f"(the best of {', '.join(baseline[0].layers)}) predicts at least as well as the "
                f"best layer of {name}.",
            )
    yield from _of_penalties(name, positive, passed, settings)
    if n_layers >= 3 and known.sum() > 2:
        neighbours = float(np.median(np.diag(np.corrcoef(test.r[:, known]), 1)))
        if neighbours >= _SIMILAR_LAYERS:
            yield Caution(
                "note",
                f"Layers of {name} resemble each other",
                f"Score maps of neighbouring layers correlate at {neighbours:.2f} (median). Which "
                "of two neighbours wins is close to chance: read the best layer as a stage of the "
                "network (early, middle, late).",
            )
    if n_layers > 1:
        yield Caution(
            "note",
            "The best layer's r is optimistic",
            f"The largest of {n_layers} noisy scores is too large on average. Family-wise "
            "p-values account for this choice, the printed r does not: do not compare the best "
            "layer's r with the score of a single model.",
        )


def _of_control(name: str, both: Sequence[Scores]) -> Iterator[Caution]:
    positive, negative = both
    ratio = float(np.nanmax(negative.test.r)) / max(float(np.nanmax(positive.test.r)), 1e-9)
    if ratio < _CONTROL_RATIO:
        return
    yield Caution(
        "serious" if ratio >= 1 else "caution",
        f"The control does too well ({network_title(name)})",
        f"The largest score of a parcel by music after the response is {ratio:.1f} times that by "
        "music before it. Responses cannot precede the sound: slow trends shared by sound and "
        "scan may carry part of the scores.",
    )


def _of_penalties(
    name: str, scores: Scores, passed: Any, settings: GradientsSettings
) -> Iterator[Caution]:
    if not passed.any():
        return
    low = float(scores.parcels.edge_low[:, passed].mean())
    high = float(scores.parcels.edge_high[:, passed].mean())
    if max(low, high) < _MUCH_AT_EDGE:
        return
    first, last = settings.log10_alpha[0], settings.log10_alpha[-1]
    yield Caution(
        "caution" if low >= _MUCH_AT_EDGE else "note",
        f"Penalties lie at the edge of the grid ({network_title(name)})",
        f"In significant parcels {100 * low:.0f} % of the choices are the smallest and "
        f"{100 * high:.0f} % the largest penalty offered (log10 from {first:g} to {last:g}). Many "
        "at the smallest value mean that the grid should start lower (gradients.log10_alpha).",
    )


# ------------------------------------------------------------------ group


def of_group(study: GroupStudy, cortex: Cortex | None, maps: GroupMaps) -> list[Caution]:
    """Return the cautions about who takes part and what can be tested.

    Parameters
    ----------
    study
        The group.
    cortex
        Surface of the spin test; None without one.
    maps
        Of the first network at positive lags.
    """
    inputs, settings = study.inputs, study.settings
    n = len(inputs.participants)
    found = [*cautions.of_encoding_group(inputs, 2, maps.test, settings.significance)]
    if 1 < n < _FEW_PARTICIPANTS:
        text = f"{n} participants: intervals and sign-flip tests are coarse."
        found.append(Caution("caution", "Few participants", text))
    if cortex is None:
        text = f"Space {inputs.space} has no sphere here: no spin tests, no networks."
        found.append(Caution("caution", "No spin tests", text))
    elif cortex.is_projected:
        found.append(
            Caution(
                "note",
                "Volumes were projected to an average surface",
                "They were projected after averaging: places are blurred relative to data sampled "
                "on each participant's own cortex.",
            )
        )
    return [*found, *cautions.of_problems(inputs.problems)]


def of_layer_maps(
    conditions: Sequence[Condition], cortex: Cortex | None, settings: GradientsGroupSettings
) -> Iterator[Caution]:
    """Yield the cautions about maps of best and centroid layers."""
    for item in conditions:
        if cortex is None or item.surface_centroid is None:
            continue
        share = float(np.isfinite(item.surface_centroid[cortex.mask]).mean())
        if share < _LITTLE_COVERAGE:
            yield Caution(
                "caution",
                f"Layer maps cover {share:.0%} of the cortex",
                f"{network_title(item.network)}, {item.lags} lags: elsewhere no layer's mean "
                "score is positive.",
            )
    if settings.best_layer == "everywhere":
        yield Caution(
            "caution",
            "Layer maps are not masked",
            "Best layers are shown at every vertex, as in the poster: where nothing responds they "
            "are dominated by noise.",
        )


def of_spins(spins: Spins | None, settings: GradientsGroupSettings) -> Iterator[Caution]:
    """Yield the cautions about spin tests."""
    if spins is None:
        return
    if spins.null.done < _FEW_ROTATIONS:
        text = f"With {spins.null.done} rotations no p is below 1/{spins.null.done + 1}."
        yield Caution("caution", "Low p-value resolution of spin tests", text)
    names = [f"{network_title(item.network)} {item.lags} {item.kind}" for item in spins.maps]
    unknown = [
        name
        for index, name in enumerate(names)
        if not np.isfinite(spins.null.observed[..., index]).any()
    ]
    if unknown:
        text = f"Constant or empty maps have no spin test: {', '.join(unknown)}."
        yield Caution("caution", "Maps without a spin test", text)
    refused = (spins.null.overlap < settings.overlap_floor).mean(axis=0)[:, : len(names)]
    small = [
        f"{name} ({refused[:, index].max():.0%})"
        for index, name in enumerate(names)
        if refused[:, index].max() > 0
    ]
    if small:
        yield Caution(
            "note",
            "Rotations were refused",
            f"Rotations that left less than {settings.overlap_floor:.0%} of a map do not count: "
            f"{', '.join(small)}.",
        )
    if any(item.network == BASELINE for item in spins.maps):
        yield Caution(
            "note",
            "The baseline has no depth",
            "The layers of the acoustic baseline are not ordered by depth: its best and centroid "
            "layers are a comparison for the tests, no gradient of abstraction.",
        )
