"""The rows of encoding models, made from a participant's inputs: before a run, and by it.

Importing this module imports no network and no solver.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bidsapp.bids.dataset import Dataset
from bidsapp.config import Config
from bidsapp.encoding.rows import FoldOptions, Rows, make_rows
from bidsapp.errors import InputInvalidError
from bidsapp.recipes.base.inputs import Inputs


class RowSettings(Protocol):
    """Settings that decide on rows, blocks and folds."""

    @property
    def max_outer_folds(self) -> int:
        """Largest number of outer folds."""

    @property
    def max_inner_folds(self) -> int:
        """Largest number of inner folds."""

    @property
    def min_block_s(self) -> float:
        """Shortest block in seconds."""

    @property
    def purge_s(self) -> float:
        """Gap between parts of a piece in seconds."""


def rows_of(inputs: Inputs, settings: RowSettings, lags: str, lags_s: Sequence[float]) -> Rows:
    """List the volumes that a set of lags can explain, their blocks and folds.

    Parameters
    ----------
    inputs
        Runs, presentations and lengths of sounds.
    settings
        Of blocks and folds.
    lags, lags_s
        Name of the set of lags, and the lags in seconds.

    Raises
    ------
    InputInvalidError
        There is too little music for nested cross-validation.
    """
    options = FoldOptions(
        settings.min_block_s,
        settings.purge_s,
        settings.max_outer_folds,
        settings.max_inner_folds,
    )
    durations_s = {row["stim_file"]: float(row["sound_s"]) for row in inputs.alignment}
    return make_rows(inputs.runs, inputs.presentations, durations_s, lags, lags_s, options)


def prepare(dataset: Dataset, inputs: Inputs, settings: RowSettings, config: Config) -> Inputs:
    """Check that there is enough music for nested cross-validation at every set of lags.

    Parameters
    ----------
    dataset, config
        Not looked at.
    inputs
        What was collected.
    settings
        Of lags, blocks and folds.

    Raises
    ------
    InputInvalidError
        There is not; the message names the participant.
    """
    for lags, key in (("positive", "lags_s"), ("negative", "control_lags_s")):
        lags_s = getattr(settings, key, ())
        if lags_s:
            try:
                rows_of(inputs, settings, lags, lags_s)
            except InputInvalidError as error:
                msg = f"sub-{inputs.subject}, {lags} lags: {error}"
                raise InputInvalidError(msg) from error
    return inputs
