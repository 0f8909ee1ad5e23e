"""The block that is shown is the one whose score is the median, not the best."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bidsapp.recipes.base.score_results import peak_courses
from bidsapp.report.html import Picture
from bidsapp.report.timing import peak_section

DECLARED = peak_courses("toy")


def courses(r: list[float], n: int = 12) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = [
        {"parcel": 7, "layer": "conv1", "block": block + 1, "piece": f"piece{block}.wav"}
        | {"r": value, "volume": k, "stim_time_s": 2.0 * k}
        | dict(zip(DECLARED.header[7:], rng.normal(size=5), strict=True))
        for block, value in enumerate(r)
        for k in range(n)
    ]
    return pd.DataFrame(rows, columns=DECLARED.header)


def test_the_median_block_is_shown() -> None:
    section = peak_section(courses([0.9, 0.1, np.nan, 0.5]), DECLARED, "-1")
    assert section is not None
    assert section.anchor == "peak-1"
    (figure,) = section.parts
    assert isinstance(figure, Picture)
    assert "piece3.wav" in figure.caption
    assert "mean r = 0.50; chosen for it, so inflated" in figure.caption
    assert "r = 0.50; over blocks from 0.10 to 0.90" in figure.alt


def test_without_a_score_there_is_no_figure() -> None:
    assert peak_section(courses([np.nan, np.nan]), DECLARED) is None
    assert peak_section(courses([]), DECLARED) is None
