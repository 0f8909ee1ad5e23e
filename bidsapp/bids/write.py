"""The only writer of results: `Staging`, the writers of each kind of file, the root files."""

from __future__ import annotations

from bidsapp.bids.atomic import (
    output_errors,
    output_lock,
    write_bytes,
    write_image,
    write_json,
    write_text,
    write_tsv,
    write_tsv_gz,
)
from bidsapp.bids.describe import (
    check_output,
    merge_table,
    sidecar,
    write_bidsignore,
    write_dataset_description,
    write_descriptions,
    write_readme,
)
from bidsapp.bids.staging import Staging, clean_leftovers

__all__ = [
    "Staging",
    "check_output",
    "clean_leftovers",
    "merge_table",
    "output_errors",
    "output_lock",
    "sidecar",
    "write_bidsignore",
    "write_bytes",
    "write_dataset_description",
    "write_descriptions",
    "write_image",
    "write_json",
    "write_readme",
    "write_text",
    "write_tsv",
    "write_tsv_gz",
]
