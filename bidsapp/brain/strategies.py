"""Confound strategies by name: a table, light enough for the command line to list.

The names say what is regressed from the BOLD. The high-pass filter is not part of a strategy: it
is an option of its own and enters the same regression (see `bidsapp.brain.clean`).
"""

from __future__ import annotations

from types import MappingProxyType

from bidsapp.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final


class Strategy:
    """What is read from an fMRIPrep confounds table.

    Attributes
    ----------
    description
        One line for help and methods text.
    components
        The ``strategy`` of `nilearn.interfaces.fmriprep.load_confounds`.
    options
        Its further keywords.
    """

    __slots__ = ("components", "description", "options")

    def __init__(
        self,
        description: str,
        components: tuple[str, ...],
        options: Mapping[str, str | int] = MappingProxyType({}),
    ) -> None:
        self.description = description
        self.components = components
        self.options = options


_MOTION24: Final[Mapping[str, str | int]] = MappingProxyType({"motion": "full"})
_TISSUE: Final[Mapping[str, str | int]] = MappingProxyType({"motion": "full", "wm_csf": "basic"})

AUTO: Final = "auto"
"""Chosen run by run from its length, see `run_strategy`."""
DEFAULT_STRATEGY: Final = AUTO
_LARGE, _SMALL, _LARGE_VOLUMES = "motion24+wmcsf", "motion6+wmcsf", 260

STRATEGIES: Final[Mapping[str, Strategy]] = MappingProxyType(
    {
        "none": Strategy("nothing is regressed but the high-pass basis", ()),
        "motion6": Strategy("6 rigid-body motion parameters", ("motion",), {"motion": "basic"}),
        "motion24": Strategy(
            "6 motion parameters, their derivatives and the squares of both",
            ("motion",),
            _MOTION24,
        ),
        "motion6+wmcsf": Strategy(
            "6 rigid-body motion parameters and mean white-matter and cerebrospinal-fluid signals",
            ("motion", "wm_csf"),
            {"motion": "basic", "wm_csf": "basic"},
        ),
        "motion24+wmcsf": Strategy(
            "24 motion parameters and mean white-matter and cerebrospinal-fluid signals",
            ("motion", "wm_csf"),
            _TISSUE,
        ),
        "motion24+wmcsf+gsr": Strategy(
            "24 motion parameters, mean white-matter, cerebrospinal-fluid and global signals",
            ("motion", "wm_csf", "global_signal"),
            {**_TISSUE, "global_signal": "basic"},
        ),
        "motion24+compcor": Strategy(
            "24 motion parameters and the first 5 anatomical CompCor components (combined mask)",
            ("high_pass", "motion", "compcor"),
            {**_MOTION24, "compcor": "anat_combined", "n_compcor": 5},
        ),
        "aroma+wmcsf": Strategy(
            "ICA-AROMA noise components and mean white-matter and cerebrospinal-fluid signals",
            ("wm_csf", "ica_aroma"),
            {"wm_csf": "basic", "ica_aroma": "basic"},
        ),
    }
)


CHOICES: Final = (AUTO, *STRATEGIES)
"""Values of ``--confounds``."""
AUTO_DESCRIPTION: Final = (
    f"mean white-matter and cerebrospinal-fluid signals and, in runs of {_LARGE_VOLUMES} volumes "
    "or more, 24 motion parameters (6 with their derivatives and the squares of both), in shorter "
    "ones 6"
)


def run_strategy(name: str, n_trs: int) -> str:
    """Return the strategy of one run.

    Tissue signals and motion hold the error rate where motion follows the music; the global
    signal stays, because music drives large parts of cortex together, and CompCor is no default,
    because its size differs between runs. The 26 regressors of the large strategy take a tenth of
    260 volumes; below, they cost more than they protect from (``benchmarks/cleaning.py``).

    Parameters
    ----------
    name
        A value of ``--confounds``.
    n_trs
        Volumes of the run.

    Returns
    -------
    str
        A key of `STRATEGIES`, unless `name` is unknown.
    """
    if name != AUTO:
        return name
    return _LARGE if n_trs >= _LARGE_VOLUMES else _SMALL


def get_strategy(name: str) -> Strategy:
    """Look a strategy up.

    Parameters
    ----------
    name
        A key of `STRATEGIES`.

    Returns
    -------
    Strategy
        The entry.

    Raises
    ------
    UsageError
        There is no such name; the message lists the known ones.
    """
    try:
        return STRATEGIES[name]
    except KeyError:
        known = ", ".join(CHOICES)
        msg = f"--confounds {name} is unknown; known are {known}."
        raise UsageError(msg) from None
