"""Memory of the whole group level does not grow with the number of participants."""

from __future__ import annotations

import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bidsapp.brain.geometry import UnitSpace
from bidsapp.recipes.base import group_maps
from bidsapp.recipes.base.group import GroupInputs
from bidsapp.recipes.base.study import GroupStudy
from bidsapp.recipes.gradients.group import group
from bidsapp.recipes.gradients.settings import GradientsGroupSettings

SETTINGS = GradientsGroupSettings(
    n_rotations=64, n_swapped_rotations=0, n_bootstrap=50, n_flips=200, references=("gradient1",)
)


def copy_participant(output: Path, source: str, target: str) -> None:
    """Give a participant's files to another one."""
    folder = output / f"sub-{target}" / "func"
    folder.mkdir(parents=True)
    for path in (output / f"sub-{source}" / "func").iterdir():
        shutil.copy(path, folder / path.name.replace(f"sub-{source}", f"sub-{target}"))


def test_forty_participants_take_no_more_than_ten(
    tmp_path: Path,
    write: Callable[..., None],
    make_study: Callable[..., GroupStudy],
    find: Callable[..., list[GroupInputs]],
    fsaverage5: UnitSpace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(group_maps, "_SLAB_BYTES", 4 << 20)
    for number in (1, 2):
        rng = np.random.default_rng(number)
        r = 0.1 * rng.standard_normal((3, fsaverage5.n_units)).astype(np.float32)
        scores = {("vggish", "positive"): r + 0.05}
        write(tmp_path, f"{number:02d}", fsaverage5, scores, layers=("a", "b", "c"))
    for number in range(3, 41):
        copy_participant(tmp_path, f"{1 + number % 2:02d}", f"{number:02d}")
    labels = [f"{number:02d}" for number in range(1, 41)]
    peaks = []
    for n in (2, 10, 40):  # the first one compiles and fills caches
        (inputs,) = find(tmp_path, participant_label=tuple(labels[:n]))
        study = make_study(inputs, tmp_path / f"out{n}", SETTINGS)
        if n > 2:
            tracemalloc.start()
        with study.staging:
            group(study)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.2 * peaks[1]
    thirty_more = 30 * 3 * fsaverage5.n_units * 4
    assert peaks[2] - peaks[1] < thirty_more / 4
    assert not list((tmp_path / "out40" / ".work" / "group").iterdir())
