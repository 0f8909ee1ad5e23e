from __future__ import annotations

import numpy as np

from bidsapp.audio.training.evaluation import TagScore
from bidsapp.audio.training.figure import tag_figure

NAN = float("nan")


def test_tags_are_sorted_and_values_drawn_where_they_are():
    scores = [
        TagScore("piano", 100, 20, 0.9, 0.6),
        TagScore("never", 100, 0, NAN, NAN),
        TagScore("flute", 100, 5, 0.3, 0.1),
    ]
    figure = tag_figure(scores, "clips of split test")
    left, right = figure.axes
    names = [label.get_text() for label in left.get_yticklabels()]
    assert names == ["never (0)", "flute (5)", "piano (20)"]
    drawn = {line.get_label(): line.get_xdata() for line in left.lines}
    np.testing.assert_array_equal(drawn["measured"], [NAN, 0.3, 0.9])
    np.testing.assert_array_equal(drawn["chance"], [0.5] * 3)
    assert drawn["mean over tags"][0] == 0.6
    assert left.get_xlim()[0] < 0.3
    chance = next(line for line in right.lines if line.get_label() == "chance")
    np.testing.assert_allclose(chance.get_xdata(), [0.0, 0.05, 0.2])
    assert "0.600" in figure.get_suptitle()


def test_nothing_to_judge(tmp_path):
    figure = tag_figure([TagScore("never", 9, 0, NAN, NAN)], "clips")
    figure.savefig(tmp_path / "tags.png")
    assert "nan" in figure.get_suptitle()
