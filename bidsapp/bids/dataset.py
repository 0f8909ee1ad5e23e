"""What was given as BIDS_DIR, and where raw data, fMRIPrep derivatives and sounds lie.

These layouts are understood: a raw dataset with fMRIPrep in ``derivatives``, a raw dataset with
``-d fmriprep=PATH``, an fMRIPrep folder itself (its raw data in ``sourcedata/raw`` or where
``DatasetLinks`` says, as OpenNeuroDerivatives has it), and a study (``DatasetType: study``, raw
data in ``sourcedata/raw``). Derivatives are fMRIPrep only if they say so or look so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bidsapp.bids.records import Problem
from bidsapp.bids.sidecars import read_json
from bidsapp.errors import InputMissingError, UsageError

Layout = Literal["raw+derivatives", "derivatives only", "raw"]
_SUBJECT_FOLDER = re.compile(r"sub-([A-Za-z0-9+]+)")


@dataclass(frozen=True)
class Dataset:
    """A dataset as it lies on disk; nothing is indexed yet.

    Attributes
    ----------
    bids_dir
        What the user gave.
    root
        Raw dataset, if there is one.
    fmriprep
        fMRIPrep derivatives, if there are any.
    layout
        What was recognised.
    description
        ``dataset_description.json`` of the raw dataset, else of the derivatives; empty if broken.
    stimuli_dirs
        ``stimuli`` folders that exist in the dataset.
    derivatives
        Every folder given with ``-d NAME=PATH``.
    problems
        What was odd on the way.
    """

    bids_dir: Path
    root: Path | None
    fmriprep: Path | None
    layout: Layout
    description: Mapping[str, Any] = field(default_factory=dict)
    stimuli_dirs: tuple[Path, ...] = ()
    derivatives: Mapping[str, Path] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    @property
    def roots(self) -> tuple[Path, ...]:
        """The raw dataset and the derivatives, whichever exist."""
        return tuple(root for root in (self.root, self.fmriprep) if root is not None)

    def bids_uris(self, paths: Iterable[Path], stimuli_dir: Path | None = None) -> list[str]:
        """Return ``bids:<dataset>:<path>`` for each input; its bare name if it lies elsewhere.

        Parameters
        ----------
        paths
            Inputs.
        stimuli_dir
            ``--stimuli-dir``, referred to as ``stimuli``.
        """
        folders = self.links(stimuli_dir)
        return [_uri(path.absolute(), folders) for path in paths]

    def links(self, stimuli_dir: Path | None = None) -> dict[str, Path]:
        """Return the inputs under the names that BIDS URIs refer to, nested ones first."""
        named = {
            **self.derivatives,
            "fmriprep": self.fmriprep,
            "stimuli": stimuli_dir,
            "raw": self.root,
        }
        return {name: path.absolute() for name, path in named.items() if path is not None}


def _uri(path: Path, folders: Mapping[str, Path]) -> str:
    for name, folder in folders.items():
        if path.is_relative_to(folder):
            return f"bids:{name}:{path.relative_to(folder).as_posix()}"
    return path.name


def open_dataset(bids_dir: Path, derivatives: Mapping[str, Path] | None = None) -> Dataset:
    """Find out what `bids_dir` is.

    Parameters
    ----------
    bids_dir
        Raw BIDS dataset or fMRIPrep folder.
    derivatives
        Name to folder, as given with ``-d``.

    Raises
    ------
    InputMissingError
        A folder does not exist, or holds no ``sub-`` folder.
    UsageError
        Several fMRIPrep folders lie in ``derivatives/`` and none was chosen.
    """
    given = {name: _existing(path, f"-d {name}") for name, path in (derivatives or {}).items()}
    bids_dir = _existing(bids_dir, "BIDS_DIR")
    description, problems = _description(bids_dir)
    layout: Layout
    root: Path | None
    fmriprep: Path | None
    if _is_derivative(bids_dir, description):
        root, fmriprep = _raw_above(bids_dir), bids_dir
        layout = "derivatives only"
    else:
        root = bids_dir / "sourcedata" / "raw" if _is_study(bids_dir, description) else bids_dir
        root = root if root.is_dir() else bids_dir
        fmriprep = _chosen(given) or _found(bids_dir) or _found(root)
        layout = "raw+derivatives" if fmriprep else "raw"
        if fmriprep is None:
            problems += _other_derivatives(bids_dir)
    if fmriprep is not None and not _labels(fmriprep):
        what = "holds no sub-* folder (a datalad dataset that is not installed?)"
        problems.append(Problem(fmriprep, what, f"fetch it with `datalad get {fmriprep}`"))
    dataset = Dataset(
        bids_dir=bids_dir,
        root=root,
        fmriprep=fmriprep,
        layout=layout,
        description=description,
        stimuli_dirs=_stimuli(root, fmriprep),
        derivatives=given,
        problems=tuple(problems),
    )
    if not participants(dataset):
        msg = f"{bids_dir} holds no sub-* folder; give the root of a BIDS dataset or of fMRIPrep"
        raise InputMissingError(msg)
    return dataset


def participants(dataset: Dataset) -> list[str]:
    """Return the participants' labels without ``sub-``, sorted.

    A participant is a ``sub-`` folder; ``participants.tsv`` is not consulted. When BIDS_DIR is an
    fMRIPrep folder only its own participants count.
    """
    roots = (dataset.bids_dir,) if dataset.layout == "derivatives only" else dataset.roots
    return sorted({label for root in roots for label in _labels(root)})


def _labels(root: Path) -> list[str]:
    if not root.is_dir():
        return []
    matches = (_SUBJECT_FOLDER.fullmatch(path.name) for path in root.iterdir() if path.is_dir())
    return [match[1] for match in matches if match]


def _existing(path: Path, what: str) -> Path:
    if not path.is_dir():
        msg = f"{what}: folder {path} does not exist; check the path and the container's mounts"
        raise InputMissingError(msg)
    return path.absolute()


def _description(root: Path) -> tuple[dict[str, Any], list[Problem]]:
    content = read_json(root / "dataset_description.json")
    return ({}, [content]) if isinstance(content, Problem) else (content, [])


def pipelines(description: Mapping[str, Any]) -> list[str]:
    """Return the names of the pipelines that made a dataset; empty if the entry is odd."""
    entries = description.get("GeneratedBy")
    old = description.get("PipelineDescription")
    made_by = [*(entries if isinstance(entries, list) else [entries]), old]
    return [str(entry["Name"]) for entry in made_by if isinstance(entry, dict) and "Name" in entry]


def _is_derivative(root: Path, description: Mapping[str, Any]) -> bool:
    if description.get("DatasetType") == "derivative" or _names_fmriprep(description):
        return True
    if description.get("DatasetType") == "raw":
        return False
    return not _is_study(root, description) and _looks_like_fmriprep(root)


def _looks_like_fmriprep(root: Path) -> bool:
    """Whether a folder holds files that only fMRIPrep writes: its BOLD, its confounds."""
    names = (
        *("*_desc-preproc_bold.nii*", "*_desc-confounds_*.tsv", "*_space-fsaverage*.func.gii"),
        *("*_bold_confounds.tsv", "*_bold_space-*_preproc.nii*", "*_bold.dtseries.nii"),
    )
    return any(
        next(root.glob(f"{place}/{name}"), None) is not None
        for place in ("sub-*/func", "sub-*/ses-*/func")
        for name in names
    )


def _is_study(root: Path, description: Mapping[str, Any]) -> bool:
    return description.get("DatasetType") == "study" or (
        not _labels(root) and (root / "sourcedata" / "raw").is_dir()
    )


def _names_fmriprep(description: Mapping[str, Any]) -> bool:
    return any("fmriprep" in name.lower() for name in pipelines(description))


def _raw_above(folder: Path) -> Path | None:
    """Raw dataset a folder of derivatives was made from.

    The one that lies in its ``sourcedata/raw``, the one ``DatasetLinks`` leads to, or the one in
    whose ``derivatives/`` it lies.
    """
    links = _description(folder)[0].get("DatasetLinks")
    listed = links.values() if isinstance(links, dict) else ()
    local = [text.removeprefix("file://") for text in listed if isinstance(text, str)]
    for text in ("sourcedata/raw", *(text for text in local if text and "://" not in text)):
        linked = folder / text
        if linked.is_dir() and _labels(linked) and linked.resolve() != folder.resolve():
            return linked
    for parent in folder.parents[:3]:
        if parent.name == "derivatives" and (parent.parent / "dataset_description.json").exists():
            return parent.parent
    return None


def _chosen(given: Mapping[str, Path]) -> Path | None:
    if not given:
        return None
    named = [name for name in given if name.lower().startswith("fmriprep")]
    named += [name for name in given if _names_fmriprep(_description(given[name])[0])]
    if not named and len(given) > 1:
        msg = f"none of -d {sorted(given)} is fMRIPrep; name it: -d fmriprep=PATH"
        raise UsageError(msg)
    return _inner(given[named[0] if named else next(iter(given))])


def _found(root: Path) -> Path | None:
    folder = root / "derivatives"
    if not folder.is_dir():
        return None
    below = sorted(path for path in folder.iterdir() if path.is_dir())
    candidates = [path for path in below if path.name.startswith("fmriprep")]
    candidates = candidates or [path for path in below if _says_fmriprep(path)]
    if len(candidates) > 1:
        names = ", ".join(path.name for path in candidates)
        msg = f"{folder} holds several fMRIPrep folders ({names}); choose one: -d fmriprep=PATH"
        raise UsageError(msg)
    if candidates:
        return _inner(candidates[0])
    # fMRIPrep whose output folder was ``derivatives`` itself
    is_own = _labels(folder) and (_says_fmriprep(folder) or _looks_like_fmriprep(folder))
    return folder if is_own else None


def _says_fmriprep(folder: Path) -> bool:
    return _names_fmriprep(_description(folder)[0])


def _other_derivatives(root: Path) -> list[Problem]:
    """Name the derivatives that are not fMRIPrep's, so that nobody wonders why."""
    folder = root / "derivatives"
    if not folder.is_dir():
        return []
    candidates = [folder, *(path for path in sorted(folder.iterdir()) if path.is_dir())]
    others = [path for path in candidates if _labels(path)]
    if not others:
        return []
    named = []
    for path in others:
        made_by = " and ".join(pipelines(_description(path)[0]))
        name = path.relative_to(root).as_posix()
        named.append(f"{name} ({made_by or 'no GeneratedBy'})")
    what = (
        f"holds derivatives that neither say nor look as if fMRIPrep made them: {', '.join(named)}"
    )
    return [Problem(root, what, "if one is to be used, give it with -d fmriprep=PATH")]


def _inner(folder: Path) -> Path:
    """Return the folder with the participants: ``fmriprep/fmriprep`` in the legacy layout."""
    if not _labels(folder) and (folder / "fmriprep").is_dir():
        return folder / "fmriprep"
    return folder


def _stimuli(root: Path | None, fmriprep: Path | None) -> tuple[Path, ...]:
    folders = [base / "stimuli" for base in (root, fmriprep) if base is not None]
    return tuple(folder for folder in folders if folder.is_dir())
