"""What is checked before a participant is analysed."""

from __future__ import annotations

from bidsapp.bids.dataset import Dataset
from bidsapp.config import Config
from bidsapp.errors import InputInvalidError
from bidsapp.recipes.base.inputs import Inputs
from bidsapp.recipes.rsa.items import make_items
from bidsapp.recipes.rsa.nuisances import MAKERS, check_names
from bidsapp.recipes.rsa.settings import RsaSettings

FEATURES = ("loudness", "onsets", "centroid", "mel")
"""Acoustic features that can be removed."""


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
    check_names("nuisance", settings.nuisance, MAKERS)
    check_names("acoustics", settings.acoustics, FEATURES)
    items = make_items(inputs, settings)
    if settings.dissimilarity == "crossnobis" and items.n_complete < 2:
        msg = (
            f"sub-{inputs.subject}: a clip was heard once, crossnobis needs two presentations of "
            "each; choose rsa.dissimilarity='spearman' (and rsa.average_repeats=true)"
        )
        raise InputInvalidError(msg)
    return inputs
