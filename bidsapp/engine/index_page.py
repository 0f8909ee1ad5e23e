"""``index.html`` of an output folder: every page, and what failed and why."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from bidsapp.bids.atomic import output_lock
from bidsapp.bids.sidecars import read_json
from bidsapp.engine.reports import answer_of, report_path, reported
from bidsapp.engine.status import Record, read_records
from bidsapp.errors import OutputError
from bidsapp.recipes import RECIPES
from bidsapp.report.html import (
    Cell,
    Number,
    Numbers,
    Page,
    Part,
    Prose,
    Section,
    Table,
    write_page,
)
from bidsapp.report.sections import INDEX
from bidsapp.results.kinds import Column

LOGGER = logging.getLogger("musicotopy")


def write_index(output_dir: Path) -> None:
    """Write the page that links all others; a folder that cannot be written is only logged.

    Parameters
    ----------
    output_dir
        With the records of its jobs. Nothing is written where nothing was done.
    """
    try:
        with output_lock(output_dir):
            records = list(read_records(output_dir).values())
            if any(record.state == "done" for record in records):
                write_page(index_page(output_dir, records), output_dir / INDEX)
    except OutputError as error:  # the results are there
        LOGGER.error("%s", error)


def index_page(output_dir: Path, records: Sequence[Record]) -> Page:
    """Return the page.

    Parameters
    ----------
    output_dir
        Where the pages stand.
    records
        Of all jobs.
    """
    description = read_json(output_dir / "dataset_description.json")
    name = description.get("Name", "") if isinstance(description, dict) else ""
    recipes = [recipe for recipe in RECIPES if any(item.recipe == recipe for item in records)]
    own = {recipe: [item for item in records if item.recipe == recipe] for recipe in recipes}
    failed = [record for record in records if record.state != "done"]
    sections = [_recipe(output_dir, recipe, items) for recipe, items in own.items()]
    return Page(
        title=str(name) or "musicotopy",
        subtitle="All pages of this study",
        sections=[*sections, *_failed(failed)],
    )


def _recipe(output_dir: Path, recipe: str, records: Sequence[Record]) -> Section:
    done = {record.subject for record in records if record.state == "done"} - {""}
    failed = [record for record in records if record.state != "done"]
    numbers = [
        Number("Participants", str(len(done))),
        Number("Group", "done" if any(_is_done_group(record) for record in records) else "\u2013"),
        Number("Failed jobs", str(len(failed))),
    ]
    rows = [
        [Cell((subject and f"sub-{subject}") or "group", subject, path.name)]
        for _, subject in sorted(reported(records))
        if (path := report_path(output_dir, recipe, subject)).is_file()
    ]
    answer = answer_of(output_dir, recipe, "")
    parts: list[Part] = [
        *([Prose(answer)] if answer else []),
        Numbers(numbers),
        Table([Column("page", text=True)], rows, "Pages", fold=False),
    ]
    return Section(f"{recipe}: {RECIPES[recipe].question}", recipe, parts)


def _is_done_group(record: Record) -> bool:
    return record.level == "group" and record.state == "done"


def _failed(records: Sequence[Record]) -> Iterator[Section]:
    if records:
        rows = [
            [Cell(text, text) for text in (record.job, record.state, record.reason)]
            for record in records
        ]
        words = ("job", "state", "reason")
        columns = [Column(name, text=True, prose=name == "reason") for name in words]
        caption = "Jobs without a result; the same command tries them again"
        yield Section("Failed", "failed", [Table(columns, rows, caption, fold=False)])
