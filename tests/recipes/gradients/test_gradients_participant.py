"""A simulated participant, analysed for real: what is written, read back, and its page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bidsapp.bids.dataset import open_dataset
from bidsapp.bids.staging import Staging
from bidsapp.config import Config
from bidsapp.recipes import RECIPES
from bidsapp.recipes.base.inputs import collect_participant
from bidsapp.recipes.base.settings import override
from bidsapp.recipes.base.study import ParticipantStudy
from bidsapp.recipes.gradients import results as declared
from bidsapp.recipes.gradients.participant import participant
from bidsapp.recipes.gradients.report import report
from bidsapp.recipes.gradients.report.view import ParticipantView, views
from bidsapp.recipes.gradients.settings import VARIANTS
from bidsapp.report.html import render, write_page
from bidsapp.results.read import Results
from bidsapp.simulate.dataset import MusicOptions, simulate
from bidsapp.stats.metrics import best_layer, centroid_layer
from tests.noise import noise_features
from tests.report.browser import check_page, needs_chromium

pytestmark = pytest.mark.slow
RECIPE = RECIPES["gradients"]
SPACE = "MNI152NLin2009cAsym"
SMALL = {
    "networks": ["musicnn", "baseline"],
    "min_block_s": 10.0,
    "n_components": 6,
    "n_parcels": 12,
    "n_shifts": 39,
    "mask_maps": False,
}
POSITIVE, NEGATIVE = declared.LAGS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One participant, three pieces of 28 s, one of them twice, in voxels of 12 mm."""
    made = tmp_path_factory.mktemp("music")
    options = MusicOptions.quick(n_participants=1, n_pieces=3, piece_s=28.0)
    simulate(made / "data", options, features=noise_features, quiet=True)
    return made


def analysed(folder: Path, output: str, changes: dict[str, Any]) -> Results:
    """Analyse the participant with some settings."""
    settings = override(VARIANTS["robust"], "gradients", changes)
    config = Config(
        bids_dir=folder / "data",
        output_dir=folder / output,
        analysis_level=("participant",),
        weights="random",
        omp_nthreads=1,
        nprocs=1,
        mem="2G",
        device="cpu",
        work_dir=folder / "work",
        quiet=True,
    )
    dataset = open_dataset(config.bids_dir)
    with Staging(config.output_dir, "job") as staging:
        inputs = collect_participant(RECIPE, dataset, "01", SPACE, config, settings)
        participant(
            ParticipantStudy(
                "gradients",
                dataset,
                config,
                settings,
                inputs,
                "cafe0001",
                staging,
                folder / "work",
            )
        )
        staging.publish()
    return Results(config.output_dir, "gradients", RECIPE.results, "01")


@pytest.fixture(scope="module")
def written(folder: Path) -> Results:
    """Results of both networks, with a test."""
    return analysed(folder, "out", SMALL)


def test_without_shifts_nothing_is_said_to_be_tested(folder: Path) -> None:
    found = analysed(folder, "untested", {**SMALL, "n_shifts": 0, "networks": ["baseline"]})
    (at,) = found.spaces
    assert not found.written(declared.SIGNIFICANT, at, "baseline")
    assert "No test" in {item.title for item in found.cautions()}
    page, _ = report(found)
    text = render(page)
    assert "It was not tested whether layers of acoustic descriptors predict" in text
    assert "Nothing was tested: no shifts." in text
    assert "Significant parcels" not in text
    assert "arcel is significant" not in text


def test_everything_declared_is_written(written: Results) -> None:
    (at,) = written.spaces
    assert written.networks(at) == ("musicnn", "baseline")
    assert written.missing(at) == []
    for result in declared.RESULTS:
        for label in result.labels or ("",):
            own = result.of(label) if label else result
            network = "musicnn" if own.by_network else ""
            assert written.written(own, at, network), own.desc


def test_layer_maps_follow_from_the_scores(written: Results) -> None:
    (at,) = written.spaces
    for lags in declared.LAGS:
        r = written.values(declared.SCORE.of(lags), at, "musicnn")
        best = written.values(declared.BEST_LAYER.of(lags), at, "musicnn")[0]
        centroid = written.values(declared.CENTROID.of(lags), at, "musicnn")[0]
        competes = written.competes("musicnn", at)
        assert competes.tolist() == [False] + [True] * (len(r) - 1)  # its input, mel
        assert np.array_equal(np.nan_to_num(best), best_layer(r, competes=competes))
        expected = centroid_layer(r, competes=competes)
        assert np.allclose(centroid, expected, equal_nan=True, atol=1e-5)


def test_tables_agree_with_each_other(written: Results) -> None:
    (at,) = written.spaces
    scores = written.table(declared.PARCELS, at, "musicnn")
    summary = written.table(declared.PARCEL_SUMMARY, at, "musicnn")
    layers = written.layers("musicnn", at)
    assert len(summary) == 12 * 2
    assert len(scores) == 12 * 2 * len(layers)
    largest = scores.groupby(["lags", "parcel"])["r"].max()
    assert np.allclose(
        summary.set_index(["lags", "parcel"])["r_max"], largest.loc[summary_keys(summary)]
    )
    tested = summary[summary["lags"] == POSITIVE]
    assert tested["p_fwe"].ge(tested["p"] - 1e-9).all()
    assert tested["p"].min() >= 1 / 40
    control = summary[summary["lags"] != POSITIVE]
    assert control[["p", "p_fwe", "q"]].isna().all(axis=None)
    pieces = written.table(declared.PIECES, at, "musicnn")
    assert set(pieces["piece"]) == {"dance.flac", "lament.flac", "lullaby.flac"}
    null = written.table(declared.NULL, at, "musicnn")
    assert null.groupby("lags")["shift"].count().to_dict() == {POSITIVE: 39}


def summary_keys(summary: object) -> list[tuple[str, int]]:
    return list(summary[["lags", "parcel"]].itertuples(index=False, name=None))  # type: ignore[index]


def test_parcels_are_means_over_their_voxels(written: Results) -> None:
    """Sizes in the table are those of the label image; the profile counts the same voxels."""
    (at,) = written.spaces
    labels = written.values(declared.PARCEL_LABELS, at)[0]
    summary = written.table(declared.PARCEL_SUMMARY, at, "musicnn")
    sizes = summary[summary["lags"] == POSITIVE].set_index("parcel")["n_units"]
    counts = np.bincount(labels[np.isfinite(labels)].astype(int), minlength=13)[1:]
    assert sizes.tolist() == counts.tolist()
    r = written.values(declared.SCORE.of(POSITIVE), at, "musicnn")
    profile = written.table(declared.PROFILE, at, "musicnn")
    own = profile[profile["lags"] == POSITIVE]
    known = np.isfinite(r).all(axis=0)
    assert np.allclose(own["mean_r"], r[:, known].mean(axis=1), atol=1e-6)
    assert set(own["n_units"]) == {int(known.sum())}


def layers_of(parcels: pd.DataFrame) -> pd.DataFrame:
    """Rows of positive lags without the network's input."""
    return parcels[(parcels["lags"] == POSITIVE) & (parcels["layer"] != "mel")]


def test_the_course_of_the_best_parcel_has_its_score(written: Results) -> None:
    (at,) = written.spaces
    courses = written.table(declared.PEAK, at, "musicnn")
    parcels = written.table(declared.PARCELS, at, "musicnn")
    best = layers_of(parcels).nlargest(1, "r").iloc[0]
    assert set(courses["parcel"]) == {best["parcel"]}
    assert set(courses["layer"]) == {best["layer"]}
    scores = courses.groupby("block").apply(
        lambda rows: np.corrcoef(rows["measured"], rows["predicted"])[0, 1], include_groups=False
    )
    assert np.allclose(scores, courses.groupby("block")["r"].first(), atol=1e-6)
    assert np.isclose(scores.mean(), best["r"], atol=5e-3)
    folds = written.table(declared.FOLDS)
    assert courses.groupby("block").size().tolist() == folds["n_rows"].tolist()


def test_single_lags_end_where_a_sound_was_not_yet_playing(written: Results) -> None:
    """Rows begin 6 s after the onset, so 8 and 10 s cannot be asked for."""
    (at,) = written.spaces
    delay = written.table(declared.DELAY, at, "musicnn")
    parcels = written.table(declared.PARCELS, at, "musicnn")
    best = layers_of(parcels).sort_values("r").groupby("parcel").last()
    assert set(delay["lag_s"]) == {0.0, 2.0, 4.0, 6.0}
    assert (delay.groupby("parcel")["layer"].first() == best["layer"]).all()
    largest = delay.groupby("parcel")["r"].max()
    assert np.corrcoef(largest, best["r"])[0, 1] > 0.3


def test_quality_is_that_of_the_confounds_tables(written: Results) -> None:
    (at,) = written.spaces
    quality = written.table(declared.QUALITY, at).set_index("run")
    folder = written.root.parent / "data" / "derivatives" / "fmriprep" / "sub-01" / "func"
    tables = sorted(folder.glob("*_desc-confounds_timeseries.tsv"))
    assert len(tables) == len(quality)
    for path in tables:
        moved = pd.read_table(path)["framewise_displacement"]
        row = quality.loc[path.name.removesuffix("_desc-confounds_timeseries.tsv")]
        assert row["mean_fd"] == pytest.approx(moved.mean())
        assert row["n_moved"] == (moved > 0.5).sum()
        assert row["tsnr"] > 1
        assert abs(row["r_fd_loudness"]) < 1


def test_ratings_have_a_mean_and_one_row_per_piece(written: Results) -> None:
    ratings = written.table(declared.RATINGS, None, "musicnn")
    groups = ratings.groupby(["lags", "rating", "rater", "layer"], dropna=False)
    assert set(groups["piece"].count()) == {4}
    tested = (ratings["piece"] == "mean") & (ratings["lags"] == POSITIVE)
    assert ratings.loc[tested, "p"].between(1 / 40, 1).all()
    assert ratings.loc[~tested, "p"].isna().all()


def test_cautions_name_what_is_doubtful(written: Results) -> None:
    by_title = {item.title: item for item in written.cautions()}
    assert by_title["MusiCNN has random weights"].severity == "serious"
    assert by_title["Layer maps are not masked"].severity == "caution"
    assert "Only 3 pieces" in by_title
    assert "Low p-value resolution" in by_title


def test_the_page_has_the_numbers_of_the_tables(written: Results) -> None:
    page, methods = report(written)
    titles = [section.title for section in page.sections]
    assert titles.index("Cautions") < titles.index("Results: MusiCNN") < titles.index("Ratings")
    (view,) = views(written, ParticipantView)
    glance = {item.label: item for part in page.sections[0].parts for item in part.items}  # type: ignore[union-attr]
    assert glance["Significant parcels"].value == f"{len(view.passed)} of 12"
    assert glance["Pieces"].value == "3"
    assert "39 circular shifts" in methods.text
    assert "7 layers of MusiCNN" in methods.text
    assert "hsu2004" in methods.references  # a piece was repeated: there is a ceiling
    results = next(section for section in page.sections if section.title == "Results: MusiCNN")
    assert [child.title for child in results.children] == [
        "Maps",
        "Predicted and measured response",
        "Layer profile",
        "Scores against their null distribution",
        "Parcels",
        "Beyond acoustics",
        "Haemodynamic delay",
        "Scores by piece",
        "Ridge penalties",
    ]
    delay = str(results.children[6])
    assert "best with the canonical response" in delay  # no lags are in the model
    assert "lags of the model" not in delay


@needs_chromium[0]
@needs_chromium[2]
def test_the_page_in_a_browser(written: Results, tmp_path: Path) -> None:
    page, _ = report(written)
    empty = tmp_path / "empty"
    empty.mkdir()
    check_page(write_page(page, tmp_path / "page.html"), empty)
