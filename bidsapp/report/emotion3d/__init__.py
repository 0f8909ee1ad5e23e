"""The reports of `emotion3d`, on a participant and on a group, from written derivatives only.

``read``
    what was written, looked up by space, split and decoder;
``page``
    the order of the sections, and the files;
``overview``, ``cautions``, ``labels``, ``scores``, ``classes``, ``training``, ``explanation``,
``people``, ``text``
    one or a few sections each; ``figures`` draws what they show.
"""

from bidsapp.report.emotion3d.page import (
    group_methods,
    group_report,
    participant_methods,
    participant_report,
)

__all__ = ["group_methods", "group_report", "participant_methods", "participant_report"]
