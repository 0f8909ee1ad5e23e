"""`rsa`, participant level.

Volumes of clips, averaged over their repetitions, are the rows of a dissimilarity matrix
(1 - Spearman correlation of the patterns) in every searchlight of 100 voxels or vertices; the
layers of a sound network, convolved with the haemodynamic response, have such matrices too; the
rank correlation of both says how much a searchlight is like a layer. It is compared with its
distribution when the clips of the layers are permuted.

Source: Thielen et al., Representational Similarity Analysis.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.audio.networks import RANDOM, network_entry
from bidsapp.bids.anatomy import is_of_template
from bidsapp.brain.cortex import cortex_mask
from bidsapp.brain.geometry import UnitSpace
from bidsapp.brain.grey_matter import grey_matter
from bidsapp.brain.searchlights import searchlights
from bidsapp.models.neighbourhoods import Neighbourhoods
from bidsapp.models.rdm import rdm
from bidsapp.recipes.base.layers import competing, network_facts
from bidsapp.recipes.base.quality import quality_rows
from bidsapp.recipes.base.study import ParticipantStudy
from bidsapp.recipes.rsa import cautions, results
from bidsapp.recipes.rsa.acoustics import acoustics
from bidsapp.recipes.rsa.clip_tests import (
    ClipTests,
    NetworkTest,
    clip_tests,
    families,
    mean_maxima,
    mean_of,
    n_passed,
    null_rows,
    on_units,
    write_tests,
)
from bidsapp.recipes.rsa.items import Items, item_patterns, make_items, run_orders
from bidsapp.recipes.rsa.layer_models import (
    LayerModels,
    by_delay,
    delay_map,
    delay_rows,
    delayed_models,
    layer_models,
)
from bidsapp.recipes.rsa.nuisances import Nuisances, nuisances
from bidsapp.recipes.rsa.search import Scores, Search, run_slabs, score_participant
from bidsapp.recipes.rsa.settings import RsaSettings
from bidsapp.results.write import Output, tidy
from bidsapp.scratch import Scratch
from bidsapp.stats.metrics import best_layer, centroid_layer
from bidsapp.stats.rsa.acoustics import AcousticRegression
from bidsapp.stats.rsa.clip_permutation import clip_permutations, is_enumerated, smallest_p
from bidsapp.stats.rsa.pairs import lag_profile, pair_items, pair_mask

LOGGER = logging.getLogger("musicotopy")
_LAG_SEARCHLIGHTS = 100
_LONGEST_LAG_S = 120.0
_UNITS_AT_ONCE = 5_000
_DIGITS = 6
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class NetworkScores:
    """Scores of one network; maps are (n_layers, n_units), NaN where there is no searchlight.

    Attributes
    ----------
    models
        Its model RDMs.
    score, raw
        Comparison given the nuisance RDMs, and without them.
    untrained
        (n_seeds, n_layers, n_units) score of networks with random weights; no seeds if the
        network has no weights or none were asked for.
    delayed
        (n_delays, n_layers, n_units) score at each of ``delays_s``.
    test, beyond
        By permutation of clips, None without permutations; and beyond acoustics, None where none
        can be removed.
    significant
        (n_units,) searchlights that pass; none without a test.
    """

    models: LayerModels
    score: Floats
    raw: Floats
    untrained: NDArray[np.float32]
    delayed: NDArray[np.float32]
    test: NetworkTest | None
    beyond: NetworkTest | None
    significant: NDArray[np.bool_]

    @property
    def maxima(self) -> tuple[float, float]:
        """Mean over units of the largest score over layers: observed, and expected by chance."""
        return mean_maxima(self.score, self.test)


def participant(study: ParticipantStudy) -> None:
    """Run the participant level for one participant in one space and write its results."""
    settings: RsaSettings = study.settings
    items = make_items(study.inputs, settings)
    pairs = pair_mask(items.clip, between_clip=settings.pairs == "between-clip")
    heard = None
    if settings.acoustics:
        heard = acoustics(study.courses(study.network("baseline")), items, settings)
    regression = None if heard is None else heard.regression
    beside = nuisances(study.inputs, items, settings.nuisance, pairs)
    bold = study.bold
    included, mask = searchlight_mask(study)
    lights = searchlights_of(bold.units, vars(settings), included)
    banks = [study.courses(study.network(name)) for name in settings.networks]
    trained = [layer_models(bank, items, settings) for bank in banks]
    untrained = [untrained_models(study, name, items) for name in settings.networks]
    delayed = [delayed_models(bank, items, settings) for bank in banks]
    compared = [models for several in (*untrained, *delayed) for models in several]
    everything = [*trained, *compared]
    keys = [models.bank.key for models in everything]
    scratch = study.kept("rsa", keys, bold.units.identity(), included)
    patterns = averaged(study, items.row, "patterns", scratch)
    data = patterns
    if settings.dissimilarity == "crossnobis":
        folds = range(items.n_complete)
        data = np.stack([averaged(study, items.row[:, f], f"fold{f}", scratch) for f in folds])
    seed = study.config.random_seed
    permutations = clip_permutations(len(items.clips), settings.n_permutations, seed)
    lag = np.where(np.isfinite(beside.lag_s), beside.lag_s, 0.0)
    search = Search(
        datasets=[data],
        models=np.concatenate([models.rdms for models in trained]),
        families=families([models.layers for models in trained]),
        nuisance=beside.rdms,
        pairs=pairs,
        clip=items.clip,
        dissimilarity=settings.dissimilarity,
        comparison=settings.comparison,
        n_threads=study.config.n_threads,
        memory_bytes=study.memory_bytes // 4,
        device=study.device,
        controls=np.concatenate([lag[None], *(models.rdms for models in compared)]),
    )
    LOGGER.info("%s: %d searchlights, %d items", study.label, lights.n_centres, items.n_items)
    scores = run_slabs(lights, partial(score_participant, search), Scores, scratch)
    tests = clip_tests(
        search,
        lights,
        items.tested,
        permutations,
        [] if regression is None else [regression],
        scratch,
        centre=settings.centre_patterns,
    )
    networks = network_scores(scores, tests, search, lights, trained, untrained, delayed, study)
    out = study.output(bold.units)
    for network in networks:
        shares = (
            np.full(len(network.models.layers), np.nan)
            if heard is None
            else heard.shares(network.models.rdms, pairs)
        )
        write_network(out, network, settings, beside, shares)
    write_shared(out, study, lights, scores, patterns, items, beside, regression)
    out.write(results.QUALITY, quality_rows(study.inputs, study.bold.tsnr))
    out.write(results.LAG, lag_rows(lights, patterns, beside, items, trained[0], settings))
    orders = run_orders(study.inputs, items, settings.clip_s)
    n_clips, n_permutations, wanted = len(items.clips), len(permutations), settings.n_permutations
    doubts = [
        *cautions.of_data(study, lights, mask),
        *cautions.of_items(items, orders, is_tested=n_permutations > 0),
        *cautions.of_test(vars(settings), n_clips, n_permutations, wanted, settings.significance),
        *cautions.of_models(trained, beside, pairs),
        *(
            ()
            if regression is None or not n_permutations
            else cautions.of_acoustics(regression.names, regression.left_out, n_clips)
        ),
    ]
    if not settings.mask_maps and n_permutations:
        doubts += [
            cautions.of_maximum(item.models.bank.network, len(item.models.layers), item.maxima)
            for item in networks
        ]
    summary = study.summary(
        bold.units,
        networks={
            network.models.bank.network: facts_of(network, settings) for network in networks
        },
        cautions=doubts,
        confounds=bold.confounds,
        mask=mask,
        n_searchlights=lights.n_centres,
        median_radius_mm=float(np.median(lights.radius_mm)),
        n_items=items.n_items,
        n_tested=int(items.tested.sum()),
        n_clips=n_clips,
        n_volumes_per_clip=items.n_volumes_per_clip,
        n_repeats=[int(items.n_repeats.min()), int(items.n_repeats.max())],
        n_pairs=int(pairs.sum()),
        nuisance=list(beside.names),
        acoustics=[] if regression is None else list(regression.names),
        n_permutations=n_permutations,
        enumerated=is_enumerated(n_clips, wanted),
        smallest_p=smallest_p(n_clips, max(wanted, 0)),
        orders_of_runs=orders.n_orders,
        lag_model_mean_rho=mean_of(scores.lag),
    )
    out.write(results.SUMMARY, summary)
    scratch.remove()
    bold.remove()


def searchlights_of(
    units: UnitSpace, settings: Mapping[str, Any], included: NDArray[np.bool_]
) -> Neighbourhoods:
    """Return the searchlights of the settings of a participant, centred on some units."""
    count, radius = settings["searchlight_count"], settings["searchlight_radius_mm"]
    radius_mm = radius if radius > 0 else None
    return searchlights(units, count=count, radius_mm=radius_mm, include=included)


def searchlight_mask(study: ParticipantStudy) -> tuple[NDArray[np.bool_], str]:
    """Choose the voxels or vertices that may be in a searchlight.

    Returns
    -------
    included : (n_units,) bool array
        Cortex of surfaces, all grayordinates, and grey matter of volumes, where there are data.
    mask : str
        Where that comes from.
    """
    valid, units = ~study.bold.invalid, study.bold.units
    if units.kind == "gifti":
        return valid & cortex_mask(units), "cortex without the medial wall"
    if units.kind == "cifti":
        return valid, "all grayordinates with data"
    least = study.settings.grey_matter
    if least <= 0:
        return valid, "brain mask"
    path = study.inputs.grey_matter
    if path is None:
        return valid, cautions.NO_GREY
    grey = grey_matter(path, units, least)
    whose = cautions.TEMPLATE_GREY if is_of_template(path) else "grey matter"
    return valid & grey, f"{whose}: {path.name} >= {least:g}"


def untrained_models(study: ParticipantStudy, name: str, items: Items) -> list[LayerModels]:
    """Model RDMs of a network with random weights, one set for each seed; none without weights."""
    if not network_entry(name).weight_files:
        return []
    first = study.config.random_seed + 1
    networks = (
        study.network(name, RANDOM, seed)
        for seed in range(first, first + study.settings.n_untrained)
    )
    return [layer_models(study.courses(network), items, study.settings) for network in networks]


def averaged(
    study: ParticipantStudy,
    row: NDArray[np.int64],
    name: str,
    scratch: Scratch,
) -> NDArray[np.float32]:
    """Mean BOLD of each item, (n_items, n_units), kept on disk and mapped."""
    n_units, centred = study.bold.units.n_units, study.settings.centre_patterns

    def fill(out: NDArray[Any]) -> None:
        for start in range(0, n_units, _UNITS_AT_ONCE):
            columns = slice(start, start + _UNITS_AT_ONCE)
            means = item_patterns(study.bold.data, row, columns)
            out[:, columns] = means - means.mean(axis=0) if centred else means

    return scratch.array(name, (len(row), n_units), np.float32, fill)


def network_scores(
    scores: Scores,
    tests: ClipTests,
    search: Search,
    lights: Neighbourhoods,
    trained: Sequence[LayerModels],
    untrained: Sequence[Sequence[LayerModels]],
    delayed: Sequence[Sequence[LayerModels]],
    study: ParticipantStudy,
) -> list[NetworkScores]:
    """Put the scores of centres on voxels or vertices, network by network, and test them."""
    n_units = study.bold.units.n_units
    spread = partial(on_units, centres=lights.centres, n_units=n_units)
    compared = iter(scores.controls)

    def take(several: Sequence[LayerModels], shape: tuple[int, ...]) -> NDArray[np.float32]:
        rows = [next(compared) for models in several for _ in models.rdms]
        maps = spread(np.array(rows)) if rows else np.empty(0, np.float32)
        return maps.reshape(len(several), *shape)

    shapes = [(len(models.rdms), n_units) for models in trained]
    of_untrained = [take(*pair) for pair in zip(untrained, shapes, strict=True)]
    of_delayed = [take(*pair) for pair in zip(delayed, shapes, strict=True)]
    networks = []
    for number, models in enumerate(trained):
        family = search.families[number]
        test, beyond = tests.of_network(
            number, family, lights.centres, n_units, study.settings.significance
        )
        networks.append(
            NetworkScores(
                models=models,
                score=spread(scores.score[family]),
                raw=spread(scores.raw[family]),
                untrained=of_untrained[number],
                delayed=of_delayed[number],
                test=test,
                beyond=beyond,
                significant=test.test.significant if test else np.zeros(n_units, np.bool_),
            )
        )
    return networks


def write_network(
    out: Output,
    network: NetworkScores,
    settings: RsaSettings,
    beside: Nuisances,
    acoustic_shares: Floats,
) -> None:
    """Write the maps and tables of one network; shares (n_layers,) stand in its profile."""
    name, layers, removed = network.models.bank.network, network.models.layers, list(beside.names)
    write = partial(out.write, network=name, names=layers)
    facts: dict[str, Any] = {"Weights": dict(network.models.bank.weights), "Pairs": settings.pairs}
    shown = network.significant if settings.mask_maps else None
    write(results.SCORE, network.score, Nuisance=removed, Comparison=settings.comparison, **facts)
    write(results.RAW, network.raw, **facts)
    if len(network.untrained):
        means = network.untrained.mean(axis=0)
        n_seeds = len(network.untrained)
        write(results.UNTRAINED, means, NumberOfSeeds=n_seeds, Nuisance=removed)
    competes = competing(network.models.bank.layers, settings.input_layers)
    level = settings.significance
    write_tests(write, network.test, network.beyond, level=level, competes=competes)
    best = best_layer(network.score, mask=shown, competes=competes)
    where = "a layer is significant" if settings.mask_maps else "a score is positive"
    write(results.BEST_LAYER, best, note=f"Shown where {where}.")
    centroid = centroid_layer(network.score, mask=shown, competes=competes)
    out.write(results.CENTROID, centroid, network=name, note=f"Shown where {where}.", **facts)
    test = f"Permutation of clips, family-wise p <= {settings.significance:g}."
    if network.test is not None:
        out.write(results.SIGNIFICANT, network.significant, network=name, note=test)
    write(results.PROFILE, profile(network, best, settings.significance, acoustic_shares))
    if len(network.delayed):
        delays_s, by = by_delay(network.score, network.delayed, settings.delays_s)
        out.write(results.DELAY_MAP, delay_map(delays_s, by, best), network=name, **facts)
        write(results.DELAY, delay_rows(delays_s, by, layers, network.significant))
    if network.test is not None:
        write(results.NULL, null_rows(network.test.null_maximum))
    write(results.MODELS, rdm_rows(network.models.rdms, layers))


def profile(
    network: NetworkScores, best: NDArray[Any], level: float, acoustic_shares: Floats
) -> Any:
    """Rows of the layer profile."""
    score, n = network.score, len(network.score)
    known = np.asarray(np.isfinite(score).any(axis=1))
    own = np.array(
        [
            [np.nanmean(layer) if ok else np.nan for layer, ok in zip(seed, known, strict=True)]
            for seed in network.untrained
        ],
        dtype=np.float64,
    ).reshape(-1, n)
    return tidy(
        {
            "layer_index": range(1, n + 1),
            "n_channels": [layer.n_channels for layer in network.models.bank.layers],
            "mean_rho": [mean_of(row) for row in score],
            "p95_rho": [
                np.nanpercentile(row, 95) if ok else np.nan
                for row, ok in zip(score, known, strict=True)
            ],
            "n_best": [int(np.sum(best == index)) for index in range(1, n + 1)],
            "n_significant": n_passed(network.test, level),
            "n_beyond": n_passed(network.beyond, level),
            "mean_untrained": own.mean(axis=0) if len(own) else np.nan,
            "acoustic_share": acoustic_shares,
            "sd_untrained": own.std(axis=0, ddof=1) if len(own) > 1 else np.nan,
        },
        layer=network.models.layers,
    )


def basis_rows(items: Items, basis: Floats) -> Any:
    """Yield the regressors of each item that is tested."""
    for item, values in zip(np.flatnonzero(items.tested) + 1, basis, strict=True):
        names = (f"regressor{number}" for number in range(1, values.size + 1))
        yield {"item": item, **dict(zip(names, values, strict=True))}


def rdm_rows(rdms: Floats, names: Sequence[str]) -> Any:
    """Yield one row per pair of items.

    Parameters
    ----------
    rdms
        (n, n_pairs) dissimilarities.
    names
        Column of each.
    """
    first, second = pair_items(int(np.ceil(np.sqrt(2 * rdms.shape[1]))))
    for i, j, values in zip(first + 1, second + 1, rdms.T.round(_DIGITS), strict=True):
        yield {"item_i": i, "item_j": j, **dict(zip(names, values, strict=True))}


def write_shared(
    out: Output,
    study: ParticipantStudy,
    lights: Neighbourhoods,
    scores: Scores,
    patterns: NDArray[np.float32],
    items: Items,
    beside: Nuisances,
    regression: AcousticRegression | None,
) -> None:
    """Write what does not depend on the network: searchlights, items, nuisances, alignment."""
    clips, times = [items.clips[clip].name for clip in items.clip], items.time_s
    names = [f"{clip}|{time_s:.3f}" for clip, time_s in zip(clips, times, strict=True)]
    out.write(results.PATTERNS, patterns, names=names)
    spread = partial(on_units, centres=lights.centres, n_units=out.units.n_units)
    out.write(results.RADIUS, spread(np.asarray(lights.radius_mm, np.float64)))
    out.write(results.SIZE, spread(scores.n_members)[0])
    rows = tidy(
        {
            "clip": clips,
            "time_s": times.round(4),
            "n_repeats": items.n_repeats,
            "tested": items.tested.astype(int),
        },
        item=range(1, items.n_items + 1),
    )
    out.write(results.ITEMS, rows)
    if beside.names:
        out.write(results.NUISANCE, rdm_rows(beside.rdms, beside.names))
    if regression is not None and regression.names:
        out.write(results.ACOUSTICS, basis_rows(items, regression.basis))
    out.write(results.ALIGNMENT, study.inputs.alignment)


def lag_rows(
    lights: Neighbourhoods,
    patterns: NDArray[np.float32],
    beside: Nuisances,
    items: Items,
    models: LayerModels,
    settings: RsaSettings,
) -> Any:
    """Rows of dissimilarity by distance in time, in an even sample of searchlights."""
    lag_s = beside.lag_s.copy()
    lag_s[lag_s > _LONGEST_LAG_S] = np.nan
    kind = "spearman" if settings.dissimilarity == "crossnobis" else settings.dissimilarity
    total, n = np.zeros(lag_s.size), 0
    for centre in np.unique(np.linspace(0, lights.n_centres - 1, _LAG_SEARCHLIGHTS).round()):
        values = rdm(np.asarray(patterns[:, lights.of(int(centre))]), kind)
        if np.isfinite(values).all():
            total, n = total + values, n + 1
    rdms = np.concatenate([total[None] / max(n, 1), models.rdms])
    lags, means, n_pairs = lag_profile(rdms, lag_s, items.tr_s)
    if not n:
        means[0] = np.nan
    names = ("mean_dissimilarity", *(f"mean_{layer}" for layer in models.layers))
    columns = dict(zip(names, means, strict=True))
    return tidy({"n_pairs": n_pairs, **columns}, lag_s=list(lags))


def facts_of(network: NetworkScores, settings: RsaSettings) -> dict[str, Any]:
    """Return what the summary says of one network."""
    observed, expected = network.maxima
    bank = network.models.bank
    return {
        **network_facts(bank.layers, bank.weights, settings.input_layers),
        "mean_maximum": observed,
        "expected_maximum": expected if network.test else None,
        "largest_tested": network.test.largest if network.test else None,
        "n_untrained": len(network.untrained),
    }
