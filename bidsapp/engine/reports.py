"""Make the reports of what is done, and the texts to cite."""

from __future__ import annotations

import dataclasses
import functools
import logging
import multiprocessing
import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from bidsapp.bids.atomic import output_lock, write_text
from bidsapp.config import Config
from bidsapp.engine.processes import begin_beside
from bidsapp.engine.status import Record
from bidsapp.errors import AppError
from bidsapp.recipes import RECIPES, load_function
from bidsapp.results.read import Results

LOGGER = logging.getLogger("musicotopy")
Reported = tuple[str, str]
"""Recipe and participant (empty: the group)."""
Failure = tuple[str, int]
"""Why a report could not be written, and the exit code."""


def write_reports(records: Sequence[Record], config: Config) -> list[Record]:
    """Write the reports of the recipes and participants with a finished job, and of groups.

    Returns
    -------
    list of Record
        The records; where a report failed, its records are marked failed with the reason (the
        results themselves stay complete, and ``--reports-only`` tries again).
    """
    # a job that is done anew removes its report: no clock has to be asked
    missing = [
        (recipe, subject)
        for recipe, subject in reported(records)
        if config.reports_only or not report_path(config.output_dir, recipe, subject).is_file()
    ]
    tried = _write_all(missing, config)
    failures = {item: failure for item, failure in zip(missing, tried, strict=True) if failure}
    return [_with_failure(record, failures) for record in records]


def _write_all(items: Sequence[Reported], config: Config) -> list[Failure | None]:
    """Write reports in as many processes as there are workers and processors here."""
    write = functools.partial(_try_report, config.output_dir)
    n = min(len(items), config.n_processors, config.n_workers)
    if n > 1:
        context = multiprocessing.get_context("spawn")
        try:
            with ProcessPoolExecutor(n, context, begin_beside, (config,)) as pool:
                return list(pool.map(write, items))
        except BrokenProcessPool:
            LOGGER.warning("a process that wrote reports was killed; going on in this one")
    return list(map(write, items))


def _try_report(output_dir: Path, item: Reported) -> Failure | None:
    """Write one report; return why it could not be, and the exit code."""
    recipe, subject = item
    try:
        _write_report(output_dir, recipe, subject)
    except Exception as error:
        what = str(error) if isinstance(error, AppError | OSError) else repr(error)
        reason = f"the results stay as they are, but the report failed: {what}"
        code = 73 if isinstance(error, OSError) else getattr(error, "exit_code", 70)
        LOGGER.error("%s %s: %s", recipe, f"sub-{subject}" if subject else "group", reason)
        LOGGER.log(40 if code == 70 else 10, "%s", traceback.format_exc())
        return reason, code
    return None


def reported(records: Sequence[Record]) -> list[Reported]:
    """Return the recipes and participants that records of finished jobs belong to."""
    done = (record for record in records if record.state == "done")
    return list(dict.fromkeys((record.recipe, record.subject) for record in done))


def report_path(output_dir: Path, recipe: str, subject: str) -> Path:
    """Return where a report stands: a participant's, or the group's (empty subject)."""
    return output_dir / f"{f'sub-{subject}' if subject else 'group'}_{recipe}.html"


def answer_of(output_dir: Path, recipe: str, subject: str) -> str:
    """Return the sentences that a report begins with; empty without it.

    Parameters
    ----------
    output_dir
        Of the results.
    recipe, subject
        Whose report: a participant's, or the group's (empty subject).
    """
    try:
        return _answer_path(output_dir, recipe, subject).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _answer_path(output_dir: Path, recipe: str, subject: str) -> Path:
    return output_dir / "logs" / "found" / report_path(Path(), recipe, subject).with_suffix(".txt")


def _with_failure(record: Record, failures: Mapping[Reported, Failure]) -> Record:
    failure = failures.get((record.recipe, record.subject))
    if failure is None or record.state != "done":
        return record
    reason, code = failure
    return dataclasses.replace(record, state="failed", reason=reason, exit_code=code)


def _write_report(output_dir: Path, recipe: str, subject: str) -> None:
    from bidsapp.report.html import Prose, write_page

    entry = RECIPES[recipe]
    results = Results(output_dir, recipe, entry.results, subject)
    page, methods = load_function(entry.report)(results)
    write_page(page, report_path(output_dir, recipe, subject))
    sentences = [part.text for part in page.answer if isinstance(part, Prose)]
    write_text(_answer_path(output_dir, recipe, subject), " ".join(sentences) + "\n")
    level = "participant" if subject else "group"
    folder = output_dir / "logs" / "citations"
    write_text(folder / f"{recipe}_{level}.md", methods.markdown)
    write_text(folder / f"{recipe}_{level}.bib", methods.bibtex)
    _gather_citations(output_dir)


def _gather_citations(output_dir: Path) -> None:
    """Bring what every recipe and level cites into ``logs/CITATION.md`` and ``.bib``."""
    logs = output_dir / "logs"
    with output_lock(output_dir):
        parts = sorted((logs / "citations").glob("*.md"))
        texts = [f"<!-- {path.stem} -->\n{path.read_text('utf-8')}" for path in parts]
        entries = [
            entry.strip()
            for path in parts
            for entry in path.with_suffix(".bib").read_text("utf-8").split("\n\n")
            if entry.strip()
        ]
        write_text(logs / "CITATION.md", "\n".join(texts))
        write_text(logs / "CITATION.bib", "\n\n".join(dict.fromkeys(entries)) + "\n")
