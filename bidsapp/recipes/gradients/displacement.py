"""The group of `gradients` against music displaced alike in everybody.

Parcels are tested layer by layer, and two questions are asked about each reference map: do layers
align with it, and does the preference for layers change along it beyond amplitude?
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bidsapp.brain.geometry import UnitSpace
from bidsapp.brain.spin_surface import Cortex, Reference
from bidsapp.recipes.base import cautions
from bidsapp.recipes.base.displacement import GroupNull, group_null, parcel_rows
from bidsapp.recipes.base.isc import WrittenParcels
from bidsapp.recipes.base.study import GroupStudy
from bidsapp.recipes.gradients import group_results as declared
from bidsapp.recipes.gradients import results
from bidsapp.results.cautions import Caution
from bidsapp.results.inferences.base import smallest_p
from bidsapp.results.kinds import Result
from bidsapp.results.write import Output
from bidsapp.stats.preference import LEAST_PARCELS, gradient_claims


def write_displacement(
    study: GroupStudy, units: UnitSpace, network: str, where: WrittenParcels
) -> tuple[GroupNull | None, NDArray[np.bool_] | None, list[Caution]]:
    """Test the parcels of the group and write the table and the mask.

    Parameters
    ----------
    study
        The group.
    units
        Of the group.
    network
        Whose layers.
    where
        What participants have written of their parcels.

    Returns
    -------
    GroupNull or None
        Group scores of the music and of displaced music; None where nothing was displaced.
    boolean array of shape (n_units,) or None
        Units of parcels where a layer passes.
    list of Caution
        Who is left out and why.
    """
    participants = study.inputs.participants
    averaged, doubts = group_null(participants, where, results.NULL_SCORES, network, units)
    if averaged is None:
        return None, None, doubts
    layers, level = study.inputs.networks[network], study.settings.significance
    competes = study.inputs.competes(network)
    n_copies = len(averaged.copies)
    smallest = smallest_p(n_copies)
    doubts += cautions.smallest_p(
        "Displaced music", n_copies, smallest, level, draws="displacements"
    )
    rows, passed = parcel_rows(averaged, units, layers, competes, level)
    out = output(study, units, network, where)
    out.write(declared.DISPLACEMENT, rows, network=network)
    out.write(declared.SIGNIFICANT, passed, network=network, note=f"p <= {level:g}.")
    return averaged, passed, doubts


def write_claims(
    out: Output,
    network: str,
    averaged: GroupNull,
    competes: NDArray[np.bool_],
    cortex: Cortex,
    references: Sequence[Reference],
) -> tuple[list[Caution], NDArray[np.float64] | None]:
    """Test alignment and preference along each reference, and write the map of preference.

    Parameters
    ----------
    out
        Writer of the group's results.
    network
        With two layers or more.
    averaged
        Group scores of the music and of displaced music.
    competes
        (n_layers,) layers that the claims are about.
    cortex, references
        Surface of the references, and they.

    Returns
    -------
    list of Caution
        References that cover too few parcels to be tested.
    (n_units,) array or None
        The map of preference; None where the first reference was not tested.
    """
    rows, doubts = [], []
    preference: NDArray[np.float64] | None = None
    observed, copies = averaged.observed[competes], averaged.copies[:, competes]
    both = np.concatenate([observed[None], copies])
    scored = np.isfinite(both).all(axis=(0, 1))
    for number, reference in enumerate(references):
        gradient = cortex.parcel_values(averaged.labels, reference.values)
        n_parcels = int((np.isfinite(gradient) & scored).sum())
        if n_parcels < LEAST_PARCELS:
            doubts.append(_too_coarse(network, reference.name, n_parcels))
            continue
        claims = gradient_claims(observed, copies, gradient)
        for question in ("alignment", "preference"):
            claim = getattr(claims, question)
            rows.append(
                {
                    "reference": reference.name,
                    "question": question,
                    "statistic": claim.statistic,
                    "null_median": float(np.median(claim.null)),
                    "p": claim.p,
                    "n_copies": len(claim.null),
                    "n_parcels": n_parcels,
                }
            )
        if number == 0:
            preference = np.append(claims.preference_map, np.nan)[averaged.labels]
            out.write(declared.PREFERENCE, preference, network=network)
    if rows:
        out.write(declared.CLAIMS, rows, network=network)
    return doubts, preference


def _too_coarse(network: str, reference: str, n_parcels: int) -> Caution:
    text = (
        f"{n_parcels} parcels have scores of {network} and a value of {reference}; at least "
        f"{LEAST_PARCELS} are needed to test whether layers follow it, so it was not tested. "
        "Choose more parcels (gradients.n_parcels) or a finer atlas."
    )
    return Caution("caution", f"Too few parcels for {reference} ({network})", text)


def output(
    study: GroupStudy,
    units: UnitSpace,
    network: str,
    where: WrittenParcels,
    scores: Result = results.NULL_SCORES,
) -> Output:
    """Return the writer of what is made from the participants' scores of displaced music."""
    files = [
        path
        for participant in study.inputs.participants
        for path in participant.files(scores, where.at, network)
    ]
    return study.output(units, files)
