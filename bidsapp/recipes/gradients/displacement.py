"""What displaced music says of a group along gradients, and what layers add to acoustics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bidsapp.brain.geometry import UnitSpace
from bidsapp.brain.spin_surface import Cortex, Reference
from bidsapp.encoding.designs import DesignOptions
from bidsapp.encoding.parcels import Parcels
from bidsapp.models.run_filter import RunFilter
from bidsapp.recipes.base.displacement import GroupNull, columns_of, group_null, null_output
from bidsapp.recipes.base.isc import WrittenParcels, parcel_places
from bidsapp.recipes.base.scores import Encoder, Scores, null_arrays
from bidsapp.recipes.base.study import GroupStudy
from bidsapp.recipes.gradients import group_results as declared
from bidsapp.recipes.gradients import results
from bidsapp.recipes.gradients.cautions import BASELINE
from bidsapp.recipes.gradients.settings import GradientsSettings
from bidsapp.results.cautions import Caution
from bidsapp.results.networks import network_title
from bidsapp.results.write import Output, tidy
from bidsapp.stats.displacement import DisplacementTest, displacement_test
from bidsapp.stats.metrics import fisher_z
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
        f"{n_parcels} parcels have scores of {network_title(network)} and a value of {reference}; "
        f"at least {LEAST_PARCELS} are needed to test whether layers follow it, so it was not "
        "tested. Choose more parcels (gradients.n_parcels) or a finer atlas."
    )
    return Caution("caution", f"Too few parcels for {reference} ({network_title(network)})", text)


ROWS_PER_REGRESSOR = 8
"""Rows that each acoustic regressor needs: with fewer, less components of acoustics are taken."""


def write_beyond(
    out: Output,
    encoder: Encoder,
    everything: Mapping[str, Scores],
    parcels: Parcels,
    means: NDArray[np.float32],
) -> None:
    """Test what the layers of each network add to acoustics, and write it.

    Parameters
    ----------
    out
        Writer of the participant's results.
    encoder
        The participant at positive lags.
    everything
        Network → its scores at these lags; without the acoustic baseline nothing is tested.
    parcels
        Of the units.
    means
        (n_trs_total, n_parcels) cleaned BOLD averaged over parcels.
    """
    settings: GradientsSettings = encoder.study.settings
    others = [name for name in everything if name != BASELINE]
    if BASELINE not in everything or not others or not settings.n_beyond:
        return
    run_filter, n_components = acoustic_filter(encoder, everything[BASELINE])
    y = encoder.responses(means, run_filter)
    for name in others:
        store, label = encoder.store(everything[name].bank, run_filter), f"{name} beyond acoustics"
        observed, null = encoder.with_null(store, y, settings.n_beyond, y.shape[1], label)
        r = observed.mean_r
        test = displacement_test(fisher_z(r), fisher_z(null))
        layers, numbers = everything[name].layers, range(1, parcels.n_parcels + 1)
        out.write(
            results.BEYOND,
            tidy(columns_of(parcels.columns, test, r=r), parcel=numbers, layer=layers),
            network=name,
            AcousticComponents=n_components,
        )
        out.arrays(results.BEYOND_SCORES, null_arrays(r, null), network=name)
        best = best_beyond(test, settings.significance, everything[name].competes)
        labels = np.append(best, 0)[parcels.labels]
        out.write(results.BEYOND_BEST, labels, network=name, names=layers)


def acoustic_filter(encoder: Encoder, baseline: Scores) -> tuple[RunFilter, int]:
    """Return the projection that removes acoustics as well, and the components of each layer."""
    settings: GradientsSettings = encoder.study.settings
    rows = encoder.rows
    n_columns = len(baseline.layers) * rows.n_regressors
    n_components = rows.n_used // (ROWS_PER_REGRESSOR * n_columns)
    n_components = max(1, min(n_components, settings.acoustic_components))
    options = DesignOptions(n_components, settings.log10_alpha, pca_fit="all")
    store = encoder.store(baseline.bank, None, options)
    regressors = np.hstack([store.regressors(layer, 0)[0] for layer in range(store.n_layers)])
    run_filter = encoder.run_filter
    if run_filter is None:
        nothing = [np.empty((run.n_trs, 0)) for run in encoder.study.inputs.runs]
        run_filter = encoder.filter_of(nothing)
    return run_filter.beyond(regressors), n_components


def write_group_beyond(
    study: GroupStudy, units: UnitSpace, network: str, where: WrittenParcels
) -> None:
    """Test over participants what layers add to acoustics, and write it.

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
    """
    participants = study.inputs.participants
    averaged, _ = group_null(participants, where, results.BEYOND_SCORES, network, units)
    if averaged is None:
        return
    layers = study.inputs.networks[network]
    out = null_output(study, units, network, results.BEYOND_SCORES)
    test = displacement_test(averaged.observed, averaged.copies)
    places = parcel_places(averaged.labels, units)
    columns = columns_of(places, test, r=np.tanh(test.score)) | {"n": averaged.n[:, None]}
    numbers = range(1, len(averaged.n) + 1)
    out.write(declared.BEYOND, tidy(columns, parcel=numbers, layer=layers), network=network)
    best = best_beyond(test, study.settings.significance, study.inputs.competes(network))
    out.write(
        results.BEYOND_BEST, np.append(best, 0)[averaged.labels], network=network, names=layers
    )


def best_beyond(
    test: DisplacementTest, level: float, competes: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return the layer (n_parcels,) with the largest effect among those that pass; 0 for none."""
    passed = (test.p_fwe <= level) & competes[:, None]
    effect = np.where(passed, test.effect, -np.inf)
    return np.where(np.isfinite(effect).any(axis=0), effect.argmax(axis=0) + 1, 0)
