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
    written = group(film, finished, ["01", "02"], n_shifts=19, epochs=2)
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
    assert set(tests.smallest_p) == {0.25, 0.5}
    paired = tests[tests.test == "cnn - linear"]
    assert len(paired) == 2
    confusion = result(written, GROUP_CONFUSION)
    pool = confusion[confusion.participant.isna() & (confusion.decoder == "linear")]
    each = confusion[confusion.participant.notna() & (confusion.decoder == "linear")]
    assert pool.n.sum() == each.n.sum()
    assert each.share_of_others.notna().all()
    (space,) = written.spaces
    assert np.isfinite(written.maps(GROUP_HAUFE, space).values).any()
    cautions = {item.title: item for item in written.cautions()}
    assert cautions["Same stimulus in training and test"].severity == "serious"
    assert "need at least 5" in cautions["Only 2 participants"].text


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
    assert rows[1]["p"] <= 1 / 4096 + 1e-12
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


def test_null_error_rate_of_the_group_test():
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(100):
        null = 0.2 + 0.05 * rng.standard_normal((8, 40))
        seen = 0.2 + 0.05 * rng.standard_normal(8)
        hits += next(group_rows([make_scored(seen, null)], GroupSettings(), 0))["p"] <= 0.05
    assert hits <= 12
