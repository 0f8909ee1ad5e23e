"""Write boutiques.json from the table of options: `python tools/write_boutiques.py`.

The form is that of BIDS Apps, which `bosh validate --bids` checks: the output folder is a name or
a folder, the analysis level one of the two. Boutiques 0.5 (`localExec.py`) removes a key from the
command line when the first input that has it is absent; the name stands first and serves both
levels.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bidsapp import __version__, errors
from bidsapp.cli.options import LEVELS, OPTIONS, POSITIONALS, Option
from bidsapp.cli.parser import build_parser

if TYPE_CHECKING:
    from bidsapp.cli.options import Kind

FILE = Path(__file__).resolve().parent.parent / "boutiques.json"

_TYPES: dict[Kind, str] = {
    "float": "Number",
    "int": "Number",
    "flag": "Flag",
    "count": "Flag",
    "path": "File",
}
_NOT_ONLY_FILES = {"atlas", "plan_json", "work_dir"}
"""Paths that a run makes, or that may be a name: Boutiques takes a file only if it is there."""
_LEAD = "mkdir -p [OUTPUT_DIR]; musicotopy [BIDS_DIR] [OUTPUT_DIR] [ANALYSIS_LEVEL]"
_FIRST = ("participant_label", "session_label")
"""They follow the analysis level, and Boutiques writes them with underscores."""
_OUTPUT_TEXT = (
    "Folder for the results. At group level it holds the results of the participants already."
)


def descriptor() -> dict[str, Any]:
    """Return the descriptor."""
    options = sorted(OPTIONS, key=lambda option: (option.name not in _FIRST, option.name))
    inputs = [_input(option) for option in options]
    inputs += [_parsers_own(action) for action in parsers_own()]
    keys = " ".join(item["value-key"] for item in inputs)
    return {
        "name": "musicotopy",
        "tool-version": __version__,
        "description": "BIDS App: voxelwise encoding, searchlight RSA and decoding for "
        "music-listening fMRI.",
        "author": "The musicotopy developers",
        "command-line": f"{_LEAD} {keys}",
        "container-image": {"type": "docker", "image": f"musicotopy:{__version__}"},
        "schema-version": "0.5",
        "tags": {"domain": ["neuroinformatics", "fMRI", "music", "BIDS"]},
        "inputs": [*_folders_and_level(), *inputs],
        "groups": [
            {
                "id": "output_directory",
                "name": "Output directory",
                "description": "Folder for the results; use its name.",
                "members": ["output_dir_name", "participant_level_analysis_dir"],
                "mutually-exclusive": True,
                "one-is-required": True,
            }
        ],
        "output-files": [
            {
                "id": "output_dir",
                "name": "Output directory",
                "description": _OUTPUT_TEXT,
                "path-template": "[OUTPUT_DIR]",
                "optional": False,
            }
        ],
        "error-codes": _error_codes(),
    }


def parsers_own() -> list[argparse.Action]:
    """Options that the parser adds to the table (``--set``, ``--config-file``, ``--notrack``)."""
    table = {option.name for option in (*POSITIONALS, *OPTIONS)}
    return [
        action
        for action in build_parser()._actions
        if action.dest not in table | {"help", "version"}
    ]


def _folders_and_level() -> list[dict[str, Any]]:
    texts = {option.name: option.text for option in POSITIONALS}
    output = {"value-key": "[OUTPUT_DIR]", "optional": True, "description": _OUTPUT_TEXT}
    return [
        {
            "id": "bids_dir",
            "name": "BIDS directory",
            "type": "File",
            "description": texts["bids_dir"],
            "value-key": "[BIDS_DIR]",
            "optional": False,
        },
        {"id": "output_dir_name", "name": "Output directory name", "type": "String", **output},
        {
            "id": "participant_level_analysis_dir",
            "name": "Results of the participants",
            "type": "File",
            **output,
            "description": "Demanded by the form of BIDS Apps; Boutiques 0.5 does not put it "
            "into the command. Name the folder with output_dir_name at both levels.",
        },
        {
            "id": "analysis_level",
            "name": "Analysis level",
            "type": "String",
            "description": texts["analysis_level"],
            "value-key": "[ANALYSIS_LEVEL]",
            "value-choices": list(LEVELS),
            "optional": False,
        },
    ]


def _input(option: Option) -> dict[str, Any]:
    kind = "String" if option.name in _NOT_ONLY_FILES else _TYPES.get(option.kind, "String")
    flag = f"--{option.name}" if option.name in _FIRST else option.flags[0]
    entry = _entry(option.name, flag, option.text, kind)
    if option.kind == "int":
        entry["integer"] = True
    if option.many:
        entry["list"] = True
    if option.choices:
        entry["value-choices"] = list(option.choices)
    return entry


def _parsers_own(action: argparse.Action) -> dict[str, Any]:
    flag = action.option_strings[0]
    text = str(action.help)
    if action.nargs == 0:
        return _entry(action.dest, flag, text, "Flag")
    if action.metavar == "FILE":
        return _entry(action.dest, flag, text, "File")
    repeated = {"list": True, "list-separator": f" {flag} "}
    return {**_entry(action.dest, flag, text, "String"), **repeated}


def _entry(name: str, flag: str, text: str, kind: str) -> dict[str, Any]:
    return {
        "id": name,
        "name": name.replace("_", " ").capitalize(),
        "type": kind,
        "description": text.replace("%%", "%"),
        "value-key": f"[{name.upper()}]",
        "command-line-flag": flag,
        "optional": True,
    }


def _error_codes() -> list[dict[str, Any]]:
    kinds: list[type[errors.AppError]] = [errors.AppError, *errors.AppError.__subclasses__()]
    texts = {kind.exit_code: re.sub(r"\s+", " ", (kind.__doc__ or "")) for kind in kinds}
    texts = {code: text.split(". ")[0].split(" Parameters")[0] for code, text in texts.items()}
    return [{"code": code, "description": texts[code].strip()} for code in sorted(texts)]


def text() -> str:
    """Return the content of boutiques.json."""
    return json.dumps(descriptor(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
