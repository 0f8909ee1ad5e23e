"""What is regressed from the BOLD of one run: confounds, slow drifts, non-steady volumes.

nilearn reads the fMRIPrep tables (1.2 to 25, ``_regressors.tsv`` and ``_timeseries.tsv``). It
finds a table by the name of a BOLD file, which fails for several names that exist; so it is
shown the table that was found by entities under a name it knows, and the columns of older tables
under their modern names.
"""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import qr

from bidsapp.bids.records import Problem
from bidsapp.bids.tables import Table, read_table
from bidsapp.brain.confound_columns import modern_names, n_cosines, refuse_confounds
from bidsapp.brain.strategies import get_strategy, run_strategy
from bidsapp.errors import InputInvalidError, InputMissingError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from bidsapp.bids.records import Run

_RANK_TOLERANCE = 1e-9
_CROWDED = 0.5


@dataclass(frozen=True, eq=False)
class Nuisance:
    """The nuisance model of one run.

    Attributes
    ----------
    columns
        Names of what was asked to be removed; ``cosineNN`` and ``non_steady_state_NN`` included.
    basis
        (n_trs, rank) orthonormal, orthogonal to the constant.
    problems
        Oddities that did not stop the run.
    """

    columns: tuple[str, ...]
    basis: NDArray[np.float64]
    problems: tuple[Problem, ...] = ()


def nuisance(run: Run, strategy: str, high_pass_hz: float) -> Nuisance:
    """Build the nuisance model of one run.

    Confounds, cosines and one spike for each non-steady volume enter one basis, so that one
    projection removes them jointly (a filter applied before or after the regression would bring
    back what the other removed; Lindquist et al. 2019).

    Parameters
    ----------
    run
        With a confounds table unless `strategy` is ``none``.
    strategy
        A name in `bidsapp.brain.strategies.CHOICES`.
    high_pass_hz
        Cut-off in Hz of the discrete cosine filter; 0 for no filter.

    Returns
    -------
    Nuisance
        Columns and orthonormal basis.

    Raises
    ------
    InputMissingError
        The table, or a column the strategy asks for, is absent.
    InputInvalidError
        The table has another length than the run, has gaps, or leaves no degrees of freedom.
    UsageError
        The strategy is unknown.
    """
    strategy = run_strategy(strategy, run.n_trs)
    parts: list[NDArray[np.float64]] = [np.empty((run.n_trs, 0))]
    names: list[str] = []
    if get_strategy(strategy).components:
        table = read_confounds(run, strategy, keep_cosines=high_pass_hz <= 0)
        parts.append(table.to_numpy(dtype=np.float64))
        names += [str(name) for name in table.columns]
    if high_pass_hz > 0:
        cosines = cosine_basis(run.n_trs, run.tr_s, high_pass_hz)
        parts.append(cosines)
        names += [f"cosine{index:02d}" for index in range(cosines.shape[1])]
    basis = orthonormal_basis(np.hstack(parts))
    left = run.n_trs - 1 - basis.shape[1]
    if left < 3:
        what = f"{run.n_trs} volumes but {basis.shape[1]} independent nuisance regressors"
        msg = f"{run.bold[0]} has {what} (--confounds {strategy}); choose a smaller strategy."
        raise InputInvalidError(msg)
    return Nuisance(tuple(names), basis, _crowding(run, strategy, basis.shape[1]))


def _crowding(run: Run, strategy: str, rank: int) -> tuple[Problem, ...]:
    if rank <= _CROWDED * run.n_trs:
        return ()
    what = f"{rank} nuisance regressors remove more than half of {run.n_trs} volumes' freedom"
    return (Problem(run.bold[0], what, f"consider less than --confounds {strategy}"),)


def cosine_basis(n_trs: int, tr_s: float, cutoff_hz: float) -> NDArray[np.float64]:
    """Discrete cosines below a cut-off, without the constant.

    Parameters
    ----------
    n_trs
        Volumes.
    tr_s
        Repetition time in seconds.
    cutoff_hz
        Every cosine of at most this frequency (Hz) is included.

    Returns
    -------
    (n_trs, order) array
        Orthonormal columns; none when the run is shorter than half a period of the cut-off.
    """
    order = n_cosines(n_trs, tr_s, cutoff_hz)
    phase = np.pi / n_trs * (np.arange(n_trs) + 0.5)
    return np.asarray(np.sqrt(2 / n_trs) * np.cos(np.outer(phase, np.arange(1, order + 1))))


def orthonormal_basis(regressors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Orthonormal basis of the centred regressors, dependent ones left out.

    Parameters
    ----------
    regressors
        (n_trs, k) of any scale.

    Returns
    -------
    (n_trs, rank) array
        Q of a pivoted QR decomposition.
    """
    centred = regressors - regressors.mean(axis=0)
    norms = np.linalg.norm(centred, axis=0)
    varying = norms > 1e-12 * np.linalg.norm(regressors, axis=0)
    if not varying.any():
        return np.empty((regressors.shape[0], 0))
    q, r, _ = qr(centred[:, varying] / norms[varying], mode="economic", pivoting=True)
    return np.ascontiguousarray(q[:, np.abs(np.diag(r)) > _RANK_TOLERANCE])


def read_confounds(run: Run, strategy: str, *, keep_cosines: bool) -> pd.DataFrame:
    """Read the columns of a strategy from a run's fMRIPrep table.

    Parameters
    ----------
    run
        The run.
    strategy
        A name whose strategy has components.
    keep_cosines
        Keep fMRIPrep's own cosines, which only CompCor brings (its components were taken from
        high-passed data); False when we make our own.

    Returns
    -------
    pandas.DataFrame
        (n_trs, k), no NaN: derivatives start with the second row's value, as in nilearn; one
        spike column for each non-steady volume.

    Raises
    ------
    InputMissingError, InputInvalidError
        As `nuisance`.
    """
    import pandas as pd

    refuse_confounds(run, strategy)
    assert run.confounds is not None
    path = run.confounds
    table, kept = _ask_nilearn(path, strategy)
    if not keep_cosines:
        table = table[[name for name in table.columns if not str(name).startswith("cosine")]]
    unsteady = np.setdiff1d(np.arange(run.n_trs), kept) if kept is not None else np.array([], int)
    spikes = pd.DataFrame(
        np.eye(run.n_trs)[:, unsteady],
        columns=[f"non_steady_state_{volume:02d}" for volume in unsteady],
    )
    return pd.concat([table.reset_index(drop=True), spikes], axis=1)


def _ask_nilearn(path: Path, strategy: str) -> tuple[pd.DataFrame, NDArray[np.intp] | None]:
    from nilearn.interfaces.fmriprep import load_confounds

    chosen = get_strategy(strategy)
    with tempfile.TemporaryDirectory(prefix="confounds-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stem = Path(folder) / "sub-x_desc-confounds_timeseries"
        for source in (path, path.with_suffix(".json")):
            if source.exists():
                stem.with_suffix(source.suffix).symlink_to(source.resolve())
        _spell_anew(path, stem.with_suffix(path.suffix))
        image = str(Path(folder) / "sub-x_desc-preproc_bold.nii.gz")
        try:
            table, kept = load_confounds(
                image, strategy=chosen.components, demean=False, **dict(chosen.options)
            )
        except (ValueError, TypeError, KeyError, IndexError, OSError) as error:
            reason = " ".join(str(error).split()).replace(str(folder) + "/", "")[:200]
            msg = f"{path} cannot serve --confounds {strategy} ({reason}); choose another one."
            raise InputMissingError(msg) from error
    return table, kept


def _spell_anew(path: Path, link: Path) -> None:
    """Put a copy with modern names in the place of a link to a table that has others."""
    table = read_table(path)
    assert isinstance(table, Table)  # `refuse_confounds` has read it
    names = modern_names(table.header)
    if names != table.header:
        link.unlink()
        link.write_text("\t".join(names) + "\n" + table.body, encoding="utf-8")
