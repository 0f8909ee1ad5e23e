"""The report of a group, from the written derivatives only.

``results``
    what was written, looked up by space and network;
``page``
    the order of the sections, and the file;
``overview``, ``cautions``, ``cortex``, ``viewer``, ``spins``, ``profiles``, ``components``,
``inference``, ``shared``, ``text``
    one or a few sections each; ``figures`` draws what they show.
"""

from bidsapp.report.group.page import group_report

__all__ = ["group_report"]
