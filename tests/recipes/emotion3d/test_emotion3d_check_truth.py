"""Results that are known beforehand, compared with the planted truth."""

from __future__ import annotations

import numpy as np
import pytest

from bidsapp.bids.staging import Staging
from bidsapp.brain.geometry import volume_units
from bidsapp.brain.images import open_image
from bidsapp.recipes.emotion3d.check_truth import CHECK, matched_filter
from bidsapp.recipes.emotion3d.results import GROUP_SUMMARY, HAUFE, SCORES, SUMMARY
from bidsapp.results.write import Output
from bidsapp.simulate.oracle import bold_paths
from bidsapp.simulate.participant import FMRIPREP
from bidsapp.simulate.planted import read_truth
from bidsapp.simulate.truth import check_truth, findings

MNI = "MNI152NLin2009cAsym"


def score(split, value, measure="balanced_accuracy"):
    row = {"split": split, "decoder": "linear", "measure": measure, "value": value}
    row |= {"low": 0.1, "high": 0.9, "chance": 0.16, "p": 0.01, "n_shifts": 99, "n_volumes": 50}
    return row | {"leaky": "LEAKY" if "LEAKY" in split else "no"}


@pytest.fixture
def found(film, tmp_path):
    """Participant 01 has the planted patterns as its maps, and the group has the same scores."""
    truth = read_truth(film)
    run = truth.runs("01")[0]
    (path,) = bold_paths(film / FMRIPREP, {"sub": "01", **run.entities}, MNI)
    image = open_image(path)
    patterns = np.load(truth.maps()["01", MNI])["pattern"]
    mask = np.isfinite(patterns).all(axis=0).reshape(image.shape[:3])
    units = volume_units(mask, image.affine, space=MNI)
    rows = [
        score(split, value, measure)
        for split, value in (("leave_run_out", 0.6), ("shuffled-LEAKY", 0.97))
        for measure in ("balanced_accuracy", "accuracy")
    ]
    for subject, summary in (("01", SUMMARY), ("", GROUP_SUMMARY)):
        with Staging(tmp_path, f"job{subject}") as staging:
            out = Output(staging, units, subject=subject, common={})
            out.write(SCORES, rows)
            names = list(truth.facts["emotions"])
            out.write(HAUFE, patterns[::-1, mask.ravel()], names=names[::-1])
            out.write(summary, {"space": MNI, "networks": {}})
            staging.publish()
    return check_truth(film, tmp_path, {"emotion3d": CHECK})


def test_the_check_reads_scores_and_patterns(film, found):
    (entry,) = found["emotion3d"]["participants"]
    assert [item["leaky"] for item in entry["scores"]] == [False, True]
    assert [item["value"] for item in entry["scores"]] == [0.6, 0.97]
    assert list(entry["pattern_r"].values()) == pytest.approx([1.0] * 5)
    assert found["emotion3d"]["group"][0]["scores"] == entry["scores"]
    lines = findings(found, {"emotion3d": CHECK})
    assert any("shuffled-LEAKY (LEAKY), linear: balanced accuracy 0.97" in line for line in lines)


def test_its_filter_knows_the_patterns(film, found):
    assert found["emotion3d"]["participants"][0]["oracle"] > 0.8
    truth = read_truth(film)
    empty = np.zeros_like(np.load(truth.maps()["01", MNI])["pattern"])
    assert np.isnan(matched_filter(film, truth, "01", MNI, empty))
