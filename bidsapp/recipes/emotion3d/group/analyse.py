"""`emotion3d`, group level: decoding across participants, and statistics over them.

Source: Tanemura et al., poster (one model of all participants, accuracy by emotion in unseen
ones). Leaving a participant out with all runs tests on the same stimulus; leaving out the run as
well is the only test of a new stimulus in a new brain.
"""

from __future__ import annotations

import logging
import shutil

from bidsapp.recipes.emotion3d.group.cross import CrossStudy
from bidsapp.recipes.emotion3d.group.inputs import GroupAnalysis
from bidsapp.recipes.emotion3d.group.outputs import write_group
from bidsapp.recipes.emotion3d.group.statistics import across, within
from bidsapp.recipes.emotion3d.group.volumes import group_volumes

LOGGER = logging.getLogger("musicotopy")


def analyse_group(analysis: GroupAnalysis) -> None:
    """Run the group level in one space and write its results."""
    inputs = analysis.inputs
    LOGGER.info("group %s: %d participants", inputs.space, len(inputs.participants))
    found = group_volumes(analysis)
    study = CrossStudy(analysis, found)
    decodings = list(study.decodings())
    scored = [*within(inputs), *across(inputs, decodings)]
    write_group(analysis, found, decodings, scored)
    shutil.rmtree(study.folder, ignore_errors=True)
