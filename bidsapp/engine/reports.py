"""Make the reports of the participants that are done."""

from __future__ import annotations

import dataclasses
import logging
import traceback
from collections.abc import Sequence
from pathlib import Path

from bidsapp.bids.write import write_text
from bidsapp.config import Config
from bidsapp.engine.status import Record

LOGGER = logging.getLogger("musicotopy")


def write_reports(records: Sequence[Record], config: Config) -> list[Record]:
    """Write one HTML report per participant with a finished unit, and one for the group.

    Returns
    -------
    list of Record
        The records; where a report failed, the participant's are marked failed with the reason
        (the results themselves stay complete, and ``--reports-only`` tries again).
    """
    failures: dict[str, str] = {}
    for subject in dict.fromkeys(record.subject for record in records if record.state == "done"):
        if not _stale(subject, records, config):
            continue
        try:
            _write_report(config.output_dir, subject)
        except Exception as error:
            failures[subject] = f"the results are complete, but the report failed: {error!r}"
            who = f"sub-{subject}" if subject else "group"
            LOGGER.error("%s: %s\n%s", who, failures[subject], traceback.format_exc())
    return [
        dataclasses.replace(record, state="failed", reason=failures[record.subject], exit_code=70)
        if record.subject in failures and record.state == "done"
        else record
        for record in records
    ]


def report_path(output_dir: Path, subject: str) -> Path:
    """Return where a report stands: a participant's, or the group's (empty subject)."""
    return output_dir / (f"sub-{subject}.html" if subject else "group.html")


def _write_report(output_dir: Path, subject: str) -> None:
    if subject:
        from bidsapp.report.participant import participant_report

        participant_report(output_dir, subject)
        _write_citations(output_dir, subject)
    else:
        from bidsapp.report.group import group_report

        group_report(output_dir)


def _write_citations(output_dir: Path, subject: str) -> None:
    """Write ``logs/CITATION.md`` and ``.bib`` from what ran for one participant."""
    from bidsapp.report.files import open_derivatives
    from bidsapp.report.methods import citation_bibtex, citation_markdown
    from bidsapp.report.results import load_results

    results = load_results(open_derivatives(output_dir, subject))
    write_text(output_dir / "logs" / "CITATION.md", citation_markdown(results))
    write_text(output_dir / "logs" / "CITATION.bib", citation_bibtex(results))


def _stale(subject: str, records: Sequence[Record], config: Config) -> bool:
    """Tell whether a report is missing, older than its results, or asked for."""
    from bidsapp.engine.status import record_path

    report = report_path(config.output_dir, subject)
    if config.reports_only or not report.is_file():
        return True
    written = report.stat().st_mtime_ns
    paths = [record_path(config.output_dir, item.unit) for item in records]
    mine = [path for path, item in zip(paths, records, strict=True) if item.subject == subject]
    return any(path.is_file() and path.stat().st_mtime_ns > written for path in mine)
