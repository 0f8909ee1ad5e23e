"""Real responses: what was seen in Haxby's runs is identified by the recipe's own steps.

Blocks of a run are the clips, categories (one-hot) the embedding. From volumes to accuracies the
functions are those of the recipe: response windows, ridge in inner folds, identification among
the blocks of the held-out run, exchanges.
"""

from __future__ import annotations

import csv
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy.signal import detrend

from bidsapp.bids.records import Run
from bidsapp.models.region_decoder import ClipRows
from bidsapp.recipes.base.clips import Clip, Hearing
from bidsapp.recipes.reconstruct.clips import Clips
from bidsapp.recipes.reconstruct.decode import Regions, decode, make_judge
from bidsapp.recipes.reconstruct.settings import ReconstructSettings
from bidsapp.recipes.reconstruct.windows import fill_responses, response_weights
from bidsapp.stats.folds import nested_folds

N_RUNS, TR_S, N_TRS, BLOCK_S = 12, 2.5, 121, 22.5
SETTINGS = ReconstructSettings(n_exchanges=199, whole_brain=False, n_best=1)


@pytest.mark.data
@pytest.mark.parametrize(("shift_s", "lowest", "highest"), [(5.0, 0.85, 1.0), (-25.0, 0.0, 0.75)])
def test_categories_are_identified_from_the_responses_that_follow_them(
    test_data: Path, shift_s: float, lowest: float, highest: float
) -> None:
    folder = test_data / "haxby_bids" / "sub-001" / "func"
    if not folder.exists():
        pytest.skip("Haxby's runs are not among the test data")
    runs, series, clips, categories, hearings = [], [], [], [], []
    for number in range(N_RUNS):
        name = f"sub-001_task-objectviewing_acq-1slice_run-{number + 1:02d}"
        runs.append(
            Run({"run": str(number)}, "toy", None, None, "volume", (), None, None, TR_S, N_TRS)
        )
        image = nib.load(folder / f"{name}_bold.nii.gz")
        values = detrend(np.asarray(image.dataobj, np.float64).reshape(-1, N_TRS).T, axis=0)
        series.append(values / np.where(values.std(axis=0) > 0, values.std(axis=0), np.inf))
        with (folder / f"{name}_events.tsv").open(newline="") as file:
            for onset, _, category in list(csv.reader(file, delimiter="\t"))[1:]:
                key = f"{category}{number}"
                clips.append(Clip(key, key, 0.0))
                categories.append(category)
                hearings.append((Hearing(key, 0.0, number, float(onset), BLOCK_S, 0),))
    seen = Clips(tuple(clips), ("",) * len(clips), tuple(hearings), np.zeros(1), ())
    weights = response_weights(seen, runs, window_s=BLOCK_S, shift_s=shift_s, length_s=BLOCK_S)
    known = np.diff(weights.indptr) > 0
    data = np.concatenate(series).astype(np.float32)
    responses = np.empty((data.shape[1], len(clips)), np.float32)
    fill_responses(weights, data, responses)
    names = sorted(set(categories))
    embedding = np.array([[float(own == name) for name in names] for own in categories])
    block = np.repeat(np.arange(N_RUNS), len(names))
    folds = nested_folds(np.arange(N_RUNS))
    rows = ClipRows(embedding[known, None], block[known], folds)
    brain = Regions(("slice",), np.zeros(data.shape[1], np.int64), 0)
    (decoded,) = decode(responses[:, known], brain, [rows], SETTINGS, memory_bytes=1 << 28)
    judge = make_judge(rows, seen.take(known, "it was not scanned"), SETTINGS, seed=1)
    exchange = judge.exchange(decoded.ensemble)
    print(float(exchange.observed), exchange.p)
    assert lowest <= float(exchange.observed) <= highest
    if shift_s > 0:
        assert float(exchange.p) == 1 / 200
