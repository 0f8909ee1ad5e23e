"""A folder of neuromaps filled with maps that a test makes, under the names of the package."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from bidsapp.bids.neuromaps import annotation_name, records


def write_annotation(
    home: Path, wish: str, *sides: NDArray[np.floating] | nib.Nifti1Image
) -> None:
    """Write the hemispheres (in the order left, right) or the volume of an annotation."""
    listed = sorted(records(annotation_name(wish)), key=lambda record: str(record["fname"]))
    assert len(listed) == len(sides), wish
    for record, side in zip(listed, sides, strict=True):
        path = home / "annotations" / record["rel_path"] / record["fname"]
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(side, np.ndarray):
            data = nib.gifti.GiftiDataArray(side.astype(np.float32), "NIFTI_INTENT_SHAPE")
            nib.save(nib.gifti.GiftiImage(darrays=[data]), path)
        else:
            nib.save(side, path)
