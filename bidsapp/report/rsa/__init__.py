"""The reports of `rsa`, on a participant and on a group, from the written derivatives only.

``read``
    what was written, looked up by space and network;
``page``
    the order of the sections, and the files;
``overview``, ``cautions``, ``items``, ``dissimilarities``, ``sizes``, ``viewer``, ``maps``,
``peaks``, ``layers``, ``nulls``, ``gyrus``, ``people``, ``text``
    one or a few sections each; ``figures`` draws what they show.
"""

from bidsapp.report.rsa.page import (
    group_methods,
    group_report,
    participant_methods,
    participant_report,
)

__all__ = ["group_methods", "group_report", "participant_methods", "participant_report"]
