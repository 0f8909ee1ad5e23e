"""What makes a folder of results a BIDS derivative: its description, its sidecars, its README.

The files at the root are shared by all participants: they are written whole, under a lock, and
only if they change.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bidsapp import __version__
from bidsapp.bids.atomic import output_lock, write_json, write_text, write_tsv
from bidsapp.bids.dataset import Dataset
from bidsapp.bids.names import space_entities
from bidsapp.bids.records import Problem
from bidsapp.bids.sidecars import read_json
from bidsapp.bids.tables import read_table

BIDS_VERSION = "1.10.0"
#: What BIDS has no names for yet. No trailing slashes: the validator does not match those.
BIDSIGNORE = (
    "*.html",
    "figures",
    "group",
    "sounds",
    "*_statmap.*",
    "*_stats.*",
    "*_hemi-*_mask.*",
    "*_mask.dscalar.nii",
    "*_space-fsLR*_mask.json",
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
README_TITLE = "# musicotopy"
_README = """\
{title}

Results of the BIDS App musicotopy {version}. `sub-*/func` and `group` hold maps (`_statmap`) and
tables (`_stats.tsv`), `sub-*/anat` and `group` best-layer maps (`_dseg`, layers numbered in the
`.tsv` beside them) and significance masks (`_mask`); `descriptions.tsv` explains every `desc-`,
the `.json` beside each file what is in it and what it was made from. Missing values are NaN in
images and n/a in tables.
`index.html` links the reports, `logs` has the settings of every run, with texts to cite.

`load_results()` of the package reads all tables into one.
"""


def dataset_description(
    dataset: Dataset,
    output_dir: Path,
    *,
    configuration_hashes: Mapping[str, str] | None = None,
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
    configuration_hashes
        Recipe to hash of the settings that change its results.
    stimuli_dir
        ``--stimuli-dir``, linked as ``stimuli``.
    environment
        Of the process; the image sets ``MUSICOTOPY_DOCKER_TAG`` or ``MUSICOTOPY_SINGULARITY_URL``.
    """
    generated: dict[str, Any] = {"Name": "musicotopy", "Version": __version__}
    if url := code_url():
        generated["CodeURL"] = url
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
            | ({"ConfigurationHash": dict(configuration_hashes)} if configuration_hashes else {}),
            *_generated_by(dataset),
        ],
        "HowToAcknowledge": "Please cite what logs/CITATION.md lists.",
        "DatasetLinks": {
            link: Path(os.path.relpath(folder, output_dir.absolute())).as_posix()
            for link, folder in dataset.links(stimuli_dir).items()
        },
    }
    sources = _source_datasets(source)
    if sources:
        description["SourceDatasets"] = sources
    for key in ("License", "Authors"):
        if source.get(key):
            description[key] = source[key]
    return description


def code_url() -> str:
    """Return the address of the source code; empty where the installed package names none.

    It is the entry ``Source`` of ``[project.urls]``.
    """
    try:
        entries = metadata("musicotopy").get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    urls = dict(str(entry).split(", ", 1) for entry in entries)
    return str(urls.get("Source", ""))


def sidecar(
    description: str,
    *,
    sources: Iterable[str] = (),
    space: str = "",
    resolution: str | None = None,
    density: str | None = None,
    **fields: object,
) -> dict[str, Any]:
    """Return the content of the JSON beside a result.

    Parameters
    ----------
    description
        One sentence: what the file holds.
    sources
        Inputs as BIDS URIs, see `Dataset.bids_uris`.
    space, resolution, density
        As in a `Run`; empty space for files without one.
    **fields
        Anything else, under the name it has in JSON.
    """
    content: dict[str, Any] = {"Description": description, "Sources": list(dict.fromkeys(sources))}
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


def write_dataset_description(
    output_dir: Path,
    dataset: Dataset,
    *,
    configuration_hashes: Mapping[str, str] | None = None,
    stimuli_dir: Path | None = None,
) -> None:
    """Write ``dataset_description.json``; hashes of other recipes in it are kept.

    Parameters
    ----------
    output_dir
        Output folder.
    dataset, configuration_hashes, stimuli_dir
        As for `dataset_description`.

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    target = output_dir / "dataset_description.json"
    with output_lock(output_dir):
        hashes = {**configuration_hashes_of(output_dir), **(configuration_hashes or {})}
        content = dataset_description(
            dataset,
            output_dir,
            configuration_hashes=hashes,
            stimuli_dir=stimuli_dir,
        )
        if read_json(target) != content:
            write_json(target, content)


def configuration_hashes_of(output_dir: Path) -> dict[str, str]:
    """Return recipe and hash of the settings an output folder was made with; empty if none."""
    content = read_json(output_dir / "dataset_description.json")
    entries = content.get("GeneratedBy") if isinstance(content, dict) else None
    first = entries[0] if isinstance(entries, list) and entries else {}
    hashes = first.get("ConfigurationHash") if isinstance(first, dict) else None
    return {str(k): str(v) for k, v in hashes.items()} if isinstance(hashes, dict) else {}


def write_bidsignore(output_dir: Path) -> None:
    """Write ``.bidsignore``; lines that somebody added are kept."""
    path = output_dir / ".bidsignore"
    try:
        added = [line for line in path.read_text("utf-8").splitlines() if line not in BIDSIGNORE]
    except (OSError, UnicodeDecodeError):
        added = []
    _write_if_new(path, "".join(f"{line}\n" for line in (*BIDSIGNORE, *added)))


def write_readme(output_dir: Path) -> None:
    """Write ``README.md``, unless somebody else's stands there."""
    path = output_dir / "README.md"
    try:
        is_other = not path.read_text("utf-8").startswith(README_TITLE)
    except (OSError, UnicodeDecodeError):
        is_other = path.exists()
    if not is_other:
        _write_if_new(path, _README.format(title=README_TITLE, version=__version__))


def write_descriptions(output_dir: Path, descriptions: Mapping[str, str]) -> None:
    """Write ``descriptions.tsv``; what other recipes have written there is kept.

    Parameters
    ----------
    output_dir
        Output folder.
    descriptions
        Every ``desc-`` label in use, without ``desc-``, and what it means.
    """
    path = output_dir / "descriptions.tsv"
    with output_lock(output_dir):
        table = read_table(path) if path.exists() else None
        rows = () if table is None or isinstance(table, Problem) else table.rows
        known = {row["desc_id"]: row.get("description", "") for row in rows if "desc_id" in row}
        merged = known | {f"desc-{label}": text for label, text in descriptions.items()}
        if merged != known:
            lines = [{"desc_id": key, "description": merged[key]} for key in sorted(merged)]
            write_tsv(path, lines, ["desc_id", "description"])


def merge_table(
    output_dir: Path, name: str, rows: Sequence[Mapping[str, object]], *, key: str
) -> None:
    """Write a table of the output folder; rows with other values of `key` are kept.

    Parameters
    ----------
    output_dir
        Output folder.
    name
        POSIX path of the table in it.
    rows
        New rows, all with the same columns.
    key
        Column that says what rows belong together and replace each other.

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    path = output_dir / name
    renewed = {str(row[key]) for row in rows}
    with output_lock(output_dir):
        table = read_table(path) if path.exists() else None
        before = () if table is None or isinstance(table, Problem) else table.rows
        kept = [row for row in before if row.get(key) not in renewed]
        if rows or kept:
            write_tsv(path, [*kept, *rows], list((rows or kept)[0]))


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
