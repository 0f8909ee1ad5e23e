"""What makes a folder of results a BIDS derivative: its description, its sidecars, its README.

The files at the root are shared by all participants: they are written whole, under a lock, and
only if they change.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bidsapp import __version__
from bidsapp.bids.dataset import Dataset
from bidsapp.bids.names import space_entities
from bidsapp.bids.records import Problem
from bidsapp.bids.sidecars import read_json
from bidsapp.bids.tables import read_table
from bidsapp.bids.write import output_errors, output_lock, write_json, write_text, write_tsv
from bidsapp.errors import OutputError

BIDS_VERSION = "1.10.0"
#: What BIDS has no names for yet. No trailing slashes: the validator does not match those.
BIDSIGNORE = (
    "*.html",
    "figures",
    "group",
    "*_statmap.*",
    "*_stats.*",
    "*_relmat.*",
    "*_hemi-*",
    "*_den-91k_*",
    "*_den-10k_*_dseg.*",
    "*_model-*",
)
#: where the coordinates of a space are defined
SPATIAL_REFERENCES: Mapping[str, str] = MappingProxyType(
    {
        "fsaverage": "https://surfer.nmr.mgh.harvard.edu/fswiki/FsAverage",
        "fsLR": "https://github.com/Washington-University/HCPpipelines",
        "MNI152NLin2009cAsym": "https://templateflow.s3.amazonaws.com/tpl-MNI152NLin2009cAsym",
        "MNI152NLin6Asym": "https://templateflow.s3.amazonaws.com/tpl-MNI152NLin6Asym",
    }
)
_DENSITIES: Mapping[str, str] = MappingProxyType(
    {
        "642": "642 vertices per hemisphere (FreeSurfer ico3)",
        "3k": "2562 vertices per hemisphere (FreeSurfer ico4)",
        "10k": "10242 vertices per hemisphere (FreeSurfer ico5)",
        "41k": "40962 vertices per hemisphere (FreeSurfer ico6)",
        "164k": "163842 vertices per hemisphere (FreeSurfer ico7)",
        "91k": "91282 grayordinates: 32k vertices per hemisphere and 2 mm voxels",
        "170k": "170494 grayordinates: 59k vertices per hemisphere and 1.6 mm voxels",
    }
)
_README = """\
# musicotopy

Results of the BIDS App musicotopy {version}. `sub-*/func` and `group` hold maps (`_statmap`),
tables (`_stats.tsv`), best-layer maps (`_dseg`, layers numbered in the `.tsv` beside them) and
significance masks (`_mask`); `descriptions.tsv` explains every `desc-`, the `.json` beside each
file what is in it and what it was made from. Missing values are NaN in images and n/a in tables.
`sub-*.html` are the reports, `logs` the settings of every run, with texts to cite.

`load_results()` of the package reads all tables into one.
"""


def dataset_description(
    dataset: Dataset,
    output_dir: Path,
    *,
    configuration_hash: str = "",
    stimuli_dir: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the content of ``dataset_description.json``.

    Parameters
    ----------
    dataset
        What the results were made from.
    output_dir
        Where they are written: links are relative to it.
    configuration_hash
        Hash of the settings that change results.
    stimuli_dir
        ``--stimuli-dir``, linked as ``stimuli``.
    environment
        Of the process; the image sets ``MUSICOTOPY_DOCKER_TAG`` or ``MUSICOTOPY_SINGULARITY_URL``.
    """
    generated = {"Name": "musicotopy", "Version": __version__}
    container = _container(os.environ if environment is None else environment)
    source = dataset.description
    name = str(source.get("Name") or "").strip()
    description: dict[str, Any] = {
        "Name": f"musicotopy: {name}" if name else "musicotopy",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [
            generated
            | ({"Container": container} if container else {})
            | ({"ConfigurationHash": configuration_hash} if configuration_hash else {}),
            *_generated_by(dataset),
        ],
        "HowToAcknowledge": "Please cite what logs/CITATION.md lists.",
        "DatasetLinks": dataset_links(dataset, output_dir, stimuli_dir),
    }
    sources = _source_datasets(source)
    if sources:
        description["SourceDatasets"] = sources
    for key in ("License", "Authors"):
        if source.get(key):
            description[key] = source[key]
    return description


def dataset_links(
    dataset: Dataset, output_dir: Path, stimuli_dir: Path | None = None
) -> dict[str, str]:
    """Return the names under which ``Sources`` refer to the inputs, as relative paths."""
    folders = {"raw": dataset.root, "fmriprep": dataset.fmriprep, "stimuli": stimuli_dir}
    return {
        name: Path(os.path.relpath(folder.absolute(), output_dir.absolute())).as_posix()
        for name, folder in (folders | dict(dataset.derivatives)).items()
        if folder is not None
    }


def bids_uri(path: Path, dataset: Dataset, stimuli_dir: Path | None = None) -> str:
    """Return ``bids:<dataset>:<path>`` of an input; its bare name if it lies nowhere known."""
    folders = {
        "fmriprep": dataset.fmriprep,
        "stimuli": stimuli_dir,
        **dataset.derivatives,
        "raw": dataset.root,
    }
    for name, folder in folders.items():
        if folder is not None and path.absolute().is_relative_to(folder.absolute()):
            return f"bids:{name}:{path.absolute().relative_to(folder.absolute()).as_posix()}"
    return path.name


def sidecar(
    description: str,
    *,
    dataset: Dataset,
    sources: Iterable[Path] = (),
    space: str = "",
    resolution: str | None = None,
    density: str | None = None,
    stimuli_dir: Path | None = None,
    **fields: object,
) -> dict[str, Any]:
    """Return the content of the JSON beside a result.

    Parameters
    ----------
    description
        One sentence: what the file holds.
    dataset
        What it was made from.
    sources
        Input files.
    space, resolution, density
        As in a `Run`; empty space for files without one.
    stimuli_dir
        ``--stimuli-dir``.
    **fields
        Anything else, under the name it has in JSON.
    """
    uris = [bids_uri(path, dataset, stimuli_dir) for path in sources]
    content: dict[str, Any] = {"Description": description, "Sources": list(dict.fromkeys(uris))}
    if space:
        entities = space_entities(space, resolution, density)
        reference = SPATIAL_REFERENCES.get(entities.get("space", ""))
        content["SpatialReference"] = reference or (
            "individual anatomy (T1w)" if space == "T1w" else f"as in the BOLD series ({space})"
        )
        if "den" in entities:
            content["Density"] = _DENSITIES.get(entities["den"], entities["den"])
        if "res" in entities:
            content["Resolution"] = f"res-{entities['res']} of {space}, as in the BOLD series"
    return content | fields


def write_root_files(
    output_dir: Path,
    dataset: Dataset,
    *,
    descriptions: Mapping[str, str],
    configuration_hash: str = "",
    stimuli_dir: Path | None = None,
) -> None:
    """Write the files at the root that all units share; safe from several processes at once.

    Parameters
    ----------
    output_dir
        Output folder.
    dataset
        What the results are made from.
    descriptions
        Every ``desc-`` label in use, without ``desc-``, and what it means.
    configuration_hash, stimuli_dir
        As for `dataset_description`.

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    content = dataset_description(
        dataset, output_dir, configuration_hash=configuration_hash, stimuli_dir=stimuli_dir
    )
    with output_lock(output_dir):
        target = output_dir / "dataset_description.json"
        if read_json(target) != content:
            write_json(target, content)
        _write_descriptions(output_dir / "descriptions.tsv", descriptions)
        _write_if_new(output_dir / ".bidsignore", "".join(f"{line}\n" for line in BIDSIGNORE))
        _write_if_new(output_dir / "README.md", _README.format(version=__version__))


def check_output(output_dir: Path, dataset: Dataset) -> None:
    """Refuse an output folder that is an input, or that cannot be written.

    Raises
    ------
    OutputError
        It is the dataset itself, or permissions forbid writing.
    """
    if any(output_dir.resolve() == root.resolve() for root in dataset.roots):
        msg = f"OUTPUT_DIR {output_dir} is an input; choose another, e.g. derivatives/musicotopy"
        raise OutputError(msg)
    with output_errors(output_dir):
        output_dir.mkdir(parents=True, exist_ok=True)
        probe = output_dir / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()


def read_configuration_hash(output_dir: Path) -> str:
    """Return the hash of the settings with which an output folder was made; empty if none."""
    content = read_json(output_dir / "dataset_description.json")
    if isinstance(content, Problem):
        return ""
    entries = content.get("GeneratedBy")
    first = entries[0] if isinstance(entries, list) and entries else {}
    return str(first.get("ConfigurationHash", "")) if isinstance(first, dict) else ""


def _write_descriptions(path: Path, descriptions: Mapping[str, str]) -> None:
    known = {}
    if path.exists():
        table = read_table(path)
        if not isinstance(table, Problem):
            known = {row["desc_id"]: row.get("description", "") for row in table.rows}
    merged = known | {f"desc-{label}": text for label, text in descriptions.items()}
    if merged != known or not path.exists():
        rows = [{"desc_id": key, "description": merged[key]} for key in sorted(merged)]
        write_tsv(path, rows, ["desc_id", "description"])


def _write_if_new(path: Path, text: str) -> None:
    """Leave a file alone that says the same already: it may belong to another user."""
    try:
        same = path.read_text("utf-8") == text
    except (OSError, UnicodeDecodeError):
        same = False
    if not same:
        write_text(path, text)


def _container(environment: Mapping[str, str]) -> dict[str, str]:
    tag = environment.get("MUSICOTOPY_DOCKER_TAG")
    if tag:
        return {"Type": "docker", "Tag": tag}
    uri = environment.get("MUSICOTOPY_SINGULARITY_URL")
    return {"Type": "singularity", "URI": uri} if uri else {}


def _generated_by(dataset: Dataset) -> list[Any]:
    """Return the pipelines that made the derivatives we read."""
    if dataset.fmriprep is None:
        return []
    content = read_json(dataset.fmriprep / "dataset_description.json")
    entries = content.get("GeneratedBy") if isinstance(content, dict) else None
    found = entries if isinstance(entries, list) else []
    return [entry for entry in found if isinstance(entry, dict) and entry.get("Name")]


def _source_datasets(description: Mapping[str, Any]) -> list[dict[str, str]]:
    doi = description.get("DatasetDOI")
    if isinstance(doi, str) and doi:
        bare = doi.removeprefix("doi:").removeprefix("https://doi.org/")
        return [{"DOI": f"doi:{bare}", "URL": f"https://doi.org/{bare}"}]
    inherited = description.get("SourceDatasets")
    return inherited if isinstance(inherited, list) else []
