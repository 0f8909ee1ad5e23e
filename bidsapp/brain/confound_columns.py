"""Whether a confounds table can serve a strategy, by its columns alone and without nilearn.

Looked at before a run starts and again when the table is used, so that both say the same.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bidsapp.bids.headers import content_problem
from bidsapp.bids.records import Problem, Run
from bidsapp.bids.sidecars import read_json
from bidsapp.bids.tables import Table, is_missing, read_table
from bidsapp.brain.strategies import get_strategy, run_strategy
from bidsapp.errors import InputInvalidError, InputMissingError
from bidsapp.text import some_of

_MOTION = tuple(f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz")
_EXPANSIONS = ("", "_derivative1", "_power2", "_derivative1_power2")
_OLD_NAMES: Mapping[str, str] = {
    **{axis.upper(): f"trans_{axis}" for axis in "xyz"},
    **{"CSF": "csf", "stdDVARS": "std_dvars", "non_stdDVARS": "dvars"},
}
"""Names in fMRIPrep 1.0 and 1.1 that are more than another spelling, and those of today."""
_WORD_WITHIN = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=[0-9]{2})")


def modern_names(header: Sequence[str]) -> tuple[str, ...]:
    """Return the names of columns as fMRIPrep 1.2 and later spell them.

    Parameters
    ----------
    header
        Names as they stand in a table; ``RotX`` becomes ``rot_x``, ``aCompCor00``
        ``a_comp_cor_00``. A name whose modern form stands in the table, too, is left as it is.

    Examples
    --------
    >>> modern_names(["X", "RotY_derivative1", "WhiteMatter", "aCompCor01", "cosine00"])
    ('trans_x', 'rot_y_derivative1', 'white_matter', 'a_comp_cor_01', 'cosine00')
    """
    renamed = []
    for name in header:
        base, mark, end = name.partition("_derivative1" if "_derivative1" in name else "_power2")
        plain = _OLD_NAMES.get(base) or (
            base if base == base.lower() else _WORD_WITHIN.sub("_", base).lower()
        )
        plain = re.sub(r"^(cosine|non_steady_state_outlier)_(?=[0-9])", r"\1", plain)
        modern = plain + mark + end
        renamed.append(name if modern != name and modern in header else modern)
    return tuple(renamed)


def refuse_confounds(run: Run, strategy: str) -> None:
    """Refuse a run whose confounds table cannot serve a strategy.

    Parameters
    ----------
    run
        The run.
    strategy
        A name in `bidsapp.brain.strategies.CHOICES`.

    Raises
    ------
    InputMissingError
        The table is absent or lacks columns.
    InputInvalidError
        It has another length than the run, cells that are no numbers, or columns without values.
    UsageError
        The strategy is unknown.
    """
    strategy = run_strategy(strategy, run.n_trs)
    components = get_strategy(strategy).components
    if not components:
        return
    table = _table(run, strategy)
    names, missing = _columns(table, strategy)
    if missing:
        listed = ", ".join(missing[:4]) + (" and others" if len(missing) > 4 else "")
        what = f"cannot serve --confounds {strategy}: it has no column {listed}"
        msg = f"{table.path} {what}; choose another one."
        raise InputMissingError(msg)
    _refuse_sidecar(table.path, strategy)
    rows = [line.split("\t") for line in table.body.split("\n") if line.strip()]
    if len(rows) != run.n_trs:
        msg = (
            f"{table.path} has {len(rows)} rows, but {run.bold[0]} {run.n_trs} volumes; fix or "
            "drop it."
        )
        raise InputInvalidError(msg)
    places = {name: table.header.index(name) for name in names}
    cells = {
        name: [row[place].strip() if place < len(row) else "n/a" for row in rows]
        for name, place in places.items()
    }
    _refuse_cells(table.path, cells, strategy)


def n_regressors(run: Run, strategy: str, high_pass_hz: float) -> int | None:
    """Count what cleaning will remove from a run, from the header of its table.

    Parameters
    ----------
    run
        The run.
    strategy
        A name in `bidsapp.brain.strategies.CHOICES`.
    high_pass_hz
        Cut-off in Hz; 0 for no filter.

    Returns
    -------
    int or None
        Columns, cosines and spikes of non-steady volumes; None where the table cannot be read.
    """
    strategy = run_strategy(strategy, run.n_trs)
    n = n_cosines(run.n_trs, run.tr_s, high_pass_hz)
    chosen = get_strategy(strategy)
    if not chosen.components:
        return n
    table = None if run.confounds is None else read_table(run.confounds)
    if not isinstance(table, Table):
        return None
    table = replace(table, header=modern_names(table.header))
    names = [name for name in _columns(table, strategy)[0] if not name.startswith("a_comp_cor_")]
    spikes = [name for name in table.columns if name.startswith("non_steady_state")]
    return n + len(names) + len(spikes) + int(chosen.options.get("n_compcor", 0))


def n_cosines(n_trs: int, tr_s: float, cutoff_hz: float) -> int:
    """Count the discrete cosines of at most a cut-off (Hz), without the constant."""
    return min(n_trs - 1, math.floor(2 * n_trs * cutoff_hz * tr_s))


def _table(run: Run, strategy: str) -> Table:
    if run.confounds is None:
        what = f"No confounds table (desc-confounds_timeseries.tsv) was found for {run.bold[0]}"
        msg = f"{what}; add it, or say --confounds none instead of {strategy}."
        raise InputMissingError(msg)
    problem = content_problem(run.confounds)
    table = read_table(run.confounds) if problem is None else problem
    if isinstance(table, Problem):
        msg = f"{table.path} cannot serve --confounds {strategy} ({table.what}); {table.remedy}."
        raise InputMissingError(msg)
    return replace(table, header=modern_names(table.header))


def _columns(table: Table, strategy: str) -> tuple[list[str], list[str]]:
    """Return the columns that a strategy reads, and those that are not there."""
    chosen = get_strategy(strategy)
    wanted: list[str] = []
    missing: list[str] = []
    if "motion" in chosen.components:
        ends = ("",) if chosen.options.get("motion") == "basic" else _EXPANSIONS
        wanted += [name + end for name in _MOTION for end in ends]
    if "wm_csf" in chosen.components:
        wanted += ["csf", "white_matter"]
    if "global_signal" in chosen.components:
        wanted.append("global_signal")
    names: list[str] = []
    for name in wanted:
        (names if name in table.columns else missing).append(name)
    for component, start in (("compcor", "a_comp_cor_"), ("ica_aroma", "aroma_motion_")):
        if component in chosen.components:
            found = [name for name in table.columns if name.startswith(start)]
            names += found
            missing += [] if found else [f"{start}* ({component})"]
    return names, missing


def _refuse_sidecar(path: Path, strategy: str) -> None:
    sidecar = path.with_suffix(".json")
    needs_masks = "compcor" in get_strategy(strategy).components
    if not sidecar.exists():
        if needs_masks:
            what = f"{sidecar} is absent, which says of which mask each component is"
            msg = f"{what}; restore it or choose another --confounds than {strategy}."
            raise InputMissingError(msg)
        return
    content = read_json(sidecar)
    if isinstance(content, Problem):
        raise InputInvalidError(str(content))
    described = [v for name, v in content.items() if name.startswith("a_comp_cor_")]
    if needs_masks and not all(isinstance(item, dict) and "Mask" in item for item in described):
        msg = (
            f"{sidecar} does not say the Mask of every a_comp_cor component, so its table cannot "
            f"serve --confounds {strategy}; choose another one."
        )
        raise InputMissingError(msg)


def _refuse_cells(path: Path, cells: Mapping[str, list[str]], strategy: str) -> None:
    """Refuse words, and missing values after the first row (where derivatives have none)."""
    values = {name: [_value(cell) for cell in column] for name, column in cells.items()}
    odd = [
        f"{name} {cell!r}"
        for name, column in cells.items()
        for cell, value in zip(column, values[name], strict=True)
        if value is None
    ]
    if odd:
        msg = (
            f"{path} holds cells that are no numbers ({some_of(odd)}); write numbers with a point."
        )
        raise InputInvalidError(msg)
    gaps = [name for name, column in values.items() if not all(map(_is_finite, column[1:]))]
    if gaps:
        what = f"has missing or infinite values after the first row in {', '.join(gaps)}"
        msg = f"{path} {what}; choose another --confounds than {strategy}."
        raise InputInvalidError(msg)


def _value(cell: str) -> float | None:
    """Return the number in a cell, NaN if it is missing, None if it is a word."""
    try:
        return float(cell)
    except ValueError:
        return math.nan if is_missing(cell) else None


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
