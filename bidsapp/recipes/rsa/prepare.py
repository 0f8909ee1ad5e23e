"""Whether a participant's sounds make items, looked at before a run; nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Sequence

from bidsapp.bids.dataset import Dataset
from bidsapp.config import Config
from bidsapp.errors import InputInvalidError, UsageError
from bidsapp.recipes.base.inputs import Inputs
from bidsapp.recipes.rsa.items import make_items
from bidsapp.recipes.rsa.nuisances import check_names
from bidsapp.recipes.rsa.settings import RsaSettings

FEATURES = ("loudness", "onsets", "centroid", "mel")
"""Acoustic features that can be removed."""


def check_features(wanted: Sequence[str]) -> None:
    """Refuse names of features that are not known.

    Raises
    ------
    UsageError
        With the known ones.
    """
    unknown = [name for name in wanted if name not in FEATURES]
    if unknown:
        msg = f"rsa.acoustics: {unknown[0]!r} is not known; choose from {', '.join(FEATURES)}"
        raise UsageError(msg)


def prepare(dataset: Dataset, inputs: Inputs, settings: RsaSettings, config: Config) -> Inputs:
    """Check that the sounds of a participant make items.

    Parameters
    ----------
    dataset, config
        Not looked at.
    inputs
        What was collected.
    settings
        How sounds become items.

    Raises
    ------
    InputInvalidError
        Fewer than two clips, or fewer than two presentations of each for crossnobis.
    UsageError
        A nuisance RDM or an acoustic feature is not known.
    """
    check_names(settings.nuisance)
    check_features(settings.acoustics)
    items = make_items(inputs, settings)
    if settings.dissimilarity == "crossnobis" and items.n_complete < 2:
        msg = (
            f"sub-{inputs.subject}: a clip was heard once, crossnobis needs two presentations of "
            "each; choose rsa.dissimilarity='spearman' (and rsa.average_repeats=true)"
        )
        raise InputInvalidError(msg)
    return inputs
