"""Maps of an output folder as images of nilearn and nibabel."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bidsapp.errors import InputInvalidError
from bidsapp.results.load import map_files


def load_maps(
    output_dir: Path | str,
    desc: str,
    *,
    participant: str | None = None,
    stat: str | None = None,
    model: str | None = None,
    space: str | None = None,
) -> Any:
    """Return maps of an output folder of the app as an image of nilearn or nibabel.

    Parameters
    ----------
    output_dir
        Output folder of the app.
    desc
        ``desc-`` label (``gradientspositivelags``; `descriptions.tsv` lists them).
    participant
        Label without ``sub-``; None for the group.
    stat, model, space
        Further entities, where several files have the label. The label of label maps and masks
        ends in the network: give it there, or as `model`.

    Returns
    -------
    nilearn.surface.SurfaceImage, nibabel.Nifti1Image or nibabel.Cifti2Image
        One map after the other along the last axis.

    Raises
    ------
    InputMissingError
        Nothing has these entities.
    InputInvalidError
        Several have, or a surface is neither fsaverage5 nor fsLR-32k.
    """
    import nibabel as nib

    wanted = {"desc": desc, "stat": stat, "model": model, "space": space}
    sides = map_files(
        output_dir, participant, {key: value for key, value in wanted.items() if value is not None}
    )
    if "" in sides:
        return nib.load(sides[""])
    return _surface_image(sides)


def _surface_image(sides: Mapping[str, Path]) -> Any:
    import nibabel as nib
    from nilearn.datasets import load_fsaverage
    from nilearn.surface import PolyMesh, SurfaceImage

    pial = load_fsaverage("fsaverage5")["pial"].parts
    names = {"L": "left", "R": "right"}
    data: dict[str, npt.NDArray[np.float32]] = {}
    for side, path in sides.items():
        image: Any = nib.load(path)
        values = np.stack([array.data for array in image.darrays], axis=-1)
        n_vertices = pial[names[side]].n_vertices
        if len(values) != n_vertices:
            msg = f"{path}: {len(values)} vertices; meshes come for fsaverage5 ({n_vertices}) only"
            raise InputInvalidError(msg)
        data[names[side]] = values.astype(np.float32)
    return SurfaceImage(PolyMesh(**{side: pial[side] for side in data}), data)
