"""The comparison with the functional gradient in each participant, tested over participants."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidsapp.recipes.gradients.settings import GradientsGroupSettings
from bidsapp.stats.bootstrap import bootstrap_interval, resample_counts
from bidsapp.stats.group import GroupMean, cohens_d
from bidsapp.stats.metrics import fisher_z, pearson
from bidsapp.stats.signflip import SignFlips

Array = NDArray[np.floating[Any]]
KINDS = ("best", "centroid")


def map_correlation(maps: Array, references: Array, statistic: str) -> NDArray[np.float64]:
    """Correlate maps with references where both are defined.

    Parameters
    ----------
    maps
        (n_maps, n_units); NaN where undefined.
    references
        (n_references, n_units); NaN outside cortex.
    statistic
        ``spearman`` (midranks among the units both have) or ``pearson``.

    Returns
    -------
    ndarray, shape (n_maps, n_references)
        NaN where a map is constant or has fewer than two units.
    """
    from scipy.stats import rankdata

    r = np.full((len(maps), len(references)), np.nan)
    for i, one in enumerate(maps):
        for k, other in enumerate(references):
            good = np.isfinite(one) & np.isfinite(other)
            pair = [one[good], other[good]]
            if statistic == "spearman":
                pair = [rankdata(values) for values in pair]
            r[i, k] = pearson(*pair)[0] if good.sum() > 1 else np.nan
    return r


def alignment_rows(
    r: Array, subjects: Sequence[str], lags: str, references: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Yield one row per participant, kind of map and reference.

    Parameters
    ----------
    r
        (n_participants, n_kinds, n_references) correlations.
    subjects
        Labels of the participants.
    lags
        Name of the set of lags.
    references
        Names of the references.
    """
    for i, subject in enumerate(subjects):
        for j, kind in enumerate(KINDS):
            for k, reference in enumerate(references):
                yield {
                    "lags": lags,
                    "participant": subject,
                    "map": kind,
                    "reference": reference,
                    "r": r[i, j, k],
                    "z": fisher_z(r[i, j, k]),
                }


def alignment_test_rows(
    r: dict[str, Array], references: Sequence[str], settings: GradientsGroupSettings, seed: int
) -> Iterator[dict[str, Any]]:
    """Test over participants whether the correlations differ from zero, positive lags only.

    Parameters
    ----------
    r
        Lags → (n_participants, n_kinds, n_references).
    references
        Names of the references.
    settings
        Number of flips.
    seed
        Names the flips.

    Yields
    ------
    dict
        ``p_max`` is corrected over kinds of map, for each reference. Negative lags, where music
        follows the volume, have a mean and its interval, and no test.
    """
    for lags, values in r.items():
        z, tested = fisher_z(values), lags == "positive"
        for k, reference in enumerate(references):
            rows = _tests(z[..., k], settings, seed, tested=tested)
            for row, kind in zip(rows, KINDS, strict=True):
                yield {"lags": lags, "map": kind, "reference": reference, **row}


def _tests(
    z: Array, settings: GradientsGroupSettings, seed: int, *, tested: bool
) -> Iterator[dict[str, Any]]:
    """Mean of each column of (n_participants, n_tests), and its two-sided sign-flip test."""
    group = GroupMean((z.shape[1],))
    for values in z:
        group.add(values)
    low, high = bootstrap_interval(z, resample_counts(len(z), settings.n_bootstrap, seed))
    unknown = np.full(z.shape[1], np.nan)
    t, p, p_max, d, d_low, d_high, n_flips, exact = *[unknown] * 6, 0, False
    if tested and len(z) > 1:
        effect = cohens_d(group)
        d, d_low, d_high = effect.d, effect.low, effect.high
        flips = SignFlips(len(z), n_permutations=settings.n_flips, seed=seed)
        tests = flips.add(z)
        t, p, p_max = tests.t, tests.p, flips.family_wise(tests.t)
        n_flips, exact = len(flips.signs), flips.exact
    for k in range(z.shape[1]):
        yield {
            "n": int(group.n[k]),
            "mean_z": group.mean[k],
            "z_low": low[k],
            "z_high": high[k],
            "t": t[k],
            "d": d[k],
            "d_low": d_low[k],
            "d_high": d_high[k],
            "p": p[k],
            "p_max": p_max[k],
            "n_flips": n_flips,
            "exact": exact,
        }
