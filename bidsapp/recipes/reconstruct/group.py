"""`reconstruct`, group level.

Every participant's clips are exchanged alike, so that the mean identification accuracy over
participants has a null distribution that needs no independence of people who heard the same
clips. How many people show the effect is inferred from the number of significant participants.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bidsapp.audio.listening import score_answers
from bidsapp.brain.geometry import UnitSpace
from bidsapp.errors import InputInvalidError, InputMissingError
from bidsapp.recipes.base.group_maps import group_units, participant_maps
from bidsapp.recipes.base.study import GroupStudy
from bidsapp.recipes.reconstruct import cautions, results
from bidsapp.recipes.reconstruct.across import write_across
from bidsapp.recipes.reconstruct.encoding.group import write_encoding
from bidsapp.recipes.reconstruct.examples import KEY_SUFFIX
from bidsapp.recipes.reconstruct.tables import null_columns, p_of_regions
from bidsapp.results.read import Results
from bidsapp.results.write import Output, tidy
from bidsapp.stats.clip_exchange import Exchange, averaged, mean_of_known
from bidsapp.stats.prevalence import bayesian_prevalence

Floats = NDArray[np.float64]


def group(study: GroupStudy) -> None:
    """Run the group level for one space and write its results."""
    inputs = study.inputs
    units = group_units(inputs, results.MAP, next(iter(inputs.networks)))
    files = [
        path
        for person in inputs.participants
        for network in inputs.networks
        for path in person.files(results.EXCHANGES, inputs.at, network)
    ]
    out = study.output(units, files)
    n_exchanges = 0
    for network in inputs.networks:
        exchanges = [read_exchanges(person, study, network) for person in inputs.participants]
        n_exchanges = len(exchanges[0]["ensemble"].null)
        write_network(out, study, network, exchanges, units)
    write_encoding(out, study, units)
    if study.settings.across:
        write_across(out, study, units)
    if study.settings.answers:
        out.write(results.LISTENING, list(listening_rows(Path(study.settings.answers))))
    facts = study.summary(
        units,
        networks=inputs.network_facts,
        cautions=cautions.of_group(study),
        n_exchanges=n_exchanges,
        **{name: first_facts(study)[name] for name in ("n_clips", "n_held_out", "n_folds")},
    )
    out.write(results.GROUP_SUMMARY, facts)


def listening_rows(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the score of each listening test and condition.

    Parameters
    ----------
    folder
        With keys (``_key.tsv``), beside each the answers of its listeners (other TSV files).

    Raises
    ------
    InputMissingError
        There is no key, or there are no answers beside one.
    InputInvalidError
        Answers do not fit their key.
    """
    keys = sorted(folder.rglob(f"*{KEY_SUFFIX}"))
    if not keys:
        msg = f"{folder}: holds no key of a listening test (*{KEY_SUFFIX}); put it there"
        raise InputMissingError(msg)
    for key in keys:
        answers = [path for path in sorted(key.parent.glob("*.tsv")) if path not in keys]
        if not answers:
            msg = f"{key.parent}: holds no answers beside {key.name}; put the saved files there"
            raise InputMissingError(msg)
        for condition, test in score_answers(key, answers).items():
            yield {
                "test": key.relative_to(folder).as_posix().removesuffix(KEY_SUFFIX),
                "condition": condition,
                "n_trials": test.n_trials,
                "n_answers": test.n_answers,
                "accuracy": test.accuracy,
                "chance": test.chance,
                "p": test.p,
            }


def first_facts(study: GroupStudy) -> Mapping[str, Any]:
    """Return the facts of the first participant, which all share: clips and folds."""
    return study.inputs.participants[0].facts(study.inputs.at)


def read_exchanges(person: Results, study: GroupStudy, network: str) -> dict[str, Exchange]:
    """Read what was scored with exchanged clips.

    Parameters
    ----------
    person
        The participant.
    study
        For the space.
    network
        Embedding space.

    Returns
    -------
    dict
        ``ensemble``, ``within_genre`` and ``regions`` (last axis: rows of its table of regions).

    Raises
    ------
    InputInvalidError
        The file is not there, or incomplete.
    """
    arrays = person.arrays(results.EXCHANGES, study.inputs.at, network)
    try:
        assert arrays is not None
        return {
            name: Exchange(arrays[f"{name}_observed"], arrays[f"{name}_null"])
            for name in ("ensemble", "within_genre", "regions")
        }
    except (AssertionError, KeyError) as error:
        msg = (
            f"sub-{person.subject}: exchanges of {network} are incomplete; run the participant "
            "level with --overwrite"
        )
        raise InputInvalidError(msg) from error


def write_network(
    out: Output,
    study: GroupStudy,
    network: str,
    exchanges: Sequence[Mapping[str, Exchange]],
    units: UnitSpace,
) -> None:
    """Write the maps and tables of one embedding space.

    Parameters
    ----------
    out
        Writer.
    study
        The group.
    network
        Embedding space.
    exchanges
        Of each participant.
    units
        Of the maps.
    """
    inputs = study.inputs
    tables = {
        result.desc: [person.table(result, inputs.at, network) for person in inputs.participants]
        for result in (results.DECODING, results.CLIPS, results.REGIONS)
    }
    decodings = tables[results.DECODING.desc]
    out.write(results.GROUP_DECODING, decoding_rows(study, decodings, exchanges), network=network)
    out.write(results.PARTICIPANTS, participant_rows(study, decodings), network=network)
    out.write(results.GROUP_CLIPS, clip_rows(tables[results.CLIPS.desc]), network=network)
    regions, p_fwe = region_rows(study, tables[results.REGIONS.desc], exchanges)
    out.write(results.GROUP_REGIONS, regions, network=network)
    maps = np.stack(
        [
            participant_maps(person, inputs, results.MAP, network, units)[0]
            for person in inputs.participants
        ]
    )
    out.write(results.GROUP_MAP, mean_of_known(maps), network=network)
    if np.isfinite(list(p_fwe.values())).any():
        on_units = p_on_units(study, p_fwe, units)
        out.write(results.GROUP_P_MAP, on_units, network=network)


def decoding_rows(
    study: GroupStudy,
    decodings: Sequence[pd.DataFrame],
    exchanges: Sequence[Mapping[str, Exchange]],
) -> Iterator[dict[str, Any]]:
    """Yield the mean accuracy of each decoder, those of the ensemble with their null.

    Parameters
    ----------
    study
        The group.
    decodings
        Table of identification of each participant.
    exchanges
        Of each participant.

    Yields
    ------
    dict
        Without prevalence where the clips have too few orders for any participant to pass.
    """
    level, n = study.settings.significance, len(decodings)
    keys = {results.ALL: "ensemble", results.SAME_GENRE: "within_genre"}
    for decoder, candidates in decodings[0][["decoder", "candidates"]].itertuples(index=False):
        rows = [results.row_of(table, decoder, candidates) for table in decodings]
        accuracy = np.array([row.get("identification", np.nan) for row in rows], float)
        p = np.array([row.get("p", np.nan) for row in rows], float)
        found: dict[str, Any] = {
            "decoder": decoder,
            "candidates": candidates,
            "n_participants": int(np.isfinite(accuracy).sum()),
            "identification": float(np.nanmean(accuracy)),
            "smallest": float(np.nanmin(accuracy)),
            "largest": float(np.nanmax(accuracy)),
        }
        if decoder == results.ENSEMBLE:
            found |= null_columns(averaged([own[keys[candidates]] for own in exchanges]))
        can_pass = any(_smallest_p(own[keys[candidates]]) <= level for own in exchanges)
        if np.isfinite(p).all() and can_pass:
            n_significant = int((p <= level).sum())
            found["n_significant"] = n_significant
            if n > 1:
                share = bayesian_prevalence(n_significant, n, alpha=level)
                found["prevalence"] = share.most_probable
                found["prevalence_low"], found["prevalence_high"] = share.low, share.high
        yield {column.name: found.get(column.name) for column in results.GROUP_DECODING.columns}


def _smallest_p(exchange: Exchange) -> float:
    """Smallest p-value that a score can have: it is that of the largest if many exchanges have it.

    Clips that can be exchanged in a few ways only have the same few scores again and again, that
    of the true order among them.
    """
    null = exchange.null[np.isfinite(exchange.null)]
    if not null.size:
        return 1.0
    n_largest = int(np.isclose(null, null.max()).sum())
    return (1 + n_largest * (n_largest > 1)) / (1 + null.size)


def participant_rows(
    study: GroupStudy, decodings: Sequence[pd.DataFrame]
) -> Iterator[dict[str, Any]]:
    """Yield one row per participant."""
    for subject, table in zip(study.inputs.subjects, decodings, strict=True):
        overall = results.row_of(table, results.ENSEMBLE, results.ALL)
        within = results.row_of(table, results.ENSEMBLE, results.SAME_GENRE)
        yield {
            "participant": subject,
            "identification": overall.get("identification"),
            "p": overall.get("p"),
            "within_genre": within.get("identification"),
            "p_within_genre": within.get("p"),
            "whole": results.row_of(table, results.WHOLE, results.ALL).get("identification"),
            "oracle": results.row_of(table, results.ORACLE, results.ALL).get("identification"),
        }


def clip_rows(tables: Sequence[pd.DataFrame]) -> Iterator[dict[str, Any]]:
    """Yield the mean accuracy of each clip over participants."""
    columns = ["identification", "within_genre"]
    values = np.stack([table[columns].to_numpy(float) for table in tables])
    mean = mean_of_known(values)
    names = list(tables[0]["clip"])
    rows = tidy({"identification": mean[:, 0], "within_genre": mean[:, 1]}, clip=names)
    for row, genre in zip(rows, tables[0]["genre"], strict=True):
        yield {**row, "genre": genre, "n_participants": len(tables)}


def region_rows(
    study: GroupStudy, tables: Sequence[pd.DataFrame], exchanges: Sequence[Mapping[str, Exchange]]
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Return the mean accuracy of each region over the participants that have it.

    Parameters
    ----------
    study
        The group.
    tables
        Table of regions of each participant.
    exchanges
        Of each participant.

    Returns
    -------
    rows : list of dict
    p_fwe : dict
        Region → family-wise p; NaN without exchanges.
    """
    names = list(dict.fromkeys(name for table in tables for name in table["region"]))
    n_folds = int(first_facts(study)["n_folds"])
    parts, chosen, n = [], np.zeros(len(names)), np.zeros(len(names), int)
    for table, own in zip(tables, exchanges, strict=True):
        place = np.array([names.index(name) for name in table["region"]])
        exchange = own["regions"]
        observed = np.full(len(names), np.nan)
        null = np.full((len(exchange.null), len(names)), np.nan)
        observed[place], null[:, place] = exchange.observed, exchange.null
        parts.append(Exchange(observed, null))
        chosen[place] += table["n_chosen"].to_numpy(float) / n_folds
        n[place] += 1
    mean = averaged(parts)
    p, p_fwe = p_of_regions(mean)
    columns = {
        "n_participants": n,
        "n_chosen": chosen / n,
        "identification": mean.observed,
        "p": p,
        "p_fwe": p_fwe,
    }
    rows = list(tidy(columns, region=names))
    return rows, dict(zip(names, map(float, p_fwe), strict=True))


def p_on_units(study: GroupStudy, p_fwe: Mapping[str, float], units: UnitSpace) -> Floats:
    """Give each unit the p of the region it belongs to in the first participant that has it.

    Parameters
    ----------
    study
        The group.
    p_fwe
        Region → p.
    units
        Of the map.

    Returns
    -------
    array, (n_units,)
    """
    values = np.full(units.n_units, np.nan)
    for person in study.inputs.participants:
        label = person.values(results.REGION_LABELS, study.inputs.at, units=units)[0]
        names = list(
            person.table(results.REGIONS, study.inputs.at, first_network(study))["region"]
        )
        p = np.array([np.nan, *(p_fwe[name] for name in names)])
        own = p[np.nan_to_num(label).astype(int)]
        values = np.where(np.isnan(values), own, values)
    return values


def first_network(study: GroupStudy) -> str:
    """Return the first embedding space; regions are the same in all of them."""
    return next(iter(study.inputs.networks))
