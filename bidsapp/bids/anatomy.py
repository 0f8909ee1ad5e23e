"""Anatomical images that belong to the space of a run: fMRIPrep's, else the template's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bidsapp.bids.names import parse_name, space_of
from bidsapp.bids.templateflow import nearest_to_bold, template_files

_PATTERNS = ("*_label-GM_probseg.nii.gz", "*_class-GM_probtissue.nii.gz")


def find_grey_matter(
    fmriprep: Path | None, subject: str, space: str, resolution: str | None
) -> Path | None:
    """Find the probability of grey matter that fMRIPrep wrote for a participant in a space.

    Parameters
    ----------
    fmriprep
        Folder of the derivatives.
    subject, space, resolution
        As in `bidsapp.bids.records.Run`. BOLD in the native space of its run is on no grid that
        the anatomy is known on.

    Returns
    -------
    Path or None
        That of the same resolution if there is one, else the first by name.
    """
    if fmriprep is None:
        return None
    candidates = []
    for path in _candidates(fmriprep / f"sub-{subject}"):
        entities = parse_name(path.name).entities
        own_space = space_of(entities)
        if own_space == "native":  # in `anat` a name without space is that of the anatomy
            own_space = "T1w"
        if own_space == space:
            candidates.append((entities.get("res") != resolution, path))
    return min(candidates)[1] if candidates else None


def template_grey_matter(space: str) -> Path | None:
    """Find the probability of grey matter of a template, if TemplateFlow's is on this machine.

    Parameters
    ----------
    space
        As in `bidsapp.bids.records.Run`, cohort included: ``MNIPediatricAsym+2``.

    Returns
    -------
    Path or None
        At 2 mm, where BOLD is, if there are several resolutions.
    """
    images = template_files(
        space, label="GM", suffix="probseg", extension=".nii.gz", atlas=None, desc=None
    )
    return nearest_to_bold(images) if images else None


def is_of_template(path: Path) -> bool:
    """Whether an image is a template's, the same for every participant."""
    return path.name.startswith("tpl-")


def _candidates(folder: Path) -> Iterator[Path]:
    for pattern in _PATTERNS:
        yield from folder.glob(f"anat/{pattern}")
        yield from folder.glob(f"ses-*/anat/{pattern}")
