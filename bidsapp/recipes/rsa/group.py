"""`rsa`, group level.

In every searchlight the patterns of all participants are compared with the layers of a network;
the mean over participants is tested by permuting the clips of the models, which leaves everything
in place that participants have in common for other reasons. The paper's own test, of the largest
correlation over layers, is made if asked for, beside what it gives when clips are permuted.

Source: Thielen et al., Statistical Analysis.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.brain.geometry import UnitSpace
from bidsapp.errors import InputInvalidError
from bidsapp.models.rdm import Dissimilarity
from bidsapp.recipes.base.cautions import random_weights
from bidsapp.recipes.base.study import GroupStudy
from bidsapp.recipes.rsa import cautions, results
from bidsapp.recipes.rsa.clip_tests import (
    clip_tests,
    families,
    mean_of,
    n_passed,
    null_rows,
    write_tests,
)
from bidsapp.recipes.rsa.design import Design, group_units, keep_patterns, read_design
from bidsapp.recipes.rsa.layer_maps import NetworkGroup, network_group
from bidsapp.recipes.rsa.participant import searchlights_of
from bidsapp.recipes.rsa.search import GroupScores, Search, run_slabs, score_group
from bidsapp.recipes.rsa.settings import GroupSettings
from bidsapp.results.cautions import Caution
from bidsapp.results.inferences import INFERENCES
from bidsapp.results.write import Output, tidy
from bidsapp.stats.bootstrap import bootstrap_interval, resample_counts
from bidsapp.stats.rsa.clip_permutation import clip_permutations, is_enumerated, smallest_p

LOGGER = logging.getLogger("musicotopy")
_ENOUGH = 1e-9
Row = dict[str, Any]


def group(study: GroupStudy) -> None:
    """Run the group level for one space and write its results.

    Parameters
    ----------
    study
        Participants with the same items and layers.

    Raises
    ------
    AppError
        If a participant's file cannot be used, or no searchlight is shared.
    """
    settings: GroupSettings = study.settings
    inputs, config = study.inputs, study.config
    own = inputs.participants[0].facts(inputs.at)["settings"]
    design = read_design(inputs)
    units, n = group_units(inputs)
    included = shared_units(study, n)
    lights = searchlights_of(units, own, included)
    seed = config.random_seed
    scratch = study.kept("rsa_group", settings, seed, units.identity(), included)
    keep = partial(keep_patterns, at=inputs.at, units=units, n_items=design.clip.size)
    permutations = clip_permutations(len(design.clips), settings.n_permutations, seed)
    # patterns are averages over repetitions here: crossnobis has no folds
    dissimilarity: Dissimilarity = (
        "euclid" if own["dissimilarity"] == "crossnobis" else own["dissimilarity"]
    )
    search = Search(
        datasets=[
            keep(person, scratch=scratch, memory_bytes=study.memory_bytes // 4)
            for person in inputs.participants
        ],
        models=np.concatenate(list(design.models.values())),
        families=families(list(inputs.networks.values())),
        nuisance=design.nuisance,
        pairs=design.pairs,
        clip=design.clip,
        each=settings.test == "maximum-t",
        dissimilarity=dissimilarity,
        comparison=own["comparison"],
        n_threads=config.n_threads,
        memory_bytes=study.memory_bytes // 4,
    )
    LOGGER.info("%s: %d searchlights, %d items", study.label, lights.n_centres, design.clip.size)
    scores = run_slabs(lights, partial(score_group, search), GroupScores, scratch)
    tests = clip_tests(
        search,
        lights,
        design.tested,
        permutations,
        design.regressions,
        scratch,
        centre=own["centre_patterns"],
    )
    networks = [
        network_group(
            inputs,
            units,
            settings,
            name=name,
            number=number,
            family=family,
            scores=scores,
            tests=tests,
            centres=lights.centres,
            seed=seed,
        )
        for number, (name, family) in enumerate(zip(inputs.networks, search.families, strict=True))
    ]
    ceilings = np.full((2, units.n_units), np.nan)
    ceilings[:, lights.centres] = scores.lower, scores.upper
    for network in networks:
        write_network(study, units_output(study, units, network.name), network, design)
    out = units_output(study, units)
    if np.isfinite(ceilings[0]).any():
        out.write(results.LOWER, ceilings[0])
        out.write(results.UPPER, ceilings[1])
    out.write(results.N, n.astype(np.float32))
    rows = study.participant_rows(results.PARTICIPANTS, scores_of_people(study, networks[0]))
    out.write(results.PARTICIPANTS, rows)
    n_clips = len(design.clips)
    summary = study.summary(
        units,
        networks={network.name: network_facts(study, network, design) for network in networks},
        cautions=group_cautions(study, design, networks, len(permutations), mean_of(ceilings[0])),
        n_searchlights=lights.n_centres,
        n_items=design.clip.size,
        n_tested=int(design.tested.sum()),
        n_clips=n_clips,
        n_pairs=int(design.pairs.sum()),
        nuisance=list(design.nuisance_names),
        acoustics=list(design.regressions[0].names) if design.regressions else [],
        dissimilarity=dissimilarity,
        time_difference_s=design.time_difference_s,
        smallest_model_correlation=design.smallest_correlation,
        n_permutations=len(permutations),
        enumerated=is_enumerated(n_clips, settings.n_permutations),
        smallest_p=smallest_p(n_clips, max(settings.n_permutations, 0)),
        order={"common": design.common_order, "n_orders": design.order.n_orders},
    )
    out.write(results.GROUP_SUMMARY, summary)
    scratch.remove()


def shared_units(study: GroupStudy, n: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Choose the voxels or vertices where enough participants have a searchlight.

    Parameters
    ----------
    study
        Participants, and the share of them that is needed.
    n
        (n_units,) participants with a searchlight.

    Raises
    ------
    InputInvalidError
        There is none.
    """
    n_participants, share = len(study.inputs.participants), study.settings.min_share
    included = np.asarray(n >= max(share * n_participants, 1) - _ENOUGH)
    if not included.any():
        msg = (
            f"space {study.inputs.space}: at most {n.max()} of {n_participants} participants "
            f"share a searchlight, {share:.0%} are needed; lower rsa_group.min_share or exclude "
            "those with a small brain mask"
        )
        raise InputInvalidError(msg)
    return included


def units_output(study: GroupStudy, units: UnitSpace, network: str = "") -> Output:
    """Return the writer of results that are made from patterns."""
    chosen = (results.PATTERNS, results.MODELS) if network else (results.PATTERNS,)
    return study.output(units, study.files(*chosen, network=network))


# ------------------------------------------------------------------ maps and tables of a network


def write_network(study: GroupStudy, out: Output, network: NetworkGroup, design: Design) -> None:
    """Write the maps and tables of one network."""
    settings: GroupSettings = study.settings
    write = partial(out.write, network=network.name, names=network.layers)
    single = partial(out.write, network=network.name)
    write(results.MEAN, network.mean, Nuisance=list(design.nuisance_names))
    if network.t is not None:
        write(results.T, network.t)
    competes, level = study.inputs.competes(network.name), settings.significance
    write_tests(write, network.test, network.beyond, level=level, competes=competes)
    if network.test is not None:
        n_permutations = len(network.test.null_maximum)
        write(results.Q, network.test.test.q, NumberOfPermutations=n_permutations)
    write_maximum(single, network)
    where = "a layer is significant"
    if settings.ceiling_above_zero:
        where += " and the lower noise ceiling is above zero"
    note = f"Shown where {where}."
    by_maximum = settings.test == "maximum-t"
    how = "The mean over participants of the number of their best layer" * by_maximum
    write(results.BEST_LAYER, network.best, note=f"{how + ', rounded. ' if how else ''}{note}")
    single(results.CENTROID, network.centroid, note=f"{how + '. ' if how else ''}{note}")
    if np.isfinite(network.confidence).any():
        single(results.CONFIDENCE, network.confidence, NumberOfResamples=settings.n_bootstrap)
    test = f"Permutation of clips, family-wise p <= {settings.significance:g}."
    if by_maximum:
        test = (
            "Maximum over layers, t over participants, "
            f"q <= {settings.significance:g} / {len(network.layers)}."
        )
    if network.is_tested:
        key = results.MAXIMUM_T if by_maximum else results.CLIPS
        draws = INFERENCES[key].draws
        single(results.SIGNIFICANT, network.significant, note=test, Inference=draws)
    if network.untrained is not None:
        sources = study.files(results.SCORE, results.UNTRAINED, network=network.name)
        own = study.output(out.units, sources)
        for result, values in (
            (results.UNTRAINED, network.untrained.mean),
            (results.DIFFERENCE, network.untrained.difference),
        ):
            own.write(result, values, network=network.name, names=network.layers)
    single(results.GROUP_PROFILE, profile_rows(study, network))
    null = np.empty(0) if network.test is None else network.test.null_maximum
    single(results.NULL, null_rows(null))
    single(results.LAYERS, layer_rows(network))
    if network.shape.axes:
        single(results.GYRUS, gyrus_rows(network))


def write_maximum(write: Any, network: NetworkGroup) -> None:
    """Write the paper's test, and what it gives by chance."""
    test = network.faithful
    if test is None:
        return
    observed, expected = network.maxima
    clips = network.test
    expected_each = np.full(test.t.shape, np.nan) if clips is None else clips.expected_each
    facts = {"MeanMaximum": observed, "ExpectedMaximumWhenClipsArePermuted": expected}
    for result, values in (
        (results.MAX, test.mean_max),
        (results.MAX_LAYER, test.mean_layer),
        (results.MAX_T, test.t),
        (results.MAX_P, test.p),
        (results.MAX_Q, test.q),
        (results.MAX_EXPECTED, expected_each),
    ):
        write(result, values, Threshold=test.q_threshold, **facts)


def profile_rows(study: GroupStudy, network: NetworkGroup) -> Iterator[Row]:
    """Rows of the layer profile."""
    settings, n_participants = study.settings, len(network.rho)
    own = np.array([[mean_of(layer) for layer in person] for person in network.rho])
    low, high = np.full((2, len(network.layers)), np.nan)
    if n_participants > 1 and settings.n_bootstrap > 0:
        counts = resample_counts(n_participants, settings.n_bootstrap, study.config.random_seed)
        low, high = bootstrap_interval(own, counts)
    numbers, untrained = range(1, len(network.layers) + 1), network.untrained
    gains = untrained.participants.T if untrained else ()
    return tidy(
        {
            "layer_index": numbers,
            "mean_rho": [mean_of(row) for row in network.mean],
            "ci_low": low,
            "ci_high": high,
            "n_best": [int(np.sum(network.best == number)) for number in numbers],
            "n_significant": n_passed(network.test, settings.significance),
            "n_beyond": n_passed(network.beyond, settings.significance),
            "mean_untrained": [mean_of(row) for row in untrained.mean] if untrained else np.nan,
            "difference": [mean_of(column) for column in gains] or np.nan,
        },
        layer=network.layers,
    )


def layer_rows(network: NetworkGroup) -> Iterator[Row]:
    """Yield one row per hemisphere and layer, and the difference of hemispheres."""
    n = len(network.layers)
    asymmetry = network.shape.asymmetry
    sides = [
        (side.name, side.n_best / max(side.n_best.sum(), 1) if side.n_best.any() else [np.nan] * n,
         list(side.n_best), side.shares)
        for side in network.shape.sides
    ]  # fmt: skip
    if asymmetry is not None:
        sides.append(("L-R", [np.nan] * n, [None] * n, asymmetry.shares))
    for name, shares, counts, own in sides:
        for index, layer in enumerate(network.layers):
            yield {
                "hemisphere": name,
                "layer": layer,
                "layer_index": index + 1,
                "share": shares[index],
                "n": counts[index],
                "participant_share": mean_of(own[:, index]),
            }


def gyrus_rows(network: NetworkGroup) -> Iterator[Row]:
    """Yield one row per hemisphere and bin of the superior temporal gyrus."""
    for axis in network.shape.axes:
        low, high = (
            (np.nan, np.nan) if axis.profile is None else (axis.profile.low, axis.profile.high)
        )
        columns = {
            "n_units": axis.n_units,
            "centroid": axis.centroid,
            "ci_low": low,
            "ci_high": high,
            **{f"rho_{name}": row for name, row in zip(network.layers, axis.rho, strict=True)},
        }
        positions = [round(float(position), 4) for position in axis.position]
        yield from tidy(columns, hemisphere=[axis.name], position=positions)


def scores_of_people(study: GroupStudy, first: NetworkGroup) -> Iterator[Row]:
    """Yield how often each participant heard the clips, and what the first network scores."""
    for person, rho in zip(study.inputs.participants, first.rho, strict=True):
        facts = person.facts(study.inputs.at)
        means = np.array([mean_of(layer) for layer in rho])
        known = np.isfinite(means).any()
        yield {
            "fewest_repeats": facts["n_repeats"][0],
            "mean_rho": mean_of(means),
            "best_layer": first.layers[int(np.nanargmax(means))] if known else None,
            "lag_mean_rho": facts["lag_model_mean_rho"],
        }


# ------------------------------------------------------------------ summary


def network_facts(study: GroupStudy, network: NetworkGroup, design: Design) -> Row:
    """Return what the summary says of one network."""
    observed, expected = network.maxima
    asymmetry = network.shape.asymmetry
    of = (
        {
            "left_minus_right_layers": mean_of(asymmetry.difference),
            "n": int(np.isfinite(asymmetry.difference).sum()),
            "n_positive": int((asymmetry.difference > 0).sum()),
        }
        if asymmetry
        else None
    )
    return {
        **study.inputs.network_facts[network.name],
        "mean_maximum": observed,
        "expected_maximum": expected if np.isfinite(expected) else None,
        "largest_tested": network.test.largest if network.test else None,
        "asymmetry": of,
        "superior_temporal_gyrus": [
            {
                "hemisphere": axis.name,
                "n_units": int(axis.n_units.sum()),
                "slope": _shape_facts(axis.profile.slope),
                "curvature": _shape_facts(axis.profile.curvature),
            }
            for axis in network.shape.axes
            if axis.profile
        ],
    }


def _shape_facts(coefficients: NDArray[np.float64]) -> Mapping[str, Any]:
    """Mean over participants of a coefficient, and in how many it is above zero."""
    return {
        "mean": mean_of(coefficients),
        "n": int(np.isfinite(coefficients).sum()),
        "n_positive": int((coefficients > 0).sum()),
    }


def group_cautions(
    study: GroupStudy,
    design: Design,
    networks: Sequence[NetworkGroup],
    n_permutations: int,
    mean_lower_ceiling: float,
) -> Iterator[Caution]:
    """Yield the reasons to doubt the group's results."""
    settings: GroupSettings = study.settings
    first = study.inputs.participants[0]
    own, n = first.facts(study.inputs.at)["settings"], len(study.inputs.participants)
    yield from cautions.of_participants(study, mean_lower_ceiling)
    yield from cautions.of_test(
        own, len(design.clips), n_permutations, settings.n_permutations, settings.significance
    )
    yield from cautions.of_design(
        own, design.order, design.smallest_correlation, design.time_difference_s
    )
    if n_permutations:
        n_clips, per_clip = len(design.clips), first.facts(study.inputs.at)["n_volumes_per_clip"]
        n_trimmed = round((~design.tested).sum() * per_clip * n_clips / design.tested.sum())
        yield from cautions.of_lengths(n_trimmed, per_clip, n_clips, design.tested)
        removed = design.regressions[0].names if design.regressions else ()
        kept = [name for name in own["acoustics"] if name not in removed]
        yield from cautions.of_acoustics(removed, kept, len(design.clips))
    for network in networks:
        weights = first.network(network.name, study.inputs.at)["weights"]
        yield from random_weights({network.name: weights})
        if settings.test == "maximum-t":
            yield cautions.of_maximum(network.name, len(network.layers), network.maxima, n)
        has_gyrus = bool(network.shape.axes)
        yield from cautions.of_group_network(
            network.name, network.mean, network.layers, has_gyrus=has_gyrus
        )
