"""Which presentations take part in encoding models, said before any work.

A presentation that is too short for a block is in no fold; neither are rows between the parts of
a piece that is split. The alignment table counts what is used and names what is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bidsapp.bids.dataset import Dataset
from bidsapp.bids.records import Problem
from bidsapp.brain.confound_columns import n_regressors
from bidsapp.config import Config
from bidsapp.encoding.rows import FoldOptions, Rows, make_rows
from bidsapp.errors import InputInvalidError
from bidsapp.recipes.base.inputs import Inputs
from bidsapp.recipes.base.settings import EncodingSettings, RowSettings
from bidsapp.stats.folds import LEAST_FREEDOM
from bidsapp.text import counted


def rows_of(inputs: Inputs, settings: RowSettings, lags: str, lags_s: Sequence[float]) -> Rows:
    """List the volumes that a set of lags can explain, their blocks and folds.

    Parameters
    ----------
    inputs
        Runs and presentations of one participant.
    settings
        Of blocks and folds.
    lags, lags_s
        Name of the set of lags, and the lags in seconds.
    """
    options = FoldOptions(
        settings.min_block_s,
        settings.purge_s,
        settings.max_outer_folds,
        settings.max_inner_folds,
        settings.begin_s,
        settings.response,
    )
    durations_s = {row["stim_file"]: float(row["sound_s"]) for row in inputs.alignment}
    return make_rows(inputs.runs, inputs.presentations, durations_s, lags, lags_s, options)


def prepare(
    dataset: Dataset, inputs: Inputs, settings: EncodingSettings, config: Config
) -> Inputs:
    """Count in the alignment what encoding models use, and name what they leave out.

    Parameters
    ----------
    dataset
        Not looked at.
    config
        What cleaning removes from the runs.
    inputs
        What was collected.
    settings
        Of the recipe.

    Raises
    ------
    InputInvalidError
        If there is too little music for nested cross-validation at the lags or the control lags,
        or the nuisance regressors of a run leave too little of it; the message names the
        participant.
    """
    control_s = getattr(settings, "control_lags_s", ())
    try:
        rows = rows_of(inputs, settings, "positive", settings.lags_s)
        _refuse_freedom(inputs, rows, settings, config)
        if control_s:
            control = rows_of(inputs, settings, "negative", control_s)
            _refuse_freedom(inputs, control, settings, config)
    except InputInvalidError as error:
        msg = f"sub-{inputs.subject}: {error}"
        raise InputInvalidError(msg) from error
    alignment = [
        _used(row, rows, position, settings.min_block_s)
        for position, row in enumerate(inputs.alignment)
    ]
    problems = [
        Problem(
            inputs.presentations[position].path or Path(row["stim_file"]),
            f"in {row['run']}: {row['note']}",
            "lower min_block_s to use it",
        )
        for position, row in enumerate(alignment)
        if row["n_rows"] == 0 < inputs.alignment[position]["n_rows"]
    ]
    return replace(inputs, alignment=tuple(alignment), problems=(*inputs.problems, *problems))


def _refuse_freedom(
    inputs: Inputs, rows: Rows, settings: EncodingSettings, config: Config
) -> None:
    """Refuse a run whose nuisance regressors, by their number, leave no freedom to its rows.

    The filter of a design counts them by rank, when their tables are read.
    """
    if not settings.filter_features:
        return
    for number, run in enumerate(inputs.runs):
        own = rows.blocks.label[(rows.timeline.run == number) & (rows.blocks.label >= 0)]
        n_nuisance = n_regressors(run, config.confounds, config.high_pass_hz)
        if not own.size or n_nuisance is None:
            continue
        n_constants = np.unique(own).size if settings.centre == "block" else 1
        if own.size - n_nuisance - n_constants < LEAST_FREEDOM:
            msg = (
                f"{run.name}: {own.size} volumes hear music at all lags, and "
                f"{counted(n_nuisance, 'nuisance regressor')} and "
                f"{counted(n_constants, 'constant')} of blocks take their degrees of freedom; "
                "choose a smaller --confounds"
            )
            raise InputInvalidError(msg)


def _used(
    row: Mapping[str, Any], rows: Rows, position: int, min_block_s: float
) -> Mapping[str, Any]:
    """Return a row of the alignment with the volumes that are in a block."""
    own = rows.timeline.presentation == position
    n_begin = row["n_rows"] - np.count_nonzero(own)
    used = rows.timeline.volume[own & (rows.blocks.label >= 0)]
    if used.size == row["n_rows"]:
        return row
    heard_s = np.count_nonzero(own) * float(row["tr_s"])
    first, last = (int(used[0]), int(used[-1])) if used.size else (math.nan, math.nan)
    n_between = int(np.count_nonzero(own)) - used.size
    if used.size:
        begin = f"{n_begin} volumes after its onset left out" if n_begin else ""
        between = f"{n_between} volumes between parts left out" if n_between else ""
        reasons = [begin, between]
    else:
        is_split = rows.blocks.kind == "split"
        least_s = min_block_s if is_split else min_block_s / 2
        short = f"less than {'' if is_split else 'half of '}min_block_s {min_block_s:g}"
        if heard_s >= least_s:
            short = "nowhere long enough between the cuts of its piece"
        reasons = [f"left out: {heard_s:.1f} s at all lags are {short}"]
    notes = "; ".join(filter(None, (row["note"], *reasons)))
    return {
        **row,
        "n_rows": int(used.size),
        "first_volume": first,
        "last_volume": last,
        "note": notes,
    }
