"""A TEMPLATEFLOW_HOME in the layout of the client, filled with the few files that a test needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

SIZES = {"3k": 2562, "10k": 10242, "41k": 40962, "164k": 163842}


def write_surface_atlas(
    home: Path,
    atlas: str,
    labels: Mapping[str, NDArray[np.integer]],
    names: Mapping[int, str],
    *,
    density: str = "10k",
    template: str = "fsaverage",
    table: bool = True,
) -> list[Path]:
    """Write both hemispheres and the table; names stand in the table only, as in TemplateFlow."""
    folder = home / f"tpl-{template}"
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for side in "LR":
        data = nib.gifti.GiftiDataArray(labels[side].astype(np.int32), "NIFTI_INTENT_LABEL")
        path = folder / f"tpl-{template}_hemi-{side}_den-{density}_atlas-{atlas}_dseg.label.gii"
        nib.save(nib.gifti.GiftiImage(darrays=[data]), path)
        paths.append(path)
    if table:
        rows = [f"{index}\t{side}\t{name}" for side in "LR" for index, name in names.items()]
        text = "\n".join(["index\themi\tname", *rows]) + "\n"
        plain = atlas.partition("_")[0] if "_scale" not in atlas else atlas
        (folder / f"tpl-{template}_atlas-{plain}_dseg.tsv").write_text(text)
    return paths


def write_volume(home: Path, template: str, name: str, image: nib.Nifti1Image) -> Path:
    """Write a volume of a template; the cohort is read from the template's name."""
    plain, _, cohort = template.partition("+")
    folder = home / f"tpl-{plain}" / (f"cohort-{cohort}" if cohort else "")
    folder.mkdir(parents=True, exist_ok=True)
    middle = f"tpl-{plain}_cohort-{cohort}" if cohort else f"tpl-{plain}"
    path = folder / f"{middle}_{name}.nii.gz"
    nib.save(image, path)
    return path


def write_table(home: Path, template: str, name: str, names: Sequence[str]) -> Path:
    """Write a table of names numbered from 1."""
    folder = home / f"tpl-{template}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"tpl-{template}_{name}.tsv"
    rows = [f"{index}\t{name}" for index, name in enumerate(names, start=1)]
    path.write_text("\n".join(["index\tname", *rows]) + "\n")
    return path
