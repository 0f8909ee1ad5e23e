"""The group of `gradients` along reference maps, against music displaced alike in everybody.

Two questions are asked about each reference map: do layers align with it, and does the preference
for layers change along it beyond amplitude?
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bidsapp.brain.spin_surface import Cortex, Reference
from bidsapp.recipes.base.displacement import GroupNull
from bidsapp.recipes.gradients import group_results as declared
from bidsapp.results.cautions import Caution
from bidsapp.results.write import Output
from bidsapp.stats.preference import LEAST_PARCELS, gradient_claims


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
