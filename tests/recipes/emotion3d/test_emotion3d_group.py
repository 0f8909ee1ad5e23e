"""Decoding across participants and statistics over them, on planted patterns."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bidsapp.errors import InputMissingError
from bidsapp.recipes.emotion3d.group_tests import (
    Scored,
    group_rows,
    participant_rows,
    prevalence_rows,
)
from bidsapp.recipes.emotion3d.results import (
    GROUP_CONFUSION,
    GROUP_HAUFE,
    PARTICIPANTS,
    SCORES,
    TESTS,
)
from bidsapp.recipes.emotion3d.settings import GroupSettings

BOTH = "leave_participant_and_run_out"


@pytest.fixture(scope="module")
def finished(film, participant, tmp_path_factory):
    """Results of both participants, linear decoders only."""
    output = tmp_path_factory.mktemp("finished")
    for subject in ("01", "02"):
        participant(film, output, subject, n_shifts=19)
    return output


@pytest.mark.slow
def test_planted_emotions_are_found_in_new_people_and_runs(film, finished, group, result, score):
    written = group(film, finished, ["01", "02"], n_shifts=19, cnn=True, n_cnn_shifts=1, epochs=2)
    scores = result(written, SCORES)
    for split in ("leave_participant_out", BOTH):
        found = score(scores, split, "linear")
        assert found.value > max(found.high, 0.8)
        assert found.p == pytest.approx(0.05)
    people = result(written, PARTICIPANTS)
    assert set(people.level) == {"within", "across"}
    assert set(people.participant) == {"01", "02"}
    tests = result(written, TESTS)
    assert not tests.test.str.startswith(("time", "run")).any()
    assert (tests[tests.test == "linear > chance"].difference > 0.5).all()
    assert np.allclose(tests[tests.test == "linear > chance"].p, 0.05)
    paired = tests[tests.test == "cnn - linear"]
    assert len(paired) == 2
    assert np.allclose(paired.smallest_p, 1 / 2)
    confusion = result(written, GROUP_CONFUSION)
    pool = confusion[confusion.participant.isna() & (confusion.decoder == "linear")]
    each = confusion[confusion.participant.notna() & (confusion.decoder == "linear")]
    assert pool.n.sum() == each.n.sum()
    assert each.share_of_others.notna().all()
    (space,) = written.spaces
    assert np.isfinite(written.maps(GROUP_HAUFE, space).values).any()
    cautions = {item.title: item for item in written.cautions()}
    assert cautions["Same stimulus in training and test"].severity == "serious"
    assert cautions["cnn > chance cannot be significant"].severity == "serious"


@pytest.mark.slow
def test_changed_runs_are_not_mixed(film, finished, config, group_inputs_of):
    """A filter that was not there before leaves nobody whose runs are those of the results."""
    filters = finished / "filter.json"
    filters.write_text(json.dumps({"bold": {"run": [1, 2]}}))
    made = config(film, finished, analysis_level=("group",), bids_filter_file=filters)
    with pytest.raises(InputMissingError, match="same filters"):
        group_inputs_of(film, made, ["01", "02"])


@pytest.mark.slow
def test_one_participant_is_no_group(film, finished, config, group_inputs_of):
    made = config(film, finished, analysis_level=("group",), exclude_participant_label=("02",))
    with pytest.raises(InputMissingError, match=r"1 complete participant\(s\), .* needs 2"):
        group_inputs_of(film, made, ["01", "02"])


def make_scored(observed, null, decoder="linear", leaky="no"):
    subjects = tuple(f"{k:02d}" for k in range(len(observed)))
    return Scored("within", "leave_run_out", decoder, leaky, subjects, observed, null)


def test_scores_are_compared_with_each_own_chance():
    """People at very different chance levels, all exactly at their own: no effect."""
    rng = np.random.default_rng(0)
    level = np.linspace(0.1, 0.4, 12)
    null = level[:, None] + 0.03 * rng.standard_normal((12, 50))
    nothing = make_scored(level + 0.03 * rng.standard_normal(12), null)
    effect = make_scored(level + 0.1, null)
    rows = [next(group_rows([one], GroupSettings(), 0)) for one in (nothing, effect)]
    assert rows[0]["p"] > 0.05
    assert rows[1]["p"] == rows[1]["smallest_p"] == 1 / 51
    assert rows[1]["p_flip"] <= 1 / 4096 + 1e-12
    assert rows[1]["difference"] == pytest.approx(0.1, abs=0.01)
    shares = [next(prevalence_rows([one], 0.05, 0)) for one in (nothing, effect)]
    assert shares[0]["n_significant"] <= 3
    assert shares[1]["n_significant"] >= 11
    assert shares[1]["low"] > 0.6
    table = list(participant_rows([effect]))
    assert table[0]["above_chance"] == pytest.approx(0.1, abs=0.02)


def test_what_leaks_or_knows_no_brain_is_not_tested():
    null = np.full((3, 5), 0.2)
    seen = np.array([0.9, 0.9, 0.9])
    scored = [
        make_scored(seen, null, leaky="LEAKY"),
        make_scored(seen, null, decoder="time"),
        make_scored(seen, np.zeros((3, 0))),
    ]
    assert not list(group_rows(scored, GroupSettings(), 0))
    assert not list(prevalence_rows(scored, 0.05, 0))


def test_what_participants_share_is_no_evidence():
    """Copies move the labels alike in everybody: a part that all share stays in the null."""
    rng = np.random.default_rng(1)
    hits = {"p": 0, "p_flip": 0, "p_global": 0}
    for seed in range(200):
        scores = 0.2 + 0.03 * rng.standard_normal((12, 40)) + 0.05 * rng.standard_normal(40)
        scored = [make_scored(scores[:, 0], scores[:, 1:])]
        row = next(group_rows(scored, GroupSettings(n_flips=500), 0))
        row |= next(prevalence_rows(scored, 0.05, seed))
        for name in hits:
            hits[name] += row[name] <= 0.05
    assert hits["p"] <= 18
    assert hits["p_global"] <= 18
    assert hits["p_flip"] > 60


def test_decoders_are_compared_above_their_own_chance():
    """A decoder whose chance is higher is not better; one that decodes more is."""
    rng = np.random.default_rng(2)
    noise = 0.02 * rng.standard_normal((2, 10, 40))
    linear = make_scored(0.3 + noise[0, :, 0], 0.2 + noise[0, :, 1:])
    for cnn_score, better in ((0.4, False), (0.6, True)):
        cnn = make_scored(cnn_score + noise[1, :, 0], 0.3 + noise[1, :, 1:], decoder="cnn")
        row = list(group_rows([cnn, linear], GroupSettings(), 0))[-1]
        assert row["test"] == "cnn - linear"
        assert row["mean"] == pytest.approx(cnn_score - 0.3, abs=0.03)
        assert row["difference"] == pytest.approx(0.2 if better else 0.0, abs=0.03)
        assert (row["p"] == row["smallest_p"]) is better


def test_a_decoder_without_chance_is_not_compared():
    seen, null = np.full(3, 0.5), np.full((3, 19), 0.2)
    cnn = make_scored(seen, np.zeros((3, 0)), decoder="cnn")
    assert [
        row["test"] for row in group_rows([cnn, make_scored(seen, null)], GroupSettings(), 0)
    ] == ["linear > chance"]


def test_prevalence_is_not_given_where_nobody_can_pass():
    scored = [make_scored(np.full(5, 0.9), np.full((5, n), 0.2)) for n in (18, 19)]
    few, enough = prevalence_rows(scored, 0.05, 0)
    assert all(np.isnan(few[name]) for name in ("n_significant", "prevalence", "low", "bound"))
    assert enough["n_significant"] == 5
    assert enough["low"] > 0.4
