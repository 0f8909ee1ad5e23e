"""What a participant's result depends on."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

from bidsapp.recipes.base.inputs import Inputs, _atlas

INPUTS = Inputs("01", "MNI152NLin2009cAsym", (), (), (), (), (), ())


def test_the_hash_follows_grey_matter(tmp_path: Path) -> None:
    path = tmp_path / "sub-01_label-GM_probseg.nii.gz"
    path.write_bytes(b"one")
    inputs = dataclasses.replace(INPUTS, grey_matter=path)
    assert inputs.files == (path,)
    before = inputs.identity()
    assert before != INPUTS.identity()
    path.write_bytes(b"another")
    assert inputs.identity() != before


def test_the_hash_follows_the_atlas(tmp_path: Path) -> None:
    path = tmp_path / "atlas.nii.gz"
    path.write_bytes(b"one")
    run = SimpleNamespace(space="MNI152NLin2009cAsym", kind="volume", bold=())
    config = SimpleNamespace(atlas=path)
    inputs = dataclasses.replace(INPUTS, atlas=_atlas(config, run))
    assert inputs.files == (path,)
    before = inputs.identity()
    path.write_bytes(b"another")
    assert inputs.identity() != before
    table = tmp_path / "atlas.tsv"
    table.touch()
    assert _atlas(config, run) == (path, table)
    assert _atlas(SimpleNamespace(atlas=None), run) == ()
