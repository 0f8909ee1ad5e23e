"""Write configurations for Nipoppy and BABS: `python tools/write_site_configs.py DIR`.

``DIR/nipoppy`` is a bundle for ``nipoppy pipeline install``: the Boutiques descriptor, an
invocation for one participant, what is tracked, and what a job of a cluster asks for.
``DIR/babs.yaml`` is the container configuration of ``babs init``. Both run one participant at a
time; the group level is started by hand when they are done. What a site has to fill in stands in
capitals.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import yaml
from write_boutiques import descriptor

from bidsapp import __version__
from bidsapp.recipes import RECIPES

_RECIPE = next(iter(RECIPES))
_HOURS = 12
_MEMORY_GB = 16
_CORES = 4


def nipoppy_files() -> dict[str, dict[str, Any]]:
    """Return the files of the bundle: name → content."""
    invocation = {
        "bids_dir": "[[NIPOPPY_DPATH_BIDS]]",
        "output_dir_name": "[[NIPOPPY_DPATH_PIPELINE_OUTPUT]]",
        "analysis_level": "participant",
        "participant_label": ["[[NIPOPPY_PARTICIPANT_ID]]"],
        "derivatives": ["fmriprep=[[FMRIPREP_DIR]]"],
        "stimuli_dir": "[[STIMULI_DIR]]",
        "recipe": [_RECIPE],
        "work_dir": "[[NIPOPPY_DPATH_PIPELINE_WORK]]",
        "nprocs": _CORES,
        "mem": f"{_MEMORY_GB}G",
    }
    config = {
        "NAME": "musicotopy",
        "VERSION": __version__,
        "DESCRIPTION": descriptor()["description"],
        "CONTAINER_INFO": {
            "FILE": "[[NIPOPPY_DPATH_CONTAINERS]]/musicotopy_[[PIPELINE_VERSION]].sif",
        },
        "CONTAINER_CONFIG": {"ARGS": ["--cleanenv", "--bind", "[[STIMULI_DIR]]"]},
        "VARIABLES": {
            "FMRIPREP_DIR": "Folder with the output of fMRIPrep",
            "STIMULI_DIR": "Folder with the sounds",
        },
        "STEPS": [
            {
                "ANALYSIS_LEVEL": "participant",
                "DESCRIPTOR_FILE": "descriptor.json",
                "INVOCATION_FILE": "invocation.json",
                "TRACKER_CONFIG_FILE": "tracker.json",
                "HPC_CONFIG_FILE": "hpc.json",
                "GENERATE_PYBIDS_DATABASE": False,
            }
        ],
        "PIPELINE_TYPE": "processing",
        "SCHEMA_VERSION": "1.0",
    }
    hpc = {
        "ACCOUNT": "[[HPC_ACCOUNT_NAME]]",
        "TIME": f"{_HOURS}:00:00",
        "CORES": str(_CORES),
        "MEMORY": f"{_MEMORY_GB}G",
        "ARRAY_CONCURRENCY_LIMIT": "",
    }
    report = f"[[NIPOPPY_BIDS_PARTICIPANT_ID]]_{_RECIPE}.html"
    return {
        "config.json": config,
        "descriptor.json": descriptor(),
        "invocation.json": invocation,
        "tracker.json": {"PATHS": [report], "SCHEMA_VERSION": "1.0"},
        "hpc.json": hpc,
    }


def babs_config() -> dict[str, Any]:
    """Return the container configuration of BABS; fMRIPrep's output is its only input."""
    return {
        "input_datasets": {
            "fmriprep": {
                "origin_url": "URL_OF_THE_FMRIPREP_DATASET",
                "path_in_babs": "inputs/data/fmriprep",
                "is_zipped": False,
                "required_files": ["func/*_desc-preproc_bold.nii*"],
            }
        },
        "bids_app_args": {
            "$SUBJECT_SELECTION_FLAG": "--participant-label",
            "--stimuli-dir": "FOLDER_WITH_THE_SOUNDS",
            "--recipe": _RECIPE,
            "--nprocs": str(_CORES),
            "--mem": f"{_MEMORY_GB}G",
            "-w": "$BABS_TMPDIR",
        },
        "singularity_args": ["--containall", "--writable-tmpfs", "-B FOLDER_WITH_THE_SOUNDS"],
        "zip_foldernames": {"musicotopy": __version__.replace(".", "-")},
        "all_results_in_one_zip": True,
        "cluster_resources": {
            "interpreting_shell": "/bin/bash",
            "hard_memory_limit": f"{_MEMORY_GB}G",
            "number_of_cpus": str(_CORES),
            "hard_runtime_limit": f"{_HOURS}:00:00",
        },
        "script_preamble": "PATH=ENVIRONMENT_WITH_DATALAD/bin:$PATH\n",
        "job_compute_space": "${TMPDIR}",
    }


def write(folder: Path) -> None:
    """Write both configurations."""
    bundle = folder / "nipoppy"
    bundle.mkdir(parents=True, exist_ok=True)
    for name, content in nipoppy_files().items():
        text = json.dumps(content, indent=2, ensure_ascii=False)
        (bundle / name).write_text(text + "\n", encoding="utf-8")
    text = yaml.safe_dump(babs_config(), sort_keys=False)
    (folder / "babs.yaml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    write(parser.parse_args().folder)
