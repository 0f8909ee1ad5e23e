"""Both levels of `reconstruct` on a small study: what is written agrees with itself."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bidsapp.recipes import RECIPES, truth_checks
from bidsapp.recipes.reconstruct import results as declared
from bidsapp.recipes.reconstruct.encoding import results as coded
from bidsapp.results.read import Results
from bidsapp.simulate.truth import check_truth, findings
from bidsapp.stats.identification import identify
from tests.report.browser import CHROMIUM, check_page

CATALOGUE = RECIPES["reconstruct"].results
NETWORK, TEXT = "baseline", "featurescaptions"


@pytest.fixture(scope="module")
def own(study) -> Results:
    return Results(study.out, "reconstruct", CATALOGUE, "01")


@pytest.fixture(scope="module")
def group(study) -> Results:
    return Results(study.out, "reconstruct", CATALOGUE)


def test_written_embeddings_give_the_written_accuracies(own: Results) -> None:
    (space,) = own.spaces
    arrays = own.arrays(declared.EMBEDDINGS, space, NETWORK)
    clips = own.table(declared.CLIPS, space, NETWORK)
    folds = own.table(declared.FOLDS, space)
    assert len(clips) == len(folds) == own.facts(space)["n_held_out"] == 24
    result = identify(arrays["ensemble"], arrays["target"], clips["fold"].to_numpy(int))
    np.testing.assert_allclose(result.accuracy, clips["identification"], atol=1e-6)
    rows = own.table(declared.DECODING, space, NETWORK)
    first = rows.iloc[0]
    assert first["decoder"] == declared.ENSEMBLE
    assert first["identification"] == pytest.approx(clips["identification"].mean(), abs=1e-6)
    assert first["recall1"] == pytest.approx((clips["rank"] == 1).mean(), abs=1e-6)
    null = own.arrays(declared.EXCHANGES, space, NETWORK)
    assert first["p"] == (1 + (null["ensemble_null"] >= null["ensemble_observed"]).sum()) / 100
    assert set(rows["decoder"]) == {declared.ENSEMBLE, declared.WHOLE, declared.ORACLE}


def test_the_clip_at_the_border_of_runs_is_one_clip(own: Results) -> None:
    folds = own.table(declared.FOLDS, own.spaces[0])
    assert folds["clip"].is_unique
    # two runs begin with the last clip of the other one
    assert sorted(folds["n_repeats"].astype(int))[-3:] == [1, 2, 2]
    assert set(folds["fold"].astype(int)) == {1, 2, 3}


def test_maps_show_the_accuracy_of_the_regions(own: Results) -> None:
    (space,) = own.spaces
    table = own.table(declared.REGIONS, space, NETWORK)
    labels = own.values(declared.REGION_LABELS, space)[0].astype(int)
    above = own.values(declared.MAP, space, NETWORK)[0]
    p = own.values(declared.P_MAP, space, NETWORK)[0]
    for number, row in enumerate(table.itertuples(), start=1):
        units = labels == number
        assert units.sum() == row.n_units
        np.testing.assert_allclose(above[units], row.identification - 0.5, atol=1e-6)
        np.testing.assert_allclose(p[units], row.p_fwe, atol=1e-6)
    assert np.isnan(above[labels == 0]).all()
    assert table["n_chosen"].sum() == 3 * 2
    assert (table["p_fwe"] >= table["p"]).all()


def test_the_curve_meets_the_main_analysis(own: Results) -> None:
    (space,) = own.spaces
    curve = own.table(declared.CURVE, space, NETWORK)
    same = curve[(curve["shift_s"] == 5) & (curve["length_s"] == 6)]
    rows = own.table(declared.DECODING, space, NETWORK)
    assert float(same["identification"].iloc[0]) == pytest.approx(rows["identification"].iloc[0])
    assert len(curve) == 3


def test_genres_are_left_out_one_by_one(own: Results) -> None:
    (space,) = own.spaces
    rows = own.table(declared.ABLATION, space, NETWORK)
    first, each = rows.iloc[0], rows.iloc[1:]
    assert first["genre"] == "all genres"
    assert each["n_clips"].sum() == first["n_clips"] == 24
    mean = (each["without_genre"] * each["n_clips"]).sum() / 24
    assert first["without_genre"] == pytest.approx(mean)
    decoding = own.table(declared.DECODING, space, NETWORK)
    assert first["identification"] == pytest.approx(decoding["identification"].iloc[0])


def test_examples_can_be_heard(own: Results) -> None:
    (space,) = own.spaces
    table = own.table(declared.EXAMPLES, space, NETWORK)
    sounds = own.arrays(declared.SOUNDS, space, NETWORK)
    assert len(table) == len(sounds) == 2 * 5
    for kind, sound in zip(table["kind"], sounds.values(), strict=True):
        facts = soundfile.info(io.BytesIO(sound.tobytes()))
        length_s = 6.0 if kind == "retrieved" else 10.0
        assert facts.duration == pytest.approx(length_s, abs=0.2)
    first = table[table["example"] == 1]
    assert list(first["kind"]) == ["heard", *["candidate"] * 3, "retrieved"]
    r = first["r"].to_numpy(float)[:4]
    assert list(r[1:]) == sorted(r[1:], reverse=True)
    assert r[0] <= r[1]


def test_music_is_retrieved_between_random_pieces_and_the_oracle(own: Results) -> None:
    (space,) = own.spaces
    rows = own.table(declared.RETRIEVED, space, NETWORK)
    assert set(rows["source"]) == {"decoded", "oracle", "random"}
    for _, found in rows.groupby(["source", "clip"]):
        assert found["piece"].is_unique
    cosine = own.table(declared.RETRIEVAL, space, NETWORK).set_index("source")["cosine"]
    assert cosine["oracle"] >= cosine["decoded"]
    assert cosine["oracle"] > cosine["random"]


def test_the_group_averages_its_participants(group: Results, study) -> None:
    (space,) = group.spaces
    people = [Results(study.out, "reconstruct", CATALOGUE, label) for label in ("01", "02")]
    rows = group.table(declared.GROUP_DECODING, space, NETWORK)
    each = [person.table(declared.DECODING, space, NETWORK) for person in people]
    mean = np.mean([table["identification"] for table in each], axis=0)
    np.testing.assert_allclose(rows["identification"], mean)
    nulls = [person.arrays(declared.EXCHANGES, space, NETWORK) for person in people]
    null = np.mean([item["ensemble_null"] for item in nulls], axis=0)
    observed = np.mean([item["ensemble_observed"] for item in nulls])
    assert rows["p"].iloc[0] == (1 + (null >= observed).sum()) / 100
    regions = np.mean(
        [person.values(declared.MAP, space, NETWORK)[0] for person in people], axis=0
    )
    np.testing.assert_allclose(
        group.values(declared.GROUP_MAP, space, NETWORK)[0], regions, atol=1e-6
    )
    table = group.table(declared.PARTICIPANTS, space, NETWORK)
    assert list(table["participant"]) == ["01", "02"]


def test_topographies_of_their_own_are_decoded_across_people_after_alignment(
    group: Results,
) -> None:
    (space,) = group.spaces
    rows = group.table(declared.ACROSS, space, NETWORK)
    rows = rows[rows["candidates"] == declared.ALL].set_index("source")
    assert list(rows.index) == ["within", "anatomical", "aligned", "pooled"]
    assert rows["identification"]["aligned"] > 0.65
    assert rows["null_low"]["anatomical"] < rows["identification"]["anatomical"] < 0.6
    gains = group.table(declared.GAINS, space, NETWORK)
    gain = gains[gains["candidates"] == declared.ALL].iloc[0]
    between = rows["identification"]["aligned"] - rows["identification"]["anatomical"]
    assert gain["difference"] == pytest.approx(between)
    assert gain["difference_low"] < gain["difference"] < gain["difference_high"]
    assert gain["p"] <= 0.1  # exchanges that keep neighbours together; three folds of eight clips
    assert gain["n_positive"] == 2


def test_encoding_models_add_up_and_are_averaged_over_participants(
    own: Results, group: Results, study
) -> None:
    (space,) = own.spaces
    models, differences, variance = (
        own.maps(result, space) for result in (coded.MODELS, coded.DIFFERENCES, coded.VARIANCE)
    )
    r = dict(zip(models.names, models.values, strict=True))
    assert list(r) == [NETWORK, TEXT, "all embeddings", "genre"]
    named = dict(zip(differences.names, differences.values, strict=True))
    beyond = r["all embeddings"] - r[TEXT]
    np.testing.assert_allclose(named[f"{NETWORK} beyond {TEXT}"], beyond, atol=1e-6)
    parts = dict(zip(variance.names, variance.values, strict=True))
    total = parts.pop("all embeddings")
    np.testing.assert_allclose(sum(parts.values()), total, atol=1e-6)
    scores = own.table(coded.SCORES, space).set_index("score")
    assert scores["mean"][NETWORK] == pytest.approx(np.nanmean(r[NETWORK]), abs=1e-6)
    assert scores["mean"][NETWORK] > scores["mean"][TEXT] + 0.05
    assert scores["n_fwe"][TEXT] == 0
    labels = own.values(declared.REGION_LABELS, space)[0].astype(int)
    rows = own.table(coded.REGION_SCORES, space)
    first = rows[rows["score"] == NETWORK]
    expected = [r[NETWORK][labels == k + 1].mean() for k in range(len(first))]
    np.testing.assert_allclose(first["mean"], expected, atol=1e-5)
    people = [Results(study.out, "reconstruct", CATALOGUE, label) for label in ("01", "02")]
    mean = np.mean([person.values(coded.MODELS, space) for person in people], axis=0)
    np.testing.assert_allclose(group.values(coded.GROUP_MODELS, space), mean, atol=1e-6)
    together = group.table(coded.GROUP_REGION_SCORES, space)
    each = [person.table(coded.REGION_SCORES, space)["mean"] for person in people]
    keys = ["region", "score"]
    ordered = together.set_index(keys)["mean"].reindex(rows.set_index(keys).index)
    np.testing.assert_allclose(ordered, np.mean(each, axis=0), atol=1e-6)
    music = group.table(coded.GROUP_MUSIC, space)
    assert len(music) == 24
    assert np.isfinite(group.table(coded.GROUP_COMPONENTS, space)["agreement"]).all()


def test_what_is_planted_comes_back(study) -> None:
    found = check_truth(study.data, study.out, truth_checks())
    for entry in found["reconstruct"]["participants"]:
        assert entry["layer"] == "mel"
        assert entry["identification"] > 0.55
        assert entry["planted"] > entry["null"]
        assert entry["encoding_planted"] > entry["encoding_null"] + 0.05
    lines = findings(found, truth_checks())
    assert any("regions where the embedding is planted" in line for line in lines)


def test_pages_answer_first_and_say_what_to_doubt(own: Results, study) -> None:
    pages = {
        name: (study.out / f"{name}_reconstruct.html").read_text(encoding="utf-8")
        for name in ("sub-01", "group")
    }
    for text in pages.values():
        assert "Genre oracle" in text
        assert "Brain2Music" in text
        assert "square root of 2" in text
        assert "ridge regression" in text
    assert pages["sub-01"].count("<audio") == 2 * 5 + 2 * 4
    for text in pages.values():
        assert "What embeddings add to each other" in text
        assert "Banded ridge regression" in text
        assert "Music on the components of the weights" in text
    assert "Only 8 candidates" in {item.title for item in own.cautions()}
    assert "All participants heard the same clips" in pages["group"]
    assert "Rotations were fitted to training clips only" in pages["group"]


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize("name", ["sub-01_reconstruct.html", "group_reconstruct.html"])
def test_pages_are_whole_in_a_browser(study, name: str, tmp_path: Path) -> None:
    check_page(study.out / name, tmp_path)
