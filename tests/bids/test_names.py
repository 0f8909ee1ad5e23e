"""The grammar of file names: round trips, order, and names that must be refused."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bidsapp.bids.names import (
    ENTITY_ORDER,
    build_name,
    build_path,
    is_part_of,
    parse_name,
    relative_path,
    space_entities,
)
from bidsapp.errors import InputInvalidError

WORDS = "abcXYZ019"
INDEX = {"run", "echo", "flip", "inv", "split", "chunk"}
LABELS = st.text(alphabet=WORDS + "+", min_size=1, max_size=8)
NUMBERS = st.integers(0, 999).map(lambda n: f"{n:02d}")
SUFFIXES = st.text(alphabet=WORDS, min_size=1, max_size=8)
EXTENSIONS = st.sampled_from([".nii.gz", ".nii", ".func.gii", ".dscalar.nii", ".tsv", ".json"])


@st.composite
def entity_sets(draw: st.DrawFn) -> dict[str, str]:
    keys = draw(st.lists(st.sampled_from(ENTITY_ORDER), unique=True))
    return {key: draw(NUMBERS if key in INDEX else LABELS) for key in keys}


@given(entity_sets(), SUFFIXES, EXTENSIONS)
def test_a_name_survives_the_round_trip(entities, suffix, extension) -> None:
    name = parse_name(build_name(entities, suffix, extension))
    assert dict(name.entities) == entities
    assert (name.suffix, name.extension) == (suffix, extension)


@given(entity_sets(), SUFFIXES, EXTENSIONS)
def test_names_do_not_depend_on_the_order_of_entities(entities, suffix, extension) -> None:
    backwards = dict(reversed(entities.items()))
    assert build_path(backwards, suffix, extension) == build_path(entities, suffix, extension)
    keys = [part.split("-")[0] for part in build_name(entities, suffix, extension).split("_")][:-1]
    assert keys == sorted(keys, key=ENTITY_ORDER.index)


@given(st.text(max_size=20))
def test_no_label_leads_out_of_the_dataset(label) -> None:
    try:
        path = build_path({"sub": label, "ses": label, "desc": label}, "bold", ".nii.gz")
    except InputInvalidError:
        return
    assert len(PurePosixPath(path).parts) == 4
    assert ".." not in path
    assert parse_name(path).entities["sub"] == label


@given(st.text(max_size=40))
def test_reading_never_fails(text) -> None:
    name = parse_name(text)
    assert "/" not in name.suffix + name.extension


@pytest.mark.parametrize(
    "label", ["", "..", "a/b", "a b", "a_b", "a-b", "é", "01\n", "sub\0", "*", "٣"]
)
def test_hostile_labels_are_refused(label) -> None:
    with pytest.raises(InputInvalidError, match="cannot stand in a file name"):
        build_name({"sub": label}, "bold", ".nii.gz")


@pytest.mark.parametrize(
    ("entities", "suffix", "extension", "reason"),
    [
        ({"sub": "01", "run": "a"}, "bold", ".nii", "only digits"),
        ({"sub": "01", "colour": "red"}, "bold", ".nii", "unknown entities"),
        ({"sub": "01"}, "stat_map", ".nii", "suffix"),
        ({"sub": "01"}, "", ".nii", "suffix"),
        ({"sub": "01"}, "bold", "nii", "extension"),
        ({"sub": "01"}, "bold", "./../x", "extension"),
    ],
)
def test_what_is_not_a_name_is_refused(entities, suffix, extension, reason) -> None:
    with pytest.raises(InputInvalidError, match=reason):
        build_name(entities, suffix, extension)


def test_the_contract_s_names() -> None:
    space = space_entities("MNI152NLin2009cAsym", "2", None)
    names = {"sub": "01", "desc": "positive", "stat": "r", "model": "vggish"} | space
    assert build_path(names, "statmap", ".nii.gz") == (
        "sub-01/func/sub-01_space-MNI152NLin2009cAsym_res-2_model-vggish_stat-r_desc-positive"
        "_statmap.nii.gz"
    )
    surface = {"sub": "01", "hemi": "L", "desc": "parcels"} | space_entities("fsaverage5")
    assert build_path(surface, "dseg", ".label.gii") == (
        "sub-01/func/sub-01_hemi-L_space-fsaverage_den-10k_desc-parcels_dseg.label.gii"
    )
    group = {"space": "fsLR", "den": "91k", "stat": "t"}
    assert build_path(group, "statmap", ".dscalar.nii").startswith("group/space-fsLR_den-91k_")


@pytest.mark.parametrize(
    ("space", "res", "den", "expected"),
    [
        ("fsaverage5", None, None, {"space": "fsaverage", "den": "10k"}),
        ("fsaverage5", None, "10k", {"space": "fsaverage", "den": "10k"}),
        ("fsaverage", None, "10k", {"space": "fsaverage", "den": "10k"}),
        ("fsaverage", None, None, {"space": "fsaverage", "den": "164k"}),
        ("fsLR", None, "91k", {"space": "fsLR", "den": "91k"}),
        ("native", None, None, {}),
        ("T1w", None, None, {"space": "T1w"}),
    ],
)
def test_spaces_are_written_as_bids_knows_them(space, res, den, expected) -> None:
    assert space_entities(space, res, den) == expected


@pytest.mark.parametrize(
    ("name", "entities", "suffix", "extension"),
    [
        (
            "sub-01_task-rest_bold_space-fsaverage5.L.func.gii",
            {"sub": "01", "task": "rest", "hemi": "L", "space": "fsaverage5"},
            "bold",
            ".func.gii",
        ),
        (
            "sub-01_task-rest_space-fsaverage5_hemi-R.func.gii",
            {"sub": "01", "task": "rest", "hemi": "R", "space": "fsaverage5"},
            "bold",
            ".func.gii",
        ),
        (
            "sub-01_task-rest_bold_space-T1w_preproc.nii.gz",
            {"sub": "01", "task": "rest", "space": "T1w", "desc": "preproc"},
            "bold",
            ".nii.gz",
        ),
        (
            "sub-01_task-rest_bold_space-T1w_brainmask.nii.gz",
            {"sub": "01", "task": "rest", "space": "T1w", "desc": "brain"},
            "mask",
            ".nii.gz",
        ),
        (
            "sub-01_task-rest_bold_confounds.tsv",
            {"sub": "01", "task": "rest", "desc": "confounds"},
            "regressors",
            ".tsv",
        ),
    ],
)
def test_names_of_old_fmriprep(name, entities, suffix, extension) -> None:
    parsed = parse_name(Path("/data/sub-01/func") / name)
    assert dict(parsed.entities) == entities
    assert (parsed.suffix, parsed.extension) == (suffix, extension)


@given(st.text(max_size=40))
def test_relative_paths_stay_inside(text) -> None:
    try:
        clean = relative_path(text)
    except InputInvalidError:
        return
    path = PurePosixPath(clean)
    assert not path.is_absolute()
    assert ".." not in path.parts
    if "stimuli" not in path.parts:
        assert relative_path(clean) == clean


@pytest.mark.parametrize(
    "text",
    ["../a.wav", "a/../../b.wav", "/a.wav", "C:\\a.wav", "\\\\host\\a.wav", "", ".", "..\\a"],
)
def test_paths_that_lead_out_are_refused(text) -> None:
    with pytest.raises(InputInvalidError):
        relative_path(text)


@pytest.mark.parametrize(
    "text", ["a/b.wav", "./a/b.wav", "stimuli/a/b.wav", "a//b.wav", "a\\b.wav"]
)
def test_one_sound_has_one_name(text) -> None:
    assert relative_path(text) == "a/b.wav"


def test_run_numbers_are_compared_as_numbers() -> None:
    assert is_part_of({"run": "1"}, {"run": "01", "task": "x"})
    assert not is_part_of({"task": "1"}, {"task": "01"})
    assert not is_part_of({"acq": "a"}, {"run": "1"})
