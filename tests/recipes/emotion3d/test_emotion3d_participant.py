"""Emotion from volumes of one participant: planted patterns, noise, the leak, real BOLD."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bidsapp.recipes.emotion3d.check_truth import CHECK
from bidsapp.recipes.emotion3d.results import (
    CONFUSION,
    CURVES,
    LAGS,
    MAPS,
    NULL,
    PREDICTIONS,
    RECALL,
    RESULTS,
    SCORES,
)
from bidsapp.results.kinds import expand
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
    scores = result(planted, SCORES)
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
    lags = result(planted, LAGS)
    assert lags.lag_s[lags.balanced_accuracy.idxmax()] == 4.0


@pytest.mark.slow
def test_planted_patterns_are_found(planted, film):
    report = check_truth(film, planted.root, {"emotion3d": CHECK}, oracle=False)
    (entry,) = report["emotion3d"]["participants"]
    assert np.mean(list(entry["pattern_r"].values())) > 0.5


@pytest.mark.slow
def test_tables_agree_and_everything_declared_is_written(planted, result):
    (space,) = planted.spaces
    declared = [item for item in expand(RESULTS) if item.at("participant")]
    assert [item.desc for item in declared if not planted.written(item, space)] == []
    confusion, predictions = result(planted, CONFUSION), result(planted, PREDICTIONS)
    own = predictions[(predictions.decoder == "linear") & predictions.label.notna()]
    assert confusion[confusion.decoder == "linear"].n.sum() == len(own)
    right = (own.label == own.predicted).mean()
    scores = result(planted, SCORES)
    wanted = scores[(scores.decoder == "linear") & (scores.measure == "accuracy")]
    assert wanted.value.iloc[0] == pytest.approx(right)
    curves = result(planted, CURVES)
    assert set(curves.groupby(["fold", "seed"]).kept.sum()) == {1}
    facts = planted.facts()
    assert facts["classes"] == ["sadness", "happiness", "fear", "love", "anger"]
    for maps in MAPS.values():
        assert list(planted.maps(maps, space).names) == facts["classes"]
    titles = {item.title for item in planted.cautions()}
    assert {"Chance is measured, not 1/K", "Emotions portrayed, not felt"} <= titles
    assert {"Few independent samples", "Segments, not volumes, are independent"} <= titles


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on(film, participant, tmp_path, monkeypatch, result):
    """Finished folds and refits are not done again, and the result is the same."""
    from bidsapp.models import training_loop
    from bidsapp.recipes.emotion3d import decoders
    from bidsapp.recipes.emotion3d import participant as module

    few = {"n_seeds": 1, "epochs": 2, "patience": 0, "n_shifts": 3, "n_parcels": 20}
    whole = participant(film, tmp_path / "whole", **few)

    def stop(*_):
        msg = "stopped before the results were written"
        raise RuntimeError(msg)

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_decodings", stop)
        with pytest.raises(RuntimeError, match="stopped"):
            participant(film, tmp_path / "resumed", **few)
    monkeypatch.setattr(training_loop._Run, "epoch", stop)  # no epoch is trained again
    monkeypatch.setattr(decoders.Shifts, "shifted", stop)  # no refit is computed again
    resumed = participant(film, tmp_path / "resumed", **few)
    for table in (SCORES, CURVES, NULL):
        assert result(whole, table).equals(result(resumed, table))


@pytest.mark.slow
def test_noise_leaks_only_where_it_is_stamped(noise, participant, tmp_path, result, score):
    """The published split scores high on noise; whole runs stay at chance."""
    written = participant(noise, tmp_path, shuffled=True, n_parcels=10)
    scores = result(written, SCORES)
    honest, leaky = (score(scores, split, "linear") for split in (SPLIT, LEAKY))
    assert honest.p > 0.05
    assert honest.value <= honest.high
    assert leaky.value > 0.8
    assert leaky.p > 0.02  # shifted labels leak as well
    assert leaky.chance > 0.7
    for declared in (SCORES, RECALL, CONFUSION, NULL, PREDICTIONS):
        table = result(written, declared)
        stamped = table.split == LEAKY
        assert stamped.any()
        assert (table.leaky[stamped] == "LEAKY").all()
        assert (table.leaky[~stamped] == "no").all()
    (caution,) = [item for item in written.cautions() if "LEAKY" in item.title]
    assert caution.severity == "serious"


@pytest.mark.slow
@pytest.mark.data
def test_real_bold_is_decoded_in_unseen_runs(test_data, participant, tmp_path, result, score):
    """Haxby et al. 2001, subject 1, one slice: objects from ordinary events.tsv."""
    filters = tmp_path / "filter.json"
    filters.write_text(json.dumps({"bold": {"acquisition": "1slice", "run": [1, 2, 3, 4, 5, 6]}}))
    written = participant(
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
    scores = result(written, SCORES)
    found = score(scores, SPLIT, "linear")
    assert found.value > found.high
    assert found.p == pytest.approx(0.05)
