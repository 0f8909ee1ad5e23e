"""Finding runs in trees as odd as the real ones."""

from __future__ import annotations

import pickle

import pytest

from bidsapp.bids.dataset import open_dataset
from bidsapp.bids.index import Filters, find_acquisitions, find_runs, spaces
from bidsapp.errors import InputInvalidError, InputMissingError, UsageError

MNI = "MNI152NLin2009cAsym"


def names(runs) -> list[str]:
    return [run.name for run in runs]


def test_runs_in_each_space(study) -> None:
    raw, _prep = study
    dataset = open_dataset(raw.root)
    assert spaces(dataset, "01") == {"fsaverage5": 2, "fsLR": 2, MNI: 2}
    for space, kind in (("fsaverage5", "gifti"), ("fsLR", "cifti"), (MNI, "volume")):
        runs, problems = find_runs(dataset, "01", space=space)
        assert problems == []
        assert names(runs) == ["sub-01_task-music_run-1", "sub-01_task-music_run-2"]
        assert {(run.kind, run.space, run.n_trs, run.tr_s) for run in runs} == {
            (kind, space, 20, 2.0)
        }
        assert runs[0].confounds.name == "sub-01_task-music_run-1_desc-confounds_timeseries.tsv"
    assert find_runs(dataset, "01")[0][0].space == "fsaverage5"


def test_what_a_volume_run_holds(study) -> None:
    raw, prep = study
    run = find_runs(open_dataset(raw.root), "01", space=MNI)[0][0]
    base = prep.root / "sub-01" / "func" / f"sub-01_task-music_run-1_space-{MNI}_res-2"
    assert run.bold == (base.with_name(f"{base.name}_desc-preproc_bold.nii.gz"),)
    assert run.mask == base.with_name(f"{base.name}_desc-brain_mask.nii.gz")
    assert (run.resolution, run.density, run.preprocessed) == ("2", None, True)
    assert run.duration_s == 40.0


@pytest.mark.parametrize(
    "name",
    [
        "sub-01_task-a_hemi-{h}_space-fsaverage5_bold.func.gii",
        "sub-01_task-a_space-fsaverage5_hemi-{h}_bold.func.gii",
        "sub-01_task-a_hemi-{h}_space-fsaverage5_den-10k_bold.func.gii",
        "sub-01_task-a_hemi-{h}_space-fsaverage_den-10k_bold.func.gii",
        "sub-01_task-a_space-fsaverage5_hemi-{h}.func.gii",
        "sub-01_task-a_bold_space-fsaverage5.{h}.func.gii",
    ],
)
def test_every_spelling_of_fsaverage5(tree, name) -> None:
    prep = tree("prep")
    prep.fmriprep_description()
    for hemi in "RL":
        prep.gifti("sub-01/func/" + name.format(h=hemi))
    prep.json("sub-01/func/sub-01_task-a_bold.json", {"RepetitionTime": 1.5})
    prep.tsv("sub-01/func/sub-01_task-a_bold_confounds.tsv", "X", "0")
    runs, problems = find_runs(open_dataset(prep.root), "01", space="fsaverage5")
    assert problems == []
    assert [path.name for path in runs[0].bold] == [name.format(h="L"), name.format(h="R")]
    assert (runs[0].tr_s, runs[0].n_trs) == (1.5, 20)
    assert runs[0].confounds is not None


def test_a_hemisphere_without_partner(study) -> None:
    raw, prep = study
    next(prep.root.glob("**/*run-2_hemi-R*.func.gii")).unlink()
    runs, problems = find_runs(open_dataset(raw.root), "01", space="fsaverage5")
    assert names(runs) == ["sub-01_task-music_run-1"]
    assert "hemi-L" in str(problems[0])
    assert "partner" in problems[0].what


def test_hemispheres_of_different_length(study) -> None:
    raw, prep = study
    prep.gifti("sub-01/func/sub-01_task-music_run-2_hemi-R_space-fsaverage5_bold.func.gii", 19)
    runs, problems = find_runs(open_dataset(raw.root), "01", space="fsaverage5")
    assert names(runs) == ["sub-01_task-music_run-1"]
    assert "20 volumes and the other hemisphere 19" in problems[0].what


@pytest.mark.parametrize("content", ["", "{", "[]", "not json", '{"RepetitionTime": "two"}'])
def test_no_broken_json_stops_the_index(study, content) -> None:
    raw, prep = study
    for folder in (raw.root, prep.root):
        for name in (
            *("dataset_description.json", "layout_config.json", "sub-01/func/layout_config.json"),
            *("task-other_bold.json", "sub-02/func/sub-02_task-music_run-1_bold.json"),
            f"sub-01/func/sub-01_task-music_run-1_space-{MNI}_res-2_desc-preproc_bold.json",
        ):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
    dataset = open_dataset(raw.root, {"fmriprep": prep.root})
    runs, problems = find_runs(dataset, "01", space=MNI)
    assert len(runs) == 2
    assert runs[0].tr_s == 2.0  # from the root sidecar or the header
    if not content.startswith('{"'):
        assert {problem.path.name for problem in problems} == {
            f"sub-01_task-music_run-1_space-{MNI}_res-2_desc-preproc_bold.json"
        }


def test_other_participants_are_not_looked_at(study, monkeypatch) -> None:
    raw, prep = study
    dataset = open_dataset(raw.root)
    (prep.root / "sub-03").symlink_to(prep.root / "sub-03")  # a loop: listing it fails
    (prep.root / "sub-02" / "func").mkdir(parents=True)
    (prep.root / "sub-02" / "func").chmod(0)
    assert len(find_runs(dataset, "01", space=MNI)[0]) == 2
    (prep.root / "sub-02" / "func").chmod(0o755)


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda path: path.write_bytes(b""), "0 bytes"),
        (lambda path: (path.unlink(), path.symlink_to("../.git/annex/x")), "target is absent"),
        (lambda path: path.write_text("/annex/objects/MD5E-s12--abc.nii.gz"), "pointer"),
        (lambda path: path.write_bytes(b"not an image" * 200), "no readable header"),
    ],
)
@pytest.mark.parametrize(
    ("space", "pattern"),
    [
        (MNI, "*run-1*preproc_bold.nii.gz"),
        ("fsaverage5", "*run-1_hemi-L*.gii"),
        ("fsLR", "*run-1*91k*.nii"),
    ],
)
def test_images_that_are_not_there(study, spoil, what, space, pattern) -> None:
    raw, prep = study
    path = next(prep.root.glob(f"sub-01/func/{pattern}"))
    spoil(path)
    runs, problems = find_runs(open_dataset(raw.root), "01", space=space)
    assert names(runs) == ["sub-01_task-music_run-2"]
    assert problems[0].path == path
    assert what in problems[0].what
    if what != "no readable header":
        assert f"datalad get {path}" in problems[0].remedy


def test_empty_mask_and_confounds_are_told(study) -> None:
    raw, prep = study
    for path in prep.root.glob("**/*run-1*"):
        if path.name.endswith(("mask.nii.gz", "timeseries.tsv")):
            path.write_bytes(b"")
    runs, problems = find_runs(open_dataset(raw.root), "01", space=MNI)
    assert (runs[0].mask, runs[0].confounds) == (None, None)
    assert runs[1].mask is not None
    assert sorted(problem.what for problem in problems) == ["has 0 bytes", "has 0 bytes"]


def test_sessions_uncompressed_and_three_digits(tree) -> None:
    raw = tree("raw")
    raw.description()
    raw.json("task-Training_bold.json", {"RepetitionTime": 1.5})
    for session in ("a", "b"):
        for number in ("01", "02", "10"):
            name = f"sub-001_ses-{session}_task-Training_run-{number}_bold.nii"
            raw.volume(f"sub-001/ses-{session}/func/{name}", tr=1.5)
    dataset = open_dataset(raw.root)
    allow = Filters(allow_raw_bold=True)
    runs, problems = find_runs(dataset, "001", filters=allow)
    assert problems == []
    assert [(run.entities["ses"], run.entities["run"]) for run in runs] == [
        (session, number) for session in "ab" for number in ("01", "02", "10")
    ]
    assert not runs[0].preprocessed
    assert runs[0].space == "native"
    only = Filters(sessions=("b",), allow_raw_bold=True)
    assert len(find_runs(dataset, "001", filters=only)[0]) == 3


def test_raw_bold_needs_permission(study) -> None:
    raw, _ = study
    dataset = open_dataset(raw.root)
    runs, problems = find_runs(dataset, "02", space="native")
    assert runs == []
    assert "--allow-raw-bold" in problems[0].remedy
    assert spaces(dataset, "02") == {}
    assert spaces(dataset, "02", Filters(allow_raw_bold=True)) == {"native": 1}


def test_a_participant_without_bold(tree) -> None:
    prep = tree("prep")
    prep.fmriprep_description()
    prep.text("sub-22/beh/sub-22_task-x_beh.tsv", "a\n")
    runs, problems = find_runs(open_dataset(prep.root), "22", space="fsaverage5")
    assert runs == []
    assert "no BOLD" in problems[0].what


def test_a_space_that_is_not_offered(study) -> None:
    raw, _ = study
    with pytest.raises(InputMissingError, match=r"fsaverage5 \(2 runs\), fsLR \(2 runs\)"):
        find_runs(open_dataset(raw.root), "01", space="MNIPediatricAsym")


def test_spaces_in_order_of_preference(tree) -> None:
    prep = tree("prep")
    prep.fmriprep_description()
    for space in ("T1w", "MNI152NLin6Asym", "OASIS30ANTs", MNI):
        prep.volume(f"sub-01/func/sub-01_task-a_space-{space}_desc-preproc_bold.nii.gz")
    prep.volume("sub-01/func/sub-01_task-a_desc-preproc_bold.nii.gz")
    prep.volume(
        "sub-01/func/sub-01_task-a_space-MNI152NLin6Asym_desc-smoothAROMAnonaggr_bold.nii.gz"
    )
    offered = spaces(open_dataset(prep.root), "01")
    assert list(offered) == [MNI, "MNI152NLin6Asym", "OASIS30ANTs", "T1w", "native"]
    assert offered["MNI152NLin6Asym"] == 1


class TestVariants:
    """One acquisition must not be analysed twice."""

    @pytest.fixture
    def dataset(self, tree):
        raw = tree("raw")
        raw.description()
        for acq in ("raw", "dico"):
            for number in ("01", "02"):
                raw.volume(f"sub-01/func/sub-01_task-gump_acq-{acq}_run-{number}_bold.nii.gz")
        raw.volume("sub-01/func/sub-01_task-other_run-01_bold.nii.gz")
        raw.volume("sub-01/func/sub-01_task-other_rec-dico_run-01_bold.nii.gz")
        return open_dataset(raw.root)

    def test_they_are_refused_with_the_choices(self, dataset) -> None:
        with pytest.raises(InputInvalidError, match=r"2 variants \(acq-dico, acq-raw\)") as error:
            find_runs(dataset, "01", filters=Filters(tasks=("gump",), allow_raw_bold=True))
        assert '{"bold": {"acquisition": "dico"}}' in str(error.value)
        assert "--bids-filter-file" in str(error.value)
        with pytest.raises(InputInvalidError, match=r"\(no rec, rec-dico\)|\(rec-dico, no rec\)"):
            find_runs(dataset, "01", filters=Filters(tasks=("other",), allow_raw_bold=True))

    @pytest.mark.parametrize(
        ("query", "n_runs"),
        [
            ({"acquisition": "dico"}, 2),
            ({"acq": "dico"}, 2),
            ({"acquisition": None, "reconstruction": None}, 1),
            ({"acquisition": None, "reconstruction": "*"}, 1),
            ({"acquisition": "*"}, 4),
            ({"acquisition": ["raw", "dico"], "run": 1}, 2),
            ({"acquisition": ["raw", None], "reconstruction": None}, 3),
            ({"acquisition": "raw", "run": [1, 2]}, 2),
            ({"acquisition": "Query.NONE", "reconstruction": "Query.ANY"}, 1),
        ],
    )
    def test_filters_choose_as_in_fmriprep(self, dataset, query, n_runs) -> None:
        filters = Filters(bids_filter={"bold": query}, allow_raw_bold=True)
        assert len(find_runs(dataset, "01", filters=filters)[0]) == n_runs

    def test_a_filter_that_matches_nothing_is_an_error(self, dataset) -> None:
        filters = Filters(bids_filter={"bold": {"acquisition": "rwa"}}, allow_raw_bold=True)
        with pytest.raises(InputMissingError, match="none of the 6 BOLD files of sub-01"):
            find_runs(dataset, "01", filters=filters)

    def test_a_task_that_is_not_there_is_told(self, dataset) -> None:
        filters = Filters(tasks=("rest",), allow_raw_bold=True)
        runs, problems = find_runs(dataset, "01", filters=filters)
        assert runs == []
        assert "no BOLD of task-rest; it has task-gump, task-other" in problems[0].what

    def test_all_are_listed_by_name(self, dataset) -> None:
        found, problems = find_acquisitions(dataset, "01", Filters(allow_raw_bold=True))
        assert len(found) == 6
        assert problems == []


def test_resolutions_are_chosen_with_the_space(tree) -> None:
    prep = tree("prep")
    prep.fmriprep_description()
    for res in ("2", "native"):
        prep.volume(f"sub-01/func/sub-01_task-a_space-{MNI}_res-{res}_desc-preproc_bold.nii.gz")
        prep.mask(f"sub-01/func/sub-01_task-a_space-{MNI}_res-{res}_desc-brain_mask.nii.gz")
    dataset = open_dataset(prep.root)
    assert list(spaces(dataset, "01")) == [f"{MNI}:res-2", f"{MNI}:res-native"]
    with pytest.raises(InputInvalidError, match="res-2, res-native"):
        find_runs(dataset, "01", space=MNI)
    run = find_runs(dataset, "01", space=f"{MNI}:res-native")[0][0]
    assert run.resolution == "native"
    assert "res-native" in run.mask.name


def test_the_combined_echo_wins(tree) -> None:
    prep = tree("prep")
    prep.fmriprep_description()
    for echo in ("", "_echo-1", "_echo-2"):
        prep.volume(f"sub-01/func/sub-01_task-a{echo}_desc-preproc_bold.nii.gz")
    prep.tsv("sub-01/func/sub-01_task-a_desc-confounds_timeseries.tsv", "x", "0")
    dataset = open_dataset(prep.root)
    assert names(find_runs(dataset, "01", space="native")[0]) == ["sub-01_task-a"]
    second = Filters(bids_filter={"bold": {"echo": "2"}})
    run = find_runs(dataset, "01", space="native", filters=second)[0][0]
    assert run.name == "sub-01_task-a_echo-2"
    assert run.confounds is not None


def test_phase_images_are_left_out(tree) -> None:
    raw = tree("raw")
    raw.description()
    raw.volume("sub-01/func/sub-01_task-a_part-mag_bold.nii.gz")
    raw.volume("sub-01/func/sub-01_task-a_part-phase_bold.nii.gz")
    raw.volume("sub-01/func/sub-01_task-a_sbref.nii.gz")
    runs, _ = find_runs(open_dataset(raw.root), "01", filters=Filters(allow_raw_bold=True))
    assert names(runs) == ["sub-01_task-a_part-mag"]


def test_a_path_that_looks_like_bids_renames_nobody(tree) -> None:
    prep = tree("sub-project/ses-2024/task-force/acq-x/func")
    prep.fmriprep_description()
    prep.fmriprep_run("sub-01_task-music")
    runs, problems = find_runs(
        open_dataset(prep.root),
        "01",
        space=MNI,
        filters=Filters(bids_filter={"bold": {"session": None}}),
    )
    assert problems == []
    assert names(runs) == ["sub-01_task-music"]


def test_companions_are_matched_by_entities_not_by_prefix(tree) -> None:
    prep = tree("prep")
    prep.fmriprep_description()
    for name in ("sub-01_task-music", "sub-01_task-music_run-2", "sub-01_task-musical"):
        prep.fmriprep_run(name)
    for run in find_runs(open_dataset(prep.root), "01", space=MNI)[0]:
        assert run.confounds.name == f"{run.name}_desc-confounds_timeseries.tsv"
        assert run.mask.name.startswith(f"{run.name}_space")


def test_newer_confounds_win_over_older_names(tree) -> None:
    prep = tree("prep")
    prep.fmriprep_description()
    prep.fmriprep_run("sub-01_task-music")
    prep.tsv("sub-01/func/sub-01_task-music_desc-confounds_regressors.tsv", "x", "0")
    run = find_runs(open_dataset(prep.root), "01", space=MNI)[0][0]
    assert run.confounds.name.endswith("timeseries.tsv")
    run.confounds.unlink()
    run = find_runs(open_dataset(prep.root), "01", space=MNI)[0][0]
    assert run.confounds.name.endswith("regressors.tsv")


class TestRepetitionTime:
    """From the sidecar, else from the header."""

    @pytest.fixture
    def dataset(self, tree):
        prep = tree("prep")
        prep.fmriprep_description()
        self.prep = prep
        self.base = "sub-01/func/sub-01_task-a_desc-preproc_bold"
        return lambda: open_dataset(prep.root)

    def run(self, dataset):
        return find_runs(dataset(), "01", space="native")

    @pytest.mark.parametrize(
        ("tr", "unit", "expected"),
        [(2.0, "sec", 2.0), (2000.0, "msec", 2.0), (2000.0, "sec", 2.0), (720.0, "unknown", 0.72)],
    )
    def test_header_units(self, dataset, tr, unit, expected) -> None:
        self.prep.volume(f"{self.base}.nii.gz", tr=tr, unit=unit)
        runs, _ = self.run(dataset)
        assert runs[0].tr_s == pytest.approx(expected)

    def test_the_sidecar_wins_and_contradictions_are_told(self, dataset) -> None:
        self.prep.volume(f"{self.base}.nii.gz", tr=1.0)
        self.prep.json(f"{self.base}.json", {"RepetitionTime": 2.0})
        runs, problems = self.run(dataset)
        assert runs[0].tr_s == 2.0
        assert any("2 s in its sidecar, 1 s in the header" in p.what for p in problems)

    def test_nothing_known(self, dataset) -> None:
        for hemi in "LR":
            self.prep.gifti(f"sub-01/func/sub-01_task-a_hemi-{hemi}_space-fsnative_bold.func.gii")
        runs, problems = find_runs(dataset(), "01", space="fsnative")
        assert runs == []
        assert "RepetitionTime" in problems[0].what

    def test_sparse_acquisition(self, dataset) -> None:
        self.prep.volume(f"{self.base}.nii.gz", tr=0.0)
        self.prep.json(f"{self.base}.json", {"VolumeTiming": [0, 5, 10]})
        runs, problems = self.run(dataset)
        assert runs == []
        assert "VolumeTiming" in problems[0].what

    def test_single_volumes_are_no_runs(self, dataset) -> None:
        self.prep.volume(f"{self.base}.nii.gz", n_trs=1)
        runs, problems = self.run(dataset)
        assert runs == []
        assert "1 volume" in problems[0].what

    def test_slice_time_reference(self, dataset) -> None:
        self.prep.volume(f"{self.base}.nii.gz")
        for corrected, expected in ((True, 0.9), (False, 1.0)):
            self.prep.json(
                f"{self.base}.json",
                {"RepetitionTime": 2.0, "StartTime": 0.9, "SliceTimingCorrected": corrected},
            )
            assert self.run(dataset)[0][0].start_time_s == expected


class TestFilterFile:
    def test_unknown_words_are_errors_with_a_hint(self) -> None:
        with pytest.raises(UsageError, match="did you mean 'bold'"):
            Filters(bids_filter={"blod": {}})
        with pytest.raises(UsageError, match="did you mean 'acquisition'"):
            Filters(bids_filter={"bold": {"acquisitoin": "x"}})
        with pytest.raises(InputInvalidError, match="must be an object"):
            Filters(bids_filter={"bold": "x"})

    def test_a_file_made_for_fmriprep_is_taken(self, study) -> None:
        raw, _ = study
        path = raw.json("filter.json", {"t1w": {"session": "a"}, "bold": {"run": 2}})
        filters = Filters.from_options(bids_filter_file=path)
        runs, problems = find_runs(open_dataset(raw.root), "01", space=MNI, filters=filters)
        assert names(runs) == ["sub-01_task-music_run-2"]
        assert "t1w" in problems[0].what

    def test_a_broken_file_is_named(self, study) -> None:
        raw, _ = study
        path = raw.text("filter.json", "{")
        with pytest.raises(InputInvalidError, match=r"filter\.json: is not valid JSON"):
            Filters.from_options(bids_filter_file=path)

    def test_confounds_can_be_filtered(self, study) -> None:
        raw, _prep = study
        filters = Filters(bids_filter={"confounds": {"run": 1}})
        runs, problems = find_runs(open_dataset(raw.root), "01", space=MNI, filters=filters)
        assert [run.confounds is None for run in runs] == [False, True]
        assert len(problems) == 1

    def test_filters_can_be_sent_to_processes(self) -> None:
        filters = Filters(("a",), ("b",), {"bold": {"run": 2}}, allow_raw_bold=True)
        assert pickle.loads(pickle.dumps(filters)) == filters


def test_nothing_is_written(study) -> None:
    raw, _ = study
    before = sorted((path, path.stat().st_mtime_ns) for path in raw.root.rglob("*"))
    find_runs(open_dataset(raw.root), "01")
    assert sorted((path, path.stat().st_mtime_ns) for path in raw.root.rglob("*")) == before


class TestLabelsAndSpaces:
    """Kinds of names that mean the same, or nearly."""

    def test_two_spellings_of_one_run_are_refused_by_name(self, study) -> None:
        raw, prep = study
        prep.fmriprep_run("sub-01_task-music_run-01")
        with pytest.raises(
            InputInvalidError, match="run-01 and sub-01_task-music_run-1 are one run"
        ):
            find_runs(open_dataset(raw.root), "01", space=MNI)

    def cohorts(self, tree, *labels: str):
        prep = tree("prep")
        prep.fmriprep_description()
        for label in labels:
            base = f"sub-01/func/sub-01_task-a_space-MNIPediatricAsym{label}"
            prep.volume(f"{base}_desc-preproc_bold.nii.gz")
            prep.mask(f"{base}_desc-brain_mask.nii.gz")
        prep.tsv("sub-01/func/sub-01_task-a_desc-confounds_timeseries.tsv", "trans_x", "0")
        return open_dataset(prep.root)

    @pytest.mark.parametrize("label", ["_cohort-2", "+2"])
    @pytest.mark.parametrize(
        "space", ["MNIPediatricAsym", "MNIPediatricAsym:cohort-2", "MNIPediatricAsym+2"]
    )
    def test_a_cohort_belongs_to_the_space(self, tree, label, space) -> None:
        dataset = self.cohorts(tree, label)
        assert spaces(dataset, "01") == {"MNIPediatricAsym+2": 1}
        runs, _ = find_runs(dataset, "01", space=space)
        assert runs[0].space == "MNIPediatricAsym+2"
        assert label in runs[0].mask.name

    def test_several_cohorts_have_to_be_chosen(self, tree) -> None:
        dataset = self.cohorts(tree, "_cohort-1", "_cohort-2")
        with pytest.raises(InputInvalidError, match=r"2 cohorts.*MNIPediatricAsym[+]1"):
            find_runs(dataset, "01", space="MNIPediatricAsym")
        runs, _ = find_runs(dataset, "01", space="MNIPediatricAsym:cohort-1")
        assert "cohort-1" in runs[0].bold[0].name

    def test_near_misses_are_listed(self, study) -> None:
        raw, _prep = study
        dataset = open_dataset(raw.root)
        with pytest.raises(InputMissingError, match="nearly: 'fsLR'"):
            find_runs(dataset, "01", space="fslr")
        _, problems = find_runs(dataset, "01", filters=Filters(tasks=("Music",)))
        assert "task-Music (nearly: 'music'); it has task-music" in problems[0].what

    def test_other_products_than_preprocessed_bold_are_named(self, tree) -> None:
        prep = tree("prep")
        prep.fmriprep_description()
        prep.volume(f"sub-01/func/sub-01_task-a_space-{MNI}_desc-denoised_bold.nii.gz")
        _, problems = find_runs(open_dataset(prep.root), "01")
        assert "desc-preproc; it has desc-denoised" in problems[0].what
