from __future__ import annotations

import re
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bidsapp.brain.confound_columns import n_regressors
from bidsapp.brain.confounds import cosine_basis, nuisance, orthonormal_basis, read_confounds
from bidsapp.brain.strategies import DEFAULT_STRATEGY, STRATEGIES, run_strategy
from bidsapp.errors import InputInvalidError, InputMissingError, UsageError

#: Strategies each generation of tables can serve, with the number of columns (non-steady
#: spikes included); the tables have 30 rows.
REAL = {
    "test_desc-confounds_regressors": {
        "motion6": 7,
        "motion6+wmcsf": 9,
        "motion24": 25,
        "motion24+wmcsf": 27,
        "motion24+wmcsf+gsr": 28,
        "aroma+wmcsf": 16,
    },
    "no_nonsteady_desc-confounds_regressors": {"motion6": 6, "motion24+wmcsf": 26},
    "test-v21_desc-confounds_timeseries": {"motion6": 9, "motion24": 27},
}


@pytest.fixture
def run(make):
    return make.plain("cifti", confounds=make.confounds("c", 40))


def test_cosines_equal_those_of_nilearn():
    from nilearn.glm.first_level import make_first_level_design_matrix

    design = make_first_level_design_matrix(
        np.arange(200) * 1.5, drift_model="cosine", high_pass=1 / 100
    )
    ours = cosine_basis(200, 1.5, 1 / 100)
    assert ours.shape[1] == 6
    np.testing.assert_allclose(ours, design.to_numpy()[:, :-1], atol=1e-12)
    np.testing.assert_allclose(ours.T @ ours, np.eye(6), atol=1e-12)


def test_a_short_run_has_no_cosine():
    assert cosine_basis(20, 2.0, 1 / 128).shape == (20, 0)


def test_basis_drops_constant_and_dependent_columns():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((50, 3)) * [1e-8, 1, 1e8]
    stacked = np.column_stack([x, np.ones(50), np.zeros(50), x @ [1e8, 2, -1e-8], 7 * x[:, 1] + 3])
    q = orthonormal_basis(stacked)
    assert q.shape == (50, 3)
    np.testing.assert_allclose(q.T @ q, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(q.sum(axis=0), 0, atol=1e-10)
    centred = x - x.mean(axis=0)
    np.testing.assert_allclose((q @ (q.T @ centred) - centred) / centred.std(axis=0), 0, atol=1e-9)


def test_none_needs_no_table(make):
    model = nuisance(make.plain("cifti", n_trs=200), "none", 1 / 128)
    assert model.columns == tuple(f"cosine{i:02d}" for i in range(4))
    assert model.basis.shape == (200, 4)
    assert nuisance(make.plain("cifti"), "none", 0).basis.shape == (40, 0)


def test_the_first_row_of_derivatives_is_filled_as_nilearn_fills_it(run):
    table = pd.read_csv(run.confounds, sep="\t")
    assert table["rot_x_derivative1"].isna()[0]
    wanted = [c for c in table.columns if "global" not in c and not c.startswith(("csf_", "wh"))]
    wanted += ["white_matter"]
    filled = table[wanted].bfill().to_numpy()
    model = nuisance(run, "motion24+wmcsf", 0)
    assert sorted(model.columns) == sorted(wanted)
    centred = filled - filled.mean(axis=0)
    left = centred - model.basis @ (model.basis.T @ centred)
    np.testing.assert_allclose(left / centred.std(axis=0), 0, atol=1e-8)


@pytest.mark.parametrize("kind", ["volume", "gifti", "cifti"])
@pytest.mark.parametrize(
    "name",
    [
        "sub-01_task-x_desc-confounds_timeseries.tsv",
        "sub-01_ses-tsv_task-x_desc-confounds_regressors.tsv",
        "oddly_named.tsv",
    ],
)
def test_any_bold_kind_and_any_table_name(make, kind, name):
    path = make.folder / name
    shutil.move(make.confounds("c", 40), path)
    assert len(nuisance(make.plain(kind, confounds=path), "motion24", 0).columns) == 24


OLD = {
    **{f"trans_{axis}": axis.upper() for axis in "xyz"},
    **{f"rot_{axis}": f"Rot{axis.upper()}" for axis in "xyz"},
    **{"csf": "CSF", "white_matter": "WhiteMatter", "global_signal": "GlobalSignal"},
}


@pytest.mark.parametrize("strategy", ["motion6", "motion24+wmcsf", "motion24+wmcsf+gsr"])
def test_tables_of_fmriprep_1_0_give_the_same_model(make, strategy):
    """Its names are those of another spelling; what else is in the table does not matter."""
    path = make.confounds("c", 40)
    modern = nuisance(make.plain("cifti", confounds=path), strategy, 0)
    table = pd.read_csv(path, sep="\t")
    for base, other in OLD.items():
        table = table.rename(columns=lambda name, a=base, b=other: re.sub(f"^{a}(?=_|$)", b, name))
    table["FramewiseDisplacement"], table["aCompCor00"], table["stdDVARS"] = 0.1, 0.2, 0.3
    old = make.folder / "sub-01_task-x_bold_confounds.tsv"
    table.to_csv(old, sep="\t", index=False, na_rep="n/a")
    model = nuisance(make.plain("cifti", confounds=old), strategy, 0)
    assert model.columns == modern.columns
    np.testing.assert_allclose(model.basis, modern.basis, atol=1e-12)


def test_a_missing_table_names_the_run_and_the_option(make):
    run = make.plain("cifti")
    with pytest.raises(InputMissingError, match=r"c0_bold.*--confounds none"):
        nuisance(run, "motion6", 0)
    empty = make.folder / "empty_desc-confounds_timeseries.tsv"
    empty.touch()
    with pytest.raises(InputMissingError, match=r"empty_desc.*0 bytes"):
        nuisance(replace(run, confounds=empty), "motion6", 0)


def test_missing_columns_name_the_table_and_the_option(run):
    with pytest.raises(InputMissingError, match=r"c_desc-confounds.*aroma\+wmcsf.*ica_aroma"):
        nuisance(run, "aroma+wmcsf", 0)


def test_a_table_of_another_length_is_refused(make):
    run = make.plain("cifti", confounds=make.confounds("c", 39))
    with pytest.raises(InputInvalidError, match=r"39 rows.*40 volumes"):
        nuisance(run, "motion6", 0)


def test_a_gap_inside_the_table_is_refused(run):
    table = pd.read_csv(run.confounds, sep="\t")
    table.loc[10, "trans_y"] = np.nan
    table.to_csv(run.confounds, sep="\t", index=False, na_rep="n/a")
    with pytest.raises(InputInvalidError, match="trans_y"):
        nuisance(run, "motion6", 0)


def test_no_freedom_left_is_refused_and_little_is_reported(make):
    short = make.plain("cifti", n_trs=28, confounds=make.confounds("c", 28))
    with pytest.raises(InputInvalidError, match="28 volumes but 26"):
        nuisance(short, "motion24+wmcsf", 0)
    tight = make.plain("cifti", n_trs=45, confounds=make.confounds("d", 45))
    (problem,) = nuisance(tight, "motion24+wmcsf", 0).problems
    assert "26" in problem.what
    assert "45" in problem.what


def test_unknown_strategy_lists_the_known(run):
    with pytest.raises(UsageError, match=r"foo.*motion24\+wmcsf"):
        nuisance(run, "foo", 0)


def test_non_steady_volumes_get_a_spike(run):
    table = pd.read_csv(run.confounds, sep="\t")
    for volume in (0, 1):
        table[f"non_steady_state_outlier{volume:02d}"] = np.eye(40)[volume]
    table.to_csv(run.confounds, sep="\t", index=False, na_rep="n/a")
    model = nuisance(run, "motion6", 0)
    assert model.columns[-2:] == ("non_steady_state_00", "non_steady_state_01")
    y = np.random.default_rng(0).standard_normal((40, 5))
    y -= y.mean(axis=0)
    np.testing.assert_allclose((y - model.basis @ (model.basis.T @ y))[:2], 0, atol=1e-10)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "strategy", "n_columns"),
    [(name, *item) for name, served in REAL.items() for item in served.items()],
)
def test_real_tables_of_three_generations(make, test_data, name, strategy, n_columns):
    path = test_data / "fmriprep_confounds" / f"{name}.tsv"
    run = make.plain("gifti", n_trs=30, confounds=path)
    table = read_confounds(run, strategy, keep_cosines=False)
    assert table.shape == (30, n_columns)
    assert np.isfinite(table.to_numpy(dtype=float)).all()


@pytest.mark.data
@pytest.mark.parametrize("keep", [True, False])
def test_compcor_takes_five_components_and_one_set_of_cosines(make, test_data, keep):
    path = test_data / "fmriprep_confounds" / "test_desc-confounds_regressors.tsv"
    run = make.plain("cifti", n_trs=30, confounds=path)
    table = read_confounds(run, "motion24+compcor", keep_cosines=keep)
    names = list(table.columns)
    assert [c for c in names if "comp_cor" in c] == [f"a_comp_cor_{i:02d}" for i in range(5)]
    assert len([c for c in names if c.startswith("cosine")]) == (4 if keep else 0)


def test_strategies_are_listed_without_heavy_imports():
    import subprocess
    import sys

    code = (
        "import sys, bidsapp.brain.strategies as s; assert s.STRATEGIES;"
        "print({'numpy', 'nibabel', 'pandas', 'nilearn'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
    assert all(run_strategy(DEFAULT_STRATEGY, n) in STRATEGIES for n in (10, 1000))


@pytest.mark.parametrize(("n_trs", "n_columns"), [(120, 8), (259, 8), (260, 26)])
def test_the_default_adapts_to_the_length_and_is_counted_beforehand(make, n_trs, n_columns):
    run = make.plain("cifti", n_trs=n_trs, confounds=make.confounds("c", n_trs))
    model = nuisance(run, DEFAULT_STRATEGY, 0)
    assert len(model.columns) == model.basis.shape[1] == n_columns
    with_filter = nuisance(run, DEFAULT_STRATEGY, 1 / 128)
    assert n_regressors(run, DEFAULT_STRATEGY, 1 / 128) == len(with_filter.columns) > n_columns
    assert n_regressors(run, "none", 0) == 0
    assert n_regressors(make.plain("cifti"), DEFAULT_STRATEGY, 0) is None
