"""Encoding models over participants: mean maps, regions under common exchanges, components.

Source: Denk et al. 2025, encoding (section 4.2) and principal components of the weights of all
participants (A.1.7).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.brain.geometry import UnitSpace
from bidsapp.errors import InputInvalidError
from bidsapp.recipes.base.study import GroupStudy
from bidsapp.recipes.reconstruct.encoding import results
from bidsapp.recipes.reconstruct.encoding.components import agreement, principal_axes
from bidsapp.recipes.reconstruct.tables import p_of_regions
from bidsapp.results.kinds import Maps
from bidsapp.results.write import Output, tidy
from bidsapp.stats.clip_exchange import Exchange, averaged, mean_of_known

Floats = NDArray[np.float64]


def write_encoding(out: Output, study: GroupStudy, units: UnitSpace) -> None:
    """Write what the participants' encoding models have in common; nothing without any.

    Parameters
    ----------
    out
        Writer.
    study
        The group.
    units
        Of the group.

    Raises
    ------
    InputInvalidError
        Some participants have encoding models and others not, or they have other models.
    """
    inputs = study.inputs
    tables = [person.table(results.SCORES, inputs.at) for person in inputs.participants]
    if all(table.empty for table in tables):
        return
    names = list(tables[0]["score"])
    others = [
        person.subject
        for person, table in zip(inputs.participants, tables, strict=True)
        if list(table["score"]) != names
    ]
    if others:
        msg = (
            f"encoding models of sub-{', sub-'.join(others)} are not those of "
            f"sub-{inputs.participants[0].subject} ({', '.join(names)}); run the participant "
            "level with the same --network and reconstruct.encoding for all, and --overwrite"
        )
        raise InputInvalidError(msg)
    for own, mean in (
        (results.MODELS, results.GROUP_MODELS),
        (results.DIFFERENCES, results.GROUP_DIFFERENCES),
        (results.VARIANCE, results.GROUP_VARIANCE),
    ):
        write_mean(out, study, own, mean, units)
    kinds = dict(zip(names, tables[0]["kind"], strict=True))
    out.write(results.GROUP_REGION_SCORES, list(region_rows(study, kinds)))
    write_components(out, study)


def write_mean(out: Output, study: GroupStudy, own: Maps, mean: Maps, units: UnitSpace) -> None:
    """Write the mean over participants of maps, where they are written."""
    maps = [person.maps(own, study.inputs.at, units=units) for person in study.inputs.participants]
    known = [each for each in maps if each is not None]
    if known:
        values = np.stack([np.asarray(each.values, np.float64) for each in known])
        out.write(mean, mean_of_known(values), names=known[0].names)


def region_rows(study: GroupStudy, kinds: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield the mean score of each region, over the participants that have it.

    Parameters
    ----------
    study
        The group.
    kinds
        Score → model or difference.
    """
    inputs = study.inputs
    tables = [person.table(results.REGION_SCORES, inputs.at) for person in inputs.participants]
    regions = list(dict.fromkeys(name for table in tables for name in table["region"]))
    parts = []
    for person, table in zip(inputs.participants, tables, strict=True):
        arrays = person.arrays(results.EXCHANGES, inputs.at) or {}
        place = [regions.index(name) for name in dict.fromkeys(table["region"])]
        observed = np.full((len(kinds), len(regions)), np.nan)
        null = np.full((len(arrays["null"]), len(kinds), len(regions)), np.nan)
        observed[:, place], null[:, :, place] = arrays["observed"], arrays["null"]
        parts.append(Exchange(observed, null))
    mean = averaged(parts)
    each = np.stack([part.observed for part in parts])
    for number, (score, kind) in enumerate(kinds.items()):
        own = mean.part(number)
        p, p_fwe = p_of_regions(own)
        columns = {
            "n_participants": np.isfinite(each[:, number]).sum(axis=0),
            "mean": own.observed,
            "n_positive": (each[:, number] > 0).sum(axis=0),
            "p": p,
            "p_fwe": p_fwe,
        }
        for row in tidy(columns, region=regions):
            yield row | {"score": score, "kind": kind}


def write_components(out: Output, study: GroupStudy) -> None:
    """Write the components of all participants' weights, and the clips' places on them."""
    inputs = study.inputs
    arrays = [person.arrays(results.WEIGHTS, inputs.at) or {} for person in inputs.participants]
    weights = [np.asarray(each["weights"], np.float64) for each in arrays]
    embedding = np.asarray(arrays[0]["clips"], np.float64)
    axes, share = principal_axes(np.concatenate(weights))
    places = embedding @ axes
    own = [embedding @ principal_axes(each)[0] for each in weights]
    whole = np.isfinite(places).all() and all(np.isfinite(each).all() for each in own)
    agree = agreement(own, places) if whole else np.full(len(share), np.nan)
    rows = tidy({"share": share, "agreement": agree}, component=range(1, 1 + len(share)))
    out.write(results.GROUP_COMPONENTS, rows)
    clips = inputs.participants[0].table(results.MUSIC, inputs.at)
    columns = {"genre": list(clips["genre"])} | {
        f"pc{k + 1}": places[:, k] for k in range(len(share))
    }
    out.write(results.GROUP_MUSIC, tidy(columns, clip=list(clips["clip"])))
