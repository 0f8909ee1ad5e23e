"""Emotion from volumes of one participant: planted patterns, noise, the leak, real BOLD."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bidsapp.recipes import truth_checks
from bidsapp.recipes.emotion3d import facts
from bidsapp.simulate.truth import check_truth

SPLIT, LEAKY = "leave_run_out", "shuffled-LEAKY"


@pytest.fixture(scope="module")
def planted(film, participant, tmp_path_factory):
    """Results of a participant with strong patterns, by linear decoders and a network."""
    output = tmp_path_factory.mktemp("planted")
    return participant(
        film,
        output,
        n_seeds=1,
        epochs=15,
        n_cnn_shifts=1,
        explain_per_class=1,
        n_baselines=1,
        scan_lags_s=[0, 2, 4, 6, 8],
    )


@pytest.mark.slow
def test_planted_emotions_are_found_in_unseen_runs(planted, result, score):
    folder = planted / "sub-01" / "func"
    scores = result(folder, "emotion3dscores")
    for decoder in ("linear", "parcels"):
        found = score(scores, SPLIT, decoder)
        assert found.value >= 0.9
        assert found.p == pytest.approx(1 / 21)
        assert found.value > found.high
    assert score(scores, SPLIT, "cnn").value > 0.5
    for decoder in ("confounds", "time", "run", "majority", "prior"):
        assert score(scores, SPLIT, decoder).value < 0.5
    assert set(scores.leaky) == {"no"}


@pytest.mark.slow
def test_planted_lag_is_found_by_the_scan(planted, result):
    lags = result(planted / "sub-01" / "func", "emotion3dlags")
    assert lags.lag_s[lags.balanced_accuracy.idxmax()] == 4.0


@pytest.mark.slow
def test_planted_patterns_are_found(planted, film):
    report = check_truth(film, planted, truth_checks(), oracle=False)
    (entry,) = report["emotion3d"]["participants"]
    assert np.mean(list(entry["pattern_r"].values())) > 0.5


@pytest.mark.slow
def test_tables_agree_and_every_label_is_described(planted, result):
    folder = planted / "sub-01" / "func"
    tables = {label for label in facts.DESCRIPTIONS if label != "emotion3d"}
    group_only = {"emotion3dparticipants", "emotion3dprevalence", "emotion3dgroup"}
    written = {path.name.split("desc-")[1].split("_")[0] for path in folder.glob("*_stats.json")}
    assert written == tables - group_only
    confusion = result(folder, "emotion3dconfusion")
    predictions = result(folder, "emotion3dpredictions")
    mine = predictions[(predictions.decoder == "linear") & predictions.label.notna()]
    assert confusion[confusion.decoder == "linear"].n.sum() == len(mine)
    right = (mine.label == mine.predicted).mean()
    scores = result(folder, "emotion3dscores")
    wanted = scores[(scores.decoder == "linear") & (scores.measure == "accuracy")]
    assert wanted.value.iloc[0] == pytest.approx(right)
    curves = result(folder, "emotion3dcurves")
    assert set(curves.groupby(["fold", "seed"]).kept.sum()) == {1}
    assert {path.name.split("stat-")[1].split("_")[0] for path in folder.glob("*.nii.gz")} == {
        "haufe",
        "ig",
        "gradcam",
    }
    (path,) = folder.glob("*emotion3dsummary_stats.json")
    summary = json.loads(path.read_text())
    text = " ".join(summary["warnings"])
    for said in ("Chance is measured, not 1/5", "portrayed", "stretches", "most frequent class"):
        assert said in text
    assert summary["classes"] == ["sadness", "happiness", "fear", "love", "anger"]


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on(film, participant, tmp_path, monkeypatch, result):
    """Finished folds and refits are not done again, and the result is the same."""
    from bidsapp.models.cnn3d import training
    from bidsapp.recipes.emotion3d import participant as module

    few = {"n_seeds": 1, "epochs": 2, "patience": 0, "n_shifts": 3, "n_parcels": 20}
    whole = participant(film, tmp_path / "whole", **few)
    real = module.write_results

    def stop(*_):
        msg = "stopped before the results were written"
        raise RuntimeError(msg)

    monkeypatch.setattr(module, "write_results", stop)
    with pytest.raises(RuntimeError, match="stopped"):
        participant(film, tmp_path / "resumed", **few)
    monkeypatch.setattr(module, "write_results", real)
    monkeypatch.setattr(training._Run, "epoch", stop)  # no epoch is trained again
    resumed = participant(film, tmp_path / "resumed", **few)
    for label in ("emotion3dscores", "emotion3dcurves", "emotion3dnull"):
        first, second = (result(out / "sub-01" / "func", label) for out in (whole, resumed))
        assert first.equals(second)


@pytest.mark.slow
def test_noise_leaks_only_where_it_is_stamped(noise, participant, tmp_path, result, score):
    """The published split scores high on noise; whole runs stay at chance."""
    output = participant(noise, tmp_path, shuffled=True, n_parcels=10)
    folder = output / "sub-01" / "func"
    scores = result(folder, "emotion3dscores")
    honest, leaky = (score(scores, split, "linear") for split in (SPLIT, LEAKY))
    assert honest.p > 0.05
    assert honest.low <= honest.value <= honest.high
    assert leaky.value > 0.8
    assert leaky.p > 0.02  # shifted labels leak as well
    assert leaky.chance > 0.7
    for label in ("scores", "recall", "confusion", "null", "predictions"):
        table = result(folder, f"emotion3d{label}")
        stamped = table.split == LEAKY
        assert stamped.any()
        assert (table.leaky[stamped] == "LEAKY").all()
        assert (table.leaky[~stamped] == "no").all()
    (path,) = folder.glob("*emotion3dsummary_stats.json")
    assert any("LEAKY" in text for text in json.loads(path.read_text())["warnings"])


@pytest.mark.slow
@pytest.mark.data
def test_real_bold_is_decoded_in_unseen_runs(test_data, participant, tmp_path, result, score):
    """Haxby et al. 2001, subject 1, one slice: objects from ordinary events.tsv."""
    filters = tmp_path / "filter.json"
    filters.write_text(json.dumps({"bold": {"acquisition": "1slice", "run": [1, 2, 3, 4, 5, 6]}}))
    output = participant(
        test_data / "haxby_bids",
        tmp_path / "out",
        "001",
        space="native",
        config={"allow_raw_bold": True, "confounds": "none", "bids_filter_file": filters},
        label_source="events",
        label_map="identity",
        denoise=True,
        n_shifts=19,
        linear="ridge",
        voxel_mm=0,
    )
    scores = result(output / "sub-001" / "func", "emotion3dscores")
    found = score(scores, SPLIT, "linear")
    assert found.value > found.high
    assert found.p == pytest.approx(0.05)
